//! The two readers of lines: one for lines that lie whole in the input, one that takes up a line anywhere.
//!
//! > Lines must be processed, in the order they are received, as follows
//!
//! [`take_whole_lines`](Decoder::take_whole_lines) is the first. It knows the lines that make up nearly all of a stream,
//! takes each with its end in one go, and copies nothing. Whatever it does not know or does not see the end of goes to
//! [`take_up`](Decoder::take_up) in `cut_line.rs`, whose state is all that a cut line leaves behind, and the lines of a
//! block with several data lines to [`take_data_lines`](Decoder::take_data_lines).
//!
//! The first is what the speed of most streams hangs on, by the number of its instructions: names are compared as one
//! word, line ends come from a mask, and what is rare is done elsewhere, so that places stay in registers.

use super::Decoder;
use super::chunk::Chunk;
use super::cut_line::Line;
use super::field::{DATA, EVENT, Field, Head, ID, Name, first_of, front};
use super::limits::AfterLimit;
use super::place::Place;
use super::step::Step;
use crate::wire::line::has_nul;
use crate::wire::line::stream::{LineEnd, ends_line};

impl Decoder {
    /// Takes bytes from the front of `chunk`, up to and with the first item that they complete. A short chunk was offered to
    /// [`offer`](Self::offer) or [`offer_chunk`](Self::offer_chunk) before.
    #[inline]
    pub(super) fn step(&mut self, chunk: &mut Chunk<'_>) -> Step {
        if chunk.is_short() {
            if let Some(step) = self.gather(chunk) {
                return step;
            }
        }
        self.read(chunk)
    }

    /// Does what [`step`](Self::step) does, line by line.
    #[inline]
    pub(super) fn read(&mut self, chunk: &mut Chunk<'_>) -> Step {
        loop {
            if self.resumes {
                if let Some(step) = self.take_up(chunk) {
                    return step;
                }
            }
            if let Some(step) = self.take_whole_lines(chunk) {
                return step;
            }
        }
    }

    /// Takes whole lines; `None` leaves the line at the front to [`take_up`](Self::take_up).
    fn take_whole_lines(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let bytes = chunk.bytes;
        let (mut start, mut left) = (chunk.at, self.left);
        self.find_block();
        loop {
            let front = front(bytes, start);
            let first = first_of(front);
            let end;
            if DATA.begins(front) {
                let value = match self.take_line(chunk, start, &mut left, front, DATA) {
                    Ok(value) => value,
                    Err(step) => return Some(step),
                };
                if !self.lent.text.is_nowhere() {
                    (chunk.at, self.left) = (value.start, left + (value.end - start));
                    self.block.spill(&self.lent, chunk);
                    if let Some(step) = self.take_data_lines(chunk, value.start - start) {
                        return Some(step);
                    }
                    self.find_block();
                    (start, left) = (chunk.at, self.left);
                    continue;
                }
                self.lent.text = value;
                end = value.end;
            } else if ends_line(first) {
                // > If the line is empty (a blank line), dispatch the event.
                start = self.end_line(bytes, start);
                left = self.limits.event();
                if self.lent.own_id() {
                    self.block.commit_id(self.lent.id, chunk);
                }
                if !self.lent.text.is_nowhere() {
                    (chunk.at, self.left) = (start, left);
                    self.lend_event();
                    return Some(Step::Event);
                }
                if let Some(step) = self.end_block_without_data() {
                    (chunk.at, self.left) = (start, left);
                    return Some(step);
                }
                // Keep-alives end so, and nothing is open that had to be left.
                if start == bytes.len() {
                    (chunk.at, self.left) = (start, left);
                    return Some(Step::More);
                }
                continue;
            } else if EVENT.begins(front) {
                // > Set the event type buffer to the field value.
                match self.take_line(chunk, start, &mut left, front, EVENT) {
                    Ok(value) => self.lent.event_type = value,
                    Err(step) => return Some(step),
                }
                end = self.lent.event_type.end;
            } else if ID.begins(front) {
                let value = match self.take_line(chunk, start, &mut left, front, ID) {
                    Ok(value) => value,
                    Err(step) => return Some(step),
                };
                // > If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field
                // > value. Otherwise, ignore the field.
                if !has_nul(&bytes[value.start..value.end]) {
                    self.lent.id = value;
                }
                end = value.end;
            } else if first == b':' && !self.comments {
                // > If the line starts with a U+003A COLON character (:), ignore the line.
                let Some(comment_end) = chunk.find_line_end(start) else {
                    (chunk.at, self.left) = (start, left);
                    return self.leave_whole_lines(chunk, front);
                };
                end = comment_end;
            } else {
                (chunk.at, self.left) = (start, left);
                return self.leave_whole_lines(chunk, front);
            }
            start = self.end_line(bytes, end);
        }
    }

