//! The methods that take closures, for each way to share.

use core::error::Error;

use super::handle::TargetHandle;
use super::sharing::Local;
#[cfg(feature = "std")]
use super::sharing::Shared;
use crate::server::dispatch::Dispatch;
use crate::server::holders::LocalListener;
#[cfg(feature = "std")]
use crate::server::holders::SharedListener;
use crate::server::listeners::sealed::Call;
use crate::server::listeners::{ListenerId, Occasion, On};
use crate::server::state::CloseReason;

macro_rules! listen {
    ($sharing:ident, $listener:ident $(, $bound:ident)*) => {
        /// Listeners.
        impl TargetHandle<$sharing> {
            /// Adds a local listener for events. Listeners run in the order in which they were added. Added
            /// during a dispatch, it does not run in it; added to a closed stream, it never runs.
            pub fn listen(
                &self,
                on: On,
                listener: impl Fn(&Dispatch<'_>) $(+ $bound)* + 'static,
            ) -> ListenerId {
                let listener = $listener::on_event(listener);
                // Two statements, here and below: what is refused is dropped after the lock is released.
                let added = self.core.lock().target.add_listener(on, listener);
                added.unwrap_or_else(|_never_runs| ListenerId::next())
            }

            /// Adds a listener that runs once, when the stream is closed, whatever the reason: inside the
            /// call that closes it, or inside the drop of the [`EventStream`](crate::EventStream). If the
            /// stream is closed already, it runs now.
            ///
            /// If one of the listeners panics, the others run all the same, and then the panic goes on to
            /// who closed the stream.
            pub fn on_close(&self, listener: impl Fn(CloseReason) $(+ $bound)* + 'static) -> ListenerId {
                let listener = $listener::on_close(listener);
                let added = self.core.lock().target.add_listener(On::close(), listener);
                added.unwrap_or_else(|late| {
                    if let Some(reason) = self.close_reason() {
                        late.call(&Occasion::Close(reason));
                    }
                    ListenerId::next()
                })
            }

            /// Adds a listener that runs when the stream fails, after the close listeners. If the stream has
            /// failed already, it runs now.
            pub fn on_error(
                &self,
                listener: impl Fn(&(dyn Error + Send + Sync + 'static)) $(+ $bound)* + 'static,
            ) -> ListenerId {
                let listener = $listener::on_error(listener);
                let added = self.core.lock().target.add_listener(On::error(), listener);
                added.unwrap_or_else(|late| {
                    if let Some(error) = self.error() {
                        late.call(&Occasion::Error(&*error));
                    }
                    ListenerId::next()
                })
            }
        }
    };
}

listen!(Local, LocalListener);
#[cfg(feature = "std")]
listen!(Shared, SharedListener, Send, Sync);
