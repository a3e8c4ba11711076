//! One dispatch on its way: begun, decided by the local listeners, committed.

use alloc::sync::Arc;
use core::cell::Cell;
use core::error::Error;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::listeners::{Listener, Snapshot};
use super::state::CloseReason;
use crate::wire::encode::Measured;
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
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the event stream has ended: {reason}"),
            Self::Full => f.write_str("the queue of the event stream is full"),
            Self::TooLarge { len, limit } => {
                write!(f, "the event takes {len} bytes and the queue holds {limit}")
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

/// A dispatch that has begun: its room is reserved, its listeners have not run.
///
/// Dropped, it gives the room back. See [`Target::begin`](crate::Target::begin).
#[must_use = "an event is sent only by `Target::commit`"]
pub struct Pending<'e, P: Listener> {
    pub(crate) event: &'e Event<'e>,
    pub(crate) measured: Measured,
    pub(crate) listeners: Option<Snapshot<P>>,
    pub(crate) room: Option<Room>,
}

impl<'e, P: Listener> Pending<'e, P> {
    /// Runs the local listeners, in order. They may use the target: nothing is borrowed here.
    ///
    /// If one panics, the panic goes on to the caller and the room is given back.
    pub fn run_listeners(self) -> Decided<'e, P> {
        let dispatch = Dispatch {
            event: self.event,
            canceled: Cell::new(false),
            stopped: Cell::new(false),
        };
        let swept = self
            .listeners
            .as_ref()
            .is_some_and(|listeners| listeners.run_event(&dispatch));
        Decided {
            canceled: dispatch.is_canceled(),
            swept,
            swept_out: None,
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
    pub(crate) swept: bool,
    /// Listeners that ran once and left the list: held, to be dropped where this is.
    pub(crate) swept_out: Option<Snapshot<P>>,
    pub(crate) outcome: Option<Result<Dispatched, DispatchError>>,
}

/// Room that is reserved for dispatches under way. Shared with each of them, so that one that
/// panics or is dropped gives its room back without a borrow of the target.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    frames: AtomicUsize,
    bytes: AtomicUsize,
}

impl Reserved {
    pub(crate) fn frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Room {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Room {
            reserved: Arc::clone(self),
            bytes,
        }
    }
}

/// The room of one frame; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    reserved: Arc<Reserved>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.reserved.frames.fetch_sub(1, Ordering::Relaxed);
        self.reserved.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
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
