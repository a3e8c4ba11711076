//! The media type of a response, as browsers read it.

/// Returns whether the essence of a `Content-Type`, with its lines joined by `, `, is
/// `text/event-stream`.
///
/// This is [Fetch]'s "extract a MIME type": the last value that is a media type counts. A charset
/// that it carries over changes nothing here, since event streams are always UTF-8.
///
/// [Fetch]: https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
pub(super) fn is_event_stream(mut lines: &[u8]) -> bool {
    let mut found = false;
    loop {
        let (value, rest) = split_value(lines);
        // > If temporaryMimeType is failure or its essence is "*/*", then continue.
        if let Some(essence) = essence(value).filter(|essence| *essence != b"*/*") {
            found = essence.eq_ignore_ascii_case(b"text/event-stream");
        }
        match rest {
            Some(rest) => lines = rest,
            None => return found,
        }
    }
}

/// Splits at the first comma that is not within a quoted string.
fn split_value(lines: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in lines.iter().enumerate() {
        match byte {
            b',' if !is_quoted => return (&lines[..at], Some(&lines[at + 1..])),
            b'"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = is_quoted && *byte == b'\\' && !is_escaped;
    }
    (lines, None)
}

/// Returns the type and subtype ("parse a MIME type" of the MIME Sniffing Standard). Parameters
/// can't make it fail.
fn essence(value: &[u8]) -> Option<&[u8]> {
    let essence = value.split(|&byte| byte == b';').next()?;
    let essence = trim(essence);
    let slash = essence.iter().position(|&byte| byte == b'/')?;
    let is_token = |text: &[u8]| {
        let is_special = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
        !text.is_empty()
            && text
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || is_special(byte))
    };
    (is_token(&essence[..slash]) && is_token(&essence[slash + 1..])).then_some(essence)
}

/// Removes HTTP whitespace at both ends, which has no form feed.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..]
    | [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] = text
    {
        text = rest;
    }
    text
}
