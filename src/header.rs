//! The values of HTTP headers, as both sides read them.

/// Splits at a separator that is not within a quoted string (RFC 9110, section 5.6.4).
pub(crate) fn split_unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
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

/// Removes these bytes at both ends.
pub(crate) fn trim<'a>(text: &'a [u8], blanks: &[u8]) -> &'a [u8] {
    let is_kept = |byte: &u8| !blanks.contains(byte);
    let start = text.iter().position(is_kept).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(is_kept)
        .map_or(start, |last| last + 1);
    &text[start..end]
}
