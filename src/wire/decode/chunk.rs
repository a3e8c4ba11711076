//! A piece of the input whose UTF-8 is checked once, however many events it has.

use core::fmt;

use super::item::Text;
use super::marks::Marks;
use super::place::Place;
use crate::wire::line::WINDOW;
use crate::wire::line::stream::{Ends, LineEnd, LineEnds, find_long_line_end};
use crate::wire::utf8;

/// Below this length the check per event is cheaper than the check per chunk: with 16-byte chunks an event is many
/// chunks, and each check has a fixed cost.
const WORTH_CHECKING: usize = 64;

/// The same for a single value.
const WORTH_CHECKING_ALONE: usize = 512;

/// A line that has got so long, in input that is so long, is searched for its end with memchr at once. More than is
/// gathered, where all line ends are known.
const LONG: usize = 1 << 10;

/// How much of a long line is taken at a time.
const BLOCK: usize = 8 << 10;

/// A piece of the byte stream, with what is left of it and what is known to be UTF-8.
///
/// [`Decoder::decode_chunk`](super::Decoder::decode_chunk) takes items from its front. Against a plain slice it saves
/// the check of every field's UTF-8, which is done here for the whole piece at once: worth it for those who read events
/// as text. A chunk may begin and end anywhere, in the middle of a character too. Go on with the same chunk until it gives
/// `None`: then all of it is decoded.
///
/// # Examples
///
/// ```
/// use sse_proto::{Chunk, Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut chunk = Chunk::new(b"data: a\n\ndata: b\n\n");
/// let mut seen = Vec::new();
/// while let Some(Item::Event(event)) = decoder.decode_chunk(&mut chunk)? {
///     seen.push(event.data().into_owned());
/// }
/// assert_eq!(seen, ["a", "b"]);
/// assert!(chunk.is_empty());
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Chunk<'i> {
    pub(super) bytes: &'i [u8],
    pub(super) at: usize,
    /// The longest part that is known to be UTF-8; it starts at `checked_from`.
    checked: &'i str,
    checked_from: usize,
    ends: LineEnds,
    /// Where lines and blocks end in a short chunk.
    marks: Marks,
    /// The line ends of what was gathered.
    known_ends: Option<&'i Ends>,
}

impl<'i> Chunk<'i> {
    /// Wraps a piece of the stream and checks its UTF-8.
    #[inline]
    pub fn new(bytes: &'i [u8]) -> Self {
        if bytes.len() < WORTH_CHECKING {
            Self::unchecked(bytes)
        } else {
            Self::check(bytes)
        }
    }

    fn check(bytes: &'i [u8]) -> Self {
        // The rest of a character that the piece before has begun: at most three bytes.
        let checked_from = bytes
            .iter()
            .take(3)
            .take_while(|&&byte| byte & 0xC0 == 0x80)
            .count();
        let rest = &bytes[checked_from..without_cut_character(bytes)];
        let checked = match utf8::check(rest) {
            Ok(text) => text,
            // Valid up to there, so the second check cannot fail; only malformed pieces pay it.
            Err(error) => core::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        Self {
            bytes,
            at: 0,
            checked,
            checked_from,
            ends: LineEnds::new(),
            marks: Marks::NONE,
            known_ends: None,
        }
    }

    /// Wraps a piece of the stream without a check.
    #[inline]
    pub(super) const fn unchecked(bytes: &'i [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            checked: "",
            checked_from: 0,
            ends: LineEnds::new(),
            marks: Marks::NONE,
            known_ends: None,
        }
    }

    /// Checks what lies between two values, if they are in the input.
    #[inline]
    pub(super) fn check_span(&mut self, one: Place, other: Place) {
        let (start, end) = match (one.is_input(), other.is_input()) {
            (true, true) => (one.start.min(other.start), one.end.max(other.end)),
            (true, false) => (one.start, one.end),
            (false, true) => (other.start, other.end),
            (false, false) => return,
        };
        // Places in the input are found in it by the step before, and end behind their start.
        if let Ok(text) = utf8::check(&self.bytes[start..end]) {
            (self.checked, self.checked_from) = (text, start);
        }
    }

