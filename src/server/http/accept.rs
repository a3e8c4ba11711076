//! Whether a client accepts an event stream: the `Accept` header of a request.

/// Returns whether the lines of a request's `Accept` header allow the answer `text/event-stream`
/// ([RFC 9110, section 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
///
/// The most precise range that matches decides: `text/event-stream` before `text/*` before `*/*`.
/// With a quality of 0 it refuses. If no range matches, the answer is no, unless there is no range
/// at all. Several lines count as one list.
///
/// An event stream is always UTF-8, so `charset=utf-8` matches. A range with any other parameter is
/// for another type. A range that can't be read matches nothing.
///
/// If this is false, answer 406. A client that follows the standard always sends
/// `text/event-stream`; others are browsers that open the address as a page, for example.
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
            best = best.max(read(range));
        }
    }
    best.map_or(!asked, |(_, accepted)| accepted)
}

/// How precise a range is; a later one counts more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Everything,
    Text,
    EventStream,
}

/// Reads a range; returns its precision and whether it accepts, if it matches an event stream.
fn read(range: &[u8]) -> Option<(Precision, bool)> {
    let mut parts = split_unquoted(range, b';').map(<[u8]>::trim_ascii);
    let precision = match parts.next()? {
        name if name.eq_ignore_ascii_case(b"text/event-stream") => Precision::EventStream,
        name if name.eq_ignore_ascii_case(b"text/*") => Precision::Text,
        // An old HTTP client of Java sends a lone star.
        b"*/*" | b"*" => Precision::Everything,
        _ => return None,
    };
    for part in parts.filter(|part| !part.is_empty()) {
        let equals = part.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"q") {
            // Parameters after the weight are not the type's.
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
