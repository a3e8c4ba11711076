//! The reader of lines: the one place that knows how lines end across chunks, and what limits a line.
//!
//! > with a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single U+000A LINE FEED (LF) character
//! > not preceded by a U+000D CARRIAGE RETURN (CR) character, and a single U+000D CARRIAGE RETURN (CR) character not
//! > followed by a U+000A LINE FEED (LF) character being the ways in which a line can end.
//!
//! [`LineReader::next`] reads a line that lies whole in the input, compares its name as one word, and copies nothing.
//! Most of a stream's time is spent there, so it is kept to few instructions and leaves all else to
//! [`LineReader::resume`], which reads a line that the input has cut. The start of a cut line goes to the carry, where
//! a short line is put together. A line that does not fit is returned in pieces, which the block appends to its value.

use super::block::ValueSpan;
use super::decoder::Outcome;
use super::input::InputChunk;
use super::limits::{AfterLimit, DecodeError, DecodeLimits};

/// What a line is about: one of the fields that the standard knows, or a comment that the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Data,
    Event,
    Id,
    Retry,
    Comment,
}

/// What comes next in the input. A plain number, so that it is returned in a register: the value is at
/// [`LineReader::value`] or [`LineReader::carried`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A data line that lies whole in the input.
    Data,
    /// An `event` line that does.
    Event,
    /// An `id` line that does.
    Id,
    /// Another line that does, of [`LineReader::kind`].
    Other,
    /// A line that was cut, and is whole in the carry.
    Carried,
    /// The start of a line that was cut, in the carry.
    Begun,
    /// The next piece of its value.
    Piece,
    /// The last piece of its value.
    LastPiece,
    /// The line that ends a block.
    Blank,
    /// All bytes are read, and a line is open or not.
    More,
    /// A line has passed a limit. What follows is skipped as [`AfterLimit`] says.
    TooLong(Outcome),
}

/// Where in a line the input stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// In what may be a byte order mark, of which so many bytes have come.
    StreamStart(u8),
    /// Before the first byte of a line.
    LineStart,
    /// The same, after a CR: an LF that comes next belongs to it.
    AfterCr,
    /// In a line whose bytes are all in the carry.
    Carried,
    /// In a value that is returned in pieces.
    Value,
    /// In a line that means nothing.
    Ignored,
    /// After a limit, before the first byte of a line of the block that is skipped.
    SkippedLineStart,
    /// The same, after a CR.
    SkippedAfterCr,
    /// After a limit, within such a line.
    Skipped,
    /// After a limit that ends the stream.
    Ended,
}

/// How long a cut line may be that is put together before it is read.
const CARRY: usize = 64;

/// The longest name with its colon and a space.
const LONGEST_NAME: usize = 7;

/// Reads lines from chunks of any size, each byte once.
pub(super) struct LineReader {
    cut: Cut,
    comments: bool,
    /// The length of the name in the carry, with its colon and space.
    value_start: u8,
    carry_len: u8,
    carry: [u8; CARRY],
    kind: LineKind,
    value: ValueSpan,
    /// Bytes of the line that is returned in pieces.
    taken: usize,
    /// How many bytes more the block may have by the limit of an event.
    left: usize,
    limits: DecodeLimits,
}

