//! The line reader: finds the lines in chunks of any size, and applies the limits.
//!
//! > with a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single U+000A LINE
//! > FEED (LF) character not preceded by a U+000D CARRIAGE RETURN (CR) character, and a single
//! > U+000D CARRIAGE RETURN (CR) character not followed by a U+000A LINE FEED (LF) character being
//! > the ways in which a line can end.
//!
//! [`LineReader::next`] reads a line that lies entirely in the input. It compares the name as one
//! word and copies nothing. Decoding spends most of its time there, so it has few instructions.
//! [`LineReader::resume`] reads the other lines. If the end of the input cuts a name, the reader
//! stores the start of the line in `carry`. If it cuts a value, the reader returns the value in
//! pieces, which the block appends to its buffer.

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
    /// The start of a line whose value is cut by the end of the input. [`LineReader::kind`] returns
    /// its kind.
    Begun,
    /// The next piece of the value of such a line.
    Piece,
    /// The last piece, up to the end of the line.
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
    /// In a name, or before the first byte of a value.
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
    /// The start of a line that was cut before its value.
    carry: u64,
    carry_len: usize,
    kind: LineKind,
    value: InputRange,
    /// The number of bytes that were read of the line that is returned in pieces.
    taken: usize,
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
            if self.cut != Cut::LineStart {
                if let Some(line) = self.go_on(input) {
                    return line;
                }
                continue;
            }
            let front = front(input.bytes, input.at);
            let first = first_of(front);
            let line = if DATA.begins(front) {
                self.read_whole(input, front, DATA)
            } else if ends_line(first) {
                self.left = self.limits.event;
                input.at = self.end_line(input.bytes, input.at);
                Some(Line::Blank)
            } else if EVENT.begins(front) {
                self.read_whole(input, front, EVENT)
            } else if ID.begins(front) {
                self.read_whole(input, front, ID)
            } else if first == b':' && !self.comments {
                // > If the line starts with a U+003A COLON character (:), ignore the line.
                match input.find_line_end(input.at) {
                    Some(end) => input.at = self.end_line(input.bytes, end),
                    None => self.cut = Cut::Ignored,
                }
                continue;
            } else {
                None
            };
            if let Some(line) = line.or_else(|| self.resume(input)) {
                return line;
            }
        }
    }

    /// Continues a line that an earlier input has cut. Returns `None` at its end.
    #[inline]
    fn go_on(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        if input.remaining().is_empty() {
            return Some(Line::More);
        }
        match self.cut {
            Cut::Value => Some(self.read_piece(input)),
            Cut::Ignored => {
                if let Some(end) = input.find_line_end(input.at) {
                    self.cut = Cut::LineStart;
                    input.at = self.end_line(input.bytes, end);
                } else {
                    input.at = input.bytes.len();
                }
                None
            }
            _ => self.resume(input),
        }
    }

    /// Reads a line with this name, if the end of the line is in the input. Inlined for each name,
    /// so that `name` is a constant.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the compiler did not inline it for every name"
    )]
    fn read_whole(&mut self, input: &mut InputChunk<'_>, front: u64, name: Name) -> Option<Line> {
        let start = input.at;
        let value_start = name.value_start(front);
        let end = input.find_line_end(start + name.len)?;
        Some(self.take_whole(input, name.kind, end - start, start + value_start, end))
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

    /// Reads a rare line, or continues where the input was cut. Returns `None` if there is nothing
    /// to return yet.
    #[inline(never)]
    fn resume(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let bytes = input.bytes;
        let Some(&byte) = bytes.get(input.at) else {
            return Some(Line::More);
        };
        match self.cut {
            // > The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any.
            Cut::StreamStart(seen) => {
                if MARK.get(usize::from(seen)) == Some(&byte) {
                    input.at += 1;
                    self.cut = Cut::StreamStart(seen + 1);
                } else if seen == 0 || usize::from(seen) == MARK.len() {
                    self.cut = Cut::LineStart;
                } else {
                    // An incomplete byte order mark is not stripped. No field name begins with its
                    // bytes, so the line is ignored.
                    self.cut = Cut::Ignored;
                }
                None
            }
            Cut::LineStart => {
                (self.carry, self.carry_len) = (0, 0);
                self.read_name(input)
            }
            Cut::Name => self.read_name(input),
            // `go_on` reads these itself.
            Cut::Value | Cut::Ignored => None,
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
                None
            }
            Cut::Stopped => {
                input.at = bytes.len();
                None
            }
        }
    }

    /// Reads the start of a line, up to its value. `carry` holds its bytes from earlier inputs.
    fn read_name(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let rest = input.remaining().len();
        let len = self.carry_len + rest;
        let start = self.carry | front(input.bytes, input.at) << (8 * self.carry_len);
        let bytes = start.to_le_bytes();
        let Some((kind, value_start)) = self.find_name(&bytes[..len.min(8)]) else {
            self.cut = Cut::Ignored;
            return None;
        };
        self.kind = kind;
        if value_start > self.max_len(kind) && value_start <= len {
            return Some(self.refuse(kind));
        }
        if value_start >= len {
            // The name is incomplete, or the next byte may be the space before the value.
            self.cut = Cut::Name;
            (self.carry, self.carry_len) = (start, len);
            input.at = input.bytes.len();
            return Some(Line::More);
        }
        let at = input.at + value_start - self.carry_len;
        if let Some(end) = input.find_line_end(at) {
            self.cut = Cut::LineStart;
            return Some(self.take_whole(input, kind, value_start + end - at, at, end));
        }
        self.cut = Cut::Value;
        self.taken = value_start;
        input.at = at;
        Some(Line::Begun)
    }

    /// Returns the kind of the line with this start, and the offset of its value. The offset is
    /// past the start if the name is incomplete. Returns `None` if the line is ignored.
    fn find_name(&self, start: &[u8]) -> Option<(LineKind, usize)> {
        let (kind, len) = NAMES.into_iter().find_map(|(name, kind)| {
            // > Field names must be compared literally, with no case folding performed.
            let value_start = match start.strip_prefix(name) {
                None if name.starts_with(start) => name.len() + 1,
                // > If value starts with a U+0020 SPACE character, remove it from value.
                Some([b':', b' ', ..]) => name.len() + 2,
                Some([b':', ..] | []) => name.len() + 1,
                // > Otherwise, the string is not empty but does not contain a U+003A COLON
                // > character (:)
                Some([CR | LF, ..]) => name.len(),
                // > Otherwise, the field is ignored.
                _ => return None,
            };
            Some((kind, value_start))
        })?;
        // A comment that an earlier input began is returned even if comments were turned off since.
        let is_wanted = kind != LineKind::Comment || self.comments || self.carry_len > 0;
        is_wanted.then_some((kind, len))
    }

    /// Reads the next piece of a value.
    #[inline]
    fn read_piece(&mut self, input: &mut InputChunk<'_>) -> Line {
        let start = input.at;
        let end = input.find_piece_end(self.taken);
        self.value = InputRange { start, end };
        self.taken = self.taken.saturating_add(end - start);
        input.at = end;
        if self.taken > self.max_len(self.kind) {
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

    /// Ends the line at the CR or LF at `at`, and returns the offset of the next line. An LF after
    /// a CR is skipped now, or at the start of the next chunk.
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

const NAMES: [(&[u8], LineKind); 5] = [
    (b"data", LineKind::Data),
    (b"event", LineKind::Event),
    (b"id", LineKind::Id),
    (b"retry", LineKind::Retry),
    (b"", LineKind::Comment),
];

// `carry` has room for the longest name, its colon and a space.
const _: () = {
    let mut at = 0;
    while at < NAMES.len() {
        assert!(NAMES[at].0.len() + 2 <= size_of::<u64>());
        at += 1;
    }
};

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
