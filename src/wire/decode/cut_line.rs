//! The reader that takes up a line anywhere: what a line leaves behind where the input cuts it.

use super::Decoder;
use super::block::Place;
use super::chunk::Chunk;
use super::field::{Digits, Field};
use super::machine::Step;
use crate::wire::line::stream::{
    ends_line, find_line_end, find_long_line_end, skip_late_line_feed,
};

/// Where in a line the input stopped; what goes with it is in the decoder's `name`, `field` and `line_taken`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line {
    /// In what may be a byte order mark: at the start of the stream.
    StreamStart,
    /// Behind its first byte.
    StreamStart1,
    /// Behind its second byte.
    StreamStart2,
    /// Before the first byte of a line.
    Start,
    /// In what may become a known field's name.
    Name,
    /// Behind the colon, where one space is passed over.
    Colon,
    /// In a value.
    Value,
    /// In a line that means nothing.
    Ignored,
    /// Past a limit, before the first byte of a line of the block that is passed over.
    SkippedStart,
    /// Past a limit, within such a line.
    Skipped,
    /// Past a limit, for good.
    Ended,
}

/// A line that has got so long, in input that is so long, is searched for its end with memchr at once.
const LONG: usize = 256;

impl Decoder {
    /// Goes on in the middle of a line, to its end or to that of the input. All values are in the buffers here.
    pub(super) fn take_up(&mut self, chunk: &mut Chunk<'_>) -> Step {
        let bytes = chunk.bytes;
        if self.has_large_buffers {
            self.has_large_buffers = false;
            self.block.shrink();
        }
        if self.late_line_feed && !chunk.is_empty() {
            self.late_line_feed = false;
            chunk.at = skip_late_line_feed(bytes, chunk.at);
        }
        while let Some(&byte) = bytes.get(chunk.at) {
            match self.line {
                Line::Value => {
                    let field = self.field;
                    let end = if ends_line(byte) {
                        Some(chunk.at)
                    } else {
                        self.find_value_end(bytes, chunk.at)
                    };
                    let value = Place {
                        start: chunk.at,
                        end: end.unwrap_or(bytes.len()),
                    };
                    self.line_taken = self.line_taken.saturating_add(value.end - value.start);
                    chunk.at = value.end;
                    if self.is_over(field) {
                        return self.refuse(field);
                    }
                    self.append(field, chunk, value);
                    if let Some(end) = end {
                        chunk.at = self.end_line(bytes, end);
                        let step = self.close_line(field);
                        if step != Step::More {
                            return step;
                        }
                    }
                }
                // > The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any.
                Line::StreamStart if byte == 0xEF => self.pass(chunk, Line::StreamStart1),
                Line::StreamStart1 if byte == 0xBB => self.pass(chunk, Line::StreamStart2),
                Line::StreamStart2 if byte == 0xBF => self.pass(chunk, Line::Start),
                Line::StreamStart => self.line = Line::Start,
                // Part of a mark is not a mark, and no field begins with it.
                Line::StreamStart1 | Line::StreamStart2 => self.line = Line::Ignored,
                Line::Start => {
                    self.resumes = false;
                    return Step::More;
                }
                Line::Name => {
                    if let Some(step) = self.take_name(chunk) {
                        return step;
                    }
                }
                Line::Colon => {
                    self.line = Line::Value;
                    if byte == b' ' {
                        chunk.at += 1;
                        self.line_taken += 1;
                        if self.is_over(self.field) {
                            return self.refuse(self.field);
                        }
                    }
                }
                Line::Ignored => {
                    if let Some(end) = chunk.find_line_end(chunk.at) {
                        self.line = Line::Start;
                        chunk.at = self.end_line(bytes, end);
                    } else {
                        chunk.at = bytes.len();
                    }
                }
                Line::SkippedStart if ends_line(byte) => {
                    self.taken = 0;
                    self.line = Line::Start;
                    chunk.at = self.end_line(bytes, chunk.at);
                }
                Line::SkippedStart | Line::Skipped => {
                    if let Some(end) = chunk.find_line_end(chunk.at) {
                        self.line = Line::SkippedStart;
                        chunk.at = self.end_line(bytes, end);
                    } else {
                        self.line = Line::Skipped;
                        chunk.at = bytes.len();
                    }
                }
                Line::Ended => chunk.at = bytes.len(),
            }
        }
        Step::More
    }

    /// Passes over a byte that means nothing.
    fn pass(&mut self, chunk: &mut Chunk<'_>, next: Line) {
        chunk.at += 1;
        self.line = next;
    }

