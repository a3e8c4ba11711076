//! The bounded queue of encoded bytes.
//!
//! Events are encoded straight into one buffer, and what a poll takes is split off it without a
//! copy. Once the consumer has dropped what it took, the buffer is used again from its start, so
//! the steady state allocates nothing.
//!
//! The buffer grows up to [`BUFFER_MOST`] bytes, which is as much as a poll hands out by default.
//! When that is full it is sealed and another one begun: no large buffer is ever moved to a larger
//! place, so the memory held follows the bytes queued. An event above [`LARGE`] that does not fit
//! becomes a chunk of its own, so a sealed buffer wastes less than [`LARGE`] of its bytes.

use alloc::collections::VecDeque;
use core::fmt;
use core::mem;

use bytes::{Bytes, BytesMut};

use super::dispatch::DispatchError;
use crate::wire::encode::{self, Measured, Parts};

/// Frames above this are not copied into the buffer but stay chunks of their own.
const LARGE: usize = 4 * 1024;

/// The largest buffer that is allocated.
const BUFFER_MOST: usize = 64 * 1024;

/// How many lengths the emptied queue keeps room for.
const IDLE_FRAMES: usize = 32;

/// What the queue of a target may hold, and how it is handed out.
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, DispatchError, Limits, LocalListener, Target};
///
/// let mut target = Target::<LocalListener>::with_limits(Limits::new().with_frames(1));
/// assert!(target.dispatch(&Event::message("first")).is_ok());
/// assert_eq!(target.dispatch(&Event::message("second")), Err(DispatchError::Full));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    frames: usize,
    bytes: usize,
    chunk: usize,
    idle_capacity: usize,
}

impl Limits {
    /// The default: 1024 frames, 1 MiB, chunks of 64 KiB, 4 KiB kept while idle.
    ///
    /// A client that is 1024 events behind, or a megabyte, is not reading: it takes seconds of a
    /// mobile connection to get there, and ten thousand such clients still fit into 13 GiB.
    pub const fn new() -> Self {
        Self {
            frames: 1024,
            bytes: 1024 * 1024,
            chunk: 64 * 1024,
            idle_capacity: 4 * 1024,
        }
    }

    /// Sets how many frames may be queued; 0 counts as 1.
    pub const fn with_frames(mut self, frames: usize) -> Self {
        self.frames = if frames == 0 { 1 } else { frames };
        self
    }

    /// Sets how many bytes may be queued. A single event above it is refused as
    /// [too large](DispatchError::TooLarge).
    ///
    /// The memory held stays below this and a sixteenth of it, plus 128 KiB, plus 96 bytes for each
    /// frame that may be queued.
    pub const fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how many bytes one poll hands out at most. A frame is never cut, so a larger one goes
    /// out whole.
    pub const fn with_chunk(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }

    /// Sets how many bytes of buffer a target may keep while nothing is queued.
    pub const fn with_idle_capacity(mut self, bytes: usize) -> Self {
        self.idle_capacity = bytes;
        self
    }

    /// Returns how many frames may be queued.
    pub const fn frames(&self) -> usize {
        self.frames
    }

    /// Returns how many bytes may be queued.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many bytes one poll hands out at most, unless one frame is larger.
    pub const fn chunk(&self) -> usize {
        self.chunk
    }

    /// Returns how many bytes of buffer may be kept while nothing is queued.
    pub const fn idle_capacity(&self) -> usize {
        self.idle_capacity
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) struct Outbox {
    limits: Limits,
    frames: VecDeque<Queued>,
    bytes: usize,
    /// Buffers that are full, oldest first.
    sealed: VecDeque<BytesMut>,
    /// The buffer that events are encoded into.
    open: BytesMut,
    /// What `open` was allocated with, including what is split off it.
    allocated: usize,
}

/// A frame in the queue.
enum Queued {
    /// The next bytes of the oldest buffer.
    Buffered(usize),
    /// A chunk of its own.
    Own(Bytes),
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            frames: VecDeque::new(),
            bytes: 0,
            sealed: VecDeque::new(),
            open: BytesMut::new(),
            allocated: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Refuses a frame of `len` bytes that has no room beside what is reserved.
    #[inline]
    pub(crate) fn check(
        &self,
        len: usize,
        reserved_frames: usize,
        reserved_bytes: usize,
    ) -> Result<(), DispatchError> {
        let limit = self.limits.bytes;
        if len > limit {
            return Err(DispatchError::TooLarge { len, limit });
        }
        // No overflow: what is queued and reserved stays below the limit, by this check.
        if self.frames.len() + reserved_frames >= self.limits.frames
            || self.bytes + reserved_bytes > limit - len
        {
            return Err(DispatchError::Full);
        }
        Ok(())
    }

