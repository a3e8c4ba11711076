//! The states of an event stream, and every transition between them.

use core::fmt;

/// Why an event stream ended. The first reason wins: what comes after it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It was closed here; what was queued is still delivered.
    Closed,
    /// It was aborted here; what was queued is dropped.
    Aborted,
    /// The client went away: the stream was dropped before its end.
    ClientGone,
    /// The queue overflowed, and the target was made to disconnect then, or a subscription lagged;
    /// the queue is dropped.
    Overflow,
    /// It failed here, with an error that the error listeners see unless it was ended for this reason
    /// without one; what was queued is still delivered.
    Failed,
    /// Every handle was dropped; what was queued is still delivered.
    HandlesDropped,
    /// The server shuts down; what was queued is still delivered.
    Shutdown,
}

impl CloseReason {
    /// Returns whether what was queued before the end is still delivered.
    pub const fn delivers_queue(self) -> bool {
        match self {
            Self::Closed | Self::Failed | Self::HandlesDropped | Self::Shutdown => true,
            Self::Aborted | Self::ClientGone | Self::Overflow => false,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Aborted => "aborted",
            Self::ClientGone => "the client is gone",
            Self::Overflow => "the queue overflowed",
            Self::Failed => "failed",
            Self::HandlesDropped => "every handle was dropped",
            Self::Shutdown => "the server shuts down",
        })
    }
}

/// Where an event stream is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Takes events.
    Open,
    /// Takes none; what was queued before the end is still to be delivered.
    Draining(CloseReason),
    /// Nothing will follow.
    Ended(CloseReason),
}

/// What moves a stream on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Somebody ends it.
    End(CloseReason),
    /// The queue is empty.
    Emptied,
}

/// What a transition asks of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// Tell the close listeners; the queue stays.
    Close,
    /// Tell the close listeners; the queue goes.
    CloseAndDiscard,
    /// The queue goes.
    Discard,
}

impl State {
    /// The whole life of a stream:
    ///
    /// - only an open stream closes, so the close listeners run once, and the first reason stays;
    /// - a later end can still drop the queue, such as when the client goes away while it drains;
    /// - nothing leaves `Ended`.
    #[must_use]
    #[inline]
    pub(crate) fn next(self, input: Input) -> (Self, Effect) {
        use Effect::{Close, CloseAndDiscard, Discard};
        use Input::{Emptied, End};
        use State::{Draining, Ended, Open};
        match (self, input) {
            (Open, End(reason)) if reason.delivers_queue() => (Draining(reason), Close),
            (Open, End(reason)) => (Ended(reason), CloseAndDiscard),
            (Open, Emptied) => (Open, Effect::None),
            (Draining(first), End(reason)) if reason.delivers_queue() => {
                (Draining(first), Effect::None)
            }
            (Draining(first), End(_)) => (Ended(first), Discard),
            (Draining(first), Emptied) | (Ended(first), End(_) | Emptied) => {
                (Ended(first), Effect::None)
            }
        }
    }

    /// Why the stream takes nothing any more.
    pub(crate) fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Open => None,
            Self::Draining(reason) | Self::Ended(reason) => Some(reason),
        }
    }
}
