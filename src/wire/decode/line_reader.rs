//! The line reader: finds the lines in chunks of any size, and applies the limits.
//!
//! > with a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single U+000A LINE
//! > FEED (LF) character not preceded by a U+000D CARRIAGE RETURN (CR) character, and a single
//! > U+000D CARRIAGE RETURN (CR) character not followed by a U+000A LINE FEED (LF) character being
//! > the ways in which a line can end.
//!
//! [`LineReader::read_line`] compares the name as one word, searches the end of the line, and copies
//! nothing. Most of a stream's time is spent there, so it is kept to few instructions. If the input
//! cuts a name, the carry keeps the start of it, and [`LineReader::read_name`] reads the rest. If
//! the input cuts a value, the value is returned in pieces, which the block appends to its buffer.

use core::mem;

use super::input::{InputChunk, InputRange};
use super::limits::{DecodeError, DecodeLimits};
use crate::wire::line::{CR, LF};

/// The kind of a line: a field of the standard, or a comment if the caller wants comments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum LineKind {
    Data,
    Event,
    Id,
    Retry,
    Comment,
}

/// The next part of the input; [`LineReader::value`] returns its value. It is a plain number, so
/// that it is returned in a register.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    /// A line whose value lies entirely in the input.
    Whole(LineKind),
    /// The first piece of a value that the input cuts; [`LineReader::kind`] returns its kind.
    Begun,
    /// The next piece of it.
    Piece,
    /// The last piece of it, up to the end of the line.
    LastPiece,
    /// The line that ends a block.
    Blank,
    /// All bytes are read. The last line may be unfinished.
    More,
    /// A line has exceeded a limit. [`LineReader::error`] returns the error.
    TooLong,
}

/// The position within a line at which the input stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// In a possible byte order mark, after this many of its bytes.
    StreamStart(u8),
    /// Before the first byte of a line.
    LineStart,
    /// In a name, or after its colon: the carry holds the line.
    Name,
    /// In a value that is returned in pieces.
    Value,
    /// In an ignored line.
    Ignored,
    /// After a limit, before the first byte of a line of the skipped block.
    SkippedLineStart,
    /// After a limit, within such a line.
    Skipped,
    /// After a limit that ends the stream.
    Stopped,
}

/// Reads lines from chunks of any size, each byte once.
pub(super) struct LineReader {
    cut: Cut,
    /// True if the last chunk ended with a CR: an LF that comes next is part of the same line end.
    after_cr: bool,
    comments: bool,
    /// The start of a line whose name is cut, otherwise nothing.
    carry: u64,
    carry_len: usize,
    kind: LineKind,
    value: InputRange,
    /// The number of bytes that were read of the line that is returned in pieces.
    taken: usize,
    /// The maximum length of that line.
    most: usize,
    /// The number of bytes that the block may still take within the limit of an event.
    left: usize,
    limits: DecodeLimits,
}

impl LineReader {
    pub(super) const fn new(limits: DecodeLimits) -> Self {
        Self {
            cut: Cut::StreamStart(0),
            after_cr: false,
            comments: false,
            carry: 0,
            carry_len: 0,
            kind: LineKind::Data,
            value: InputRange { start: 0, end: 0 },
            taken: 0,
            most: 0,
            left: limits.event,
            limits,
        }
    }

    pub(super) const fn limits(&self) -> DecodeLimits {
        self.limits
    }

    pub(super) const fn set_limits(&mut self, limits: DecodeLimits) {
        self.limits = limits;
        self.left = limits.event;
    }

    pub(super) const fn set_comments(&mut self, comments: bool) {
        self.comments = comments;
    }

    /// Returns the maximum size of an open block, plus that of a returned comment within it.
    pub(super) const fn most_held(&self) -> usize {
        let comment = if self.comments { self.limits.line } else { 0 };
        self.limits.event.saturating_add(comment)
    }

    /// Prepares for a new stream.
    pub(super) fn restart(&mut self) {
        self.cut = Cut::StreamStart(0);
        self.after_cr = false;
        (self.carry, self.carry_len) = (0, 0);
        self.left = self.limits.event;
    }

