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
use super::place::{Lent, Place};
use super::text_buffer::{KEPT, KEPT_ID, TextBuffer};

/// The buffers, and which of them are part of the open block.
#[expect(
    clippy::struct_excessive_bools,
    reason = "three say what is open, two how large it is"
)]
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
    /// The most that the buffers may hold, beyond what they keep anyway.
    pub(super) most: usize,
    /// A buffer has grown beyond what it keeps.
    pub(super) is_large: bool,
    /// A buffer has made others give back what they had reserved, since the last time that all were shrunk.
    pub(super) has_given_back: bool,
    /// The capacity of the data buffer that the last large event has taken along or given back.
    pub(super) size_before: usize,
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
            is_large: false,
            has_given_back: false,
            size_before: 0,
        }
    }

    /// Whether something of the block is in the buffers, or they are to be shrunk at its end.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.has_data || self.has_event_type || self.has_id || self.is_large
    }

    /// Forgets the open block.
    #[inline]
    pub(super) fn discard(&mut self) {
        (self.has_data, self.has_event_type, self.has_id) = (false, false, false);
    }

    /// Copies what the open block has in the input, since the call is about to return.
    pub(super) fn spill(&mut self, places: &Lent, chunk: &Chunk<'_>) {
        if places.text.is_input() {
            self.data.clear();
            self.push_data(chunk, places.text);
            self.end_data_line();
        }
        if places.event_type.is_input() {
            self.event_type.clear();
            self.push_event_type(chunk, places.event_type);
        }
        if places.id.is_input() {
            self.id.clear();
            if !self.id.has_room(places.id.len()) {
                self.make_room(|block| &mut block.id, places.id.len());
            }
            self.id.push(chunk, places.id);
        }
        self.has_data = !places.text.is_nowhere();
        self.has_event_type = !places.event_type.is_nowhere();
        self.has_id = !places.id.is_nowhere();
    }

    /// Makes room for one more line of data.
    #[inline]
    pub(super) fn open_data(&mut self) {
        if !self.has_data {
            self.data.clear();
            self.has_data = true;
        }
    }

    #[inline]
    pub(super) fn push_data(&mut self, chunk: &Chunk<'_>, piece: Place) {
        if !self.data.has_room(piece.len()) {
            self.make_room(|block| &mut block.data, piece.len());
        }
        self.data.push(chunk, piece);
    }

    /// > Append the field value to the data buffer, then append a single U+000A LINE FEED (LF) character to the data
    /// > buffer.
    #[inline]
    pub(super) fn end_data_line(&mut self) {
        if !self.data.has_room(1) {
            self.make_room(|block| &mut block.data, 1);
        }
        self.data.push_line_feed();
    }

    pub(super) fn push_event_type(&mut self, chunk: &Chunk<'_>, piece: Place) {
        if !self.event_type.has_room(piece.len()) {
            self.make_room(|block| &mut block.event_type, piece.len());
        }
        self.event_type.push(chunk, piece);
    }

    pub(super) fn push_next_id(&mut self, chunk: &Chunk<'_>, piece: Place) {
        if !self.next_id.has_room(piece.len()) {
            self.make_room(|block| &mut block.next_id, piece.len());
        }
        self.next_id.push(chunk, piece);
    }

    pub(super) fn push_comment(&mut self, chunk: &Chunk<'_>, piece: Place) {
        if !self.comment.has_room(piece.len()) {
            self.make_room(|block| &mut block.comment, piece.len());
        }
        self.comment.push(chunk, piece);
    }

    /// > Set the last event ID string of the event source to the value of the last event ID buffer. The buffer does not
    /// > get reset, so the last event ID string of the event source remains set to this value until the next time it is
    /// > set by the server.
    #[inline]
    pub(super) fn commit_id(&mut self, id: Place, chunk: &Chunk<'_>) {
        if id.is_input() {
            self.last_event_id.set(chunk, id);
            if self.last_event_id.capacity() > KEPT_ID {
                self.last_event_id.shrink(KEPT_ID);
            }
        } else if id.is_buffer() {
            self.commit_buffered_id();
        }
    }

    fn commit_buffered_id(&mut self) {
        self.id.settle();
        mem::swap(&mut self.last_event_id, &mut self.id);
        self.id.clear();
        self.id.shrink(KEPT);
        self.last_event_id.shrink(KEPT_ID);
    }

    /// Makes the `id` line that is complete the block's id.
    pub(super) fn take_next_id(&mut self) {
        self.next_id.finish();
        mem::swap(&mut self.id, &mut self.next_id);
        self.has_id = true;
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
