//! The bytes of the queue.
//!
//! Events are encoded straight into one buffer, and what a poll takes is split off it without a
//! copy. Once the consumer has dropped what it took, the buffer is used again from its start, so
//! the steady state allocates nothing.
//!
//! The buffer grows up to [`MOST`] bytes, which is as much as a poll hands out by default. When
//! that is full it is sealed and another one begun: no large buffer is ever moved to a larger
//! place, so the memory held follows the bytes queued. An event above [`LARGE`] that does not fit
//! becomes a chunk of its own, so a sealed buffer wastes less than [`LARGE`] of its bytes.

use alloc::collections::VecDeque;
use core::mem;

use bytes::{Buf, Bytes, BytesMut};

/// Frames above this are not copied into a buffer but stay chunks of their own.
pub(super) const LARGE: usize = 4 * 1024;

/// The largest buffer that is allocated.
const MOST: usize = 64 * 1024;

/// A frame in the queue.
pub(super) enum Queued {
    /// The next bytes of the oldest buffer, behind `skip` dead ones.
    Buffered { skip: usize, len: usize },
    /// A chunk of its own.
    Own(Bytes),
}

impl Queued {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Buffered { len, .. } => *len,
            Self::Own(bytes) => bytes.len(),
        }
    }
}

#[derive(Default)]
pub(super) struct Buffers {
    /// Buffers that are full, oldest first; none is empty.
    sealed: VecDeque<BytesMut>,
    /// The buffer that events are encoded into.
    open: BytesMut,
    /// What `open` was allocated with, including what is split off it.
    allocated: usize,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            sealed: VecDeque::new(),
            open: BytesMut::new(),
            allocated: 0,
        }
    }

    /// Makes room for `len` bytes in `open`; `None` if they should go elsewhere. The first buffer
    /// is of `first` bytes.
    #[inline]
    pub(super) fn make_room(&mut self, len: usize, first: usize) -> Option<&mut BytesMut> {
        let has_room = self.open.capacity() - self.open.len() >= len
            || self.open.try_reclaim(len)
            || self.next_buffer(len, first);
        has_room.then_some(&mut self.open)
    }

    #[cold]
    fn next_buffer(&mut self, len: usize, first: usize) -> bool {
        let wanted = self.open.len() + len;
        if wanted <= MOST {
            let doubled = if self.open.is_empty() {
                first
            } else {
                self.allocated.saturating_mul(2)
            };
            self.allocated = doubled.clamp(wanted, MOST);
            let mut larger = BytesMut::with_capacity(self.allocated);
            larger.extend_from_slice(&self.open);
            self.open = larger;
            return true;
        }
        if len > LARGE {
            return false;
        }
        self.sealed.push_back(mem::take(&mut self.open));
        self.allocated = MOST;
        self.open = BytesMut::with_capacity(MOST);
        true
    }

    /// The oldest buffer.
    #[inline]
    pub(super) fn front_mut(&mut self) -> &mut BytesMut {
        self.sealed.front_mut().unwrap_or(&mut self.open)
    }

    /// Lets go of the oldest buffer if it is empty.
    #[inline]
    pub(super) fn leave_empty_front(&mut self) {
        if self.sealed.front().is_some_and(BytesMut::is_empty) {
            self.sealed.pop_front();
        }
    }

    /// Shrinks, now that nothing is queued, to `idle_capacity` bytes at most.
    #[inline]
    pub(super) fn shrink(&mut self, idle_capacity: usize) {
        if self.allocated > idle_capacity {
            self.open = BytesMut::new();
            self.allocated = 0;
        }
        if self.sealed.capacity() > 0 {
            self.sealed = VecDeque::new();
        }
    }

    /// Goes over `frames`, oldest first, and takes those out that `drops` says, by their bytes.
    pub(super) fn retain(
        &mut self,
        frames: &mut VecDeque<Queued>,
        mut drops: impl FnMut(&[u8]) -> bool,
    ) {
        let mut sweep = Sweep {
            buffers: self,
            index: 0,
            at: 0,
            dead: 0,
        };
        frames.retain_mut(|queued| match queued {
            Queued::Buffered { skip, len } => sweep.keeps(skip, *len, &mut drops),
            Queued::Own(bytes) => !drops(bytes),
        });
        sweep.end_buffer();
        self.sealed.retain(|buffer| !buffer.is_empty());
    }

    /// Moves what lives together, if too much of the memory held is dead.
    ///
    /// Half of it may not be dead before that, or the memory held would be twice the limit: an
    /// eighth may, and 96 KiB. Sealed buffers without holes waste less than a fifteenth, and the
    /// oldest one what polls took of it, so that each time as many bytes have died since the last
    /// as make a seventeenth of those that are moved.
    pub(super) fn compact(&mut self, frames: &mut VecDeque<Queued>, first: usize) {
        let held = self.sealed.len() * MOST;
        if held <= 96 * 1024 {
            return;
        }
        let live = frames.iter().map(|queued| match queued {
            Queued::Buffered { len, .. } => *len,
            Queued::Own(_) => 0,
        });
        let live: usize = live.sum();
        if held <= live + live / 8 + 96 * 1024 {
            return;
        }
        let mut old = mem::take(self);
        for queued in frames {
            let Queued::Buffered { skip, len } = *queued else {
                continue;
            };
            let from = old.front_mut();
            let bytes = &from[skip..skip + len];
            *queued = match self.make_room(len, first) {
                Some(open) => {
                    open.extend_from_slice(bytes);
                    Queued::Buffered { skip: 0, len }
                }
                None => Queued::Own(Bytes::copy_from_slice(bytes)),
            };
            from.advance(skip + len);
            old.leave_empty_front();
        }
    }
}

/// Takes frames out of the middle of the buffers: their bytes stay, dead, and the next frame of the
/// buffer knows how many to skip. Dead bytes at either end of a buffer are cut off.
struct Sweep<'a> {
    buffers: &'a mut Buffers,
    /// Which buffer, and how far in it.
    index: usize,
    at: usize,
    /// Dead bytes in front of `at`.
    dead: usize,
}

impl Sweep<'_> {
    /// Whether a frame stays.
    fn keeps(
        &mut self,
        skip: &mut usize,
        len: usize,
        drops: &mut impl FnMut(&[u8]) -> bool,
    ) -> bool {
        if self.at == self.buffer().len() {
            self.end_buffer();
        }
        let start = self.at + *skip;
        let drops = drops(&self.buffer()[start..start + len]);
        self.at = start + len;
        if drops {
            self.dead += *skip + len;
            return false;
        }
        *skip += mem::take(&mut self.dead);
        if *skip + len == self.at {
            // The first one of its buffer.
            let front = mem::take(skip);
            self.buffer().advance(front);
            self.at = len;
        }
        true
    }

    fn end_buffer(&mut self) {
        let dead = mem::take(&mut self.dead);
        let buffer = self.buffer();
        buffer.truncate(buffer.len() - dead);
        self.index += 1;
        self.at = 0;
    }

    fn buffer(&mut self) -> &mut BytesMut {
        let Buffers { sealed, open, .. } = &mut *self.buffers;
        sealed.get_mut(self.index).unwrap_or(open)
    }
}