    /// Returns whether a limit has ended the stream.
    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.cut, Cut::Stopped)
    }

    /// Returns whether a field is incomplete.
    pub(super) const fn is_within_field(&self) -> bool {
        // An ignored line is not a field. For a skipped block, the error was already returned.
        matches!(self.cut, Cut::Name | Cut::Value) && !matches!(self.kind, LineKind::Comment)
    }

    /// Returns the kind of the line.
    #[inline]
    pub(super) const fn kind(&self) -> LineKind {
        self.kind
    }

    /// Returns the position of the value, or of a piece of it, in the input.
    #[inline]
    pub(super) const fn value(&self) -> InputRange {
        self.value
    }

    /// Begins a chunk. Skips an LF that completes a CRLF.
    #[inline]
    pub(super) fn begin(&mut self, input: &mut InputChunk<'_>) {
        if self.after_cr && !input.bytes.is_empty() {
            self.after_cr = false;
            input.at = usize::from(input.bytes[0] == LF);
        }
    }

    /// Reads the next line, or the next piece of a line that is cut.
    #[inline]
    pub(super) fn next(&mut self, input: &mut InputChunk<'_>) -> Line {
        loop {
            let line = if self.cut == Cut::LineStart {
                self.read_line(input)
            } else {
                self.read_cut_line(input)
            };
            if let Some(line) = line {
                return line;
            }
        }
    }

    /// Reads a line from its first byte on. Returns `None` if it is ignored.
    #[inline]
    fn read_line(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let front = front(input.bytes, input.at);
        let first = first_of(front);
        if DATA.begins(front) {
            self.read_field(input, front, DATA)
        } else if ends_line(first) {
            self.left = self.limits.event;
            input.at = self.end_line(input.bytes, input.at);
            Some(Line::Blank)
        } else if EVENT.begins(front) {
            self.read_field(input, front, EVENT)
        } else if ID.begins(front) {
            self.read_field(input, front, ID)
        } else if first == b':' && !self.comments {
            // > If the line starts with a U+003A COLON character (:), ignore the line.
            self.ignore_line(input);
            None
        } else {
            self.read_name(input)
        }
    }

    /// Reads the rest of a line of which earlier inputs had the start. Returns `None` at its end if
    /// nothing is to be returned.
    #[inline]
    fn read_cut_line(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        if input.remaining().is_empty() {
            return Some(Line::More);
        }
        match self.cut {
            Cut::Value => Some(self.read_piece(input)),
            Cut::Ignored => {
                self.ignore_line(input);
                None
            }
            Cut::Name => self.read_name(input),
            _ => {
                self.skip(input);
                None
            }
        }
    }

    /// Reads a line with this name and a colon. Inlined for each name, so that the properties of
    /// the name become constants.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the compiler did not inline it for every name"
    )]
    fn read_field(&mut self, input: &mut InputChunk<'_>, front: u64, name: Name) -> Option<Line> {
        let start = input.at;
        let value_start = name.value_start(front);
        if let Some(end) = input.find_line_end(start + name.len) {
            return Some(self.take_whole(input, name.kind, end - start, start + value_start, end));
        }
        if start + name.len == input.bytes.len() {
            // A space may come next.
            return self.read_name(input);
        }
        Some(self.begin_value(input, name.kind, value_start, start + value_start))
    }

    /// Counts and returns a line of `len` bytes, whose value is the range `start..end` of the
    /// input.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn take_whole(
        &mut self,
        input: &mut InputChunk<'_>,
        kind: LineKind,
        len: usize,
        start: usize,
        end: usize,
    ) -> Line {
        if len > self.max_len(kind) {
            input.at = end;
            return self.refuse(kind);
        }
        self.count(kind, len);
        self.value = InputRange { start, end };
        input.at = self.end_line(input.bytes, end);
        Line::Whole(kind)
    }

    /// Returns the start of a value that the input cuts, after `len` bytes of its line.
    #[inline]
    fn begin_value(
        &mut self,
        input: &mut InputChunk<'_>,
        kind: LineKind,
        len: usize,
        start: usize,
    ) -> Line {
        (self.cut, self.kind) = (Cut::Value, kind);
        (self.taken, self.most) = (len, self.max_len(kind));
        input.at = start;
        if self.take_piece(input, input.bytes.len()) {
            Line::Begun
        } else {
            self.refuse(kind)
        }
    }

    /// Skips the byte order mark, a block after a limit, and a stream after its end.
    #[inline(never)]
    fn skip(&mut self, input: &mut InputChunk<'_>) {
        let bytes = input.bytes;
        match self.cut {
            // > The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any.
            Cut::StreamStart(seen) => {
                if MARK.get(usize::from(seen)) == Some(&bytes[input.at]) {
                    input.at += 1;
                    self.cut = Cut::StreamStart(seen + 1);
                } else if seen == 0 || usize::from(seen) == MARK.len() {
                    self.cut = Cut::LineStart;
                } else {
                    // An incomplete byte order mark is not stripped. No field name begins with its
                    // bytes, so the line is ignored.
                    self.cut = Cut::Ignored;
                }
            }
            Cut::SkippedLineStart | Cut::Skipped => {
                if let Some(end) = input.find_line_end(input.at) {
                    let is_blank = self.cut == Cut::SkippedLineStart && end == input.at;
                    self.cut = if is_blank {
                        self.left = self.limits.event;
                        Cut::LineStart
                    } else {
                        Cut::SkippedLineStart
                    };
                    input.at = self.end_line(bytes, end);
                } else {
                    self.cut = Cut::Skipped;
                    input.at = bytes.len();
                }
            }
            Cut::Stopped => input.at = bytes.len(),
            Cut::LineStart | Cut::Name | Cut::Value | Cut::Ignored => {}
        }
    }

    /// Skips an ignored line, as far as it is in the input.
    #[inline]
    fn ignore_line(&mut self, input: &mut InputChunk<'_>) {
        if let Some(end) = input.find_line_end(input.at) {
            self.cut = Cut::LineStart;
            input.at = self.end_line(input.bytes, end);
        } else {
            self.cut = Cut::Ignored;
            input.at = input.bytes.len();
        }
    }

    /// Reads a line that is rare, or whose name is cut. The carry holds the bytes of earlier
    /// inputs.
    #[inline(never)]
    fn read_name(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let rest = input.remaining().len();
        if rest == 0 {
            return Some(Line::More);
        }
        let (carry, carry_len) = (mem::take(&mut self.carry), mem::take(&mut self.carry_len));
        let len = carry_len + rest;
        let start = carry | front(input.bytes, input.at) << (8 * carry_len);
        let Some((name, name_len)) = find_name(start, len) else {
            self.ignore_line(input);
            return None;
        };
        // A comment that has begun is returned even if the caller has turned comments off.
        if name.kind == LineKind::Comment && !self.comments && carry_len == 0 {
            self.ignore_line(input);
            return None;
        }
        self.kind = name.kind;
        if len <= name_len {
            if len == name.len && len > self.max_len(name.kind) {
                return Some(self.refuse(name.kind));
            }
            // The name is cut, or a space may come next.
            self.cut = Cut::Name;
            (self.carry, self.carry_len) = (start, len);
            input.at = input.bytes.len();
            return Some(Line::More);
        }
        let value_start = if name_len < name.len {
            name_len
        } else {
            name.value_start(start)
        };
        let at = input.at + value_start - carry_len;
        if let Some(end) = input.find_line_end(at) {
            self.cut = Cut::LineStart;
            let len = value_start + end - at;
            return Some(self.take_whole(input, name.kind, len, at, end));
        }
        Some(self.begin_value(input, name.kind, value_start, at))
    }

    /// Reads the next piece of a value.
    #[inline]
    fn read_piece(&mut self, input: &mut InputChunk<'_>) -> Line {
        let end = input.find_piece_end(self.taken);
        if !self.take_piece(input, end) {
            return self.refuse(self.kind);
        }
        match input.bytes.get(end) {
            Some(&byte) if ends_line(byte) => {
                self.count(self.kind, self.taken);
                self.cut = Cut::LineStart;
                input.at = self.end_line(input.bytes, end);
                Line::LastPiece
            }
            _ => Line::Piece,
        }
    }

    /// Takes the bytes up to `end` as a piece of the value. Returns whether the line is within its
    /// limit.
    #[inline]
    fn take_piece(&mut self, input: &mut InputChunk<'_>, end: usize) -> bool {
        let start = input.at;
        self.value = InputRange { start, end };
        self.taken = self.taken.saturating_add(end - start);
        input.at = end;
        self.taken <= self.most
    }

    /// Ends the line at its CR or LF. An LF after a CR is skipped now, or at the start of the next
    /// chunk.
    #[inline]
    fn end_line(&mut self, bytes: &[u8], at: usize) -> usize {
        let next = at + 1;
        if bytes[at] == LF {
            return next;
        }
        if let Some(&byte) = bytes.get(next) {
            return next + usize::from(byte == LF);
        }
        self.after_cr = true;
        next
    }

    /// Counts a line of the block against the limit of an event.
    #[inline]
    fn count(&mut self, kind: LineKind, len: usize) {
        // A comment is returned at once and is not part of the block.
        if kind != LineKind::Comment {
            self.left -= len;
        }
    }

    /// Returns the maximum length of a line of this kind.
    #[inline]
    fn max_len(&self, kind: LineKind) -> usize {
        match kind {
            LineKind::Comment => self.limits.line,
            LineKind::Id => self.limits.id.min(self.limits.line).min(self.left),
            LineKind::Data | LineKind::Event | LineKind::Retry => self.limits.line.min(self.left),
        }
    }

    /// Skips the rest of the block, or ends the stream, because a limit is exceeded.
    #[cold]
    fn refuse(&mut self, kind: LineKind) -> Line {
        self.kind = kind;
        self.cut = if self.limits.end_at_limit {
            Cut::Stopped
        } else {
            Cut::Skipped
        };
        Line::TooLong
    }

    /// Returns the error for the limit that was just exceeded. If there are several, it is the
    /// smallest, because that was exceeded first.
    pub(super) fn error(&self) -> DecodeError {
        let DecodeLimits {
            line, id, event, ..
        } = self.limits;
        let max_len = self.max_len(self.kind);
        if max_len < line && max_len < self.left {
            DecodeError::IdTooLong { limit: id }
        } else if max_len < line {
            DecodeError::EventTooLong { limit: event }
        } else {
            DecodeError::LineTooLong { limit: line }
        }
    }
}

