//! What is left to do, outside of any borrow or lock, once a target has changed.

use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use super::listeners::{Listener, Snapshot};
use super::panics::Panics;
use super::state::CloseReason;

/// The error that a stream failed with.
pub(crate) type Failure = Arc<dyn Error + Send + Sync + 'static>;

/// A stream that was just closed, and whose listeners are to be told.
///
/// It holds all listeners of the stream: none of them is needed any more.
#[must_use = "the close listeners run only in `run`"]
pub struct Ending<P: Listener> {
    pub(crate) reason: CloseReason,
    pub(crate) failure: Option<Failure>,
    pub(crate) listeners: Option<Snapshot<P>>,
}

impl<P: Listener> Ending<P> {
    /// Runs the close listeners in order, and, if the stream failed, the error listeners after
    /// them.
    ///
    /// All of them run, also when one panics; the first panic goes on to the caller then. (Without
    /// the feature `std` it goes on at once, and those behind it do not run.)
    pub fn run(self) {
        let mut panics = Panics::default();
        self.run_all(&mut panics);
        panics.go_on();
    }

    pub(crate) fn run_all(self, panics: &mut Panics) {
        let Some(listeners) = &self.listeners else {
            return;
        };
        listeners.run_close(self.reason, panics);
        if let Some(error) = &self.failure {
            listeners.run_error(&**error, panics);
        }
        listeners.retire();
    }
}

/// A listener that is not, or no longer, one of a target. Dropping it may drop what the listener
/// captured, and so run code of its own.
#[must_use = "drop it where what the listener captured may be dropped"]
pub struct RemovedListener<P: Listener>(pub(crate) Held<P>);

#[expect(dead_code, reason = "held for its drop")]
pub(crate) enum Held<P: Listener> {
    Removed(Snapshot<P>),
    Refused(P),
}

impl<P: Listener> fmt::Debug for Ending<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("reason", &self.reason)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl<P: Listener> fmt::Debug for RemovedListener<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemovedListener").finish_non_exhaustive()
    }
}
