//! The states of an event stream, and every transition between them.

use core::fmt;

/// The reason for the end of an event stream.
///
/// The first reason stays: a later end does not change it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server closed the stream. Queued frames are still delivered.
    Closed,
    /// The server aborted the stream. Queued frames are dropped.
    Aborted,
    /// The client went away: the stream was dropped before its end. Queued frames are dropped.
    ClientGone,
    /// The queue was full under the policy
    /// [`Overflow::Disconnect`](crate::target::Overflow::Disconnect), or a subscription lagged.
    /// Queued frames are dropped.
    Overflow,
    /// The stream failed with an error, which the error listeners see. Queued frames are still
    /// delivered.
    Failed,
    /// The last handle was dropped. Queued frames are still delivered.
    HandlesDropped,
    /// The server shuts down. Queued frames are still delivered.
    Shutdown,
    /// The server sent this client away, with the handle of its subscription. Frames that waited are
    /// dropped.
    SentAway,
    /// The log was rewound behind frames that this subscription got. Frames that waited are dropped.
    Rewound,
}

impl CloseReason {
    /// Returns whether the frames that were queued before the end are still delivered.
    pub(crate) const fn delivers_queue(self) -> bool {
        match self {
            Self::Closed | Self::Failed | Self::HandlesDropped | Self::Shutdown => true,
            Self::Aborted | Self::ClientGone | Self::Overflow | Self::SentAway | Self::Rewound => {
                false
            }
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
            Self::SentAway => "the client was sent away",
            Self::Rewound => "the log was rewound",
        })
    }
}

/// The state of an event stream.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum StreamState {
    /// Takes events.
    Open,
    /// Takes no events. Queued frames are still to be delivered.
    Draining(CloseReason),
    /// Nothing will follow.
    Ended(CloseReason),
}

/// An input that moves a stream from one state to the next.
#[derive(Clone, Copy)]
pub(crate) enum StreamInput {
    /// The stream is to end.
    End(CloseReason),
    /// The queue is empty.
    Emptied,
}

impl StreamState {
    /// Returns the next state:
    ///
    /// - the first reason stays, and no transition leaves `Ended`;
    /// - an end that drops the queue leads to `Ended` at once, also from `Draining`, for example
    ///   when the client goes away during the delivery of the rest.
    #[must_use]
    #[inline]
    pub(crate) fn next(self, input: StreamInput) -> Self {
        use StreamInput::{Emptied, End};
        use StreamState::{Draining, Ended, Open};
        match (self, input) {
            (Open, End(reason)) if reason.delivers_queue() => Draining(reason),
            (Open, End(reason)) => Ended(reason),
            (Open, Emptied) => Open,
            (Draining(first), End(reason)) if reason.delivers_queue() => Draining(first),
            (Draining(first) | Ended(first), End(_) | Emptied) => Ended(first),
        }
    }

    /// Returns the reason for the end, or `None` for an open stream.
    #[inline]
    pub(crate) fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Open => None,
            Self::Draining(reason) | Self::Ended(reason) => Some(reason),
        }
    }
}
