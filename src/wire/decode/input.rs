//! The bytes that one call feeds, with their line ends and the part that is known to be UTF-8.

use super::text::{self, Text};
use crate::wire::line::{LF, LineEnds};

/// The size of the first window of text that is checked before it is read.
const WINDOW: usize = 2 << 10;

/// If fewer bytes are left, a separate check of each value costs less.
const WORTH_CHECKING: usize = 64;

/// If this many bytes of a line have been read and the input has this many more, the line is
/// probably much longer.
const LONG: usize = 1 << 10;

/// The maximum piece of a long line. It is small enough to stay in the L1 cache between the search
/// and the copy.
const PIECE: usize = 8 << 10;

/// A range of the input. Unlike `core::ops::Range`, it is `Copy`.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct InputRange {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A chunk of the byte stream: the read position, the line ends, and the part that is known to be
/// UTF-8.
pub(super) struct InputChunk<'i> {
    pub(super) bytes: &'i [u8],
    /// The offset of the first unread byte.
    pub(super) at: usize,
    line_ends: LineEnds,
    /// The part that is known to be UTF-8, and where it starts.
    text: &'i str,
    text_start: usize,
    checked_to: usize,
}

impl<'i> InputChunk<'i> {
    #[inline]
    pub(super) fn new(bytes: &'i [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line_ends: LineEnds::new(bytes),
            text: "",
            text_start: 0,
            // Nothing is checked ahead before the first item, because it may be the only one.
            checked_to: 1,
        }
    }

    #[inline]
    pub(super) fn remaining(&self) -> &'i [u8] {
        &self.bytes[self.at..]
    }

    /// Returns the first line end at or after `from`.
    #[inline]
    pub(super) fn find_line_end(&mut self, from: usize) -> Option<usize> {
        self.line_ends.find(self.bytes, from)
    }

    /// Returns the end of the next piece of a line, of which `taken` bytes were read before. It is
    /// the end of the line, of the input, or of the maximum piece, whichever comes first.
    #[inline]
    pub(super) fn find_piece_end(&mut self, taken: usize) -> usize {
        let (from, len) = (self.at, self.bytes.len());
        if taken >= LONG && len - from >= LONG {
            let end = len.min(from + PIECE);
            return LineEnds::find_in_long_line(&self.bytes[..end], from).unwrap_or(end);
        }
        self.find_line_end(from).unwrap_or(len)
    }

    #[inline]
    pub(super) fn bytes_at(&self, range: InputRange) -> &'i [u8] {
        &self.bytes[range.start..range.end]
    }

    /// Returns the text of a range, if it is known to be UTF-8.
    #[inline]
    pub(super) fn checked(&self, range: InputRange) -> Option<&'i str> {
        let start = range.start.wrapping_sub(self.text_start);
        self.text
            .get(start..range.end.wrapping_sub(self.text_start))
    }

    /// Returns the text of a range. If it is not known to be UTF-8, it is checked when it is read.
    #[inline]
    pub(super) fn text_at(&self, range: InputRange) -> Text<'i> {
        match self.checked(range) {
            Some(text) => Text::Checked(text),
            None => Text::Raw(self.bytes_at(range)),
        }
    }

    /// Checks the UTF-8 of the next bytes, once for all items in them. Without this, each value is
    /// checked when it is read.
    ///
    /// Called before each item. Before the first one, it checks nothing. It checks at most twice
    /// the number of bytes read so far, or one window if that is more, so that the work stays
    /// linear for callers that take a few items and feed the rest again.
    #[inline]
    pub(super) fn check_ahead(&mut self) {
        if self.at >= self.checked_to && self.bytes.len() - self.at >= WORTH_CHECKING {
            self.check_window();
        }
    }

    #[inline(never)]
    fn check_window(&mut self) {
        let rest = &self.bytes[self.at..];
        let window = &rest[..rest.len().min(WINDOW.max(2 * self.at))];
        // In well-formed text, a window that ends at a line end cuts no character.
        let lines = memchr::memrchr(LF, window).map_or(0, |end| end + 1);
        self.checked_to = self.at + window.len();
        self.text_start = self.at;
        self.text = text::valid_start(&window[..lines]);
    }
}
