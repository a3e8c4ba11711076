//! The two readers of lines: one for lines that lie whole in the input, one that takes up a line anywhere.
//!
//! > Lines must be processed, in the order they are received, as follows
//!
//! [`take_whole_lines`](Decoder::take_whole_lines) is the first. It knows the lines that make up nearly all of a stream,
//! takes each with its end in one go, and copies nothing. Whatever it does not know or does not see the end of goes to
//! [`take_up`](Decoder::take_up) in `cut_line.rs`, whose state is all that a cut line leaves behind.

use super::Decoder;
use super::block::{Place, Places};
use super::chunk::Chunk;
use super::cut_line::Line;
use super::field::{Digits, Field, Name};
use super::limits::AfterLimit;
use crate::wire::line::stream::LineEnd;

/// What a step has come to. A plain number, so that it comes back in a register; the values are in [`Lent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All input is taken.
    More,
    Event,
    ReconnectionTime,
    Comment,
    LastEventId,
    LineTooLong,
    EventTooLong,
}

/// Where the parts of the item are that the last step has completed. Holds no borrow, so that the decoder can be looked
/// at again for the view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    /// The data of an event, or a comment.
    pub(super) text: Place,
    pub(super) event_type: Place,
    pub(super) own_id: bool,
    pub(super) reconnection_time: u64,
}

impl Lent {
    pub(super) const NOTHING: Self = Self {
        text: Place::NOWHERE,
        event_type: Place::NOWHERE,
        own_id: false,
        reconnection_time: 0,
    };
}

impl Decoder {
    /// Takes bytes from the front of `chunk`, up to and with the first item that they complete.
    #[inline]
    pub(super) fn step(&mut self, chunk: &mut Chunk<'_>) -> Step {
        loop {
            if self.resumes {
                let step = self.take_up(chunk);
                if step != Step::More || chunk.is_empty() {
                    return step;
                }
            }
            if let Some(step) = self.take_whole_lines(chunk) {
                return step;
            }
        }
    }