/// The byte order mark.
const MARK: [u8; 3] = *b"\xEF\xBB\xBF";

const DATA: Name = Name::new(LineKind::Data, *b"data:\0\0\0");
const EVENT: Name = Name::new(LineKind::Event, *b"event:\0\0");
const ID: Name = Name::new(LineKind::Id, *b"id:\0\0\0\0\0");

const NAMES: [Name; 5] = [
    DATA,
    EVENT,
    ID,
    Name::new(LineKind::Retry, *b"retry:\0\0"),
    Name::new(LineKind::Comment, *b":\0\0\0\0\0\0\0"),
];

// A word has room for the longest name, its colon and a space.
const _: () = {
    let mut at = 0;
    while at < NAMES.len() {
        assert!(NAMES[at].len < size_of::<u64>());
        at += 1;
    }
};

/// Returns the name at the start of a line of which `len` bytes are known, and its length: with the
/// colon, unless the line ends without one. Returns `None` if the line is ignored.
fn find_name(start: u64, len: usize) -> Option<(Name, usize)> {
    NAMES.into_iter().find_map(|name| {
        // > Field names must be compared literally, with no case folding performed.
        let same = (start ^ name.word).trailing_zeros() as usize / 8;
        if same >= name.len.min(len) {
            return Some((name, name.len));
        }
        // > Otherwise, the string is not empty but does not contain a U+003A COLON character (:)
        let ends = same == name.len - 1 && ends_line(start.to_le_bytes()[same]);
        ends.then_some((name, same))
    })
}