    /// Queues an event that was checked.
    #[inline]
    pub(crate) fn push_event(&mut self, parts: &Parts<'_>, measured: Measured) {
        if self.make_room(measured.len) {
            encode::write_block(parts, measured.shape, &mut self.open);
            self.queue(Queued::Buffered(measured.len), measured.len);
        } else {
            let bytes = encode::parts_to_bytes(parts, measured);
            self.queue(Queued::Own(bytes), measured.len);
        }
    }

    /// Queues bytes that were checked.
    pub(crate) fn push_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() <= LARGE && self.make_room(bytes.len()) {
            self.open.extend_from_slice(bytes);
            self.queue(Queued::Buffered(bytes.len()), bytes.len());
        } else {
            self.queue(Queued::Own(bytes.clone()), bytes.len());
        }
    }

    /// Takes what is queued, within the limit of a chunk.
    #[inline]
    pub(crate) fn pop_chunk(&mut self) -> Option<Bytes> {
        let Queued::Buffered(first) = *self.frames.front()? else {
            return self.pop_own();
        };
        let buffer = self.sealed.front_mut().unwrap_or(&mut self.open);
        let most = self.limits.chunk.min(buffer.len());
        let mut len = first;
        self.frames.pop_front();
        while let Some(&Queued::Buffered(next)) = self.frames.front() {
            if len + next > most {
                break;
            }
            len += next;
            self.frames.pop_front();
        }
        let chunk = buffer.split_to(len).freeze();
        if buffer.is_empty() {
            // Without effect while `open` is the oldest.
            self.sealed.pop_front();
        }
        self.bytes -= len;
        self.shrink();
        Some(chunk)
    }

    /// Drops all that is queued, and the buffers; returns how many frames were lost.
    pub(crate) fn discard(&mut self) -> usize {
        let lost = self.frames.len();
        *self = Self::new(self.limits);
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

    fn queue(&mut self, frame: Queued, len: usize) {
        self.frames.push_back(frame);
        self.bytes += len;
    }

    /// Makes room for `len` bytes behind what is buffered; `false` if they should go elsewhere.
    #[inline]
    fn make_room(&mut self, len: usize) -> bool {
        self.open.capacity() - self.open.len() >= len
            || self.open.try_reclaim(len)
            || self.next_buffer(len)
    }

    #[cold]
    fn next_buffer(&mut self, len: usize) -> bool {
        let wanted = self.open.len() + len;
        if wanted <= BUFFER_MOST {
            let doubled = if self.open.is_empty() {
                self.limits.idle_capacity
            } else {
                self.allocated.saturating_mul(2)
            };
            self.allocated = doubled.clamp(wanted, BUFFER_MOST);
            let mut larger = BytesMut::with_capacity(self.allocated);
            larger.extend_from_slice(&self.open);
            self.open = larger;
            return true;
        }
        if len > LARGE {
            return false;
        }
        self.sealed.push_back(mem::take(&mut self.open));
        self.allocated = BUFFER_MOST;
        self.open = BytesMut::with_capacity(BUFFER_MOST);
        true
    }

    #[inline]
    fn shrink(&mut self) {
        let (len, capacity) = (self.frames.len(), self.frames.capacity());
        if capacity > IDLE_FRAMES && capacity / 4 > len {
            self.frames.shrink_to((2 * len).max(IDLE_FRAMES));
        }
        if len > 0 {
            return;
        }
        if self.allocated > self.limits.idle_capacity {
            self.open = BytesMut::new();
            self.allocated = 0;
        }
        if self.sealed.capacity() > 0 {
            self.sealed = VecDeque::new();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("frames", &self.frames.len())
            .field("bytes", &self.bytes)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
