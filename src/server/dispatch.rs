//! A dispatch as its caller and its listeners see it.

use core::cell::Cell;
use core::error::Error;
use core::fmt;

use super::state::CloseReason;
use crate::wire::event::Event;

/// What became of an event that was dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatched {
    /// It is queued for the client.
    Sent,
    /// A local listener canceled it. Nothing was sent, and nothing changed but what the listeners
    /// themselves changed.
    Canceled,
}

/// Why an event was not taken. Nothing was sent, and unless noted, no local listener has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DispatchError {
    /// The stream takes nothing any more. (Where a local listener of this event closed it, the
    /// listeners have run.)
    Closed(CloseReason),
    /// The queue has no room now, because the client reads slower than events come.
    Full,
    /// The event takes more bytes than the whole queue may hold, so it will never fit.
    TooLarge {
        /// The bytes that the event takes on the wire.
        len: usize,
        /// The bytes that the queue may hold.
        limit: usize,
    },
    /// Local listeners dispatched from within each other deeper than
    /// [`MAX_DISPATCH_DEPTH`].
    TooDeep,
    /// The event has an id, and the stream is merged into that of a broadcast
    /// (`Subscription::merge`): its client would come back with that id, and could not be resumed.
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
                "listeners dispatched events within each other more than {MAX_DISPATCH_DEPTH} deep"
            ),
        }
    }
}

impl Error for DispatchError {}

/// How many dispatches may be under way within each other: 16.
pub const MAX_DISPATCH_DEPTH: usize = 16;

/// One event's dispatch, as its local listeners see it.
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

    /// Cancels the event: it is not sent. Later listeners still run. Without effect on an event
    /// that is not [cancelable](Event::with_cancelable).
    pub fn prevent_default(&self) {
        self.canceled
            .set(self.canceled.get() | self.event.is_cancelable());
    }

    /// Returns whether this listener or one before it canceled the event.
    pub fn is_canceled(&self) -> bool {
        self.canceled.get()
    }

    /// Keeps the event from the listeners after this one. It is sent all the same.
    pub fn stop_immediate_propagation(&self) {
        self.stopped.set(true);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }
}
