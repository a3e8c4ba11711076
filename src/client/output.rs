//! The outputs of a client: actions for its driver, and reports.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;

use super::request::Request;
use super::response::{Response, is_redirect};
use crate::wire::decode::DecodeError;

/// An output of an [`EventSource`](crate::EventSource): an action for its driver, or a report.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send this request. No other request or response is open.
    Request(Request),
    /// Drop the request in flight, its response and its body.
    Abort,
    /// The stream is open: the standard's `open` event.
    Opened,
    /// The connection is lost, and another one follows: the standard's "reestablish the
    /// connection", which fires the `error` event.
    Lost(Loss),
    /// The client is closed for good: the standard's "fail the connection", or the caller's
    /// [`close`](crate::EventSource::close). This is the last output.
    Closed(Loss),
}

/// A driver's error.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// The end of a connection, or of an attempt to connect. Its `Display` text has all details, but
/// for the error of the driver, which is its [`source`](Error::source).
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use sse_proto::EventSource;
/// use sse_proto::client::{LossReason, Options, Output, Response};
///
/// let mut source = EventSource::new("http://localhost/", Options::standard());
/// source.start(Duration::ZERO);
/// assert!(matches!(source.poll_output(), Some(Output::Request(_))));
/// source.handle_response(Duration::ZERO, Response::new(204));
/// assert!(matches!(source.poll_output(), Some(Output::Abort)));
/// let Some(Output::Closed(loss)) = source.poll_output() else { panic!() };
/// assert_eq!(loss.reason, LossReason::Rejected(204));
/// assert_eq!(loss.to_string(), "the server answered 204");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Loss {
    /// Why the connection ended, or why no other one follows.
    pub reason: LossReason,
    /// Why the last connection ended, if `reason` is a limit or
    /// [`NotRepeatable`](LossReason::NotRepeatable). `None` if no connection was lost yet.
    pub last: Option<LossReason>,
    /// Whether a block was incomplete. The block is discarded, and any event in it is lost.
    pub is_interrupted: bool,
    /// How many connections in a row were lost without progress. This is the number of the next
    /// retry. The loss of the network does not count, and a
    /// [reconnect](crate::EventSource::reconnect) resets the number to 0.
    pub attempt: u32,
    /// The time until the next request. `None` while there is no network, and once the client is
    /// closed.
    pub retry_in: Option<Duration>,
    /// The response, if it was rejected. Boxed, because few losses have one.
    pub response: Option<Box<Response>>,
    pub(super) error: Option<AssertUnwindSafe<Cause>>,
}

/// Why a connection ended, or why no other one follows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LossReason {
    /// The body ended, because the server completed its answer or restarted.
    /// [`Loss::is_interrupted`] is true if a block was cut off.
    EndOfStream,
    /// The connection failed, or could not be made. The driver's error is the
    /// [`source`](Error::source) of the [`Loss`], and can be downcast to its type.
    IoError,
    /// No response came in time.
    ConnectTimeout,
    /// No byte came in time.
    IdleTimeout,
    /// The network is lost.
    NetworkLost,
    /// The response has this status and does not open an event stream. With 200, its content type
    /// is wrong. With the status of a redirect, its `location` is missing or can't be followed.
    /// With 204, the server asks the client not to reconnect.
    Rejected(u16),
    /// The response is an event stream with a [content encoding](Response::content_encoding) that
    /// the driver [does not decode](super::Options::with_accept_encoding).
    ContentEncoding,
    /// The response with this status is one redirect more than the
    /// [limit](super::Options::with_max_redirects).
    TooManyRedirects(u16),
    /// An event exceeded a limit, and the limits [end the
    /// stream](crate::decode::DecodeLimits::with_end_at_limit) in this case.
    TooLarge(DecodeError),
    /// The caller asked for a new connection.
    Reconnect,
    /// The caller closed the client.
    Closed,
    /// The request must not be sent again, see
    /// [`Options::with_repeat`](super::Options::with_repeat) and
    /// [`with_get_resume`](super::Options::with_get_resume).
    NotRepeatable,
    /// The [limit of retries](super::Options::with_max_retries) is reached.
    TooManyRetries,
    /// The [limit of time without progress](super::Options::with_max_elapsed) is reached, after
    /// this time.
    TimeExhausted(Duration),
}

impl Loss {
    pub(super) const fn new(reason: LossReason) -> Self {
        Self {
            reason,
            last: None,
            is_interrupted: false,
            attempt: 0,
            retry_in: None,
            response: None,
            error: None,
        }
    }

    /// Returns whether the client closed because everything was received, or because it had to.
    pub(super) const fn is_end(&self) -> bool {
        use LossReason::{Closed, EndOfStream, Rejected};
        matches!(self.reason, Closed | EndOfStream | Rejected(204))
    }

    fn fmt_reason(&self, reason: &LossReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self
            .response
            .as_ref()
            .and_then(|response| response.content_type());
        match reason {
            LossReason::EndOfStream if self.is_interrupted => {
                f.write_str("the event stream ended within a block")
            }
            LossReason::EndOfStream => f.write_str("the event stream ended"),
            LossReason::IoError => f.write_str("the connection failed"),
            LossReason::ConnectTimeout => f.write_str("no response came in time"),
            LossReason::IdleTimeout => f.write_str("the event stream was silent for too long"),
            LossReason::NetworkLost => f.write_str("the network is lost"),
            LossReason::Rejected(200) => match found {
                // `Debug` escapes the server's text, because it may reach a terminal.
                Some(found) => write!(f, "the content type is {found:?} and not text/event-stream"),
                None => f.write_str("the response has no content type"),
            },
            LossReason::Rejected(status) if is_redirect(*status) => {
                write!(f, "the redirect with {status} leads nowhere")
            }
            LossReason::Rejected(status) => write!(f, "the server answered {status}"),
            LossReason::ContentEncoding => {
                let response = self.response.as_ref();
                let found = response.and_then(|response| response.content_encoding());
                let found = found.unwrap_or_default();
                write!(f, "the content encoding {found:?} is not decoded")
            }
            LossReason::TooManyRedirects(status) => {
                write!(f, "too many redirects, the last with {status}")
            }
            LossReason::TooLarge(error) => fmt::Display::fmt(error, f),
            LossReason::Reconnect => f.write_str("a new connection was asked for"),
            LossReason::Closed => f.write_str("closed"),
            LossReason::NotRepeatable => f.write_str("the request is not sent twice"),
            LossReason::TooManyRetries => {
                write!(f, "gave up after {} failures in a row", self.attempt)
            }
            LossReason::TimeExhausted(elapsed) => {
                write!(f, "gave up after {elapsed:?} without progress")
            }
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, joint, second) = match &self.last {
            None => return self.fmt_reason(&self.reason, f),
            Some(last) if self.reason == LossReason::NotRepeatable => {
                (last, ", and ", &self.reason)
            }
            Some(last) => (&self.reason, ": ", last),
        };
        self.fmt_reason(first, f)?;
        f.write_str(joint)?;
        self.fmt_reason(second, f)
    }
}

impl Error for Loss {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let AssertUnwindSafe(error) = self.error.as_ref()?;
        Some(&**error)
    }
}