impl LineReader {
    pub(super) const fn new(limits: DecodeLimits) -> Self {
        Self {
            cut: Cut::StreamStart(0),
            comments: false,
            value_start: 0,
            carry_len: 0,
            carry: [0; CARRY],
            kind: LineKind::Data,
            value: ValueSpan { start: 0, end: 0 },
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

    pub(super) const fn comments(&self) -> bool {
        self.comments
    }

    /// Starts at the beginning of a new stream.
    pub(super) fn restart(&mut self) {
        self.cut = Cut::StreamStart(0);
        self.carry_len = 0;
        self.left = self.limits.event;
    }

    /// Whether a limit has ended the stream.
    pub(super) const fn is_ended(&self) -> bool {
        matches!(self.cut, Cut::Ended)
    }

    /// Whether a field has begun that the end of the stream would cut off.
    pub(super) fn is_within_field(&self) -> bool {
        match self.cut {
            Cut::Carried => match Self::head(self.carry_bytes(), false) {
                Head::Known(kind, _) => kind != LineKind::Comment,
                Head::Unknown => {
                    let begins = |name: &&[u8]| name.starts_with(self.carry_bytes());
                    NAMES.iter().any(|(name, _)| begins(name))
                }
                Head::Ignored => false,
            },
            Cut::Value => self.kind != LineKind::Comment,
            Cut::StreamStart(_)
            | Cut::LineStart
            | Cut::AfterCr
            | Cut::Ignored
            // What is past a limit was reported.
            | Cut::SkippedLineStart
            | Cut::SkippedAfterCr
            | Cut::Skipped
            | Cut::Ended => false,
        }
    }

    /// What the line is about.
    #[inline]
    pub(super) const fn kind(&self) -> LineKind {
        self.kind
    }

    /// Where the value, or the piece of it, is in the input.
    #[inline]
    pub(super) const fn value(&self) -> ValueSpan {
        self.value
    }

    /// The value of the line that was cut, or the start of it.
    pub(super) fn carried(&self) -> &[u8] {
        &self.carry[usize::from(self.value_start)..usize::from(self.carry_len)]
    }

    /// Reads a short chunk without a line end, if it is within a line that was cut and no limit can be near: the path of
    /// most chunks that are a few bytes long.
    #[inline]
    pub(super) fn go_on(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let len = input.bytes.len();
        if self.cut == Cut::Value && self.taken < self.room(self.kind).saturating_sub(len) {
            self.value = ValueSpan { start: 0, end: len };
            self.taken += len;
            input.at = len;
            return Some(Line::Piece);
        }
        if self.cut == Cut::Carried && usize::from(self.carry_len) + len <= self.carry_room() {
            self.push_carry(input.bytes);
            input.at = len;
            return Some(Line::More);
        }
        None
    }

    /// How much of a line the carry may hold: no line is refused that is shorter than all limits are.
    #[inline]
    fn carry_room(&self) -> usize {
        let least = self.limits.line.min(self.limits.id).min(self.left);
        CARRY.min(least)
    }

    /// Reads the next line.
    #[inline]
    pub(super) fn next(&mut self, input: &mut InputChunk<'_>) -> Line {
        if self.cut == Cut::Value && !input.remaining().is_empty() {
            return self.read_piece(input);
        }
        if self.cut != Cut::LineStart {
            if let Some(line) = self.resume(input) {
                return line;
            }
        }
        loop {
            let front = front(input.bytes, input.at);
            let first = first_of(front);
            if DATA.begins(front) {
                return self.read_whole(input, front, DATA, Line::Data);
            } else if ends_line(first) {
                self.left = self.limits.event;
                input.at = self.end_line(input.bytes, input.at);
                return Line::Blank;
            } else if EVENT.begins(front) {
                return self.read_whole(input, front, EVENT, Line::Event);
            } else if ID.begins(front) {
                return self.read_whole(input, front, ID, Line::Id);
            } else if first == b':' && !self.comments {
                // > If the line starts with a U+003A COLON character (:), ignore the line.
                let Some(end) = input.find_line_end(input.at) else {
                    return self.ignore_rest(input);
                };
                input.at = self.end_line(input.bytes, end);
            } else if let Some(line) = self.read_other(input) {
                return line;
            }
        }
    }

    /// Reads the line whose name is known, if its end is in the input. Inlined for each name: what is known of it then
    /// is a number in an instruction.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it was not, for the one or the other name"
    )]
    fn read_whole(
        &mut self,
        input: &mut InputChunk<'_>,
        front: u64,
        name: Name,
        line: Line,
    ) -> Line {
        let start = input.at;
        let Some(end) = input.find_line_end(start + name.len) else {
            return self.cut_line(input);
        };
        let len = end - start;
        if len > self.room(name.kind) {
            input.at = end;
            return self.refuse(name.kind);
        }
        self.left -= len;
        input.at = self.end_line(input.bytes, end);
        // > If value starts with a U+0020 SPACE character, remove it from value.
        let start = start + name.len + usize::from(name.has_space(front));
        self.value = ValueSpan { start, end };
        line
    }

