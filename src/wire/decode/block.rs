//! The block that is being read: the standard's buffers, under its names.
//!
//! > When a stream is parsed, a *data buffer*, an *event type buffer*, and a *last event ID buffer* must be associated
//! > with it. They must be initialized to the empty string.
//!
//! A value that lies whole in the input is only remembered by its place there. It is copied to its buffer when a second
//! data line joins it, or when the call returns before the block is over: the caller may feed other bytes next.
//!
//! # Memory
//!
//! Each buffer keeps up to [`KEPT`] bytes. What a buffer has beyond that is charged to one account for all buffers, and
//! the account never passes the limit. Buffers double, so that copying stays linear, as long as the account allows it.
//! Otherwise the other buffers give back what they have reserved ahead. Then there is room, because the contents of an
//! open block are part of its wire bytes, and those are within the limit.
//!
//! A peer could make the buffers of one block take room from each other over and over, so that all of its bytes are
//! moved each time. So after the first time no buffer reserves more than half of what is free: each further time needs a
//! value that is longer than the other half. In a block of 16 MiB that does nothing else, each byte is moved up to 6
//! times and not 88 times.

use core::mem;

use super::decoder::Outcome;
use super::input::InputChunk;
use super::item::{MessageEvent, OwnedMessageEvent};
use super::line_reader::LineKind;
use super::text::{Text, TextBuffer};
use crate::wire::line::has_nul;

/// What each buffer keeps for good.
const KEPT: usize = 24 << 10;

/// What the last event ID keeps beyond its length.
const KEPT_ID: usize = 4 << 10;

/// The least that is allocated.
const FIRST: usize = 256;

/// Where a value of the open block is: at a range of the input, in its buffer, or nowhere.
///
/// Two plain numbers, since an enum of the same content was copied in halves that do not match, which cost a fifth of
/// the time of short events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueSpan {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl ValueSpan {
    // A value in the input has at least a name before it, so that small ends are free.
    const NOWHERE: Self = Self { start: 0, end: 0 };
    const BUFFER: Self = Self { start: 0, end: 1 };

    #[inline]
    pub(super) const fn len(self) -> usize {
        self.end - self.start
    }

    #[inline]
    pub(super) const fn is_input(self) -> bool {
        self.end > 1
    }

    #[inline]
    const fn is_buffer(self) -> bool {
        self.end == 1
    }

    #[inline]
    const fn is_nowhere(self) -> bool {
        self.end == 0
    }
}

/// What the last call has returned a borrow of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Borrowed {
    Nothing,
    Comment,
    Event,
}

/// The values of the open block, and the last event ID.
pub(super) struct Block {
    data_at: ValueSpan,
    event_type_at: ValueSpan,
    id_at: ValueSpan,
    borrowed: Borrowed,
    /// A buffer has grown beyond what it keeps.
    is_large: bool,
    /// A buffer has made others give back what they had reserved.
    has_given_back: bool,
    /// Every line with its LF, as in the standard. The last one is removed by the reader.
    data: TextBuffer,
    event_type: TextBuffer,
    id: TextBuffer,
    /// The value of a cut line other than data, until the line is over: an `id` with a NULL leaves `id` as it is.
    unfinished: TextBuffer,
    /// > Set the last event ID string of the event source to the value of the last event ID buffer.
    last_event_id: TextBuffer,
    reconnection_time: u64,
    /// The most that the buffers may hold beyond what they keep.
    most: usize,
    /// The capacity of the data buffer that the last large event has taken along or given back.
    size_before: usize,
}

