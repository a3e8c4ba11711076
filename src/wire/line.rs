//! The one place that knows CR, LF and CRLF.
//!
//! The standard ends a line at LF, at CR, and at CRLF, which is one end-of-line and not two
//! (HTML, section 9.2.5: `end-of-line = ( cr lf / cr / lf )`). Nothing else ends a line: U+0085,
//! U+2028 and U+2029 are text.

pub(crate) const LF: u8 = b'\n';
pub(crate) const CR: u8 = b'\r';

/// Splits a text into its lines, as a receiver of the event will see them.
///
/// Lines end at CR, LF and CRLF (one end-of-line), and at nothing else. Empty lines count, the one
/// after a trailing end-of-line too, so a text always has one line more than it has ends-of-line.
/// Each line of an event's data travels in a `data` field of its own
/// ([HTML, section 9.2.5](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)).
///
/// # Examples
///
/// ```
/// let lines: Vec<&str> = sse_proto::lines("one\r\ntwo\rthree\n").collect();
/// assert_eq!(lines, ["one", "two", "three", ""]);
/// assert_eq!(sse_proto::lines("a\u{2028}b").count(), 1);
/// ```
pub fn lines(text: &str) -> Lines<'_> {
    Lines { rest: Some(text) }
}

/// The iterator that [`lines`] returns.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let Some(end) = find_end(text.as_bytes()) else {
            self.rest = None;
            return Some(text);
        };
        let after = end + end_of_line_len(&text.as_bytes()[end..]);
        self.rest = Some(&text[after..]);
        Some(&text[..end])
    }
}

impl core::iter::FusedIterator for Lines<'_> {}

/// What a [`Splitter`] finds in a piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span<'a> {
    /// Bytes of a line, without its end.
    Text(&'a [u8]),
    /// An end-of-line.
    End,
}

/// Splits a text that arrives in pieces: a CRLF is one end-of-line even when its halves come in
/// two of them, and a CR ends its line at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Splitter {
    after_cr: bool,
}

impl Splitter {
    /// Hands each span of `piece` to `each`, in order; stops at the first refusal.
    pub(crate) fn split<'a, E>(
        &mut self,
        piece: &'a [u8],
        mut each: impl FnMut(Span<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            if rest[0] == LF {
                rest = &rest[1..];
            }
        }
        while let Some(end) = find_end(rest) {
            if end > 0 {
                each(Span::Text(&rest[..end]))?;
            }
            each(Span::End)?;
            self.after_cr = rest[end] == CR && end + 1 == rest.len();
            rest = &rest[end + end_of_line_len(&rest[end..])..];
        }
        if rest.is_empty() {
            return Ok(());
        }
        each(Span::Text(rest))
    }
}

/// Returns where the first line of `bytes` ends, if it ends in them.
#[inline]
pub(crate) fn find_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(CR, LF, bytes)
}

/// Returns the length of the end-of-line that `bytes` begins with: 2 for CRLF, else 1.
#[inline]
pub(crate) fn end_of_line_len(bytes: &[u8]) -> usize {
    1 + usize::from(bytes.starts_with(b"\r\n"))
}

/// The ends-of-line in a text, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// How many there are.
    pub(crate) count: usize,
    /// How many bytes they take: one each, two for a CRLF.
    pub(crate) bytes: usize,
}

/// Counts the ends-of-line of `text` without stopping at each.
#[inline]
pub(crate) fn count_ends(text: &[u8]) -> Ends {
    if find_end(text).is_none() {
        return Ends { count: 0, bytes: 0 };
    }
    let bytes = text.iter().filter(|&&b| b == CR || b == LF).count();
    let pairs = text
        .iter()
        .zip(text.iter().skip(1))
        .filter(|&(&a, &b)| a == CR && b == LF)
        .count();
    Ends {
        count: bytes - pairs,
        bytes,
    }
}