    /// Reads the rare lines; `None` if it is one that means nothing.
    #[inline(never)]
    fn read_other(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let (bytes, start) = (input.bytes, input.at);
        if start == bytes.len() {
            return Some(Line::More);
        }
        let Some(end) = input.find_line_end(start) else {
            return Some(self.cut_line(input));
        };
        let Head::Known(kind, value_start) = Self::head(&bytes[start..end], true) else {
            input.at = self.end_line(bytes, end);
            return None;
        };
        let len = end - start;
        if len > self.room(kind) {
            input.at = end;
            return Some(self.refuse(kind));
        }
        self.count(kind, len);
        input.at = self.end_line(bytes, end);
        let start = start + value_start;
        (self.kind, self.value) = (kind, ValueSpan { start, end });
        Some(Line::Other)
    }

    /// Skips the rest of the input, which is within a line that means nothing.
    #[cold]
    fn ignore_rest(&mut self, input: &mut InputChunk<'_>) -> Line {
        self.cut = Cut::Ignored;
        input.at = input.bytes.len();
        Line::More
    }

    /// Leaves the line at the front, which does not end in the input.
    #[inline(never)]
    fn cut_line(&mut self, input: &mut InputChunk<'_>) -> Line {
        self.cut = Cut::Carried;
        self.carry_len = 0;
        let line = self.carry_on(input).or_else(|| self.resume(input));
        line.unwrap_or(Line::More)
    }

    /// Reads on where the input was cut; `None` at the start of a line.
    #[inline(never)]
    fn resume(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let bytes = input.bytes;
        while let Some(&byte) = bytes.get(input.at) {
            match self.cut {
                Cut::LineStart => return None,
                Cut::Value => return Some(self.read_piece(input)),
                Cut::Carried => {
                    if let Some(line) = self.carry_on(input) {
                        return Some(line);
                    }
                }
                Cut::AfterCr => {
                    input.at += usize::from(byte == b'\n');
                    self.cut = Cut::LineStart;
                }
                // > The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any.
                Cut::StreamStart(seen) => {
                    if MARK.get(usize::from(seen)) == Some(&byte) {
                        input.at += 1;
                        self.cut = Cut::StreamStart(seen + 1);
                    } else if seen == 0 || usize::from(seen) == MARK.len() {
                        self.cut = Cut::LineStart;
                    } else {
                        // Part of a mark is not a mark, and no field begins with it.
                        self.cut = Cut::Ignored;
                    }
                }
                Cut::Ignored => match input.find_line_end(input.at) {
                    Some(end) => input.at = self.end_line(bytes, end),
                    None => input.at = bytes.len(),
                },
                Cut::SkippedAfterCr => {
                    input.at += usize::from(byte == b'\n');
                    self.cut = Cut::SkippedLineStart;
                }
                Cut::SkippedLineStart if ends_line(byte) => {
                    self.left = self.limits.event;
                    input.at = self.end_line(bytes, input.at);
                }
                Cut::SkippedLineStart | Cut::Skipped => {
                    if let Some(end) = input.find_line_end(input.at) {
                        input.at = self.end_line(bytes, end);
                        self.cut = match self.cut {
                            Cut::AfterCr => Cut::SkippedAfterCr,
                            _ => Cut::SkippedLineStart,
                        };
                    } else {
                        self.cut = Cut::Skipped;
                        input.at = bytes.len();
                    }
                }
                Cut::Ended => input.at = bytes.len(),
            }
        }
        Some(Line::More)
    }

    /// Adds what comes of the line to the carry; `None` after a line that means nothing.
    fn carry_on(&mut self, input: &mut InputChunk<'_>) -> Option<Line> {
        let (bytes, start, carried) = (input.bytes, input.at, usize::from(self.carry_len));
        let end = input.find_line_end(start);
        let piece = &bytes[start..end.unwrap_or(bytes.len())];
        let len = carried + piece.len();
        if len > self.carry_room() {
            return self.leave_carry(input, piece, end.is_some());
        }
        self.push_carry(piece);
        input.at += piece.len();
        let Some(end) = end else {
            return Some(Line::More);
        };
        input.at = self.end_line(bytes, end);
        let Head::Known(kind, value_start) = Self::head(self.carry_bytes(), true) else {
            return None;
        };
        self.kind = kind;
        self.set_value_start(value_start);
        self.count(kind, len);
        Some(Line::Carried)
    }

