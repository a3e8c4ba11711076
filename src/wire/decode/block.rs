//! The block that is being read: the standard's buffers, under its names.
//!
//! > When a stream is parsed, a *data buffer*, an *event type buffer*, and a *last event ID buffer* must be associated
//! > with it. They must be initialized to the empty string.
//!
//! A value that lies whole in the input is only remembered by its place there. It is copied when a second data line
//! joins it, or when the call returns while the block is open: places never outlive the call they were found in.

use core::mem;

use super::chunk::Chunk;
use super::item::Text;
use super::text_buffer::{KEPT, TextBuffer};

/// Where a value of the open block is: at a range of the input, in its buffer, or nowhere.
///
/// Two plain numbers, and not an enum: values of this type are written and read a few instructions apart on every line,
/// and an enum of the same content was copied in halves that do not match, which cost a fifth of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    /// No slice is that long.
    pub(super) const NOWHERE: Self = Self {
        start: usize::MAX,
        end: 0,
    };
    pub(super) const BUFFER: Self = Self {
        start: usize::MAX,
        end: 1,
    };

    #[inline]
    pub(super) const fn is_input(self) -> bool {
        self.start != usize::MAX
    }

    #[inline]
    pub(super) const fn is_nowhere(self) -> bool {
        self.start == usize::MAX && self.end == 0
    }

    #[inline]
    pub(super) const fn is_buffer(self) -> bool {
        self.start == usize::MAX && self.end == 1
    }

    #[inline]
    const fn of_buffer(is_open: bool) -> Self {
        if is_open { Self::BUFFER } else { Self::NOWHERE }
    }
}

/// Where the values of the open block are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) data: Place,
    pub(super) event_type: Place,
    pub(super) id: Place,
}

/// The buffers, and which of them are part of the open block.
pub(super) struct Block {
    /// Every line with its LF, as in the standard. The last one is removed by the reader.
    pub(super) data: TextBuffer,
    pub(super) event_type: TextBuffer,
    pub(super) id: TextBuffer,
    /// An `id` line in the making: a NULL in it leaves `id` as it is.
    pub(super) next_id: TextBuffer,
    pub(super) comment: TextBuffer,
    /// > Set the last event ID string of the event source to the value of the last event ID buffer.
    pub(super) last_event_id: TextBuffer,
    pub(super) has_data: bool,
    pub(super) has_event_type: bool,
    pub(super) has_id: bool,
    /// The most that a buffer may reserve ahead.
    pub(super) most: usize,
}

impl Block {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            data: TextBuffer::new(),
            event_type: TextBuffer::new(),
            id: TextBuffer::new(),
            next_id: TextBuffer::new(),
            comment: TextBuffer::new(),
            last_event_id: TextBuffer::new(),
            has_data: false,
            has_event_type: false,
            has_id: false,
            most,
        }
    }

    /// The places at the start of a call: whatever the block has is in the buffers.
    #[inline]
    pub(super) const fn places(&self) -> Places {
        Places {
            data: Place::of_buffer(self.has_data),
            event_type: Place::of_buffer(self.has_event_type),
            id: Place::of_buffer(self.has_id),
        }
    }

    /// Forgets the open block.
    #[inline]
    pub(super) fn discard(&mut self) {
        (self.has_data, self.has_event_type, self.has_id) = (false, false, false);
    }

    /// Copies what the open block has in the input, since the call is about to return.
    pub(super) fn spill(&mut self, places: Places, chunk: &Chunk<'_>) {
        if places.data.is_input() {
            self.data.clear();
            self.data.push_line(chunk, places.data, self.most);
        }
        if places.event_type.is_input() {
            self.event_type.clear();
            self.event_type.push(chunk, places.event_type, self.most);
        }
        if places.id.is_input() {
            self.id.clear();
            self.id.push(chunk, places.id, self.most);
        }
        self.has_data = !places.data.is_nowhere();
        self.has_event_type = !places.event_type.is_nowhere();
        self.has_id = !places.id.is_nowhere();
    }

    /// > Append the field value to the data buffer, then append a single U+000A LINE FEED (LF) character to the data
    /// > buffer.
    #[inline]
    pub(super) fn join_data(&mut self, data: Place, chunk: &Chunk<'_>, line: Place) {
        if data.is_input() {
            self.data.clear();
            self.data.push_line(chunk, data, self.most);
        }
        self.data.push_line(chunk, line, self.most);
    }

    /// Makes room for one more line of data that comes in pieces.
    pub(super) fn open_data(&mut self) {
        if !self.has_data {
            self.data.clear();
            self.has_data = true;
        }
    }

    /// > Set the last event ID string of the event source to the value of the last event ID buffer. The buffer does not
    /// > get reset, so the last event ID string of the event source remains set to this value until the next time it is
    /// > set by the server.
    #[inline]
    pub(super) fn commit_id(&mut self, id: Place, chunk: &Chunk<'_>) {
        if id.is_input() {
            self.last_event_id.set(chunk, id);
        } else if id.is_buffer() {
            self.commit_buffered_id();
        }
    }

    fn commit_buffered_id(&mut self) {
        self.id.settle();
        mem::swap(&mut self.last_event_id, &mut self.id);
        self.id.clear();
    }

    /// Makes the `id` line that is complete the block's id.
    pub(super) fn take_next_id(&mut self) {
        self.next_id.finish();
        mem::swap(&mut self.id, &mut self.next_id);
        self.has_id = true;
    }

    /// Whether a large event has left buffers larger than what is kept.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.held() > 2 * KEPT
    }

    /// Gives back what a large event made the buffers grow to. Only between blocks.
    #[cold]
    pub(super) fn shrink(&mut self) {
        for buffer in [
            &mut self.data,
            &mut self.event_type,
            &mut self.id,
            &mut self.next_id,
            &mut self.comment,
        ] {
            buffer.clear();
            buffer.shrink(KEPT);
        }
        self.last_event_id.shrink(0);
    }

    pub(super) fn held(&self) -> usize {
        self.data.capacity()
            + self.event_type.capacity()
            + self.id.capacity()
            + self.next_id.capacity()
            + self.comment.capacity()
            + self.last_event_id.capacity()
    }
}

/// The text at a place.
#[inline]
pub(super) fn read<'a>(buffer: &'a TextBuffer, place: Place, chunk: &Chunk<'a>) -> Text<'a> {
    if place.is_input() {
        chunk.text(place)
    } else if place.is_buffer() {
        buffer.text()
    } else {
        Text::checked("")
    }
}

/// The data at a place.
///
/// > If the data buffer's last character is a U+000A LINE FEED (LF) character, then remove the last character from the
/// > data buffer.
#[inline]
pub(super) fn read_data<'a>(buffer: &'a TextBuffer, place: Place, chunk: &Chunk<'a>) -> Text<'a> {
    if place.is_input() {
        chunk.text(place)
    } else {
        buffer.text().without_last_line_feed()
    }
}
