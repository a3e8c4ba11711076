//! The two ways to share a channel between its handles and its stream: on one thread with `Rc`, or
//! between threads with `Arc`.

use alloc::rc::{self, Rc};
use core::cell::{Cell, RefCell, RefMut};
use core::ops::{Deref, DerefMut};

use super::listeners::Occasion;

/// How the handles and the stream of one target share it: `Shared` between threads, which needs
/// `std`, or [`Local`] on one thread.
///
/// This trait is sealed.
#[expect(
    private_bounds,
    reason = "seals the trait, and shows nothing of what it is made of"
)]
pub trait Sharing: Sized + 'static {
    #[doc(hidden)]
    type Means: Share<Marker = Self>;
}

/// Shared on one thread. Neither the handles, the stream nor the listeners need to be `Send`.
#[expect(missing_debug_implementations, reason = "it has no value")]
pub enum Local {}

/// Shared between threads. The handles, the stream and the listeners are `Send + Sync`.
#[cfg(feature = "std")]
#[expect(missing_debug_implementations, reason = "it has no value")]
pub enum Shared {}

impl Sharing for Local {
    #[doc(hidden)]
    type Means = Self;
}

#[cfg(feature = "std")]
impl Sharing for Shared {
    #[doc(hidden)]
    type Means = Self;
}

/// The pointers, the lock and the kind of listener of one way to share.
pub(crate) trait Share: Sized + 'static {
    type Marker: Sharing;
    type Listener: Fn(&Occasion<'_>) + ?Sized;
    type Strong<T>: Clone + Deref<Target = T> + Unpin;
    type Weak<T>: Clone;
    type Lock<T>;
    type Guard<'a, T: 'a>: DerefMut<Target = T>;
    /// Counts the dispatches that run within each other.
    type Depth: Default;

    fn strong<T>(value: T) -> Self::Strong<T>;
    fn downgrade<T>(strong: &Self::Strong<T>) -> Self::Weak<T>;
    fn upgrade<T>(weak: &Self::Weak<T>) -> Option<Self::Strong<T>>;
    fn lockable<T>(value: T) -> Self::Lock<T>;
    fn lock<T>(lock: &Self::Lock<T>) -> Self::Guard<'_, T>;
    /// Returns how many dispatches the caller is within. `key` tells this channel from all others.
    fn depth(depth: &Self::Depth, key: usize) -> usize;
    /// Runs `work` one dispatch deeper.
    fn deeper<T>(depth: &Self::Depth, key: usize, work: impl FnOnce() -> T) -> T;
}

impl Share for Local {
    type Marker = Self;
    type Listener = dyn Fn(&Occasion<'_>);
    type Strong<T> = Rc<T>;
    type Weak<T> = rc::Weak<T>;
    type Lock<T> = RefCell<T>;
    type Guard<'a, T: 'a> = RefMut<'a, T>;
    type Depth = Cell<usize>;

    fn strong<T>(value: T) -> Rc<T> {
        Rc::new(value)
    }

    fn downgrade<T>(strong: &Rc<T>) -> rc::Weak<T> {
        Rc::downgrade(strong)
    }

    fn upgrade<T>(weak: &rc::Weak<T>) -> Option<Rc<T>> {
        weak.upgrade()
    }

    fn lockable<T>(value: T) -> RefCell<T> {
        RefCell::new(value)
    }

    // No foreign code runs during the borrow, so it is never borrowed twice.
    #[inline]
    fn lock<T>(lock: &RefCell<T>) -> RefMut<'_, T> {
        lock.borrow_mut()
    }

    fn depth(depth: &Cell<usize>, _: usize) -> usize {
        depth.get()
    }

    fn deeper<T>(depth: &Cell<usize>, _: usize, work: impl FnOnce() -> T) -> T {
        struct Leave<'a>(&'a Cell<usize>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        depth.set(depth.get() + 1);
        let _leave = Leave(depth);
        work()
    }
}

#[cfg(feature = "std")]
mod shared {
    use alloc::sync::{Arc, Weak};
    use alloc::vec::Vec;
    use core::cell::RefCell;

    use super::{Occasion, Share, Shared};
    use crate::sync::{Mutex, MutexGuard, PoisonError, thread_local};

    thread_local! {
        /// The keys of the channels whose listeners run on this thread, outermost first. Threads
        /// that dispatch at the same time are not within each other.
        static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    impl Share for Shared {
        type Marker = Self;
        type Listener = dyn Fn(&Occasion<'_>) + Send + Sync;
        type Strong<T> = Arc<T>;
        type Weak<T> = Weak<T>;
        type Lock<T> = Mutex<T>;
        type Guard<'a, T: 'a> = MutexGuard<'a, T>;
        type Depth = ();

        fn strong<T>(value: T) -> Arc<T> {
            Arc::new(value)
        }

        fn downgrade<T>(strong: &Arc<T>) -> Weak<T> {
            Arc::downgrade(strong)
        }

        fn upgrade<T>(weak: &Weak<T>) -> Option<Arc<T>> {
            weak.upgrade()
        }

        fn lockable<T>(value: T) -> Mutex<T> {
            Mutex::new(value)
        }

        #[inline]
        fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
            // No foreign code runs under the lock, so no panic leaves a half-done change.
            lock.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn depth((): &(), key: usize) -> usize {
            // The store of a thread that ends may be gone. Nothing is counted then.
            RUNNING
                .try_with(|running| running.borrow().iter().filter(|&&k| k == key).count())
                .unwrap_or(0)
        }

        fn deeper<T>((): &(), key: usize, work: impl FnOnce() -> T) -> T {
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
    }
}