    /// Returns the bytes that are not decoded yet.
    #[inline]
    pub fn remaining(&self) -> &'i [u8] {
        &self.bytes[self.at..]
    }

    /// Returns whether all bytes are decoded.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Wraps what was gathered, with the masks of its line ends.
    pub(super) const fn gathered(bytes: &'i [u8], ends: &'i Ends) -> Self {
        let mut chunk = Self::unchecked(bytes);
        chunk.ends = LineEnds::of_short(ends[0]);
        chunk.known_ends = Some(ends);
        chunk
    }

    /// Lets a short chunk be read as if it ended earlier.
    #[inline]
    pub(super) fn read_up_to<T>(&mut self, end: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let bytes = self.bytes;
        self.bytes = &bytes[..end];
        self.ends = LineEnds::of_short(self.marks.line_ends & !(u64::MAX << end));
        let done = read(self);
        self.bytes = bytes;
        self.ends = LineEnds::of_short(self.marks.line_ends);
        done
    }

    /// The first line end at or after `from`.
    #[inline]
    pub(super) fn find_line_end(&mut self, from: usize) -> Option<usize> {
        self.ends.find(self.bytes, from, self.known_ends)
    }

    /// Whether one mask tells about all of it.
    #[inline]
    pub(super) const fn is_short(&self) -> bool {
        self.bytes.len() < WINDOW
    }

    /// Keeps what was found in a short chunk.
    #[inline]
    pub(super) fn mark(&mut self, marks: Marks) {
        self.marks = marks;
        self.ends = LineEnds::of_short(marks.line_ends);
    }

    #[inline]
    pub(super) const fn marks(&self) -> Marks {
        self.marks
    }

    /// The first byte behind the next blank line, of which the marks of a short chunk know.
    #[inline]
    pub(super) fn end_of_block(&self) -> usize {
        let blank_lines = self.marks.blank_lines(self.at);
        LineEnd::skip(self.bytes, self.at + blank_lines.trailing_zeros() as usize).next
    }

    /// The same where `line_taken` bytes of the line are read: one that is long already is likely to go on.
    #[inline]
    pub(super) fn find_value_end(&mut self, from: usize, line_taken: usize) -> Option<usize> {
        if self.is_long(from, line_taken) {
            find_long_line_end(self.bytes, from)
        } else {
            self.find_line_end(from)
        }
    }

    /// Does what `find_value_end` does; a long line ends where a block does that the first cache holds, so that it is
    /// searched, checked and copied block by block.
    #[inline]
    pub(super) fn find_value_end_or_block(&mut self, from: usize, line_taken: usize) -> usize {
        let len = self.bytes.len();
        let found = if self.is_long(from, line_taken) {
            let end = len.min(from + BLOCK);
            return find_long_line_end(&self.bytes[..end], from).unwrap_or(end);
        } else {
            self.find_line_end(from)
        };
        found.unwrap_or(len)
    }

    #[inline]
    fn is_long(&self, from: usize, line_taken: usize) -> bool {
        line_taken >= LONG && self.bytes.len() - from >= LONG
    }

    /// The text at a place, if it is checked.
    #[inline]
    pub(super) fn checked(&self, place: Place) -> Option<&'i str> {
        let start = place.start.wrapping_sub(self.checked_from);
        self.checked
            .get(start..place.end.wrapping_sub(self.checked_from))
    }

    /// The text at a place, checked where the whole of it is.
    #[inline]
    pub(super) fn text(&self, place: Place) -> Text<'i> {
        match self.checked(place) {
            Some(text) => Text::checked(text),
            None => Text::raw(&self.bytes[place.start..place.end]),
        }
    }

    /// The bytes at a place in three parts, of which the middle one is checked.
    pub(super) fn parts(&self, place: Place) -> (&'i [u8], &'i str, &'i [u8]) {
        let start = place.start.max(self.checked_from);
        let end = place.end.min(self.checked_from + self.checked.len());
        if start < end {
            if let Some(text) = self.checked(Place { start, end }) {
                return (
                    &self.bytes[place.start..start],
                    text,
                    &self.bytes[end..place.end],
                );
            }
        }
        (&self.bytes[place.start..place.end], "", &[])
    }

    /// Whether a piece is worth a check as it is copied. Short pieces of an unchecked chunk are cheaper to check together.
    #[inline]
    pub(super) const fn is_worth_checking(&self, place: Place) -> bool {
        !self.checked.is_empty() || place.end - place.start >= WORTH_CHECKING_ALONE
    }
}

/// The length of `bytes` without a character at its end that lacks bytes.
fn without_cut_character(bytes: &[u8]) -> usize {
    let len = bytes.len();
    for back in 1..=len.min(3) {
        let needed = match bytes[len - back] {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0.. => 4,
            _ => 1,
        };
        return if needed > back { len - back } else { len };
    }
    len
}

impl<'i> From<&'i [u8]> for Chunk<'i> {
    fn from(bytes: &'i [u8]) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("len", &self.bytes.len())
            .field("decoded", &self.at)
            .finish_non_exhaustive()
    }
}
