//! Joined chunks, for the subscribers whose waiting frames are those of one topic.

use alloc::vec::Vec;

use bytes::Bytes;

/// The largest size of a chunk in bytes, unless it is one larger frame.
pub(super) const BUDGET: usize = 64 * 1024;

/// How many chunks are kept, and how many bytes: groups of subscribers that are at different frames
/// each have one.
const MOST: usize = 16;
const MOST_BYTES: usize = 8 * BUDGET;

/// Some frames of a topic as one chunk.
pub(super) struct Joined {
    pub(super) topic: u32,
    /// The number of the first frame.
    pub(super) first: u64,
    /// The number of the frame after the last.
    pub(super) next: u64,
    /// How many frames they are.
    pub(super) frames: usize,
    pub(super) bytes: Bytes,
}

/// The chunks that other subscribers may come for, oldest first.
#[derive(Default)]
pub(super) struct Joins(Vec<Joined>);

impl Joins {
    /// Finds the chunk that begins at a frame, unless it has less than half of the `waiting` frames.
    /// So a chunk is joined again only once its size would double.
    #[inline]
    pub(super) fn find(&self, topic: u32, first: u64, waiting: usize) -> Option<&Joined> {
        let mut all = self.0.iter().rev();
        let found = all.find(|one| one.first == first && one.topic == topic)?;
        let is_enough = 2 * found.frames >= waiting || 2 * found.bytes.len() >= BUDGET;
        is_enough.then_some(found)
    }

    /// Returns the newest chunk, and the number after its last frame, if it is that of a topic from a
    /// frame to another.
    #[inline]
    pub(super) fn newest(&self, topic: u32, first: u64, end: Option<u64>) -> Option<(u64, Bytes)> {
        let one = self.0.last()?;
        let is_it = one.first == first && Some(one.next) == end && one.topic == topic;
        is_it.then(|| (one.next, one.bytes.clone()))
    }

    /// Keeps a chunk, in the place of one that begins at the same frame.
    pub(super) fn keep(&mut self, joined: Joined) {
        let is_other = |one: &Joined| one.first != joined.first || one.topic != joined.topic;
        self.0.retain(is_other);
        if joined.bytes.len() > MOST_BYTES {
            return;
        }
        let mut bytes: usize = self.0.iter().map(|one| one.bytes.len()).sum();
        while self.0.len() == MOST || bytes + joined.bytes.len() > MOST_BYTES && !self.0.is_empty()
        {
            bytes -= self.0.remove(0).bytes.len();
        }
        self.0.push(joined);
    }

    /// Drops the chunks of a topic whose members have read everything.
    #[inline]
    pub(super) fn forget(&mut self, topic: u32) {
        if !self.0.is_empty() {
            self.0.retain(|one| one.topic != topic);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