    /// Takes the bytes of a field's name, up to its colon or the end of the line.
    fn take_name(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let (bytes, mut name) = (chunk.bytes, self.name);
        while let Some(&byte) = bytes.get(chunk.at) {
            let is_colon = byte == b':';
            if is_colon || ends_line(byte) {
                chunk.at += usize::from(is_colon);
                let Some(field) = name.field() else {
                    self.line = Line::Ignored;
                    return None;
                };
                if !self.open_line(field, name.len() + usize::from(is_colon)) {
                    return Some(self.refuse(field));
                }
                // > Otherwise, the string is not empty but does not contain a U+003A COLON character (:): process the
                // > field using the whole line as the field name, and the empty string as the field value.
                if !is_colon {
                    self.line = Line::Value;
                }
                return None;
            }
            let Some(longer) = name.push(byte) else {
                self.line = Line::Ignored;
                return None;
            };
            name = longer;
            chunk.at += 1;
        }
        self.name = name;
        None
    }

    /// Takes up a line whose end is not in the input, behind its colon; `head` bytes of it are read.
    pub(super) fn begin_cut_line(
        &mut self,
        field: Field,
        chunk: &mut Chunk<'_>,
        head: usize,
    ) -> Step {
        self.resumes = true;
        let value = chunk.remaining();
        if field == Field::Comment && !self.comments {
            self.line = Line::Ignored;
            chunk.at = chunk.bytes.len();
            return Step::More;
        }
        if !self.open_line(field, head) {
            return self.refuse(field);
        }
        let Some(&first) = value.first() else {
            return Step::More;
        };
        let place = Place {
            start: chunk.at + usize::from(first == b' '),
            end: chunk.bytes.len(),
        };
        chunk.at = chunk.bytes.len();
        self.line = Line::Value;
        self.line_taken = self.line_taken.saturating_add(value.len());
        if self.is_over(field) {
            return self.refuse(field);
        }
        self.append(field, chunk, place);
        Step::More
    }

    /// Begins the value of a known field, of which `head` bytes are read; false if they are too many.
    fn open_line(&mut self, field: Field, head: usize) -> bool {
        self.line_taken = head;
        match field {
            Field::Data => self.block.open_data(),
            Field::Event => self.block.event_type.clear(),
            Field::Id => {
                self.null_in_id = false;
                self.block.next_id.clear();
            }
            Field::Retry => self.digits = Digits::NONE,
            Field::Comment => self.block.comment.clear(),
        }
        self.line = Line::Colon;
        self.field = field;
        !self.is_over(field)
    }

    #[inline]
    fn append(&mut self, field: Field, chunk: &Chunk<'_>, value: Place) {
        let most = self.block.most;
        match field {
            Field::Data => self.block.data.push(chunk, value, most),
            Field::Event => self.block.event_type.push(chunk, value, most),
            Field::Id => {
                self.null_in_id |= chunk.bytes[value.start..value.end].contains(&0);
                self.block.next_id.push(chunk, value, most);
            }
            Field::Retry => self.digits.push(&chunk.bytes[value.start..value.end]),
            Field::Comment => self.block.comment.push(chunk, value, most),
        }
    }

    /// Processes a field whose value is in the buffers.
    fn close_line(&mut self, field: Field) -> Step {
        self.line = Line::Start;
        if field != Field::Comment {
            self.taken = self.taken.saturating_add(self.line_taken);
        }
        match field {
            Field::Data => self.block.data.push_str("\n", self.block.most),
            // > Set the event type buffer to the field value.
            Field::Event => self.block.has_event_type = true,
            Field::Id if self.null_in_id => {}
            Field::Id => self.block.take_next_id(),
            // > set the event stream's reconnection time to that integer
            Field::Retry => {
                if let Some(milliseconds) = self.digits.value() {
                    self.lent.reconnection_time = milliseconds;
                    return Step::ReconnectionTime;
                }
            }
            Field::Comment => {
                self.block.comment.finish();
                self.lent.text = Place::BUFFER;
                return Step::Comment;
            }
        }
        Step::More
    }

    /// Where the cut line's value ends. A line that is long already is likely to go on.
    #[inline]
    fn find_value_end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let is_long = self.line_taken >= LONG && bytes.len() - at >= LONG;
        if is_long {
            find_long_line_end(bytes, at)
        } else {
            find_line_end(bytes, at)
        }
    }

    #[inline]
    fn is_over(&self, field: Field) -> bool {
        self.line_taken > self.limits.room(self.taken_before(field))
    }
}
