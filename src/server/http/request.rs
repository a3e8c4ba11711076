//! Reads a request for an event stream.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::header::{split_unquoted, trim};
use crate::wire::field::{EventId, MAX_SENT_BACK};
use crate::wire::last_event_id::LastEventId;

/// Reads the last event ID of a request, from its header or from its query ([HTML, section
/// 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
///
/// `header` has the values of all lines of the request's `Last-Event-ID`. They are one value,
/// joined with `, ` ([RFC 9110, section 5.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.2)),
/// since an id may have commas. So a request with two ids has an id that was never published, and
/// is not resumed after the wrong one. Blanks around a value do not belong to it, and empty values
/// do not count.
///
/// `query` is the part of the URL after the `?`, and `parameter` the name of a parameter in it, for
/// clients that can't set a header: `lastEventId` for event-source-polyfill, `evs_last_event_id` for
/// eventsource-polyfill, or your own. The last parameter of that name counts, because polyfills append
/// theirs. Names and values are decoded like form data: `%20` and `+` are spaces. A value with a `%`
/// that is not followed by two hex digits is [invalid](LastEventId::Invalid).
///
/// The header counts before the query, because a browser that reconnects sends the URL of its first
/// request again. An empty header is no id ([the standard][empty] sends none for an empty last event
/// ID).
///
/// [empty]: https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model
///
/// # Complexity
///
/// Linear in the length of the header and of the query. Copies at most 1024 bytes, and only of an id
/// that has an escape or comes in several lines.
///
/// # Examples
///
/// ```
/// use sse_proto::event::LastEventId;
/// use sse_proto::http::last_event_id;
///
/// let none: [&[u8]; 0] = [];
/// let read = |query| match last_event_id(none, query, "lastEventId") {
///     LastEventId::Id(id) => Some(id.to_string()),
///     _ => None,
/// };
/// assert_eq!(read(Some("room=7&lastEventId=a%2F42")).as_deref(), Some("a/42"));
/// assert_eq!(read(Some("lastEventId=1&lastEventId=2")).as_deref(), Some("2"));
/// assert_eq!(read(Some("room=7")), None);
///
/// // A client that sets the header, and one without an id. Neither reads the query.
/// let LastEventId::Id(id) = last_event_id(["42"], None, "") else { panic!() };
/// assert_eq!(id, "42");
/// assert_eq!(last_event_id(none, None, ""), LastEventId::None);
/// ```
///
/// With the crate `http`:
///
/// ```
/// # #[cfg(feature = "http")]
/// # fn main() -> Result<(), sse_proto::deps::http::Error> {
/// use sse_proto::deps::http::Request;
/// use sse_proto::event::LastEventId;
/// use sse_proto::http::last_event_id;
///
/// let request = Request::get("/events?lastEventId=41").header("last-event-id", "42").body(())?;
/// let header = request.headers().get_all("last-event-id");
/// let last = last_event_id(header, request.uri().query(), "lastEventId");
/// assert!(matches!(last, LastEventId::Id(id) if id == "42"));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "http"))]
/// # fn main() {}
/// ```
pub fn last_event_id<'a, V: AsRef<[u8]> + ?Sized + 'a>(
    header: impl IntoIterator<Item = &'a V>,
    query: Option<&'a str>,
    parameter: &str,
) -> LastEventId<'a> {
    match in_header(header.into_iter().map(AsRef::as_ref)) {
        LastEventId::None => in_query(query.unwrap_or_default().as_bytes(), parameter),
        in_header => in_header,
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
/// Use it to choose, where one URL has several representations, such as a page and a stream. Where
/// there is only the stream, send it without asking, which section 12.4.1 allows. Many clients of
/// event streams ask for another type: the SDKs of `OpenAI` and Anthropic ask for
/// `application/json`.
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

fn in_header<'a>(lines: impl Iterator<Item = &'a [u8]>) -> LastEventId<'a> {
    let mut joined = Cow::Borrowed(&b""[..]);
    // Blanks at the ends are not part of a field's value (RFC 9110, section 5.5).
    let values = lines.map(|line| trim(line, b" \t"));
    for line in values.filter(|line| !line.is_empty()) {
        if joined.is_empty() {
            joined = Cow::Borrowed(line);
        } else {
            joined.to_mut().extend_from_slice(b", ");
            joined.to_mut().extend_from_slice(line);
        }
        if joined.len() > MAX_SENT_BACK {
            return LastEventId::Invalid;
        }
    }
    read(joined)
}

fn in_query<'a>(query: &'a [u8], parameter: &str) -> LastEventId<'a> {
    let pairs = query.rsplit(|&byte| byte == b'&');
    let mut values = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&pair[..equals], &pair[equals + 1..]);
        let is_id = !value.is_empty()
            && decode_form(name, parameter.len()).is_some_and(|name| name == parameter.as_bytes());
        is_id.then_some(value)
    });
    values.next().map_or(LastEventId::None, |value| {
        decode_form(value, MAX_SENT_BACK).map_or(LastEventId::Invalid, read)
    })
}

fn read(value: Cow<'_, [u8]>) -> LastEventId<'_> {
    let text = match value {
        Cow::Borrowed(bytes) => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    match text {
        Some(text) if text.is_empty() => LastEventId::None,
        Some(text) => EventId::sent_back(text).map_or(LastEventId::Invalid, LastEventId::Id),
        None => LastEventId::Invalid,
    }
}

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

/// Decodes `+` and `%xx` as in a form. Returns `None` if the result has more than `most` bytes, or if
/// a `%` has no two hex digits after it.
fn decode_form(value: &[u8], most: usize) -> Option<Cow<'_, [u8]>> {
    if !value.iter().any(|&byte| byte == b'+' || byte == b'%') {
        return (value.len() <= most).then_some(Cow::Borrowed(value));
    }
    let mut decoded = Vec::new();
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        if decoded.len() == most {
            return None;
        }
        rest = tail;
        decoded.push(match (*first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex(*high)? << 4 | hex(*low)?
            }
            (b'%', _) => return None,
            (byte, _) => byte,
        });
    }
    Some(Cow::Owned(decoded))
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
