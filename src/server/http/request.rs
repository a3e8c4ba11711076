//! What a request for an event stream says, and why it is refused.

use alloc::borrow::Cow;
#[cfg(feature = "http")]
use alloc::string::ToString;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

#[cfg(feature = "http")]
use ::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

#[cfg(feature = "http")]
use super::accept::accepts_event_stream;
#[cfg(feature = "http")]
use super::body::Body;
use crate::wire::field::{EventId, InvalidField};

/// The maximum length of a last event ID in a request: 1 KiB.
pub const MAX_LAST_EVENT_ID_LEN: usize = 1024;

/// Reads the headers of a request for an event stream: checks that the client accepts one, and
/// returns the id after which it resumes.
///
/// All lines of `Accept` are read by [`accepts_event_stream`], and `Last-Event-ID` by
/// [`last_event_id`]. `None` is a new client, or one that can't set headers: its id may be in the
/// query, which [`last_event_id_in_query`] reads.
///
/// # Errors
///
/// If the client does not accept an event stream, or if it sends several last event IDs or a bad
/// one. Answer with [`RequestError::into_response`].
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::Request;
/// use sse_proto::http::read_request;
///
/// let request = Request::get("/events")
///     .header("accept", "text/event-stream")
///     .header("last-event-id", "42")
///     .body(())?;
/// assert_eq!(read_request(request.headers())?.unwrap(), "42");
///
/// let page = Request::get("/events").header("accept", "text/html").body(())?;
/// let error = read_request(page.headers()).unwrap_err();
/// assert_eq!(error.status(), 406);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "http")]
pub fn read_request(headers: &HeaderMap) -> Result<Option<EventId<'_>>, RequestError> {
    if !accepts_event_stream(headers.get_all(header::ACCEPT)) {
        return Err(RequestError(Reason::NotAcceptable));
    }
    let mut ids = headers.get_all("last-event-id").iter();
    let first = ids.next().map(HeaderValue::as_bytes);
    if ids.next().is_some() {
        return Err(RequestError(Reason::Repeated));
    }
    last_event_id(first)
}

/// Reads the value of a request's `Last-Event-ID` header
/// ([HTML, section 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
///
/// A header that is absent or empty is no id.
///
/// # Errors
///
/// If the value is longer than [`MAX_LAST_EVENT_ID_LEN`] bytes, is not UTF-8, or has a NUL, CR or
/// LF. No client that follows the standard sends such a value: answer 400.
///
/// # Examples
///
/// ```
/// use sse_proto::http::last_event_id;
///
/// assert_eq!(last_event_id(Some(b"42"))?.unwrap(), "42");
/// assert_eq!(last_event_id(None)?, None);
/// assert!(last_event_id(Some(b"4\02")).is_err());
/// # Ok::<(), sse_proto::http::RequestError>(())
/// ```
pub fn last_event_id(header: Option<&[u8]>) -> Result<Option<EventId<'_>>, RequestError> {
    header.map_or(Ok(None), check)
}

/// Reads a last event ID from the query of a request's URL, for clients that can't set a header.
///
/// `query` is the part after the `?`. The first parameter named `parameter` counts. Names and values
/// are decoded as a form's (`%20` and `+` are spaces).
///
/// # Errors
///
/// As [`last_event_id`], for the decoded value.
///
/// # Examples
///
/// ```
/// use sse_proto::http::last_event_id_in_query;
///
/// let id = last_event_id_in_query(Some(b"room=7&lastEventId=a%2F42"), "lastEventId")?;
/// assert_eq!(id.unwrap(), "a/42");
/// # Ok::<(), sse_proto::http::RequestError>(())
/// ```
pub fn last_event_id_in_query<'q>(
    query: Option<&'q [u8]>,
    parameter: &str,
) -> Result<Option<EventId<'q>>, RequestError> {
    let pairs = query.unwrap_or_default().split(|&byte| byte == b'&');
    let mut values = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = pair.split_at(equals.unwrap_or(pair.len()));
        (*decode_form(name) == *parameter.as_bytes()).then(|| value.get(1..).unwrap_or_default())
    });
    match values.next().map(decode_form) {
        None => Ok(None),
        Some(Cow::Borrowed(value)) => check(value),
        Some(Cow::Owned(value)) => Ok(check(&value)?.map(EventId::into_owned)),
    }
}

/// The reason to refuse a request for an event stream.
///
/// Its text names the cause, and contains nothing that the client sent.
#[derive(Debug)]
pub struct RequestError(Reason);

#[derive(Debug)]
enum Reason {
    #[cfg(feature = "http")]
    NotAcceptable,
    #[cfg(feature = "http")]
    Repeated,
    TooLong(usize),
    NotUtf8(usize),
    Invalid(InvalidField),
}

impl RequestError {
    /// Returns the status of the answer: 406 (Not Acceptable) if the client does not accept an event
    /// stream, otherwise 400 (Bad Request), for its last event ID.
    pub fn status(&self) -> u16 {
        match self.0 {
            #[cfg(feature = "http")]
            Reason::NotAcceptable => 406,
            _ => 400,
        }
    }

    /// Makes the answer: the [`status`](Self::status), and the text of the error as `text/plain`.
    ///
    /// The body has the type of the stream's, so that a handler can return either.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::http::last_event_id;
    /// use sse_proto::EventStream;
    ///
    /// let error = last_event_id(Some(b"1\n2")).unwrap_err();
    /// let response = error.into_response::<EventStream>();
    /// assert_eq!(response.status(), 400);
    /// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    /// ```
    #[cfg(feature = "http")]
    pub fn into_response<S>(self) -> Response<Body<S>> {
        let mut response = Response::new(Body::from(bytes::Bytes::from(self.to_string())));
        *response.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            #[cfg(feature = "http")]
            Reason::NotAcceptable => f.write_str("the client does not accept text/event-stream"),
            #[cfg(feature = "http")]
            Reason::Repeated => f.write_str("the last event ID comes more than once"),
            Reason::TooLong(len) => write!(
                f,
                "the last event ID has {len} bytes and may have {MAX_LAST_EVENT_ID_LEN}"
            ),
            Reason::NotUtf8(offset) => {
                write!(f, "the last event ID is not UTF-8 at byte {offset}")
            }
            Reason::Invalid(error) => write!(f, "bad last event ID: {error}"),
        }
    }
}

impl Error for RequestError {}

fn check(value: &[u8]) -> Result<Option<EventId<'_>>, RequestError> {
    if value.is_empty() {
        return Ok(None);
    }
    if value.len() > MAX_LAST_EVENT_ID_LEN {
        return Err(RequestError(Reason::TooLong(value.len())));
    }
    let text = core::str::from_utf8(value)
        .map_err(|error| RequestError(Reason::NotUtf8(error.valid_up_to())))?;
    let id = EventId::new(text).map_err(|error| RequestError(Reason::Invalid(error)))?;
    Ok(Some(id))
}

/// Decodes `+` and `%xx` as in a form. A `%` without two hex digits is text.
fn decode_form(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.iter().any(|&byte| byte == b'+' || byte == b'%') {
        return Cow::Borrowed(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (*first, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', tail),
            },
            (byte, _) => (byte, tail),
        };
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
