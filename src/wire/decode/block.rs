//! The block that is being read: the buffers of the standard, under the same names.
//!
//! > When a stream is parsed, a *data buffer*, an *event type buffer*, and a *last event ID buffer*
//! > must be associated with it. They must be initialized to the empty string.
//!
//! A value that lies entirely in the input is stored as a range of the input. It is copied to its
//! buffer when a second data line follows. It is also copied when the call returns before the block
//! is complete, because the next call has other input.
//!
//! # Memory
//!
//! Each buffer keeps up to [`KEPT`] bytes. The capacity beyond that, summed over all buffers, never
//! exceeds the limit. A buffer that grows doubles, but takes at most half of what is free, so that
//! copying stays linear and the next buffer finds room. If too little is free, the other buffers
//! release their spare capacity. That always makes enough room, because the contents of an open
//! block are part of its wire bytes, and those are within the limit.

use alloc::borrow::Cow;
use alloc::string::String;
use core::mem;
use core::time::Duration;

use super::input::{InputChunk, InputRange};
use super::item::{Item, MessageEvent, OwnedItem, OwnedMessageEvent};
use super::line_reader::LineKind;
use super::text::{Text, TextBuffer};
use crate::wire::line::{LF, has_nul};

/// The capacity that each buffer keeps permanently.
const KEPT: usize = 24 << 10;

/// The spare capacity that the last event ID keeps.
const KEPT_ID: usize = 4 << 10;

/// The smallest capacity that a buffer allocates.
const FIRST: usize = 256;

/// The place of a value of the open block: a range of the input, its buffer, or nowhere.
///
/// This is not an enum, because the compiler copied an enum in mismatched halves, which cost a
/// fifth of the time for short events. `NOWHERE` and `BUFFER` are ranges that end before they
/// start.
#[derive(Clone, Copy, PartialEq)]
struct Place(InputRange);

impl Place {
    const NOWHERE: Self = Self(InputRange {
        start: usize::MAX,
        end: 0,
    });
    const BUFFER: Self = Self(InputRange { start: 1, end: 0 });

    #[inline]
    const fn in_input(self) -> Option<InputRange> {
        if self.0.start <= self.0.end {
            Some(self.0)
        } else {
            None
        }
    }

    #[inline]
    const fn is_nowhere(self) -> bool {
        self.0.start == usize::MAX
    }
}

/// One of the standard's buffers: the place of its value, and its memory.
struct Buffer {
    at: Place,
    text: TextBuffer,
}

impl Buffer {
    const fn new() -> Self {
        Self {
            at: Place::NOWHERE,
            text: TextBuffer::new(),
        }
    }

    #[inline]
    fn lend<'s, 'i: 's>(&'s self, input: &InputChunk<'i>) -> Text<'s> {
        if let Some(range) = self.at.in_input() {
            input.text_at(range)
        } else if self.at.is_nowhere() {
            Text::Checked("")
        } else {
            self.text.text()
        }
    }
}

/// The kind of an item that a line has completed; the values are in the block. It is a plain
/// number, so that it is returned in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completed {
    Event,
    ReconnectionTime,
    Comment,
    LastEventId,
}

/// The buffers that the last item borrows. The next call releases them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Borrowed {
    Nothing,
    Comment,
    Event,
}

/// The values of the open block, and the last event ID.
pub(super) struct Block {
    /// In the buffer, each line ends with an LF, as in the standard, until the event is dispatched.
    data: Buffer,
    event_type: Buffer,
    id: Buffer,
    /// The value of a cut line other than data, until the line ends. It is separate, because an
    /// `id` line with a NULL must not change `id`.
    unfinished: Buffer,
    /// > Set the last event ID string of the event source to the value of the last event ID buffer.
    ///
    /// Text, because each later event carries it: malformed bytes are replaced once.
    last_event_id: String,
    reconnection_time: Duration,
    borrowed: Borrowed,
    /// True if a buffer has grown beyond [`KEPT`].
    is_large: bool,
    /// The maximum capacity of all buffers beyond [`KEPT`].
    most: usize,
    /// The length of the last large event's data: large events often follow each other.
    last_large: usize,
}

