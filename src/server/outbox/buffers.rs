//! The bytes of the queue.
//!
//! Events are encoded straight into one buffer, and a poll splits its chunk off without a copy.
//! Once the consumer has dropped that chunk, the buffer is used again from its start, so the steady
//! state allocates nothing.
//!
//! A buffer grows to [`MAX_BUFFER`] bytes, then it is sealed and another one begins. No large
//! buffer is ever moved, so the memory held follows the bytes queued. An event above [`LARGE`] that
//! does not fit becomes a chunk of its own, so a sealed buffer wastes less than [`LARGE`] bytes.

use alloc::collections::VecDeque;
use core::mem;
use core::ops::Range;

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
    /// Returns a buffer with room for `len` more bytes, or `None` if they should be a chunk of
    /// their own.
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

    /// Returns the buffer number `index`, oldest first.
    pub(super) fn get(&self, index: usize) -> &BytesMut {
        self.sealed.get(index).unwrap_or(&self.open)
    }

    /// Drops bytes in the middle of the buffer number `index` and moves the following bytes
    /// forward. Returns their new position: the number of their buffer and the offset in it.
    ///
    /// A sealed buffer takes no more bytes. Once more than a ninth of it is unused, a copy of the
    /// right size replaces it, so the memory held still follows the bytes queued.
    pub(super) fn drop_within(&mut self, index: usize, range: Range<usize>) -> (usize, usize) {
        let is_sealed = index < self.sealed.len();
        let buffer = self.sealed.get_mut(index).unwrap_or(&mut self.open);
        buffer.copy_within(range.end.., range.start);
        let len = buffer.len() - range.len();
        buffer.truncate(len);
        if !is_sealed || 9 * len >= 8 * buffer.capacity() {
            return (index, range.start);
        }
        let rest = mem::take(buffer);
        self.sealed.remove(index);
        // The copy goes to the end of the older buffer if both fit into one.
        let older = index.checked_sub(1).and_then(|at| self.sealed.get_mut(at));
        if let Some(older) = older.filter(|older| older.len() + len <= MAX_BUFFER) {
            let start = older.len() + range.start;
            let mut both = BytesMut::with_capacity(older.len() + len);
            both.extend_from_slice(older);
            both.extend_from_slice(&rest);
            *older = both;
            return (index - 1, start);
        }
        if len > 0 {
            self.sealed.insert(index, BytesMut::from(&rest[..]));
        }
        (index, range.start)
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
