//! One dispatch on its way: begun, decided by the local listeners, to be committed.

use core::fmt;

use super::dispatch::{Dispatch, DispatchError, Dispatched};
use super::listeners::{Listener, Snapshot};
use super::room::Room;
use crate::wire::encode::Measured;
use crate::wire::event::Event;

/// A dispatch that has begun: its room is reserved, its listeners have not run.
///
/// Dropped, it gives the room back. See [`Target::begin`](crate::Target::begin).
#[must_use = "an event is sent only by `Target::commit`"]
pub struct Pending<'e, P: Listener> {
    pub(crate) event: &'e Event<'e>,
    pub(crate) measured: Measured,
    pub(crate) listeners: Option<Snapshot<P>>,
    pub(crate) room: Option<Room>,
    /// Listeners that ran once in a dispatch that never ended: held, to be dropped where this is.
    pub(crate) _swept: Option<Snapshot<P>>,
}

impl<'e, P: Listener> Pending<'e, P> {
    /// Runs the local listeners, in order. They may use the target: nothing is borrowed here.
    ///
    /// If one panics, the panic goes on to the caller and the room is given back.
    pub fn run_listeners(self) -> Decided<'e, P> {
        let dispatch = Dispatch::new(self.event);
        if let Some(listeners) = &self.listeners {
            listeners.run_event(&dispatch);
        }
        Decided {
            canceled: dispatch.is_canceled(),
            swept: None,
            outcome: None,
            pending: self,
        }
    }
}

/// A dispatch whose listeners have run. See [`Target::commit`](crate::Target::commit).
///
/// Dropping it may drop listeners that were removed meanwhile, and so run code of theirs.
#[must_use = "an event is sent only by `Target::commit`"]
pub struct Decided<'e, P: Listener> {
    pub(crate) pending: Pending<'e, P>,
    pub(crate) canceled: bool,
    /// Listeners that ran once and left the list: held, to be dropped where this is.
    pub(crate) swept: Option<Snapshot<P>>,
    pub(crate) outcome: Option<Result<Dispatched, DispatchError>>,
}

impl<P: Listener> fmt::Debug for Pending<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

impl<P: Listener> fmt::Debug for Decided<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decided")
            .field("event", &self.pending.event)
            .field("canceled", &self.canceled)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
