//! Making way in a full queue.

use bytes::{Buf, Bytes};

use super::{Limits, Outbox, Overflow, Queued};
use crate::server::dispatch::DispatchError;
use crate::server::room::Amount;
use crate::wire::encode;

impl Limits {
    /// Whether a frame of `len` bytes fits beside `taken`.
    #[inline]
    pub(super) fn leave(&self, len: usize, taken: Amount) -> bool {
        taken.frames < self.frames() && taken.bytes.saturating_add(len) <= self.bytes()
    }
}

impl Outbox {
    /// Whether old frames make way for new events.
    pub(crate) fn drops(&self) -> bool {
        match self.limits.overflow() {
            Overflow::Refuse | Overflow::Disconnect => false,
            Overflow::DropOldest | Overflow::KeepNewest => true,
        }
    }

    /// Whether a full queue ends the stream.
    pub(crate) fn disconnects(&self) -> bool {
        self.limits.overflow() == Overflow::Disconnect
    }

    /// Makes room for a frame that was admitted, beside what is `promised` to others. What is
    /// no event, and so has no `event_type`, drops nothing.
    #[inline]
    pub(crate) fn make_way<'t>(
        &mut self,
        len: usize,
        event_type: impl FnOnce() -> Option<&'t [u8]>,
        promised: Amount,
    ) -> Result<(), DispatchError> {
        if self.has_room(len, promised) {
            return Ok(());
        }
        match event_type() {
            Some(event_type) if self.drops() => {
                self.drop_for(len, event_type, promised);
                Ok(())
            }
            _ => Err(DispatchError::Full),
        }
    }

    /// What goes out before the next frame, because frames were dropped.
    #[cold]
    pub(super) fn mark_gap(&mut self) -> Option<Bytes> {
        self.gap = false;
        self.marker.as_deref().cloned()
    }

    #[cold]
    fn drop_for(&mut self, len: usize, event_type: &[u8], promised: Amount) {
        self.gap = true;
        let by_type = self.limits.overflow() == Overflow::KeepNewest;
        if by_type {
            self.drop_type(len, event_type, promised);
        }
        while !self.has_room(len, promised) && self.drop_oldest() {}
        if by_type {
            // Only what goes in the middle leaves holes.
            self.buffers
                .compact(&mut self.frames, self.limits.idle_capacity());
        }
    }

    /// Drops frames of one type, oldest first, until there is room.
    fn drop_type(&mut self, len: usize, event_type: &[u8], promised: Amount) {
        let mut left = Amount {
            frames: self.frames.len(),
            bytes: self.bytes,
        };
        let limits = self.limits;
        let before = left.frames;
        self.buffers.retain(&mut self.frames, |frame| {
            let drops = !limits.leave(len, left.and(promised))
                && encode::dispatched_type(frame) == Some(event_type);
            if drops {
                left.frames -= 1;
                left.bytes -= frame.len();
            }
            drops
        });
        self.dropped += before - left.frames;
        self.bytes = left.bytes;
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(frame) = self.frames.pop_front() else {
            return false;
        };
        self.bytes -= frame.len();
        self.dropped += 1;
        if let Queued::Buffered { skip, len } = frame {
            self.buffers.front_mut().advance(skip + len);
            self.buffers.leave_empty_front();
        }
        true
    }
}
