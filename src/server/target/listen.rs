//! The methods that take closures, for each way to hold them.

use core::error::Error;

use super::Target;
use crate::server::dispatch::Dispatch;
use crate::server::ending::{Held, RemovedListener};
use crate::server::holders::{LocalListener, SharedListener};
use crate::server::listeners::{Listener, ListenerId, On};
use crate::server::state::CloseReason;

macro_rules! listen {
    ($name:ident $(, $bound:ident)*) => {
        /// Listeners.
        impl Target<$name> {
            /// Adds a local listener for events. Listeners run in the order in which they were
            /// added. Added during a dispatch, it does not run in it.
            ///
            /// # Errors
            ///
            /// When the stream is closed: gives the listener back, which would never run.
            pub fn listen(
                &mut self,
                on: On,
                listener: impl Fn(&Dispatch<'_>) $(+ $bound)* + 'static,
            ) -> Result<ListenerId, RemovedListener<$name>> {
                refused(self.add_listener(on, $name::on_event(listener)))
            }

            /// Adds a listener that runs once, when the stream is closed, whatever the reason.
            ///
            /// # Errors
            ///
            /// When the stream is closed: gives the listener back, which would never run.
            pub fn on_close(
                &mut self,
                listener: impl Fn(CloseReason) $(+ $bound)* + 'static,
            ) -> Result<ListenerId, RemovedListener<$name>> {
                refused(self.add_listener(On::close(), $name::on_close(listener)))
            }

            /// Adds a listener that runs when the stream fails, after the close listeners.
            ///
            /// # Errors
            ///
            /// When the stream is closed: gives the listener back, which would never run.
            pub fn on_error(
                &mut self,
                listener: impl Fn(&(dyn Error + Send + Sync + 'static)) $(+ $bound)* + 'static,
            ) -> Result<ListenerId, RemovedListener<$name>> {
                refused(self.add_listener(On::error(), $name::on_error(listener)))
            }
        }
    };
}

listen!(LocalListener);
listen!(SharedListener, Send, Sync);

fn refused<P: Listener>(added: Result<ListenerId, P>) -> Result<ListenerId, RemovedListener<P>> {
    added.map_err(|listener| RemovedListener(Held::Refused(listener)))
}