impl Block {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            data_at: ValueSpan::NOWHERE,
            event_type_at: ValueSpan::NOWHERE,
            id_at: ValueSpan::NOWHERE,
            borrowed: Borrowed::Nothing,
            is_large: false,
            has_given_back: false,
            data: TextBuffer::new(),
            event_type: TextBuffer::new(),
            id: TextBuffer::new(),
            unfinished: TextBuffer::new(),
            last_event_id: TextBuffer::new(),
            reconnection_time: 0,
            most,
            size_before: 0,
        }
    }

    pub(super) const fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Whether a field of the block has come.
    pub(super) const fn is_open(&self) -> bool {
        let has_field = !self.data_at.is_nowhere()
            || !self.event_type_at.is_nowhere()
            || !self.id_at.is_nowhere();
        has_field && !matches!(self.borrowed, Borrowed::Event)
    }

    /// Takes back what the last call has lent.
    #[inline]
    pub(super) fn take_back(&mut self) {
        match self.borrowed {
            Borrowed::Nothing => {}
            Borrowed::Event => self.discard(),
            // What the block has stays as it is: to move it for each comment would cost more than the comment.
            Borrowed::Comment => {
                self.unfinished.clear();
                self.unfinished.shrink(KEPT);
                self.borrowed = Borrowed::Nothing;
            }
        }
    }

    /// Forgets the open block, or the event that was lent, and gives back what it made the buffers grow to.
    #[inline]
    pub(super) fn discard(&mut self) {
        self.borrowed = Borrowed::Nothing;
        self.data_at = ValueSpan::NOWHERE;
        self.event_type_at = ValueSpan::NOWHERE;
        self.id_at = ValueSpan::NOWHERE;
        if self.is_large {
            self.shrink();
        }
    }

    /// Takes a data line that lies whole in the input.
    #[inline]
    pub(super) fn add_data(&mut self, value: ValueSpan, input: &InputChunk<'_>) {
        if self.data_at.is_nowhere() {
            self.data_at = value;
            return;
        }
        if self.data_at.is_input() {
            self.spill_data(input);
        }
        self.push_data_line(value, input);
    }

    /// > Set the event type buffer to the field value.
    #[inline]
    pub(super) fn set_event_type(&mut self, value: ValueSpan) {
        self.event_type_at = value;
    }

    /// > If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value.
    /// > Otherwise, ignore the field.
    #[inline]
    pub(super) fn set_id(&mut self, value: ValueSpan, input: &InputChunk<'_>) {
        if !has_nul(input.bytes_at(value)) {
            self.id_at = value;
        }
    }

    /// Begins a value that comes in pieces, or that the call returns.
    pub(super) fn begin(&mut self, kind: LineKind, input: &InputChunk<'_>) {
        self.spill(input);
        if kind != LineKind::Data {
            self.unfinished.clear();
        } else if self.data_at.is_nowhere() {
            self.data.clear();
            self.data_at = ValueSpan::BUFFER;
        }
    }

    /// Adds bytes of the value to it.
    #[inline]
    pub(super) fn push(&mut self, kind: LineKind, piece: &[u8], checked: Option<&str>) {
        if kind == LineKind::Data {
            self.push_data(piece, checked);
        } else {
            if !self.unfinished.has_room(piece.len()) {
                self.make_room(|block| &mut block.unfinished, piece.len());
            }
            self.unfinished.push(piece, checked);
        }
    }

    /// Adds a piece of the value to it.
    #[inline]
    pub(super) fn push_piece(&mut self, kind: LineKind, value: ValueSpan, input: &InputChunk<'_>) {
        if kind == LineKind::Data {
            self.push_data(input.bytes_at(value), input.checked(value));
        } else {
            self.push(kind, input.bytes_at(value), input.checked(value));
        }
    }

    /// Adds the last piece of the value to it, and ends it.
    #[inline]
    pub(super) fn push_last_piece(
        &mut self,
        kind: LineKind,
        value: ValueSpan,
        input: &InputChunk<'_>,
    ) -> Option<Outcome> {
        if kind == LineKind::Data {
            self.push_data_line(value, input);
            return None;
        }
        self.push_piece(kind, value, input);
        self.end(kind)
    }

    /// Processes a field whose value has come in pieces.
    pub(super) fn end(&mut self, kind: LineKind) -> Option<Outcome> {
        if kind == LineKind::Data {
            self.push_data(b"\n", Some("\n"));
            return None;
        }
        self.unfinished.finish();
        let value = self.unfinished.text().as_bytes();
        match kind {
            LineKind::Data => None,
            LineKind::Event => {
                mem::swap(&mut self.event_type, &mut self.unfinished);
                self.event_type_at = ValueSpan::BUFFER;
                None
            }
            LineKind::Id => {
                if !has_nul(value) {
                    mem::swap(&mut self.id, &mut self.unfinished);
                    self.id_at = ValueSpan::BUFFER;
                }
                None
            }
            LineKind::Retry => {
                self.reconnection_time = digits(value)?;
                Some(Outcome::ReconnectionTime)
            }
            LineKind::Comment => {
                self.borrowed = Borrowed::Comment;
                Some(Outcome::Comment)
            }
        }
    }

    /// Does what the standard says at a blank line; `None` if nothing is to be told.
    #[inline]
    pub(super) fn dispatch(&mut self, input: &InputChunk<'_>) -> Option<Outcome> {
        let has_id = !self.id_at.is_nowhere();
        if has_id {
            self.commit_id(input);
        }
        // > If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string and
        // > return.
        if self.data_at.is_nowhere() {
            self.discard();
            return has_id.then_some(Outcome::LastEventId);
        }
        self.borrowed = Borrowed::Event;
        Some(Outcome::Event)
    }

    /// > Set the last event ID string of the event source to the value of the last event ID buffer. The buffer does not
    /// > get reset, so the last event ID string of the event source remains set to this value until the next time it is
    /// > set by the server.
    #[inline]
    fn commit_id(&mut self, input: &InputChunk<'_>) {
        if self.id_at.is_buffer() {
            return self.commit_buffered_id();
        }
        let (bytes, checked) = (input.bytes_at(self.id_at), input.checked(self.id_at));
        self.last_event_id.set(bytes, checked);
        if self.last_event_id.capacity() > KEPT_ID {
            self.last_event_id.shrink(KEPT_ID);
        }
    }

    fn commit_buffered_id(&mut self) {
        self.id.check_all();
        mem::swap(&mut self.last_event_id, &mut self.id);
        self.id.clear();
        self.id.shrink(KEPT);
        self.last_event_id.shrink(KEPT_ID);
    }

    /// Copies what the open block has in the input.
    #[inline]
    pub(super) fn spill(&mut self, input: &InputChunk<'_>) {
        if self.data_at.is_input() {
            self.spill_data(input);
        }
        if self.event_type_at.is_input() || self.id_at.is_input() {
            self.spill_others(input);
        }
    }

    #[inline(never)]
    fn spill_data(&mut self, input: &InputChunk<'_>) {
        let value = mem::replace(&mut self.data_at, ValueSpan::BUFFER);
        self.data.clear();
        self.push_data_line(value, input);
    }

    #[inline(never)]
    fn spill_others(&mut self, input: &InputChunk<'_>) {
        let (event_type_at, id_at) = (self.event_type_at, self.id_at);
        for (kind, value) in [(LineKind::Event, event_type_at), (LineKind::Id, id_at)] {
            if value.is_input() {
                self.unfinished.clear();
                self.push(kind, input.bytes_at(value), input.checked(value));
                self.end(kind);
            }
        }
    }

    /// > Append the field value to the data buffer, then append a single U+000A LINE FEED (LF) character to the data
    /// > buffer.
    #[inline]
    fn push_data_line(&mut self, value: ValueSpan, input: &InputChunk<'_>) {
        let mut line = value;
        if input.bytes[value.end] == b'\n' {
            line.end += 1;
            self.push_data(input.bytes_at(line), input.checked(line));
        } else {
            self.push_data(input.bytes_at(line), input.checked(line));
            self.push_data(b"\n", Some("\n"));
        }
    }

    #[inline]
    fn push_data(&mut self, piece: &[u8], checked: Option<&str>) {
        if !self.data.has_room(piece.len()) {
            self.make_room(|block| &mut block.data, piece.len());
        }
        self.data.push(piece, checked);
    }

    pub(super) fn set_last_event_id(&mut self, text: &str) {
        self.last_event_id.set(text.as_bytes(), Some(text));
    }

    #[inline]
    pub(super) fn last_event_id(&self) -> Text<'_> {
        self.last_event_id.text()
    }

    pub(super) fn comment(&self) -> Text<'_> {
        self.unfinished.text()
    }

    /// Returns the reconnection time in milliseconds.
    pub(super) const fn reconnection_time(&self) -> u64 {
        self.reconnection_time
    }

    /// Lends the event that was dispatched.
    #[inline]
    pub(super) fn event<'s, 'i: 's>(&'s self, input: &InputChunk<'i>) -> MessageEvent<'s> {
        MessageEvent {
            event_type: self.lent_event_type(input),
            data: self.lent_data(input),
            last_event_id: self.last_event_id.text(),
            own_id: !self.id_at.is_nowhere(),
        }
    }

    /// Takes the event that was dispatched, in one allocation; large data keeps that of its buffer.
    pub(super) fn take_event(&mut self, input: &mut InputChunk<'_>) -> OwnedMessageEvent {
        input.check_values(self.data_at, self.event_type_at);
        let own_id = !self.id_at.is_nowhere();
        if self.data_at.is_buffer() {
            if let Some(data) = self.data.take_large() {
                self.size_before = data.capacity();
                let event_type = self.lent_event_type(input).to_str();
                let last_event_id = self.last_event_id.text().to_str();
                return OwnedMessageEvent::from_data(data, &event_type, &last_event_id, own_id);
            }
        }
        let event_type = self.lent_event_type(input).to_str();
        let last_event_id = self.last_event_id.text().to_str();
        let data = self.lent_data(input).to_str();
        OwnedMessageEvent::new(&data, &event_type, &last_event_id, own_id)
    }

    #[inline]
    fn lent_event_type<'s, 'i: 's>(&'s self, input: &InputChunk<'i>) -> Text<'s> {
        if self.event_type_at.is_input() {
            input.text_at(self.event_type_at)
        } else if self.event_type_at.is_buffer() {
            self.event_type.text()
        } else {
            Text::checked("")
        }
    }

    /// > If the data buffer's last character is a U+000A LINE FEED (LF) character, then remove the last character from
    /// > the data buffer.
    #[inline]
    fn lent_data<'s, 'i: 's>(&'s self, input: &InputChunk<'i>) -> Text<'s> {
        if self.data_at.is_input() {
            input.text_at(self.data_at)
        } else {
            self.data.text().without_last_line_feed()
        }
    }

    /// Makes room for `more` bytes in one of the buffers.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, pick: fn(&mut Self) -> &mut TextBuffer, more: usize) {
        let mut buffer = mem::replace(pick(self), TextBuffer::new());
        let least = buffer.len().saturating_add(more);
        let mut most = self.most_for_one();
        if least > most {
            self.give_back();
            self.has_given_back = true;
            most = self.most_for_one();
        }
        let mut most_ahead = most;
        if self.has_given_back {
            most_ahead -= most.saturating_sub(buffer.len()) / 2;
        }
        let mut wanted = buffer.capacity().saturating_mul(2).max(FIRST);
        if wanted > KEPT {
            // Large events come in rows: the buffer of the next one need not double its way up.
            wanted = wanted.max(mem::take(&mut self.size_before));
        }
        buffer.reserve(wanted.min(most_ahead).max(least));
        self.is_large |= buffer.capacity() > KEPT;
        *pick(self) = buffer;
    }

    /// What a buffer may hold, when it is taken out, beside the others.
    fn most_for_one(&mut self) -> usize {
        let charged = |buffer: &mut TextBuffer| buffer.capacity().saturating_sub(KEPT);
        let others: usize = self.buffers().into_iter().map(charged).sum();
        self.most.saturating_sub(others).saturating_add(KEPT)
    }

    /// Shrinks the buffers to what they must hold. One line is read at a time: if the buffer of an unfinished value is
    /// not the one that was taken out, nothing in it is needed.
    fn give_back(&mut self) {
        self.unfinished.clear();
        for (buffer, at) in [
            (&mut self.data, self.data_at),
            (&mut self.event_type, self.event_type_at),
            (&mut self.id, self.id_at),
        ] {
            if !at.is_buffer() {
                buffer.clear();
            }
        }
        for buffer in self.buffers() {
            buffer.shrink(KEPT);
        }
    }

    /// Gives back what a large event made the buffers grow to, and remembers how large that was.
    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        self.is_large = false;
        self.has_given_back = false;
        if self.data.capacity() > KEPT {
            let is_well_used = self.data.len() >= self.data.capacity() / 4;
            self.size_before = if is_well_used {
                self.data.capacity()
            } else {
                0
            };
        }
        for buffer in self.buffers() {
            buffer.clear();
            buffer.shrink(KEPT);
        }
    }

    /// Discards the open block and gives back all that the buffers hold, and what the last event ID does not need.
    pub(super) fn release(&mut self) {
        self.discard();
        for buffer in self.buffers() {
            *buffer = TextBuffer::new();
        }
        self.last_event_id.shrink(0);
    }

    /// All buffers but the last event ID, which is no part of a block.
    fn buffers(&mut self) -> [&mut TextBuffer; 4] {
        [
            &mut self.data,
            &mut self.event_type,
            &mut self.id,
            &mut self.unfinished,
        ]
    }
}

/// > If the field value consists of only ASCII digits, then interpret the field value as an integer in base ten, and set
/// > the event stream's reconnection time to that integer. Otherwise, ignore the field.
///
/// A number past 64 bits saturates.
fn digits(value: &[u8]) -> Option<u64> {
    let append = |number: u64, &byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    let number = value.iter().try_fold(0, append)?;
    (!value.is_empty()).then_some(number)
}
