//! Where a client wants to resume: the last event ID of a request.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::wire::field::EventId;
use crate::wire::field::InvalidField;

/// The longest last event ID that is taken from a request: 1 KiB.
pub const MAX_LAST_EVENT_ID_LEN: usize = 1024;

/// Reads the value of a request's `Last-Event-ID` header
/// ([HTML, section 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
///
/// A header that is absent or empty is no id.
///
/// # Errors
///
/// When the value is longer than [`MAX_LAST_EVENT_ID_LEN`] bytes, is not UTF-8, or has a NUL, CR or
/// LF. No client that follows the standard sends such a one: answer 400.
///
/// # Examples
///
/// ```
/// use sse_proto::http::last_event_id;
///
/// assert_eq!(last_event_id(Some(b"42"))?.unwrap(), "42");
/// assert_eq!(last_event_id(None)?, None);
/// assert!(last_event_id(Some(b"4\02")).is_err());
/// # Ok::<(), sse_proto::http::InvalidLastEventId>(())
/// ```
pub fn last_event_id(header: Option<&[u8]>) -> Result<Option<EventId<'_>>, InvalidLastEventId> {
    header.map_or(Ok(None), check)
}

/// Reads a last event ID from the query of a request's URL, for clients that can't set a header.
///
/// `query` is what follows the `?`. The first parameter called `parameter` counts; its value is
/// decoded as a form's (`%20` and `+` are spaces).
///
/// # Errors
///
/// As [`last_event_id`], after decoding.
///
/// # Examples
///
/// ```
/// use sse_proto::http::last_event_id_in_query;
///
/// let id = last_event_id_in_query(Some(b"room=7&lastEventId=a%2F42"), "lastEventId")?;
/// assert_eq!(id.unwrap(), "a/42");
/// # Ok::<(), sse_proto::http::InvalidLastEventId>(())
/// ```
pub fn last_event_id_in_query<'q>(
    query: Option<&'q [u8]>,
    parameter: &str,
) -> Result<Option<EventId<'q>>, InvalidLastEventId> {
    let pairs = query.unwrap_or_default().split(|&byte| byte == b'&');
    let mut values = pairs.filter_map(|pair| {
        let name_len = pair
            .iter()
            .position(|&byte| byte == b'=')
            .unwrap_or(pair.len());
        let (name, value) = pair.split_at(name_len);
        (*decode_form(name) == *parameter.as_bytes()).then(|| value.get(1..).unwrap_or_default())
    });
    match values.next().map(decode_form) {
        None => Ok(None),
        Some(Cow::Borrowed(value)) => check(value),
        Some(Cow::Owned(value)) => Ok(check(&value)?.map(EventId::into_owned)),
    }
}

/// A last event ID that no client that follows the standard sends. Answer 400.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InvalidLastEventId {
    /// It is longer than [`MAX_LAST_EVENT_ID_LEN`].
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// It is not UTF-8.
    NotUtf8 {
        /// Where it stops to be, in bytes.
        offset: usize,
    },
    /// It has a character that no id has.
    Invalid(InvalidField),
    /// The request has the header more than once, and which one counts is anybody's guess.
    Repeated,
}

impl fmt::Display for InvalidLastEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => write!(
                f,
                "the last event ID has {len} bytes and may have {MAX_LAST_EVENT_ID_LEN}"
            ),
            Self::NotUtf8 { offset } => {
                write!(f, "the last event ID is not UTF-8 at byte {offset}")
            }
            Self::Invalid(error) => write!(f, "bad last event ID: {error}"),
            Self::Repeated => f.write_str("the last event ID comes more than once"),
        }
    }
}

impl Error for InvalidLastEventId {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::TooLong { .. } | Self::NotUtf8 { .. } | Self::Repeated => None,
        }
    }
}

fn check(value: &[u8]) -> Result<Option<EventId<'_>>, InvalidLastEventId> {
    if value.is_empty() {
        return Ok(None);
    }
    if value.len() > MAX_LAST_EVENT_ID_LEN {
        return Err(InvalidLastEventId::TooLong { len: value.len() });
    }
    let text = core::str::from_utf8(value).map_err(|error| InvalidLastEventId::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    EventId::new(text)
        .map(Some)
        .map_err(InvalidLastEventId::Invalid)
}

/// Decodes `+` and `%xx` as in a form; a `%` without two hex digits stands for itself.
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
