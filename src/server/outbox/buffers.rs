//! The bytes of the queue.
//!
//! Events are encoded straight into one buffer, and a poll splits its chunk off without a copy. Once
//! the consumer has dropped that chunk, the buffer is used again from its start, so the steady state
//! allocates nothing.
//!
//! A buffer grows to [`MAX_BUFFER`] bytes, then it is sealed and another one begins. No large buffer
//! is ever moved, so the memory held follows the bytes queued. An event above [`LARGE`] that does not
//! fit becomes a chunk of its own, so a sealed buffer wastes less than [`LARGE`] bytes.

use alloc::collections::VecDeque;
use core::mem;

use bytes::{Buf, Bytes, BytesMut};

/// Frames above this size are not copied into a buffer but stay chunks of their own.
pub(super) const LARGE: usize = 4 * 1024;

/// The size of the first buffer, and of the buffer that is kept while nothing is queued.
const IDLE: usize = 4 * 1024;

/// The size of the largest buffer, and so of the largest chunk that holds several frames.
const MAX_BUFFER: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Buffers {
    /// Full buffers, oldest first. None of them is empty.
    sealed: VecDeque<BytesMut>,
    /// The buffer that events are encoded into.
    open: BytesMut,
    /// The size that `open` was allocated with, including what was split off it.
    allocated: usize,
}

impl Buffers {
    /// Returns a buffer with room for `len` more bytes, or `None` if they should be a chunk of their
    /// own.
    #[inline]
    pub(super) fn with_room(&mut self, len: usize) -> Option<&mut BytesMut> {
        let has_room = self.open.capacity() - self.open.len() >= len
            || self.open.try_reclaim(len)
            || self.begin_buffer(len);
        has_room.then_some(&mut self.open)
    }

    #[cold]
    fn begin_buffer(&mut self, len: usize) -> bool {
        let wanted = self.open.len() + len;
        if wanted <= MAX_BUFFER {
            let doubled = if self.open.is_empty() {
                IDLE
            } else {
                self.allocated.saturating_mul(2)
            };
            self.allocated = doubled.clamp(wanted, MAX_BUFFER);
            let mut larger = BytesMut::with_capacity(self.allocated);
            larger.extend_from_slice(&self.open);
            self.open = larger;
            return true;
        }
        if len > LARGE {
            return false;
        }
        self.sealed.push_back(mem::take(&mut self.open));
        self.allocated = MAX_BUFFER;
        self.open = BytesMut::with_capacity(MAX_BUFFER);
        true
    }

    /// Returns the number of bytes in the oldest buffer.
    #[inline]
    pub(super) fn front_len(&self) -> usize {
        self.sealed.front().unwrap_or(&self.open).len()
    }

    /// Takes the first `len` bytes of the oldest buffer.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        let chunk = self.front_mut().split_to(len).freeze();
        self.remove_empty_front();
        chunk
    }

    /// Drops the first `len` bytes of the oldest buffer.
    pub(super) fn drop_front(&mut self, len: usize) {
        self.front_mut().advance(len);
        self.remove_empty_front();
    }

    /// Returns the first `len` bytes of the oldest buffer.
    pub(super) fn front(&self, len: usize) -> &[u8] {
        &self.sealed.front().unwrap_or(&self.open)[..len]
    }

    /// Shrinks after the queue was emptied.
    #[inline]
    pub(super) fn shrink(&mut self) {
        if self.allocated > IDLE {
            self.open = BytesMut::new();
            self.allocated = 0;
        }
        if self.sealed.capacity() > 0 {
            self.sealed = VecDeque::new();
        }
    }

    #[inline]
    fn front_mut(&mut self) -> &mut BytesMut {
        self.sealed.front_mut().unwrap_or(&mut self.open)
    }

    #[inline]
    fn remove_empty_front(&mut self) {
        if self.sealed.front().is_some_and(BytesMut::is_empty) {
            self.sealed.pop_front();
        }
    }
}