    /// Takes whole lines; `None` leaves the line at the front to [`take_up`](Self::take_up).
    #[expect(
        clippy::too_many_lines,
        reason = "the places stay in registers only while their loop is one function"
    )]
    fn take_whole_lines(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let bytes = chunk.bytes;
        let Places {
            mut data,
            mut event_type,
            mut id,
        } = self.block.places();
        let mut start = chunk.at;
        loop {
            let rest = bytes.get(start..);
            let (field, named) = match rest {
                // By far the most frequent line, and cheaper as one comparison than as a branch of the match.
                Some(rest) if rest.starts_with(b"data:") => (Field::Data, start + 5),
                // > If the line is empty (a blank line), dispatch the event.
                Some(&[byte @ (b'\n' | b'\r'), ..]) => {
                    start += 1;
                    if byte == b'\r' {
                        start = self.end_line(bytes, start - 1);
                    }
                    self.taken = 0;
                    if !id.is_nowhere() {
                        self.block.commit_id(id, chunk);
                        if data.is_nowhere() && self.last_event_ids {
                            self.block.discard();
                            chunk.at = start;
                            return Some(Step::LastEventId);
                        }
                    }
                    // > If the data buffer is an empty string, set the data buffer and the event type buffer to the
                    // > empty string and return.
                    if data.is_nowhere() {
                        (event_type, id) = (Place::NOWHERE, Place::NOWHERE);
                        if self.block.is_large() {
                            self.block.shrink();
                        }
                        continue;
                    }
                    chunk.at = start;
                    self.lend_event(data, event_type, !id.is_nowhere());
                    return Some(Step::Event);
                }
                Some([b'i', b'd', b':', ..]) => (Field::Id, start + 3),
                Some([b'e', b'v', b'e', b'n', b't', b':', ..]) => (Field::Event, start + 6),
                Some([b':', ..]) => (Field::Comment, start + 1),
                Some([b'r', b'e', b't', b'r', b'y', b':', ..]) => (Field::Retry, start + 6),
                Some([_, ..]) => {
                    self.block.spill(
                        Places {
                            data,
                            event_type,
                            id,
                        },
                        chunk,
                    );
                    chunk.at = start;
                    self.line = Line::Name;
                    self.name = Name::EMPTY;
                    self.resumes = true;
                    return None;
                }
                Some([]) | None => {
                    self.block.spill(
                        Places {
                            data,
                            event_type,
                            id,
                        },
                        chunk,
                    );
                    chunk.at = start;
                    return Some(Step::More);
                }
            };
            let Some(end) = chunk.find_line_end(named) else {
                self.block.spill(
                    Places {
                        data,
                        event_type,
                        id,
                    },
                    chunk,
                );
                chunk.at = named;
                return Some(self.begin_cut_line(field, chunk, named - start));
            };
            if field == Field::Comment && !self.comments {
                // > If the line starts with a U+003A COLON character (:), ignore the line.
                start = self.end_line(bytes, end);
                continue;
            }
            if end - start > self.limits.room(self.taken_before(field)) {
                chunk.at = end;
                return Some(self.refuse(field));
            }
            // > If value starts with a U+0020 SPACE character, remove it from value.
            let value = Place {
                start: named + usize::from(bytes[named] == b' '),
                end,
            };
            let line = end - start;
            start = self.end_line(bytes, end);
            match field {
                Field::Data => {
                    self.taken = self.taken.saturating_add(line);
                    if data.is_nowhere() {
                        data = value;
                    } else {
                        self.block.join_data(data, chunk, value);
                        data = Place::BUFFER;
                    }
                }
                // > Set the event type buffer to the field value.
                Field::Event => {
                    self.taken = self.taken.saturating_add(line);
                    event_type = value;
                }
                Field::Id => {
                    self.taken = self.taken.saturating_add(line);
                    // > If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field
                    // > value. Otherwise, ignore the field.
                    if !bytes[value.start..value.end].contains(&0) {
                        id = value;
                    }
                }
                Field::Retry => {
                    self.taken = self.taken.saturating_add(line);
                    let mut digits = Digits::NONE;
                    digits.push(&bytes[value.start..value.end]);
                    if let Some(milliseconds) = digits.value() {
                        self.block.spill(
                            Places {
                                data,
                                event_type,
                                id,
                            },
                            chunk,
                        );
                        chunk.at = start;
                        self.lent.reconnection_time = milliseconds;
                        return Some(Step::ReconnectionTime);
                    }
                }
                Field::Comment => {
                    self.block.spill(
                        Places {
                            data,
                            event_type,
                            id,
                        },
                        chunk,
                    );
                    chunk.at = start;
                    self.lent.text = value;
                    return Some(Step::Comment);
                }
            }
        }
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
    fn lend_event(&mut self, data: Place, event_type: Place, own_id: bool) {
        self.lent.text = data;
        self.lent.event_type = event_type;
        self.lent.own_id = own_id;
        self.block.discard();
        if data.is_buffer() {
            self.block.data.finish();
        }
        if event_type.is_buffer() {
            self.block.event_type.finish();
        }
        if self.block.is_large() && !(data.is_buffer() && self.block.data.is_well_used()) {
            self.has_large_buffers = true;
            self.resumes = true;
        }
    }

    /// What the block has taken before a line, as far as it matters to the line.
    #[inline]
    pub(super) fn taken_before(&self, field: Field) -> Option<usize> {
        // A comment is handed out at once and is no part of the block.
        if field == Field::Comment {
            None
        } else {
            Some(self.taken)
        }
    }

    /// Gives the block up. Its id is not committed: the earlier one stands.
    #[cold]
    pub(super) fn refuse(&mut self, field: Field) -> Step {
        let is_event = self.limits.is_event_room(self.taken_before(field));
        self.block.discard();
        self.has_large_buffers = true;
        self.resumes = true;
        self.line = match self.limits.after() {
            AfterLimit::SkipBlock => Line::Skipped,
            AfterLimit::End => Line::Ended,
        };
        if is_event {
            Step::EventTooLong
        } else {
            Step::LineTooLong
        }
    }
}
