//! The bytes of the log. An offset is the number of bytes ever appended before it.
//!
//! Events are encoded directly into the last segment, which is open. Bytes read from it are copied,
//! once for all subscribers at the same place. A subscriber that is far behind gets a slice of a
//! full segment, without a copy and without work for each frame. A large frame is a segment of its
//! own and is never copied.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use bytes::Bytes;

/// The largest size of a segment of several frames.
const MOST: usize = 64 * 1024;

/// The smallest size of a segment, so that the overhead of a segment stays small relative to its
/// bytes. Also the largest buffer that an empty log keeps.
const LEAST: usize = 4 * 1024;

pub(super) struct Segments {
    /// The full segments, oldest first, without gaps.
    sealed: VecDeque<Segment>,
    open: Vec<u8>,
    /// Where `open` begins.
    open_start: u64,
    /// The size of a full segment.
    most: usize,
}

struct Segment {
    start: u64,
    bytes: Bytes,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Segments {
    /// Makes segments of an eighth of `max_bytes`: bytes are freed by whole segments.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            sealed: VecDeque::new(),
            open: Vec::new(),
            open_start: 0,
            most: Self::most(max_bytes),
        }
    }

    fn most(max_bytes: usize) -> usize {
        (max_bytes / 8).clamp(LEAST, MOST)
    }

    /// Returns whether a frame should be a segment of its own.
    pub(super) fn is_large(max_bytes: usize, len: usize) -> bool {
        len > Self::most(max_bytes) / 4
    }

    /// Returns the offset of the next byte.
    pub(super) fn end(&self) -> u64 {
        self.open_start + self.open.len() as u64
    }

    /// Appends a frame of `len` bytes, which `write` writes.
    #[inline]
    pub(super) fn append(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.open.capacity() - self.open.len() < len || self.open.len() + len > self.most {
            self.grow(len);
        }
        write(&mut self.open);
    }

    /// Appends an encoded frame. A large one is a segment of its own, without a copy.
    pub(super) fn append_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() <= self.most / 4 {
            return self.append(bytes.len(), |out| out.extend_from_slice(bytes));
        }
        self.seal();
        self.push(bytes.clone());
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        if self.open.len() + len > self.most {
            self.seal();
        }
        // A log of several segments will fill this one, too.
        let wanted = if self.sealed.is_empty() {
            (2 * self.open.capacity()).clamp(512, self.most)
        } else {
            self.most
        };
        let wanted = wanted.max(self.open.len() + len);
        self.open.reserve_exact(wanted - self.open.len());
    }

    fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let mut bytes = mem::take(&mut self.open);
        if bytes.capacity() - bytes.len() > bytes.len() / 16 {
            bytes.shrink_to_fit();
        }
        self.push(Bytes::from(bytes));
    }

    fn push(&mut self, bytes: Bytes) {
        let start = self.open_start;
        self.open_start += bytes.len() as u64;
        self.sealed.push_back(Segment { start, bytes });
    }

    /// Frees the segments that end at or before `offset`.
    #[inline]
    pub(super) fn release(&mut self, offset: u64) {
        let end = self.sealed.front().map_or(self.end(), Segment::end);
        if end <= offset {
            self.free(offset);
        }
    }

    #[cold]
    fn free(&mut self, offset: u64) {
        while self
            .sealed
            .front()
            .is_some_and(|first| first.end() <= offset)
        {
            self.sealed.pop_front();
        }
        if self.sealed.is_empty() && offset == self.end() {
            self.open_start = offset;
            self.open.clear();
            if self.open.capacity() > LEAST {
                self.open = Vec::new();
            }
        }
        let (len, capacity) = (self.sealed.len(), self.sealed.capacity());
        if capacity > 32 && capacity / 4 > len {
            self.sealed.shrink_to(2 * len);
        }
    }

    /// Drops the bytes after `offset`.
    pub(super) fn truncate(&mut self, offset: u64) {
        if offset >= self.open_start {
            self.open
                .truncate(span(self.open_start, offset, self.open_start).end);
            return;
        }
        self.open.clear();
        while self.sealed.back().is_some_and(|last| last.start >= offset) {
            self.sealed.pop_back();
        }
        if let Some(last) = self.sealed.back_mut() {
            last.bytes
                .truncate(span(last.start, offset, last.start).end);
        }
        self.open_start = offset;
    }

    /// Returns the end of a chunk that begins at `from`: `end` if that is within `budget`, otherwise
    /// the end of a segment, so that the next chunks are whole segments.
    pub(super) fn chunk_end(&self, from: u64, end: u64, budget: u64) -> u64 {
        if end - from <= budget {
            return end;
        }
        let first = self.segment_of(from);
        let mut ends = self.sealed.range(first..).map(Segment::end);
        // The open segment alone is within any budget, so there is a full one.
        let first = ends.next().unwrap_or(end);
        let ends = ends.take_while(|end| end - from <= budget);
        ends.last().unwrap_or(first).min(end)
    }

    /// Returns the bytes in a range: a slice if they are one large piece of a full segment,
    /// otherwise a copy. A slice of a small piece would keep the whole segment in memory.
    pub(super) fn bytes(&self, from: u64, to: u64) -> Bytes {
        if from >= self.open_start {
            return Bytes::copy_from_slice(self.in_open(from, to));
        }
        let first = self.segment_of(from);
        if let Some(segment) = self.sealed.get(first).filter(|one| to <= one.end()) {
            let piece = span(from, to, segment.start);
            if piece.len() >= segment.bytes.len() / 4 {
                return segment.bytes.slice(piece);
            }
        }
        let mut copy = Vec::with_capacity(usize::try_from(to - from).unwrap_or(0));
        for segment in self.sealed.range(first..) {
            let (start, end) = (from.max(segment.start), to.min(segment.end()));
            if start >= end {
                break;
            }
            copy.extend_from_slice(&segment.bytes[span(start, end, segment.start)]);
        }
        if to > self.open_start {
            copy.extend_from_slice(self.in_open(from.max(self.open_start), to));
        }
        Bytes::from(copy)
    }

    /// Returns the bytes of a part of one frame. A frame is never in two segments.
    pub(super) fn within_frame(&self, from: u64, to: u64) -> &[u8] {
        if from >= self.open_start {
            return self.in_open(from, to);
        }
        let segment = self.sealed.get(self.segment_of(from));
        segment.map_or(&[], |one| &one.bytes[span(from, to, one.start)])
    }

    fn in_open(&self, from: u64, to: u64) -> &[u8] {
        &self.open[span(from, to, self.open_start)]
    }

    /// Returns the index of the sealed segment that has the byte at `offset`.
    fn segment_of(&self, offset: u64) -> usize {
        let after = self.sealed.partition_point(|one| one.start <= offset);
        after.saturating_sub(1)
    }
}

fn span(from: u64, to: u64, start: u64) -> Range<usize> {
    // Both offsets are within one allocation, so the difference fits in `usize`.
    let index = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
    index(from)..index(to)
}
