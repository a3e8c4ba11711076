//! The two ways to hold listeners.
//!
//! A closure that must be `Send + Sync` and one that need not be are two signatures, so what takes
//! them is written once, in a macro, and made for both.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use super::dispatch::Dispatch;
use super::listeners::{Listener, Occasion, sealed};
use super::state::CloseReason;

macro_rules! listener {
    ($(#[$doc:meta])* $name:ident, $pointer:ident $(, $bound:ident)*) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name($pointer<dyn Fn(&Occasion<'_>) $(+ $bound)*>);

        impl $name {
            pub(crate) fn on_event(f: impl Fn(&Dispatch<'_>) $(+ $bound)* + 'static) -> Self {
                Self($pointer::new(move |occasion| {
                    if let Occasion::Event(dispatch) = occasion {
                        f(dispatch);
                    }
                }))
            }

            pub(crate) fn on_close(f: impl Fn(CloseReason) $(+ $bound)* + 'static) -> Self {
                Self($pointer::new(move |occasion| {
                    if let Occasion::Close(reason) = occasion {
                        f(*reason);
                    }
                }))
            }

            pub(crate) fn on_error(
                f: impl Fn(&(dyn Error + Send + Sync + 'static)) $(+ $bound)* + 'static,
            ) -> Self {
                Self($pointer::new(move |occasion| {
                    if let Occasion::Error(error) = occasion {
                        f(*error);
                    }
                }))
            }
        }

        impl Listener for $name {}

        impl sealed::Call for $name {
            #[expect(private_interfaces, reason = "sealed: nobody else can name or call it")]
            fn call(&self, occasion: &Occasion<'_>) {
                (self.0)(occasion);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

listener! {
    /// Holds listeners that are `Send + Sync`; a target with it may move between threads.
    SharedListener, Arc, Send, Sync
}

listener! {
    /// Holds listeners that need not be `Send`; a target with it stays on its thread.
    LocalListener, Rc
}
