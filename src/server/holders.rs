//! The two ways to hold listeners, and the methods that take closures for each.
//!
//! A closure that must be `Send + Sync` and one that need not be are two signatures, so the methods
//! are written once, in a macro, and made for both.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use super::dispatch::Dispatch;
use super::listeners::{Listener, ListenerId, Occasion, On, sealed};
use super::state::CloseReason;
use super::target::Target;

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

        /// Listeners.
        impl Target<$name> {
            /// Adds a local listener for events. Listeners run in the order in which they were
            /// added. Added during a dispatch, it does not run in it; added to a closed stream, it
            /// never runs.
            pub fn listen(
                &mut self,
                on: On,
                listener: impl Fn(&Dispatch<'_>) $(+ $bound)* + 'static,
            ) -> ListenerId {
                self.add_listener(on, $name::on_event(listener)).0
            }

            /// Adds a listener that runs once, when the stream is closed, whatever the reason.
            pub fn on_close(
                &mut self,
                listener: impl Fn(CloseReason) $(+ $bound)* + 'static,
            ) -> ListenerId {
                self.add_listener(On::close(), $name::on_close(listener)).0
            }

            /// Adds a listener that runs when the stream fails, after the close listeners.
            pub fn on_error(
                &mut self,
                listener: impl Fn(&(dyn Error + Send + Sync + 'static)) $(+ $bound)* + 'static,
            ) -> ListenerId {
                self.add_listener(On::error(), $name::on_error(listener)).0
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
