//! The media type of a response, as browsers read it.

use crate::header::{split_unquoted, trim};

/// Returns whether the essence of a `Content-Type`, with its lines joined by `, `, is
/// `text/event-stream`.
///
/// This is [Fetch]'s "extract a MIME type": the last value that is a media type counts. A charset
/// that it carries over changes nothing here, since event streams are always UTF-8.
///
/// [Fetch]: https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
pub(super) fn is_event_stream(lines: &[u8]) -> bool {
    // > If temporaryMimeType is failure or its essence is "*/*", then continue.
    let essences = split_unquoted(lines, b',').filter_map(essence);
    let last = essences.filter(|essence| *essence != b"*/*").last();
    last.is_some_and(|essence| essence.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Returns the type and subtype ("parse a MIME type" of the MIME Sniffing Standard). Parameters
/// can't make it fail.
fn essence(value: &[u8]) -> Option<&[u8]> {
    let essence = value.split(|&byte| byte == b';').next()?;
    // HTTP whitespace has no form feed.
    let essence = trim(essence, b" \t\n\r");
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