    /// Goes on with a line that does not fit into the carry, or that may pass a limit: its value is returned in pieces.
    fn leave_carry(
        &mut self,
        input: &mut InputChunk<'_>,
        piece: &[u8],
        ends: bool,
    ) -> Option<Line> {
        let carried = usize::from(self.carry_len);
        let more = piece.len().min((LONGEST_NAME + 1).saturating_sub(carried));
        self.push_carry(&piece[..more]);
        input.at += more;
        let is_all = more == piece.len();
        match Self::head(self.carry_bytes(), is_all && ends) {
            Head::Known(kind, value_start) => {
                let len = usize::from(self.carry_len);
                if len > self.room(kind) {
                    return Some(self.refuse(kind));
                }
                if is_all && !ends && len <= LONGEST_NAME {
                    // A space may come next.
                    return Some(Line::More);
                }
                // Bytes of the value are read where they are, so that they are checked with those that follow.
                let back = len.saturating_sub(value_start).min(more);
                input.at -= back;
                self.carry_len -= u8::try_from(back).unwrap_or_default();
                self.set_value_start(value_start);
                self.taken = usize::from(self.carry_len);
                (self.cut, self.kind) = (Cut::Value, kind);
                Some(Line::Begun)
            }
            Head::Unknown => Some(Line::More),
            Head::Ignored => {
                self.cut = Cut::Ignored;
                None
            }
        }
    }

    /// Reads on in a value that is returned in pieces.
    fn read_piece(&mut self, input: &mut InputChunk<'_>) -> Line {
        let kind = self.kind;
        let value = ValueSpan {
            start: input.at,
            end: input.find_piece_end(self.taken),
        };
        self.value = value;
        self.taken = self.taken.saturating_add(value.len());
        input.at = value.end;
        if self.taken > self.room(kind) {
            return self.refuse(kind);
        }
        match input.bytes.get(value.end) {
            Some(&byte) if ends_line(byte) => {
                self.count(kind, self.taken);
                input.at = self.end_line(input.bytes, value.end);
                Line::LastPiece
            }
            _ => Line::Piece,
        }
    }

    /// Ends the line at its CR or LF. An LF after a CR is skipped with it, or when it comes.
    #[inline]
    fn end_line(&mut self, bytes: &[u8], at: usize) -> usize {
        self.cut = Cut::LineStart;
        let next = at + 1;
        if bytes[at] == b'\n' {
            return next;
        }
        match bytes.get(next) {
            Some(b'\n') => next + 1,
            Some(_) => next,
            None => {
                self.cut = Cut::AfterCr;
                next
            }
        }
    }

    /// Counts a line of the block against the limit of an event.
    fn count(&mut self, kind: LineKind, len: usize) {
        // A comment is returned at once and is no part of the block.
        if kind != LineKind::Comment {
            self.left -= len;
        }
    }

    /// How long a line may get.
    #[inline]
    fn room(&self, kind: LineKind) -> usize {
        match kind {
            LineKind::Comment => self.limits.line,
            LineKind::Id => self.limits.id.min(self.limits.line).min(self.left),
            LineKind::Data | LineKind::Event | LineKind::Retry => self.limits.line.min(self.left),
        }
    }

    /// Gives the block up.
    #[cold]
    fn refuse(&mut self, kind: LineKind) -> Line {
        // The limit that the earlier byte passes is named.
        let room = self.room(kind);
        self.cut = match self.limits.after {
            AfterLimit::SkipBlock => Cut::Skipped,
            AfterLimit::End => Cut::Ended,
        };
        Line::TooLong(if room < self.limits.line && room < self.left {
            Outcome::IdTooLong
        } else if room < self.limits.line {
            Outcome::EventTooLong
        } else {
            Outcome::LineTooLong
        })
    }