/// A field's name with its colon, as the first bytes of a word.
#[derive(Clone, Copy)]
struct Name {
    kind: LineKind,
    word: u64,
    /// The length of the name with its colon.
    len: usize,
}

impl Name {
    const fn new(kind: LineKind, bytes: [u8; 8]) -> Self {
        let word = u64::from_le_bytes(bytes);
        let len = 8 - word.leading_zeros() as usize / 8;
        Self { kind, word, len }
    }

    #[inline]
    const fn begins(&self, front: u64) -> bool {
        (front ^ self.word) << (64 - 8 * self.len) == 0
    }

    /// Returns the offset of the value in a line that begins with the name and a colon.
    ///
    /// > If value starts with a U+0020 SPACE character, remove it from value.
    #[inline]
    const fn value_start(&self, front: u64) -> usize {
        self.len + (front.to_le_bytes()[self.len] == b' ') as usize
    }
}

#[inline]
const fn ends_line(byte: u8) -> bool {
    matches!(byte, LF | CR)
}

/// Returns the eight bytes from `at` on in little-endian order, with zeros beyond the end.
#[inline]
fn front(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => short_front(bytes, at),
    }
}

/// Returns the first byte of a front, or 0 if it is empty.
#[inline]
const fn first_of(front: u64) -> u8 {
    front.to_le_bytes()[0]
}

#[cold]
#[inline(never)]
fn short_front(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let (Some(last), [_, ..]) = (bytes.last_chunk::<8>(), rest) {
        return u64::from_le_bytes(*last) >> (8 * (last.len() - rest.len()));
    }
    let append = |word, &byte: &u8| word << 8 | u64::from(byte);
    rest.iter().rev().fold(0, append)
}
