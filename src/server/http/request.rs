//! What a request for an event stream says.

use core::error::Error;
use core::fmt;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::accept::accepts_event_stream;
use super::last_event_id::{InvalidLastEventId, last_event_id};
use crate::wire::field::EventId;

/// Reads the headers of a request for an event stream: whether the client takes one, and the id
/// after which it wants to resume.
///
/// `Accept` is read as by [`accepts_event_stream`], over all its lines; `Last-Event-ID` as by
/// [`last_event_id`]. `None` is a client that starts afresh; one that can't set headers may have its
/// id in the query, see [`last_event_id_in_query`](crate::http::last_event_id_in_query).
///
/// # Errors
///
/// When the client does not take an event stream, or sends a last event ID that no client that
/// follows the standard sends, or more than one of them. Answer with
/// [`RequestError::into_response`], or with its [`status`](RequestError::status).
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::{Request, StatusCode};
/// use sse_proto::http::{RequestError, read_request};
///
/// let request = Request::get("/events")
///     .header("accept", "text/event-stream")
///     .header("last-event-id", "42")
///     .body(())?;
/// assert_eq!(read_request(request.headers())?.unwrap(), "42");
///
/// let page = Request::get("/events").header("accept", "text/html").body(())?;
/// assert_eq!(read_request(page.headers()), Err(RequestError::NotAcceptable));
/// assert_eq!(RequestError::NotAcceptable.status(), StatusCode::NOT_ACCEPTABLE);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_request(headers: &HeaderMap) -> Result<Option<EventId<'_>>, RequestError> {
    if !accepts_event_stream(headers.get_all(header::ACCEPT)) {
        return Err(RequestError::NotAcceptable);
    }
    let mut ids = headers.get_all("last-event-id").iter();
    let first = ids.next().map(HeaderValue::as_bytes);
    if ids.next().is_some() {
        return Err(InvalidLastEventId::Repeated.into());
    }
    Ok(last_event_id(first)?)
}

/// Why a request for an event stream gets none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RequestError {
    /// Its last event ID is none: 400.
    LastEventId(InvalidLastEventId),
    /// The client does not take `text/event-stream`: 406.
    NotAcceptable,
}

impl RequestError {
    /// Returns the status of the answer: 400 (Bad Request) or 406 (Not Acceptable).
    pub fn status(self) -> StatusCode {
        match self {
            Self::LastEventId(_) => StatusCode::BAD_REQUEST,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        }
    }
}

impl From<InvalidLastEventId> for RequestError {
    fn from(error: InvalidLastEventId) -> Self {
        Self::LastEventId(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastEventId(error) => error.fmt(f),
            Self::NotAcceptable => f.write_str("the client does not accept text/event-stream"),
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is the text of this one already: what is behind it comes next.
            Self::LastEventId(error) => error.source(),
            Self::NotAcceptable => None,
        }
    }
}
