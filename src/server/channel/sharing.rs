//! The two ways to share one target between its handles and its stream.

use alloc::rc::{self, Rc};
use core::cell::{Cell, RefCell, RefMut};
use core::ops::{Deref, DerefMut};

use super::{Core, Inner};
use crate::server::holders::LocalListener;
use crate::server::listeners::Listener;

/// How the handles and the stream of one target share it: `Shared` between threads, which needs
/// `std`, or [`Local`] to one.
pub trait Sharing: sealed::Share {}

/// Shared on one thread: handles and stream are not `Send`, and neither need the listeners be.
#[derive(Debug)]
pub enum Local {}

/// Shared between threads: handles and stream are `Send + Sync`, and so are the listeners.
#[cfg(feature = "std")]
#[derive(Debug)]
pub enum Shared {}

pub(crate) mod sealed {
    use super::{Core, Deref, DerefMut, Inner, Listener};

    pub trait Share: Sized + 'static {
        type Listener: Listener + 'static;
        type Strong: Clone + Deref<Target = Core<Self>> + Unpin;
        type Weak: Clone;
        type Lock;
        type Guard<'a>: DerefMut<Target = Inner<Self>>;
        /// What counts the dispatches under way within each other.
        type Depth: Default;

        fn new(core: Core<Self>) -> Self::Strong;
        fn downgrade(strong: &Self::Strong) -> Self::Weak;
        fn upgrade(weak: &Self::Weak) -> Option<Self::Strong>;
        fn behind_lock(inner: Inner<Self>) -> Self::Lock;
        fn lock(lock: &Self::Lock) -> Self::Guard<'_>;
        /// How many dispatches the caller is within.
        fn depth(core: &Core<Self>) -> usize;
        /// Does `work` one dispatch deeper.
        fn deeper<T>(core: &Core<Self>, work: impl FnOnce() -> T) -> T;
    }
}

impl Sharing for Local {}

impl sealed::Share for Local {
    type Listener = LocalListener;
    type Strong = Rc<Core<Self>>;
    type Weak = rc::Weak<Core<Self>>;
    type Lock = RefCell<Inner<Self>>;
    type Guard<'a> = RefMut<'a, Inner<Self>>;
    type Depth = Cell<usize>;

    fn new(core: Core<Self>) -> Self::Strong {
        Rc::new(core)
    }

    fn downgrade(strong: &Self::Strong) -> Self::Weak {
        Rc::downgrade(strong)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self::Strong> {
        weak.upgrade()
    }

    fn behind_lock(inner: Inner<Self>) -> Self::Lock {
        RefCell::new(inner)
    }

    // Nothing of the user's runs while it is borrowed, so it never is twice.
    #[inline]
    fn lock(lock: &Self::Lock) -> Self::Guard<'_> {
        lock.borrow_mut()
    }

    fn depth(core: &Core<Self>) -> usize {
        core.depth.get()
    }

    fn deeper<T>(core: &Core<Self>, work: impl FnOnce() -> T) -> T {
        struct Leave<'a>(&'a Cell<usize>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        core.depth.set(core.depth.get() + 1);
        let _leave = Leave(&core.depth);
        work()
    }
}

#[cfg(feature = "std")]
mod shared {
    use crate::sync::{Mutex, MutexGuard, PoisonError};
    use alloc::sync::{Arc, Weak};

    use super::super::nesting;
    use super::{Core, Inner, Shared, Sharing, sealed};
    use crate::server::holders::SharedListener;

    impl Sharing for Shared {}

    impl sealed::Share for Shared {
        type Listener = SharedListener;
        type Strong = Arc<Core<Self>>;
        type Weak = Weak<Core<Self>>;
        type Lock = Mutex<Inner<Self>>;
        type Guard<'a> = MutexGuard<'a, Inner<Self>>;
        // Counted for each thread, and not here.
        type Depth = ();

        fn new(core: Core<Self>) -> Self::Strong {
            Arc::new(core)
        }

        fn downgrade(strong: &Self::Strong) -> Self::Weak {
            Arc::downgrade(strong)
        }

        fn upgrade(weak: &Self::Weak) -> Option<Self::Strong> {
            weak.upgrade()
        }

        fn behind_lock(inner: Inner<Self>) -> Self::Lock {
            Mutex::new(inner)
        }

        #[inline]
        fn lock(lock: &Self::Lock) -> Self::Guard<'_> {
            // Nothing of the user's runs under the lock, so a panic can't have left half a change.
            lock.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn depth(core: &Core<Self>) -> usize {
            nesting::depth(core.key())
        }

        fn deeper<T>(core: &Core<Self>, work: impl FnOnce() -> T) -> T {
            nesting::deeper(core.key(), work)
        }
    }
}

/// Writes a type that is over a way of sharing: between threads where nothing else is said, if there
/// is `std`.
macro_rules! over_sharing {
    ($(#[$attribute:meta])* pub struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$attribute])*
        #[cfg(feature = "std")]
        pub struct $name<S: Sharing = $crate::server::channel::Shared> {
            $(pub(super) $field: $type,)*
        }

        $(#[$attribute])*
        #[cfg(not(feature = "std"))]
        pub struct $name<S: Sharing> {
            $(pub(super) $field: $type,)*
        }
    };
}
pub(super) use over_sharing;
