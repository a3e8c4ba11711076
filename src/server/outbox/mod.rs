//! The bounded queue of encoded frames.

mod buffers;
mod limits;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::Bytes;

use self::buffers::{Buffers, LARGE};
pub use self::limits::{Limits, Overflow};
use super::dispatch::DispatchError;
use crate::wire::encode::{self, Fields, Measured};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// The number of frames for which an emptied queue keeps its list allocated.
const IDLE_FRAMES: usize = 32;

#[derive(Default)]
pub(crate) struct Outbox {
    limits: Limits,
    frames: VecDeque<Queued>,
    bytes: usize,
    buffers: Buffers,
    /// All reserved room, and the part of it that no policy gives away: that of permits and blocks.
    reserved: Amount,
    undroppable: Amount,
    /// How many frames were dropped to make room for newer ones.
    dropped: usize,
    /// Frames were dropped since the last chunk.
    gap: bool,
    /// A task waits for room, so a dispatch that does not wait gets none.
    awaited: bool,
    /// The gap marker. Boxed, because few queues have one.
    marker: Option<Box<Bytes>>,
}

/// A frame in the queue.
enum Queued {
    /// A frame in the buffers, of this many bytes.
    Buffered(usize),
    /// A chunk of its own.
    Own(Bytes),
}

impl Queued {
    fn len(&self) -> usize {
        match self {
            Self::Buffered(len) => *len,
            Self::Own(bytes) => bytes.len(),
        }
    }
}

/// The argument of a dispatch: an event, or a frame that is already encoded.
#[derive(Clone, Copy)]
pub(crate) enum Outgoing<'a> {
    /// An event, and its length once that is known.
    Event(&'a Event<'a>, Option<Measured>),
    Frame(&'a Frame),
}

impl<'a> Outgoing<'a> {
    /// Measures an event, so that no later step has to.
    pub(crate) fn measured(self) -> Self {
        match self {
            Self::Event(event, None) => Self::Event(event, Some(event.fields().measure())),
            done => done,
        }
    }

    /// Returns the number of bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Event(_, Some(measured)) => measured.len,
            Self::Event(event, None) => event.fields().measure().len,
            Self::Frame(frame) => frame.bytes().len(),
        }
    }

    /// Returns the type of the event that a client dispatches, if it dispatches one.
    pub(crate) fn dispatched_type(&self) -> Option<&'a [u8]> {
        match self {
            Self::Event(event, _) => event.fields().dispatched_type(),
            Self::Frame(frame) => encode::dispatched_type(frame.as_bytes()),
        }
    }

    #[inline]
    pub(crate) fn has_id(&self) -> bool {
        match self {
            Self::Event(event, _) => event.id().is_some(),
            Self::Frame(frame) => frame.id().is_some(),
        }
    }
}

/// The purpose of reserved room.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// An event whose listeners run, or that is next in line. It may be canceled, so no frame is
    /// dropped for it before it is queued.
    Event,
    /// A permit, or a block, for which no frame is dropped. No policy gives this room away.
    DropsNone,
}

impl Purpose {
    /// Returns the purpose of room for a dispatch without a permit.
    pub(crate) fn of(outgoing: &Outgoing<'_>) -> Self {
        match outgoing.dispatched_type() {
            Some(_) => Self::Event,
            None => Self::DropsNone,
        }
    }
}

/// Room for one frame. It is held until its queue releases it.
#[must_use = "a queue keeps the room until it releases it"]
pub(crate) struct Reservation {
    purpose: Purpose,
    bytes: usize,
}

impl Reservation {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A number of frames, and their bytes.
#[derive(Clone, Copy, Default)]
struct Amount {
    frames: usize,
    bytes: usize,
}

impl Amount {
    #[inline]
    fn and(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            bytes: self.bytes + other.bytes,
        }
    }

    fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.frames -= 1;
        self.bytes -= bytes;
    }
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    #[inline]
    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped
    }

    pub(crate) fn set_marker(&mut self, marker: Option<Bytes>) {
        self.marker = marker.map(Box::new);
    }

    /// Sets whether a task waits for room.
    pub(crate) fn set_awaited(&mut self, awaited: bool) {
        self.awaited = awaited;
    }

    /// Queues an event or frame if there is room. `released` is the size of the room that was just
    /// released for it.
    ///
    /// Not inlined: its generic callers are compiled in downstream crates, which cannot inline the
    /// calls below. This saves a fifth of the time of a small event.
    #[inline(never)]
    pub(crate) fn queue(
        &mut self,
        outgoing: &Outgoing<'_>,
        released: Option<usize>,
    ) -> Result<(), DispatchError> {
        match outgoing {
            Outgoing::Event(event, measured) => {
                let fields = event.fields();
                let measured = measured.unwrap_or_else(|| fields.measure());
                self.find_room(measured.len, outgoing, released)?;
                self.push_event(&fields, measured);
            }
            Outgoing::Frame(frame) => {
                self.find_room(frame.bytes().len(), outgoing, released)?;
                self.push_bytes(frame.bytes());
            }
        }
        Ok(())
    }

    /// Reserves room for a frame of `bytes` bytes, if there is any. While a task waits, only calls
    /// with `in_line` get room.
    pub(crate) fn reserve(
        &mut self,
        bytes: usize,
        purpose: Purpose,
        in_line: bool,
    ) -> Result<Option<Reservation>, DispatchError> {
        if !self.admits(bytes, purpose)? || (self.awaited && !in_line) {
            return Ok(None);
        }
        self.reserved.add(bytes);
        if let Purpose::DropsNone = purpose {
            self.undroppable.add(bytes);
        }
        Ok(Some(Reservation { purpose, bytes }))
    }

    /// Releases reserved room. Returns its size in bytes.
    #[expect(clippy::needless_pass_by_value, reason = "room is released once")]
    pub(crate) fn release(&mut self, room: Reservation) -> usize {
        let Reservation { purpose, bytes } = room;
        self.reserved.remove(bytes);
        if let Purpose::DropsNone = purpose {
            self.undroppable.remove(bytes);
        }
        bytes
    }

    /// Returns whether a frame of `len` bytes that finds no room ends the stream. It does if the
    /// policy is `Disconnect` and the queue would be full even without reserved room.
    pub(crate) fn disconnects(&self, len: usize) -> bool {
        match self.limits.overflow {
            Overflow::Disconnect => !self.has_room(len, Amount::default()),
            Overflow::Refuse | Overflow::DropOldest | Overflow::KeepNewest => false,
        }
    }

    /// Takes one chunk: the gap marker, or the frames of the oldest buffer, or a large frame. Not
    /// inlined, for the reason given at [`queue`](Self::queue).
    #[inline(never)]
    pub(crate) fn pop_chunk(&mut self) -> Option<Bytes> {
        if self.gap {
            if let Some(marker) = self.take_marker() {
                return Some(marker);
            }
        }
        let chunk = match self.frames.pop_front()? {
            Queued::Own(bytes) => bytes,
            Queued::Buffered(first) => {
                let most = self.buffers.front_len();
                let mut len = first;
                while let Some(&Queued::Buffered(next)) = self.frames.front() {
                    if len == most {
                        break;
                    }
                    len += next;
                    self.frames.pop_front();
                }
                self.buffers.take(len)
            }
        };
        self.bytes -= chunk.len();
        self.shrink();
        Some(chunk)
    }

    /// Drops all queued frames and the buffers. Returns how many frames were lost.
    pub(crate) fn discard(&mut self) -> usize {
        let lost = self.frames.len();
        self.frames = VecDeque::new();
        self.buffers = Buffers::default();
        self.bytes = 0;
        self.gap = false;
        lost
    }

    /// Finds room for a frame of `len` bytes. Drops other frames if the policy says so.
    #[inline]
    fn find_room(
        &mut self,
        len: usize,
        outgoing: &Outgoing<'_>,
        released: Option<usize>,
    ) -> Result<(), DispatchError> {
        if released.is_none() && !self.awaited && self.has_room(len, self.reserved) {
            return Ok(());
        }
        self.find_room_otherwise(len, outgoing, released)
    }

    /// The slow path of [`find_room`](Self::find_room). No frame is dropped for a block without
    /// data.
    #[cold]
    fn find_room_otherwise(
        &mut self,
        len: usize,
        outgoing: &Outgoing<'_>,
        released: Option<usize>,
    ) -> Result<(), DispatchError> {
        match released {
            Some(limit) if len > limit => return Err(DispatchError::TooLarge { len, limit }),
            None if !self.admits(len, Purpose::of(outgoing))? || self.awaited => {
                return Err(DispatchError::Full);
            }
            _ => {}
        }
        if self.has_room(len, self.undroppable) {
            return Ok(());
        }
        match (self.limits.overflow, outgoing.dispatched_type()) {
            (Overflow::KeepNewest, Some(event_type)) => self.drop_type(len, event_type),
            (Overflow::DropOldest, Some(_)) => {}
            (Overflow::Refuse | Overflow::Disconnect, _) | (_, None) => {
                return Err(DispatchError::Full);
            }
        }
        self.gap = true;
        self.drop_oldest(len);
        Ok(())
    }

    /// Returns whether a frame of `len` bytes has room in addition to the reserved room. For an
    /// event, queued frames that the policy drops count as room.
    fn admits(&self, len: usize, purpose: Purpose) -> Result<bool, DispatchError> {
        let limit = self.limits.max_bytes;
        if len > limit {
            return Err(DispatchError::TooLarge { len, limit });
        }
        Ok(match purpose {
            Purpose::Event if self.drops() => self.fits(len, self.reserved),
            Purpose::Event | Purpose::DropsNone => self.has_room(len, self.reserved),
        })
    }

    /// Drops frames of one type, oldest first, until a frame of `len` bytes has room.
    fn drop_type(&mut self, len: usize, event_type: &[u8]) {
        // The frame at `index` begins at `start` in the buffer number `buffer`.
        let (mut index, mut buffer, mut start) = (0, 0, 0);
        while !self.has_room(len, self.undroppable) {
            let Some(queued) = self.frames.get(index) else {
                return;
            };
            let (bytes, buffered) = match queued {
                Queued::Own(bytes) => (&bytes[..], 0),
                Queued::Buffered(len) => {
                    if start == self.buffers.get(buffer).len() {
                        (buffer, start) = (buffer + 1, 0);
                    }
                    (&self.buffers.get(buffer)[start..start + len], *len)
                }
            };
            if encode::dispatched_type(bytes) != Some(event_type) {
                start += buffered;
                index += 1;
                continue;
            }
            self.bytes -= bytes.len();
            self.dropped += 1;
            self.frames.remove(index);
            if buffered > 0 {
                (buffer, start) = self.buffers.drop_within(buffer, start..start + buffered);
            }
        }
    }

    /// Drops the oldest frames until a frame of `len` bytes has room.
    fn drop_oldest(&mut self, len: usize) {
        while !self.has_room(len, self.undroppable) {
            let Some(frame) = self.frames.pop_front() else {
                return;
            };
            self.bytes -= frame.len();
            self.dropped += 1;
            if let Queued::Buffered(len) = frame {
                self.buffers.drop_front(len);
            }
        }
    }

    /// Queues an event that has room.
    #[inline]
    fn push_event(&mut self, fields: &Fields<'_>, measured: Measured) {
        let len = measured.len;
        self.bytes += len;
        // Each branch pushes its own entry. A shared local would be copied right after partial
        // writes, and the processor would stall on them.
        if let Some(buffer) = self.buffers.with_room(len) {
            fields.write(measured.shape, buffer);
            self.frames.push_back(Queued::Buffered(len));
        } else {
            let bytes = fields.write_to_bytes(measured);
            self.frames.push_back(Queued::Own(bytes));
        }
    }

    /// Queues bytes that have room.
    fn push_bytes(&mut self, bytes: &Bytes) {
        let len = bytes.len();
        self.bytes += len;
        let buffer = (len <= LARGE).then(|| self.buffers.with_room(len));
        if let Some(buffer) = buffer.flatten() {
            buffer.extend_from_slice(bytes);
            self.frames.push_back(Queued::Buffered(len));
        } else {
            self.frames.push_back(Queued::Own(bytes.clone()));
        }
    }

    /// Returns the gap marker if frames were dropped since the last chunk.
    #[cold]
    fn take_marker(&mut self) -> Option<Bytes> {
        self.gap = false;
        self.marker.as_deref().cloned()
    }

    /// Returns whether old frames are dropped for new events.
    fn drops(&self) -> bool {
        match self.limits.overflow {
            Overflow::Refuse | Overflow::Disconnect => false,
            Overflow::DropOldest | Overflow::KeepNewest => true,
        }
    }

    /// Returns whether a frame of `len` bytes has room beside the queued frames and `others`.
    #[inline]
    fn has_room(&self, len: usize, others: Amount) -> bool {
        let queued = Amount {
            frames: self.frames.len(),
            bytes: self.bytes,
        };
        self.fits(len, queued.and(others))
    }

    #[inline]
    fn fits(&self, len: usize, taken: Amount) -> bool {
        taken.frames < self.limits.max_frames && taken.bytes + len <= self.limits.max_bytes
    }

    #[inline]
    fn shrink(&mut self) {
        let (len, capacity) = (self.frames.len(), self.frames.capacity());
        if capacity > IDLE_FRAMES && capacity / 4 > len {
            self.frames.shrink_to((2 * len).max(IDLE_FRAMES));
        }
        if len == 0 {
            self.buffers.shrink();
        }
    }
}
