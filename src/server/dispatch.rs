//! The types of a dispatch: `Dispatched` and `DispatchError` for its caller, `Dispatch` for
//! listeners.

use core::cell::Cell;
use core::error::Error;
use core::fmt;

use super::state::CloseReason;
use crate::wire::event::Event;

/// The result of a dispatch that was not refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dispatched {
    /// The event is queued for the client.
    Sent,
    /// A local listener canceled the event. Nothing was sent, and nothing changed except what the
    /// listeners changed.
    Canceled,
}

/// The return type of a dispatch.
pub(crate) type DispatchResult = Result<Dispatched, DispatchError>;

/// The reason why an event was refused.
///
/// Nothing was sent. No local listener has run, unless the variant says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum DispatchError {
    /// The stream has ended, for this reason. If a local listener closed it during this dispatch,
    /// the listeners have run.
    Closed(CloseReason),
    /// The queue has no room now, because the client reads more slowly than events arrive.
    Full,
    /// The event is larger than the queue, or than the permit, can ever hold.
    TooLarge {
        /// The number of bytes that the event takes on the wire.
        len: usize,
        /// The number of bytes that the queue or the permit can hold.
        limit: usize,
    },
    /// Listeners nested dispatches to this target more than 16 deep.
    TooDeep,
    /// The event has an id, and the stream is merged into the stream of a broadcast with
    /// `Subscription::merge`. The client would reconnect with that id, and the broadcast could not
    /// resume it.
    HasId,
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the event stream has ended: {reason}"),
            Self::Full => f.write_str("the queue of the event stream is full"),
            Self::TooLarge { len, limit } => {
                write!(f, "the event takes {len} bytes and the queue holds {limit}")
            }
            Self::HasId => {
                f.write_str("the event has an id, and the stream is merged into a broadcast")
            }
            Self::TooDeep => write!(
                f,
                "listeners dispatched events within each other more than {MAX_DEPTH} deep"
            ),
        }
    }
}

impl Error for DispatchError {}

/// The maximum depth of nested dispatches of one target.
pub(crate) const MAX_DEPTH: usize = 16;

/// One dispatch, as its local listeners see it.
#[derive(Debug)]
pub struct Dispatch<'a> {
    event: &'a Event<'a>,
    canceled: Cell<bool>,
    stopped: Cell<bool>,
}

impl<'a> Dispatch<'a> {
    pub(crate) fn new(event: &'a Event<'a>) -> Self {
        Self {
            event,
            canceled: Cell::new(false),
            stopped: Cell::new(false),
        }
    }

    /// Returns the event.
    pub fn event(&self) -> &'a Event<'a> {
        self.event
    }

    /// Cancels the event: it is not sent. Later listeners still run.
    ///
    /// Does nothing if the event is not [cancelable](Event::with_cancelable).
    pub fn prevent_default(&self) {
        self.canceled
            .set(self.canceled.get() | self.event.is_cancelable());
    }

    /// Returns whether this listener or an earlier one canceled the event.
    pub fn is_canceled(&self) -> bool {
        self.canceled.get()
    }

    /// Hides the event from the listeners after this one. The event is still sent.
    pub fn stop_immediate_propagation(&self) {
        self.stopped.set(true);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }
}