    fn carry_bytes(&self) -> &[u8] {
        &self.carry[..usize::from(self.carry_len)]
    }

    #[inline]
    fn push_carry(&mut self, piece: &[u8]) {
        let start = usize::from(self.carry_len);
        let end = start + piece.len();
        self.carry[start..end].copy_from_slice(piece);
        self.carry_len = u8::try_from(end).unwrap_or_default();
    }

    fn set_value_start(&mut self, value_start: usize) {
        self.value_start = u8::try_from(value_start).unwrap_or_default();
    }

    /// Reads the name of a line of which these bytes have come.
    fn head(line: &[u8], is_whole: bool) -> Head {
        let front = front(line, 0);
        for known in [DATA, EVENT, ID] {
            if known.begins(front) {
                return Head::Known(known.kind, known.len + usize::from(known.has_space(front)));
            }
        }
        let name_len = line
            .iter()
            .take(LONGEST_NAME)
            .position(|&byte| byte == b':');
        let name = &line[..name_len.unwrap_or(line.len())];
        if name_len.is_none() && !is_whole {
            let is_short = name.len() < LONGEST_NAME - 1;
            return if is_short {
                Head::Unknown
            } else {
                Head::Ignored
            };
        }
        let value_start = name_len.map_or(line.len(), |len| {
            len + 1 + usize::from(line.get(len + 1) == Some(&b' '))
        });
        // > If the line starts with a U+003A COLON character (:), ignore the line.
        // (The one that the caller does not want is ignored before.)
        if name.is_empty() && name_len.is_some() {
            return Head::Known(LineKind::Comment, value_start);
        }
        // > Field names must be compared literally, with no case folding performed.
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, kind)) => Head::Known(*kind, value_start),
            // > Otherwise, the field is ignored.
            None => Head::Ignored,
        }
    }

    /// The error for a limit that was passed.
    pub(super) const fn error(&self, outcome: Outcome) -> DecodeError {
        match outcome {
            Outcome::IdTooLong => DecodeError::IdTooLong {
                limit: self.limits.id,
            },
            Outcome::EventTooLong => DecodeError::EventTooLong {
                limit: self.limits.event,
            },
            _ => DecodeError::LineTooLong {
                limit: self.limits.line,
            },
        }
    }
}

const MARK: [u8; 3] = *b"\xEF\xBB\xBF";

const NAMES: [(&[u8], LineKind); 4] = [
    (b"data", LineKind::Data),
    (b"event", LineKind::Event),
    (b"id", LineKind::Id),
    (b"retry", LineKind::Retry),
];

/// What the start of a line tells.
enum Head {
    /// What the line is about, and where its value begins.
    Known(LineKind, usize),
    /// It means nothing.
    Ignored,
    /// It may become a field's name.
    Unknown,
}

/// A field's name with its colon, as the first bytes of a word.
#[derive(Clone, Copy, Debug)]
struct Name {
    kind: LineKind,
    len: usize,
    word: u64,
    mask: u64,
}

const DATA: Name = Name::new(LineKind::Data, b"data:");
const EVENT: Name = Name::new(LineKind::Event, b"event:");
const ID: Name = Name::new(LineKind::Id, b"id:");

impl Name {
    const fn new(kind: LineKind, name: &[u8]) -> Self {
        let (mut word, mut mask, mut at) = (0, 0, 0);
        while at < name.len() {
            word |= (name[at] as u64) << (8 * at);
            mask |= 0xFF << (8 * at);
            at += 1;
        }
        Self {
            kind,
            len: name.len(),
            word,
            mask,
        }
    }

    #[inline]
    const fn begins(&self, front: u64) -> bool {
        front & self.mask == self.word
    }

    /// Whether a space follows the colon.
    #[inline]
    const fn has_space(&self, front: u64) -> bool {
        front.to_le_bytes()[self.len] == b' '
    }
}

#[inline]
const fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The eight bytes from `at` on, the first one lowest, with zeros after the last one.
#[inline]
fn front(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => short_front(bytes, at),
    }
}

/// The first of these bytes; 0 if there is none.
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
