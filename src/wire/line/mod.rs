//! Line ends: finds them, counts them, and splits text that is sent. The line reader of
//! `wire::decode` applies the same rules to a received stream.
//!
//! In the standard, a line ends at LF, at CR, and at CRLF, which is one end-of-line and not two
//! (HTML, section 9.2.5: `end-of-line = ( cr lf / cr / lf )`). Nothing else ends a line: U+0085,
//! U+2028 and U+2029 are text.

mod scan;
mod tail;
#[cfg(test)]
pub(crate) mod work;

use scan::find_end;
pub(crate) use scan::{CR, LF, LineEnds, has_end, has_end_or_nul, has_nul, is_short};
pub(crate) use tail::Tail;

/// Splits a text into lines by the rules of the standard.
///
/// Lines end at CR, LF and CRLF (one end-of-line), and at nothing else. Empty lines are included,
/// also the empty line after a trailing end-of-line. So a text has one more line than it has
/// ends-of-line. Each line of an event's data is sent in a `data` field of its own ([HTML, section
/// 9.2.5](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)).
///
/// # Examples
///
/// ```
/// let lines: Vec<&str> = sse_proto::event::lines("one\r\ntwo\rthree\n").collect();
/// assert_eq!(lines, ["one", "two", "three", ""]);
/// assert_eq!(sse_proto::event::lines("a\u{2028}b").count(), 1);
/// ```
pub fn lines(text: &str) -> impl Iterator<Item = &str> + Clone {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(end) = find_end(text.as_bytes()) else {
            return Some(text);
        };
        let after = end + end_of_line_len(&text.as_bytes()[end..]);
        rest = Some(&text[after..]);
        Some(&text[..end])
    })
}

/// A part of the text that a [`Splitter`] splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span<'a> {
    /// Bytes of a line, without its end: the first `len` of `from`. A caller may copy more of
    /// `from`, if it overwrites these bytes afterwards.
    Text { from: &'a [u8], len: usize },
    /// An end-of-line.
    End,
}

/// Splits a text that comes in pieces. A CRLF is one end-of-line even if it is split between two
/// pieces. A CR ends its line at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Splitter {
    after_cr: bool,
}

/// The number of bytes that are searched before they are passed on. They are still in the L1 cache
/// when the caller copies them.
const BLOCK: usize = 8 * 1024;

impl Splitter {
    /// Passes each span of `piece` to `each`, in order. Stops at the first error. A line may be
    /// split into several spans.
    #[inline]
    pub(crate) fn split<'a, E>(
        &mut self,
        piece: &'a [u8],
        mut each: impl FnMut(Span<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(&[LF]).unwrap_or(rest);
        }
        while !rest.is_empty() {
            let len = rest.len().min(BLOCK);
            if scan::has_end(&rest[..len]) {
                rest = self.split_block(rest, len, &mut each)?;
            } else {
                each(Span::Text { from: rest, len })?;
                rest = &rest[len..];
            }
        }
        Ok(())
    }

    /// Splits the first `len` bytes of `rest`, which contain line ends. Returns the remaining
    /// bytes.
    #[inline]
    fn split_block<'a, E>(
        &mut self,
        rest: &'a [u8],
        len: usize,
        each: &mut impl FnMut(Span<'a>) -> Result<(), E>,
    ) -> Result<&'a [u8], E> {
        let mut start = 0;
        let mut base = 0;
        while base < len {
            let block = &rest[base..len];
            let mut ends = scan::ends_of_front(block);
            while ends != 0 {
                let end = base + ends.trailing_zeros() as usize;
                ends &= ends - 1;
                // The LF of a CRLF was skipped with its CR.
                if end < start {
                    continue;
                }
                if end > start {
                    each(Span::Text {
                        from: &rest[start..],
                        len: end - start,
                    })?;
                }
                each(Span::End)?;
                self.after_cr = rest[end] == CR && end + 1 == rest.len();
                start = end + end_of_line_len(&rest[end..]);
            }
            base += block.len().min(64);
        }
        if start < len {
            each(Span::Text {
                from: &rest[start..],
                len: len - start,
            })?;
        }
        Ok(&rest[start.max(len)..])
    }
}

/// Returns the length of the end-of-line that `bytes` begins with: 2 for CRLF, otherwise 1.
#[inline]
pub(crate) fn end_of_line_len(bytes: &[u8]) -> usize {
    1 + usize::from(bytes.starts_with(&[CR, LF]))
}

/// The number of ends-of-line in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The number of ends-of-line.
    pub(crate) count: usize,
    /// The number of their bytes: two for a CRLF, otherwise one.
    pub(crate) bytes: usize,
}

/// Counts the ends-of-line of `text` without stopping at each.
#[inline]
pub(crate) fn count_ends(text: &[u8]) -> Ends {
    if !scan::has_end(text) {
        return Ends::default();
    }
    let (bytes, count) = scan::count(text);
    Ends { count, bytes }
}
