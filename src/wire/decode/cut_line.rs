//! The reader that takes up a line anywhere: what a line leaves behind where the input cuts it.

use super::Decoder;
use super::chunk::Chunk;
use super::field::{COMMENT, DATA, Digits, EVENT, Field, Head, ID, front};
use super::place::Place;
use super::step::Step;
use crate::wire::line::stream::{ends_line, skip_late_line_feed};

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
    /// In the value of a data line.
    Data,
    /// In another value.
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

impl Line {
    fn in_value(field: Field) -> Self {
        if field == Field::Data {
            Self::Data
        } else {
            Self::Value
        }
    }
}

impl Decoder {
    /// Goes on in the middle of a line, to its end or to that of the input. All values are in the buffers here. `None` at
    /// the start of a line.
    pub(super) fn take_up(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let bytes = chunk.bytes;
        if self.has_large_buffers {
            self.give_back_item();
        }
        self.settle();
        if self.late_line_feed && !chunk.is_empty() {
            self.late_line_feed = false;
            chunk.at = skip_late_line_feed(bytes, chunk.at);
        }
        while let Some(&byte) = bytes.get(chunk.at) {
            match self.line {
                Line::Data => {
                    if let Some(step) = self.take_data_lines(chunk, self.line_taken) {
                        return Some(step);
                    }
                }
                Line::Value => {
                    if let Some(step) = self.take_value(chunk) {
                        return Some(step);
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
                    return None;
                }
                Line::Name => {
                    if let Some(step) = self.take_name(chunk) {
                        return Some(step);
                    }
                }
                Line::Colon => {
                    self.line = Line::in_value(self.field);
                    if byte == b' ' {
                        chunk.at += 1;
                        self.line_taken += 1;
                        if self.is_over(self.field) {
                            return Some(self.refuse(self.field));
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
                    self.left = self.limits.event();
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
        Some(Step::More)
    }

    /// Gives back what the last item made the buffers grow to.
    pub(super) fn give_back_item(&mut self) {
        self.has_large_buffers = false;
        self.block.give_back_item();
    }

    /// Takes a value other than data.
    fn take_value(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let field = self.field;
        let end = chunk.find_value_end(chunk.at, self.line_taken);
        let value = Place {
            start: chunk.at,
            end: end.unwrap_or(chunk.bytes.len()),
        };
        self.line_taken = self.line_taken.saturating_add(value.len());
        chunk.at = value.end;
        if self.is_over(field) {
            return Some(self.refuse(field));
        }
        self.append(field, chunk, value);
        chunk.at = self.end_line(chunk.bytes, end?);
        self.close_line(field)
    }

    /// Passes over a byte that means nothing.
    fn pass(&mut self, chunk: &mut Chunk<'_>, next: Line) {
        chunk.at += 1;
        self.line = next;
    }

    /// Takes the bytes of a field's name, up to its colon or the end of the line.
    fn take_name(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let (bytes, mut name) = (chunk.bytes, self.name);
        if name.len() == 0 {
            let front = front(bytes, chunk.at);
            for known in [DATA, EVENT, ID, COMMENT] {
                if known.begins(front) && (known.field != Field::Comment || self.comments) {
                    chunk.at += known.len;
                    return self.open_line(known.field, known.len);
                }
            }
        }
        while let Some(&byte) = bytes.get(chunk.at) {
            let is_colon = byte == b':';
            if is_colon || ends_line(byte) {
                chunk.at += usize::from(is_colon);
                let Some(field) = name.field() else {
                    self.line = Line::Ignored;
                    return None;
                };
                let opened = self.open_line(field, name.len() + usize::from(is_colon));
                if opened.is_some() {
                    return opened;
                }
                // > Otherwise, the string is not empty but does not contain a U+003A COLON character (:): process the
                // > field using the whole line as the field name, and the empty string as the field value.
                if !is_colon {
                    self.line = Line::in_value(field);
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

    /// Takes up a line whose name is whole in the chunk and whose end is not.
    #[inline(never)]
    pub(super) fn begin_cut_line(&mut self, chunk: &mut Chunk<'_>, name: Head) -> Step {
        self.block.spill(&self.lent, chunk);
        self.resumes = true;
        let line = chunk.remaining().len();
        chunk.at += name.len;
        if let Some(step) = self.open_line(name.field, name.len) {
            return step;
        }
        let Some(&first) = chunk.bytes.get(chunk.at) else {
            return Step::More;
        };
        let value = Place {
            start: chunk.at + usize::from(first == b' '),
            end: chunk.bytes.len(),
        };
        chunk.at = value.end;
        self.line_taken = line;
        if self.is_over(name.field) {
            return self.refuse(name.field);
        }
        self.line = Line::in_value(name.field);
        self.append(name.field, chunk, value);
        Step::More
    }

    /// Leaves a line that the input has cut.
    pub(super) fn leave_line(&mut self, line: Line, field: Field, line_taken: usize) -> Step {
        self.line = line;
        self.field = field;
        self.line_taken = line_taken;
        self.resumes = true;
        Step::More
    }

    /// Begins the value of a known field, of which `head` bytes are read; too many are an error.
    fn open_line(&mut self, field: Field, head: usize) -> Option<Step> {
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
        self.is_over(field).then(|| self.refuse(field))
    }

    fn append(&mut self, field: Field, chunk: &Chunk<'_>, value: Place) {
        match field {
            Field::Data => self.block.push_data(chunk, value),
            Field::Event => self.block.push_event_type(chunk, value),
            Field::Id => {
                self.null_in_id |= chunk.bytes[value.start..value.end].contains(&0);
                self.block.push_next_id(chunk, value);
            }
            Field::Retry => self.digits.push(&chunk.bytes[value.start..value.end]),
            Field::Comment => self.block.push_comment(chunk, value),
        }
    }

    /// Processes a field whose value is in the buffers.
    fn close_line(&mut self, field: Field) -> Option<Step> {
        self.line = Line::Start;
        if field != Field::Comment {
            self.left -= self.line_taken;
        }
        match field {
            Field::Data => self.block.end_data_line(),
            // > Set the event type buffer to the field value.
            Field::Event => self.block.has_event_type = true,
            Field::Id if self.null_in_id => {}
            Field::Id => self.block.take_next_id(),
            // > set the event stream's reconnection time to that integer
            Field::Retry => {
                if let Some(milliseconds) = self.digits.value() {
                    self.lent.reconnection_time = milliseconds;
                    return Some(Step::ReconnectionTime);
                }
            }
            Field::Comment => {
                self.block.comment.finish();
                self.has_large_buffers = self.block.is_large;
                return Some(Step::Comment);
            }
        }
        None
    }

    #[inline]
    fn is_over(&self, field: Field) -> bool {
        self.line_taken > self.room(field)
    }
}
