//! The two ways to share a channel between its handles and its stream: on one thread with `Rc`, or
//! between threads with `Arc`.

use alloc::rc::{self, Rc};
use core::cell::{Cell, RefCell, RefMut};
use core::ops::{Deref, DerefMut};

use super::listeners::Occasion;

/// Selects how the handles and the stream of a target share its state: `Shared` between threads,
/// which needs `std`, or [`Local`] on one thread.
///
/// This trait is sealed.
#[expect(private_bounds, reason = "seals the trait and hides its parts")]
pub trait Sharing: Sized + 'static {
    #[doc(hidden)]
    type Means: Primitives;
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

/// The pointers, the lock and the kind of listener of one way to share. This trait is apart from
/// [`Sharing`], so that a public trait shows none of them.
pub(crate) trait Primitives: Sized + 'static {
    type Listener: Fn(&Occasion<'_>) + ?Sized;
    type Strong<T>: Clone + Deref<Target = T> + From<T> + Unpin;
    type Weak<T>: Clone;
    type Lock<T>;
    type Guard<'a, T: 'a>: DerefMut<Target = T>;
    /// Counts nested dispatches.
    type Depth: Default;

    fn downgrade<T>(strong: &Self::Strong<T>) -> Self::Weak<T>;
    fn upgrade<T>(weak: &Self::Weak<T>) -> Option<Self::Strong<T>>;
    fn lockable<T>(value: T) -> Self::Lock<T>;
    fn lock<T>(lock: &Self::Lock<T>) -> Self::Guard<'_, T>;
    /// Enters a dispatch. Returns how many dispatches of this channel already run on this thread.
    /// `key` identifies the channel.
    fn enter(depth: &Self::Depth, key: usize) -> usize;
    /// Leaves the dispatch that was entered last.
    fn leave(depth: &Self::Depth);
}

impl Primitives for Local {
    type Listener = dyn Fn(&Occasion<'_>);
    type Strong<T> = Rc<T>;
    type Weak<T> = rc::Weak<T>;
    type Lock<T> = RefCell<T>;
    type Guard<'a, T: 'a> = RefMut<'a, T>;
    type Depth = Cell<usize>;

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

    fn enter(depth: &Cell<usize>, _: usize) -> usize {
        depth.replace(depth.get() + 1)
    }

    fn leave(depth: &Cell<usize>) {
        depth.set(depth.get() - 1);
    }
}

#[cfg(feature = "std")]
mod shared {
    use alloc::sync::{Arc, Weak};
    use alloc::vec::Vec;
    use core::cell::RefCell;

    use super::{Occasion, Primitives, Shared};
    use crate::sync::{Mutex, MutexGuard, PoisonError, thread_local};

    thread_local! {
        /// The keys of the channels whose listeners run on this thread, outermost first. Dispatches
        /// on different threads are not nested.
        static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    impl Primitives for Shared {
        type Listener = dyn Fn(&Occasion<'_>) + Send + Sync;
        type Strong<T> = Arc<T>;
        type Weak<T> = Weak<T>;
        type Lock<T> = Mutex<T>;
        type Guard<'a, T: 'a> = MutexGuard<'a, T>;
        type Depth = ();

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

        // While a thread ends, its thread-local may already be destroyed. Then nothing is counted.
        fn enter((): &(), key: usize) -> usize {
            let entered = RUNNING.try_with(|running| {
                let mut running = running.borrow_mut();
                let within = running.iter().filter(|&&other| other == key).count();
                running.push(key);
                within
            });
            entered.unwrap_or(0)
        }

        fn leave((): &()) {
            let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
        }
    }
}
