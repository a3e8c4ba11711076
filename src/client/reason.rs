//! Why a client goes down, and why it closes.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::time::Duration;

use crate::wire::decode::DecodeError;

/// Why a connection, or the attempt at one, is lost. Another follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// The response is one that is retried: 408, 425, 429, 5xx.
    Rejected(Rejected),
    /// The body ended between two blocks.
    Ended,
    /// The body ended within a block, which is discarded.
    Interrupted,
    /// The connection failed, or could not be made.
    IoError,
    /// No response came in time.
    ConnectTimeout,
    /// No byte came in time.
    Idle,
    /// The network is lost.
    NetworkLost,
    /// The caller wanted a new connection.
    Reconnect,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected(rejected) => return fmt::Display::fmt(rejected, f),
            Self::Ended => "the event stream ended",
            Self::Interrupted => "the event stream ended within a block",
            Self::IoError => "the connection failed",
            Self::ConnectTimeout => "no response came in time",
            Self::Idle => "the event stream was silent for too long",
            Self::NetworkLost => "the network is lost",
            Self::Reconnect => "a new connection was asked for",
        })
    }
}

impl Error for DownReason {}

/// Why a client is closed. No request follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedReason {
    /// It was closed here.
    Here,
    /// The response is not one of an event stream, and not one that is retried; 204 is how a server says to stay away.
    Rejected(Rejected),
    /// Too many retries in a row.
    AttemptsExhausted {
        /// How many connections were lost in a row.
        attempts: u32,
        /// The reason of the last one.
        last: DownReason,
    },
    /// Too much time without progress.
    TimeExhausted {
        /// How much, up to now.
        elapsed: Duration,
        /// The reason of the last loss; `None` if the first request, or the one that the caller has asked for, is still
        /// without a response.
        last: Option<DownReason>,
    },
    /// The connection is over, by whatever the [`DownReason`] says, and the request must not be sent again; see
    /// [`Repeat`](super::Repeat). Of [`DownReason::Ended`] it is no failure: so ends the answer to a POST.
    NotRepeatable(DownReason),
    /// An event passed a limit, and the limits say to end there.
    TooLarge(DecodeError),
}

impl fmt::Display for ClosedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("closed"),
            Self::Rejected(rejected) => fmt::Display::fmt(rejected, f),
            Self::AttemptsExhausted { attempts, last } => {
                write!(f, "gave up after {attempts} failures in a row: {last}")
            }
            Self::TimeExhausted { elapsed, last } => {
                write!(f, "gave up after {elapsed:?} without progress")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, ": {last}"))
            }
            // The server has said all that it wanted to.
            Self::NotRepeatable(DownReason::Ended) => fmt::Display::fmt(&DownReason::Ended, f),
            Self::NotRepeatable(last) => {
                write!(f, "{last}, and the request is not sent twice")
            }
            Self::TooLarge(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for ClosedReason {}

/// A response that is not the one of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub(super) status: u16,
    pub(super) content_type: Option<Box<str>>,
    pub(super) cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Status,
    ContentType,
    Redirects,
    Location,
}

impl Rejected {
    /// Returns the status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the content type, if the response had one; cut after 127 bytes, and with U+FFFD for what is not UTF-8.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns whether the status was 200, so that only the content type was wrong.
    pub const fn is_content_type(&self) -> bool {
        matches!(self.cause, Cause::ContentType)
    }

    /// Returns whether it was a redirect that can't be followed: one too many, or to what is no `http` or `https` URL.
    pub const fn is_redirect(&self) -> bool {
        matches!(self.cause, Cause::Redirects | Cause::Location)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        match (self.cause, &self.content_type) {
            (Cause::Status, _) => write!(f, "the server answered {status}"),
            // Debug, since what a stranger sends must not drive a terminal.
            (Cause::ContentType, Some(found)) => {
                write!(f, "the content type is {found:?} and not text/event-stream")
            }
            (Cause::ContentType, None) => f.write_str("the response has no content type"),
            (Cause::Redirects, _) => write!(f, "too many redirects, the last with {status}"),
            (Cause::Location, _) => write!(f, "the redirect with {status} leads nowhere"),
        }
    }
}

impl Error for Rejected {}
