//! Reads a request for an event stream, and states why it is refused.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

#[cfg(feature = "http")]
use ::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

#[cfg(feature = "http")]
use super::body::Body;
use crate::wire::field::{EventId, InvalidField};

/// The maximum length of a last event ID in a request: 1 KiB.
const MAX_LAST_EVENT_ID_LEN: usize = 1024;

/// Reads the headers of a request for an event stream: checks that the client accepts one, and
/// returns the id after which it resumes.
///
/// All lines of `Accept` are read by [`accepts_event_stream`], and `Last-Event-ID` by
/// [`last_event_id`]. `None` means a new client, or a client that can't set headers. The latter may
/// send its id in the query, which [`last_event_id_in_query`] reads.
///
/// # Errors
///
/// If the client does not accept an event stream, or if it sends several last event IDs or a bad
/// one. Answer with [`RequestError::to_response`].
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

/// Reads the value of a request's `Last-Event-ID` header ([HTML, section
/// 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
///
/// Returns `None` if the header is absent or empty.
///
/// # Errors
///
/// If the value is longer than 1024 bytes, is not UTF-8, or has a NUL, CR or
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
    let value = header.unwrap_or_default();
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

/// Reads a last event ID from the query of a request's URL, for clients that can't set a header.
///
/// `query` is the part after the `?`. The first parameter named `parameter` is used. Names and
/// values are decoded like form data (`%20` and `+` are spaces).
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
        Some(Cow::Borrowed(value)) => last_event_id(Some(value)),
        Some(Cow::Owned(value)) => Ok(last_event_id(Some(&value))?.map(EventId::into_owned)),
    }
}

/// Returns whether the lines of a request's `Accept` header allow the response to be
/// `text/event-stream` ([RFC 9110, section
/// 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
///
/// The most precise matching range decides: `text/event-stream`, then `text/*`, then `*/*`. A
/// quality of 0 refuses. If no range matches, returns false; if there is no range at all, returns
/// true. Several lines count as one list.
///
/// An event stream is always UTF-8, so `charset=utf-8` matches. A range with any other parameter is
/// for another type. A malformed range matches nothing.
///
/// If this is false, answer 406. A client that follows the standard always sends
/// `text/event-stream`. A browser that opens the URL as a page, for example, does not.
///
/// # Examples
///
/// ```
/// use sse_proto::http::accepts_event_stream;
///
/// assert!(accepts_event_stream(["text/event-stream"]));
/// assert!(accepts_event_stream(["text/html", "*/*;q=0.1"]));
/// assert!(!accepts_event_stream(["application/json"]));
/// assert!(!accepts_event_stream(["text/event-stream;q=0, */*"]));
///
/// let no_such_header: [&[u8]; 0] = [];
/// assert!(accepts_event_stream(no_such_header));
/// ```
pub fn accepts_event_stream<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> bool {
    let mut asked = false;
    let mut best = None;
    for line in lines {
        for range in split_unquoted(line.as_ref(), b',').map(<[u8]>::trim_ascii) {
            // "A recipient MUST parse and ignore a reasonable number of empty list elements"
            // (RFC 9110, section 5.6.1.2).
            asked |= !range.is_empty();
            // Of several ranges with the same precision, one that accepts is enough.
            best = best.max(read_range(range));
        }
    }
    best.map_or(!asked, |(_, accepted)| accepted)
}

/// The reason to refuse a request for an event stream.
///
/// Its text names the cause, and contains nothing that the client sent.
#[derive(Debug)]
pub struct RequestError(Reason);

#[derive(Debug)]
#[cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "`read_request` alone makes some of them")
)]
enum Reason {
    NotAcceptable,
    Repeated,
    TooLong(usize),
    NotUtf8(usize),
    Invalid(InvalidField),
}

impl RequestError {
    /// Returns the status of the response: 406 (Not Acceptable) if the client does not accept an
    /// event stream, otherwise 400 (Bad Request), because of its last event ID.
    pub fn status(&self) -> u16 {
        match self.0 {
            Reason::NotAcceptable => 406,
            _ => 400,
        }
    }

    /// Makes the response: the [`status`](Self::status), and the text of the error as `text/plain`.
    ///
    /// The body has the same type as that of a streaming response, so a handler can return either.
    /// A handler that returns axum's `Response` calls axum's method on both:
    /// `error.to_response::<EventStream>().into_response()`. Any type of stream works.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::http::last_event_id;
    /// use sse_proto::EventStream;
    ///
    /// let error = last_event_id(Some(b"1\n2")).unwrap_err();
    /// let response = error.to_response::<EventStream>();
    /// assert_eq!(response.status(), 400);
    /// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    /// ```
    #[cfg(feature = "http")]
    pub fn to_response<S>(&self) -> Response<Body<S>> {
        let mut response = Response::new(Body::from(bytes::Bytes::from(alloc::format!("{self}"))));
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
            Reason::NotAcceptable => f.write_str("the client does not accept text/event-stream"),
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

/// Reads a range. If it matches an event stream, returns its precision (a larger number is more
/// precise) and whether it accepts.
fn read_range(range: &[u8]) -> Option<(u8, bool)> {
    let mut parts = split_unquoted(range, b';').map(<[u8]>::trim_ascii);
    let precision = match parts.next()? {
        name if name.eq_ignore_ascii_case(b"text/event-stream") => 2,
        name if name.eq_ignore_ascii_case(b"text/*") => 1,
        // Old Java HTTP clients send a single `*`.
        b"*/*" | b"*" => 0,
        _ => return None,
    };
    for part in parts.filter(|part| !part.is_empty()) {
        let equals = part.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"q") {
            // Parameters after the weight do not belong to the media type.
            return Some((precision, !is_zero(value)));
        }
        if !(name.eq_ignore_ascii_case(b"charset") && is_utf8(value)) {
            return None;
        }
    }
    Some((precision, true))
}

/// "A value of 0 means \"not acceptable\"" (RFC 9110, section 12.4.2): `0`, or `0.` and zeros.
fn is_zero(quality: &[u8]) -> bool {
    quality.contains(&b'0') && quality.iter().all(|byte| b"0.".contains(byte))
}

fn is_utf8(charset: &[u8]) -> bool {
    let unquoted = charset
        .strip_prefix(b"\"")
        .and_then(|name| name.strip_suffix(b"\""));
    unquoted.unwrap_or(charset).eq_ignore_ascii_case(b"utf-8")
}

/// Splits at a separator that is not within a quoted string (RFC 9110, section 5.6.4).
fn split_unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return !quoted && byte == separator,
        }
        false
    })
}

/// Decodes `+` and `%xx` as in a form. A `%` without two hex digits is text.
fn decode_form(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.iter().any(|&byte| byte == b'+' || byte == b'%') {
        return Cow::Borrowed(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(match (*first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    rest = after;
                    high << 4 | low
                }
                None => b'%',
            },
            (byte, _) => byte,
        });
    }
    Cow::Owned(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
