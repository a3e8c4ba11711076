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
pub(crate) fn trim<'a>(mut text: &'a [u8], blanks: &[u8]) -> &'a [u8] {
    while let [end, rest @ ..] | [rest @ .., end] = text {
        if !blanks.contains(end) {
            break;
        }
        text = rest;
    }
    text
}
