//! The bounded queue of encoded bytes.

mod buffers;
mod limits;
mod policy;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;

use bytes::{Buf, Bytes};

use self::buffers::{Buffers, LARGE, Queued};
pub use self::limits::{Limits, Overflow};
use super::dispatch::DispatchError;
use super::room::Amount;
use crate::wire::encode::{Fields, Measured};
use crate::wire::event::Event;

/// How many lengths the emptied queue keeps room for.
const IDLE_FRAMES: usize = 32;

pub(crate) struct Outbox {
    limits: Limits,
    frames: VecDeque<Queued>,
    bytes: usize,
    buffers: Buffers,
    /// How many frames newer ones have pushed out.
    dropped: usize,
    /// Frames were dropped since the last poll.
    gap: bool,
    /// Somebody waits for room, so nobody else gets it.
    awaited: bool,
    /// What goes out where frames were dropped. In a box: few have one.
    marker: Option<Box<Bytes>>,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            frames: VecDeque::new(),
            bytes: 0,
            buffers: Buffers::new(),
            dropped: 0,
            gap: false,
            awaited: false,
            marker: None,
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

    /// Sets what goes out where frames were dropped.
    pub(crate) fn set_marker(&mut self, marker: Option<Bytes>) {
        self.marker = marker.map(Box::new);
    }

    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Sets whether somebody waits for room.
    pub(crate) fn set_awaited(&mut self, awaited: bool) {
        self.awaited = awaited;
    }

    /// Queues an event if it is admitted beside what is `held` for others, of which some is
    /// `promised` for good.
    ///
    /// One function, not inlined: what calls it is generic and so compiled with the user's crate,
    /// where the calls below would stay calls. That is a fifth of the time of a small event.
    #[inline(never)]
    pub(crate) fn send(
        &mut self,
        event: &Event<'_>,
        held: Amount,
        promised: Amount,
    ) -> Result<(), DispatchError> {
        let parts = event.fields();
        let measured = parts.measure();
        if self.awaited || !self.has_room(measured.len, held) {
            self.make_room(&parts, measured.len, held, promised)?;
        }
        self.push_event(&parts, measured);
        Ok(())
    }

    #[cold]
    fn make_room(
        &mut self,
        parts: &Fields<'_>,
        len: usize,
        held: Amount,
        promised: Amount,
    ) -> Result<(), DispatchError> {
        self.admit(len, parts.dispatched_type().is_some(), held)?;
        self.make_way(len, || parts.dispatched_type(), promised)
    }

    /// Refuses a frame of `len` bytes that finds no room beside what is `held` for others, or that
    /// somebody else waits for. The frame of an event finds it also where others are to be dropped
    /// for it.
    #[inline]
    pub(crate) fn admit(
        &self,
        len: usize,
        is_event: bool,
        held: Amount,
    ) -> Result<(), DispatchError> {
        self.fits_at_all(len)?;
        let has_room = if is_event && self.drops() {
            self.limits.leave(len, held)
        } else {
            self.has_room(len, held)
        };
        if has_room && !self.awaited {
            Ok(())
        } else {
            Err(DispatchError::Full)
        }
    }

    /// Refuses a frame that is larger than the whole queue may be.
    #[inline]
    pub(crate) fn fits_at_all(&self, len: usize) -> Result<(), DispatchError> {
        let limit = self.limits.bytes();
        if len > limit {
            return Err(DispatchError::TooLarge { len, limit });
        }
        Ok(())
    }

    /// Whether a frame of `len` bytes has room beside what is queued and what is `held`.
    #[inline]
    pub(crate) fn has_room(&self, len: usize, held: Amount) -> bool {
        let queued = Amount {
            frames: self.frames.len(),
            bytes: self.bytes,
        };
        self.limits.leave(len, queued.and(held))
    }

    /// Queues an event that was admitted, and has room.
    #[inline]
    pub(crate) fn push_event(&mut self, parts: &Fields<'_>, measured: Measured) {
        let len = measured.len;
        let first = self.limits.idle_capacity();
        self.bytes += len;
        // Each way makes its own entry: one that is made first and put in behind would be copied
        // right after it was written in parts, and a processor waits for those.
        if let Some(buffer) = self.buffers.make_room(len, first) {
            parts.write(measured.shape, buffer);
            self.frames.push_back(Queued::Buffered { skip: 0, len });
        } else {
            let bytes = parts.write_to_bytes(measured);
            self.frames.push_back(Queued::Own(bytes));
        }
    }

    /// Queues bytes that were admitted, and have room.
    pub(crate) fn push_bytes(&mut self, bytes: &Bytes) {
        let len = bytes.len();
        let first = self.limits.idle_capacity();
        self.bytes += len;
        let buffer = (len <= LARGE).then(|| self.buffers.make_room(len, first));
        if let Some(buffer) = buffer.flatten() {
            buffer.extend_from_slice(bytes);
            self.frames.push_back(Queued::Buffered { skip: 0, len });
        } else {
            self.frames.push_back(Queued::Own(bytes.clone()));
        }
    }

    /// Takes what is queued, within the limit of a chunk. Not inlined, as [`send`](Self::send).
    #[inline(never)]
    pub(crate) fn pop_chunk(&mut self) -> Option<Bytes> {
        if self.gap {
            if let Some(marker) = self.mark_gap() {
                return Some(marker);
            }
        }
        let Queued::Buffered { skip, len: first } = *self.frames.front()? else {
            return self.pop_own();
        };
        let buffer = self.buffers.front_mut();
        if skip > 0 {
            buffer.advance(skip);
        }
        let most = self.limits.chunk().min(buffer.len());
        let mut len = first;
        self.frames.pop_front();
        while let Some(&Queued::Buffered { skip: 0, len: next }) = self.frames.front() {
            if len + next > most {
                break;
            }
            len += next;
            self.frames.pop_front();
        }
        let chunk = buffer.split_to(len).freeze();
        self.buffers.leave_empty_front();
        self.bytes -= len;
        self.shrink();
        Some(chunk)
    }

    /// Drops all that is queued, and the buffers; returns how many frames were lost.
    pub(crate) fn discard(&mut self) -> usize {
        let lost = self.frames.len();
        *self = Self {
            dropped: self.dropped,
            awaited: self.awaited,
            marker: self.marker.take(),
            ..Self::new(self.limits)
        };
        lost
    }

    fn pop_own(&mut self) -> Option<Bytes> {
        let Some(Queued::Own(bytes)) = self.frames.pop_front() else {
            return None;
        };
        self.bytes -= bytes.len();
        self.shrink();
        Some(bytes)
    }

    #[inline]
    fn shrink(&mut self) {
        let (len, capacity) = (self.frames.len(), self.frames.capacity());
        if capacity > IDLE_FRAMES && capacity / 4 > len {
            self.frames.shrink_to((2 * len).max(IDLE_FRAMES));
        }
        if len == 0 {
            self.buffers.shrink(self.limits.idle_capacity());
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("frames", &self.frames.len())
            .field("bytes", &self.bytes)
            .field("dropped", &self.dropped)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