impl Block {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            data: Buffer::new(),
            event_type: Buffer::new(),
            id: Buffer::new(),
            unfinished: Buffer::new(),
            last_event_id: String::new(),
            reconnection_time: Duration::ZERO,
            borrowed: Borrowed::Nothing,
            is_large: false,
            most,
            last_large: 0,
        }
    }

    pub(super) const fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Returns whether a field of the block has been read.
    pub(super) const fn is_open(&self) -> bool {
        let has_field = !self.data.at.is_nowhere()
            || !self.event_type.at.is_nowhere()
            || !self.id.at.is_nowhere();
        has_field && !matches!(self.borrowed, Borrowed::Event)
    }

    /// Releases the buffers that the last item borrowed.
    #[inline]
    pub(super) fn free_lent(&mut self) {
        match self.borrowed {
            Borrowed::Nothing => {}
            Borrowed::Event => self.discard(),
            // The open block stays in place: moving it for each comment would cost more than the
            // comment itself.
            Borrowed::Comment => {
                self.unfinished.text.clear();
                self.unfinished.text.shrink(KEPT);
                self.borrowed = Borrowed::Nothing;
            }
        }
    }

    /// Discards the open block or the lent event, and releases the capacity that it added to the
    /// buffers.
    #[inline]
    pub(super) fn discard(&mut self) {
        self.borrowed = Borrowed::Nothing;
        for buffer in self.buffers() {
            buffer.at = Place::NOWHERE;
        }
        if self.is_large {
            self.shrink();
        }
    }

    /// Processes a line that lies entirely in the input.
    #[inline]
    pub(super) fn take(
        &mut self,
        kind: LineKind,
        value: InputRange,
        input: &InputChunk<'_>,
    ) -> Option<Completed> {
        match kind {
            LineKind::Data if self.data.at.is_nowhere() => self.data.at = Place(value),
            LineKind::Data => {
                if let Some(first) = self.data.at.in_input() {
                    self.spill_data(first, input);
                }
                self.push_data_line(value, input);
            }
            // > Set the event type buffer to the field value.
            LineKind::Event => self.event_type.at = Place(value),
            LineKind::Id => {
                // > If the field value does not contain U+0000 NULL, then set the last event ID
                // > buffer to the field value. Otherwise, ignore the field.
                if !has_nul(input.bytes_at(value)) {
                    self.id.at = Place(value);
                }
            }
            LineKind::Retry | LineKind::Comment => return self.take_copy(kind, value, input),
        }
        None
    }

    /// Processes a line that lies entirely in the input, with a copy of its value.
    #[inline(never)]
    fn take_copy(
        &mut self,
        kind: LineKind,
        value: InputRange,
        input: &InputChunk<'_>,
    ) -> Option<Completed> {
        self.begin(kind, input);
        self.push_last(kind, value, input)
    }

    /// Begins a value that is copied to a buffer: one that comes in pieces, or is returned at once.
    pub(super) fn begin(&mut self, kind: LineKind, input: &InputChunk<'_>) {
        self.spill(input);
        if kind != LineKind::Data {
            self.unfinished.text.clear();
        } else if self.data.at.is_nowhere() {
            self.data.text.clear();
            self.data.at = Place::BUFFER;
        }
    }

    /// Appends a piece of the value that `begin` began.
    #[inline]
    pub(super) fn push(&mut self, kind: LineKind, value: InputRange, input: &InputChunk<'_>) {
        if kind == LineKind::Data {
            return self.push_data(value, input);
        }
        let piece = input.bytes_at(value);
        if !self.unfinished.text.has_room(piece.len()) {
            self.make_room(|block| &mut block.unfinished, piece.len());
        }
        self.unfinished.text.push(piece, || input.checked(value));
    }

    /// Appends the last piece of the value, and processes the field.
    #[inline]
    pub(super) fn push_last(
        &mut self,
        kind: LineKind,
        value: InputRange,
        input: &InputChunk<'_>,
    ) -> Option<Completed> {
        if kind == LineKind::Data {
            self.push_data_line(value, input);
            return None;
        }
        self.finish_value(kind, value, input)
    }

    #[inline(never)]
    fn finish_value(
        &mut self,
        kind: LineKind,
        value: InputRange,
        input: &InputChunk<'_>,
    ) -> Option<Completed> {
        self.push(kind, value, input);
        self.unfinished.text.finish();
        let value = self.unfinished.text.text().as_bytes();
        let buffer = match kind {
            LineKind::Data => return None,
            LineKind::Event => &mut self.event_type,
            LineKind::Id if has_nul(value) => return None,
            LineKind::Id => &mut self.id,
            LineKind::Retry => {
                self.reconnection_time = Duration::from_millis(digits(value)?);
                return Some(Completed::ReconnectionTime);
            }
            LineKind::Comment => {
                self.borrowed = Borrowed::Comment;
                return Some(Completed::Comment);
            }
        };
        buffer.at = Place::BUFFER;
        mem::swap(&mut buffer.text, &mut self.unfinished.text);
        None
    }

    /// Does what the standard requires at a blank line. Returns `None` if there is nothing to
    /// report.
    #[inline]
    pub(super) fn dispatch(&mut self, input: &InputChunk<'_>) -> Option<Completed> {
        let has_id = !self.id.at.is_nowhere();
        if has_id {
            self.commit_id(input);
        }
        // > If the data buffer is an empty string, set the data buffer and the event type buffer to
        // > the empty string and return.
        if self.data.at.is_nowhere() {
            self.discard();
            return has_id.then_some(Completed::LastEventId);
        }
        // > If the data buffer's last character is a U+000A LINE FEED (LF) character, then remove
        // > the last character from the data buffer.
        if self.data.at.in_input().is_none() {
            self.data.text.pop();
        }
        self.borrowed = Borrowed::Event;
        Some(Completed::Event)
    }

    /// > Set the last event ID string of the event source to the value of the last event ID buffer.
    /// > The buffer does not get reset, so the last event ID string of the event source remains set
    /// > to this value until the next time it is set by the server.
    #[inline]
    fn commit_id(&mut self, input: &InputChunk<'_>) {
        replace(&mut self.last_event_id, &self.id.lend(input).to_str());
    }

    /// Copies the values of the open block from the input to the buffers.
    #[inline]
    pub(super) fn spill(&mut self, input: &InputChunk<'_>) {
        if let Some(value) = self.data.at.in_input() {
            self.spill_data(value, input);
        }
        for (kind, at) in [
            (LineKind::Event, self.event_type.at),
            (LineKind::Id, self.id.at),
        ] {
            if let Some(value) = at.in_input() {
                self.unfinished.text.clear();
                self.push_last(kind, value, input);
            }
        }
    }

    #[inline(never)]
    fn spill_data(&mut self, value: InputRange, input: &InputChunk<'_>) {
        self.data.at = Place::BUFFER;
        self.data.text.clear();
        self.push_data_line(value, input);
    }

    /// > Append the field value to the data buffer, then append a single U+000A LINE FEED (LF)
    /// > character to the data buffer.
    #[inline]
    fn push_data_line(&mut self, value: InputRange, input: &InputChunk<'_>) {
        let ends_with_lf = input.bytes[value.end] == LF;
        let line = InputRange {
            start: value.start,
            end: value.end + usize::from(ends_with_lf),
        };
        self.push_data(line, input);
        if !ends_with_lf {
            // The room for a push includes that for an LF.
            self.data.text.push(b"\n", || Some("\n"));
        }
    }

    #[inline]
    fn push_data(&mut self, piece: InputRange, input: &InputChunk<'_>) {
        let bytes = input.bytes_at(piece);
        if !self.data.text.has_room(bytes.len()) {
            self.make_room(|block| &mut block.data, bytes.len());
        }
        self.data.text.push(bytes, || input.checked(piece));
    }

    pub(super) fn set_last_event_id(&mut self, text: &str) {
        replace(&mut self.last_event_id, text);
    }

    #[inline]
    pub(super) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Lends the completed item.
    #[inline]
    pub(super) fn lend<'s, 'i: 's>(
        &'s self,
        completed: Completed,
        input: &InputChunk<'i>,
    ) -> Item<'s> {
        match completed {
            Completed::Event => Item::Event(self.event(input)),
            Completed::ReconnectionTime => Item::ReconnectionTime(self.reconnection_time),
            Completed::Comment => Item::Comment(self.unfinished.text.text().to_str()),
            Completed::LastEventId => Item::LastEventId(Cow::Borrowed(&self.last_event_id)),
        }
    }

    #[inline]
    fn event<'s, 'i: 's>(&'s self, input: &InputChunk<'i>) -> MessageEvent<'s> {
        MessageEvent {
            event_type: self.event_type.lend(input),
            data: self.data.lend(input),
            last_event_id: &self.last_event_id,
            own_id: !self.id.at.is_nowhere(),
        }
    }

    /// Returns the completed item as an owned one. An event is one allocation; large data keeps the
    /// allocation of its buffer.
    pub(super) fn take_out(&mut self, completed: Completed, input: &InputChunk<'_>) -> OwnedItem {
        match completed {
            Completed::Event => OwnedItem::Event(self.take_event(input)),
            _ => self.lend(completed, input).into_owned(),
        }
    }

    fn take_event(&mut self, input: &InputChunk<'_>) -> OwnedMessageEvent {
        if self.data.at != Place::BUFFER {
            return self.event(input).into_owned();
        }
        let Some(data) = self.data.text.take_large() else {
            return self.event(input).into_owned();
        };
        self.last_large = data.len();
        let event = self.event(input);
        OwnedMessageEvent::from_data(
            data,
            &event.event_type.to_str(),
            event.last_event_id,
            event.own_id,
        )
    }

    /// Ends the open block where the stream has ended, and returns it as an event. All its values
    /// are in the buffers, since no input is left. Its id does not count.
    ///
    /// > Once the end of the file is reached, any pending data must be discarded.
    pub(super) fn take_unfinished(&mut self) -> OwnedMessageEvent {
        self.id.at = Place::NOWHERE;
        self.data.text.finish();
        if self.data.text.text().as_bytes().last() == Some(&LF) {
            self.data.text.pop();
        }
        self.take_event(&InputChunk::new(b""))
    }

    /// Makes room for `more` bytes in one of the buffers.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, pick: fn(&mut Self) -> &mut Buffer, more: usize) {
        let mut text = mem::replace(&mut pick(self).text, TextBuffer::new());
        let least = text.len().saturating_add(more);
        if least > self.most_for_one() {
            // Only one line is read at a time, so the unfinished value is needed only if it is the
            // one that was taken out.
            for buffer in self.buffers() {
                if buffer.at != Place::BUFFER {
                    buffer.text.clear();
                }
                buffer.text.shrink(KEPT);
            }
        }
        let mut wanted = text.capacity().saturating_mul(2).max(FIRST);
        if wanted > KEPT {
            // With the LF that ends the data in the buffer.
            wanted = wanted.max(self.last_large.saturating_add(1));
        }
        // A buffer of nearly all that is free takes the rest at once: it would be moved for each
        // half of it.
        let free = self.most_for_one().saturating_sub(least);
        let ahead = (free / 2).max(free.min(least / 8));
        text.reserve(wanted.clamp(least, least.saturating_add(ahead)));
        self.is_large |= text.capacity() > KEPT;
        pick(self).text = text;
    }

    /// Returns the maximum capacity of the buffer that was taken out, given that of the others.
    fn most_for_one(&mut self) -> usize {
        let charged = |buffer: &mut Buffer| buffer.text.capacity().saturating_sub(KEPT);
        let others: usize = self.buffers().into_iter().map(charged).sum();
        self.most.saturating_sub(others).saturating_add(KEPT)
    }

    /// Releases the capacity that a large event added to the buffers, and stores its size.
    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        self.is_large = false;
        if self.data.text.capacity() > KEPT {
            self.last_large = self.data.text.len();
        }
        for buffer in self.buffers() {
            buffer.text.clear();
            buffer.text.shrink(KEPT);
        }
    }

    /// Discards the open block, and frees the buffers and the spare capacity of the last event ID.
    pub(super) fn release(&mut self) {
        self.discard();
        for buffer in self.buffers() {
            *buffer = Buffer::new();
        }
        self.last_event_id.shrink_to_fit();
    }

    /// Returns all buffers except the last event ID, which is not part of a block.
    #[inline]
    fn buffers(&mut self) -> [&mut Buffer; 4] {
        [
            &mut self.data,
            &mut self.event_type,
            &mut self.id,
            &mut self.unfinished,
        ]
    }
}

/// Replaces a text. Keeps up to [`KEPT_ID`] bytes of spare capacity.
#[inline]
fn replace(text: &mut String, by: &str) {
    text.clear();
    text.reserve_exact(by.len());
    text.push_str(by);
    if text.capacity() > KEPT_ID {
        text.shrink_to(KEPT_ID);
    }
}

/// > If the field value consists of only ASCII digits, then interpret the field value as an integer
/// > in base ten, and set the event stream's reconnection time to that integer. Otherwise, ignore
/// > the field.
///
/// A number beyond 64 bits saturates.
fn digits(value: &[u8]) -> Option<u64> {
    let append = |number: u64, &byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    let number = value.iter().try_fold(0, append)?;
    (!value.is_empty()).then_some(number)
}