    /// Takes the line at `start`, whose name is known, if its end is in the chunk. Inlined for each name: what is known of
    /// it then is a number in an instruction.
    #[inline]
    fn take_line(
        &mut self,
        chunk: &mut Chunk<'_>,
        start: usize,
        left: &mut usize,
        front: u64,
        name: Head,
    ) -> Result<Place, Step> {
        let Some(end) = chunk.find_line_end(start + name.len) else {
            (chunk.at, self.left) = (start, *left);
            return Err(self.begin_cut_line(chunk, name));
        };
        let line = end - start;
        if line > self.limits.room(name.field, *left) {
            (chunk.at, self.left) = (end, *left);
            return Err(self.refuse(name.field));
        }
        *left -= line;
        // > If value starts with a U+0020 SPACE character, remove it from value.
        let start = start + name.len + usize::from(name.has_space(front));
        Ok(Place { start, end })
    }

    /// What the open block has is in the buffers.
    #[inline]
    fn find_block(&mut self) {
        self.lent.text = Place::of_buffer(self.block.has_data);
        self.lent.event_type = Place::of_buffer(self.block.has_event_type);
        self.lent.id = Place::of_buffer(self.block.has_id);
    }

    /// > If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string and
    /// > return.
    #[inline]
    fn end_block_without_data(&mut self) -> Option<Step> {
        let own_id = self.lent.own_id();
        self.block.discard();
        self.lent.event_type = Place::NOWHERE;
        self.lent.id = Place::NOWHERE;
        if self.block.is_large {
            self.block.shrink();
        }
        (own_id && self.last_event_ids).then_some(Step::LastEventId)
    }

    /// Leaves the line at the front, or nothing, to the next reader, and the open block in the buffers.
    #[inline(never)]
    fn leave_whole_lines(&mut self, chunk: &mut Chunk<'_>, front: u64) -> Option<Step> {
        self.block.spill(&self.lent, chunk);
        if chunk.is_empty() {
            return Some(Step::More);
        }
        if first_of(front) == b':' && !self.comments {
            chunk.at = chunk.bytes.len();
            return Some(self.leave_line(Line::Ignored, Field::Comment, 0));
        }
        self.line = Line::Name;
        self.name = Name::EMPTY;
        self.resumes = true;
        None
    }

    /// Passes over the line end at `at`.
    #[inline]
    pub(super) fn end_line(&mut self, bytes: &[u8], at: usize) -> usize {
        let end = LineEnd::skip(bytes, at);
        if end.late_line_feed {
            self.late_line_feed = true;
            self.resumes = true;
        }
        end.next
    }

    #[inline]
    fn lend_event(&mut self) {
        self.block.discard();
        let is_buffered = self.lent.text.is_buffer();
        if is_buffered {
            self.block.data.finish();
        }
        if self.lent.event_type.is_buffer() {
            self.block.event_type.finish();
        }
        if self.block.is_large {
            self.block.remember_size(is_buffered);
            self.has_large_buffers = true;
            self.resumes = true;
        }
    }

    /// How long a line may get.
    #[inline]
    pub(super) fn room(&self, field: Field) -> usize {
        self.limits.room(field, self.left)
    }

    /// Gives the block up. Its id is not committed: the earlier one stands.
    #[cold]
    pub(super) fn refuse(&mut self, field: Field) -> Step {
        // The limit that bites at the earlier byte is named.
        let room = self.room(field);
        let (line, left) = (self.limits.line(), self.left);
        self.block.discard();
        self.has_large_buffers = true;
        self.resumes = true;
        self.line = match self.limits.after() {
            AfterLimit::SkipBlock => Line::Skipped,
            AfterLimit::End => Line::Ended,
        };
        if room < line && room < left {
            Step::IdTooLong
        } else if room < line {
            Step::EventTooLong
        } else {
            Step::LineTooLong
        }
    }
}
