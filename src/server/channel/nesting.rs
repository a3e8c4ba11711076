//! How deep the listeners of a target have dispatched within each other, on this thread.
//!
//! Counted for each thread: threads that dispatch at the same time are not within each other.

use crate::sync::thread_local;
use alloc::vec::Vec;
use core::cell::RefCell;

thread_local! {
    /// The keys of the targets whose listeners run now, outermost first.
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Returns how many dispatches of the target `key` are under way on this thread.
pub(crate) fn depth(key: usize) -> usize {
    // While the thread ends, its store may be gone: nothing can be counted there any more.
    RUNNING
        .try_with(|running| running.borrow().iter().filter(|&&k| k == key).count())
        .unwrap_or(0)
}

/// Does `work`, one dispatch of the target `key` deeper.
pub(crate) fn deeper<T>(key: usize, work: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
        }
    }
    let _ = RUNNING.try_with(|running| running.borrow_mut().push(key));
    let _leave = Leave;
    work()
}
