//! The methods that take closures, for each way to hold them.

use core::error::Error;

use super::Target;
use crate::server::dispatch::Dispatch;
use crate::server::holders::{LocalListener, SharedListener};
use crate::server::listeners::{ListenerId, On};
use crate::server::state::CloseReason;

macro_rules! listen {
    ($name:ident $(, $bound:ident)*) => {
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

listen!(LocalListener);
listen!(SharedListener, Send, Sync);
