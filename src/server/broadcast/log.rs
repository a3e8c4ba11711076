//! The log: frames in order, with their topics, within the limits of `Retention`.

use alloc::collections::VecDeque;
use core::ops::Range;
use core::time::Duration;

use bytes::Bytes;

use super::options::Retention;
use super::segments::Segments;
use crate::wire::encode::FieldRanges;

/// Frames are numbered from 1.
pub(super) struct Log {
    retention: Retention,
    entries: VecDeque<LogEntry>,
    /// The number of the first entry.
    oldest: u64,
    /// The offset of the first entry.
    start: u64,
    segments: Segments,
    /// Pairs of a frame number and a time: frames from that number on were published at that time.
    times: VecDeque<(u64, Duration)>,
    now: Duration,
}

struct LogEntry {
    end: u64,
    topic: u32,
    event_type: FieldRange,
    id: FieldRange,
    /// The key of the user's id, or of the frame before if this one has none; 0 if there is none.
    key: u128,
}

impl Log {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            segments: Segments::new(retention.max_bytes()),
            retention,
            entries: VecDeque::new(),
            oldest: 1,
            start: 0,
            times: VecDeque::new(),
            now: Duration::ZERO,
        }
    }

    /// Returns the number of the oldest frame kept, or of the next one.
    #[inline]
    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Returns the number that the next frame gets.
    #[inline]
    pub(super) fn head(&self) -> u64 {
        self.oldest + self.entries.len() as u64
    }

    pub(super) fn frames(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.end() - self.start
    }

    /// Returns whether frames must be dropped before `more` bytes fit beside the log.
    #[inline]
    pub(super) fn is_full_for(&self, more: usize) -> bool {
        let is_full = self.entries.len() >= self.retention.max_frames()
            || self.bytes() + more as u64 > self.retention.max_bytes() as u64;
        is_full && !self.entries.is_empty()
    }

    /// Sets the time. Returns whether the oldest frame is too old.
    pub(super) fn is_expired_at(&mut self, now: Duration) -> bool {
        self.now = now.max(self.now);
        let first = self.times.front();
        let age = first.map(|&(_, time)| self.now.saturating_sub(time));
        let is_expired = age > self.retention.max_age() && !self.entries.is_empty();
        if !is_expired {
            self.times.shrink_to(2 * self.times.len() + 4);
            self.entries.shrink_to(2 * self.entries.len() + 64);
        }
        is_expired
    }

    /// Appends a frame, whose bytes `put` appends.
    #[inline]
    pub(super) fn append(
        &mut self,
        put: impl FnOnce(&mut Segments),
        fields: &FieldRanges,
        topic: u32,
        key: u128,
    ) {
        put(&mut self.segments);
        let is_timed = self.retention.max_age().is_some();
        if is_timed {
            self.note_time();
        }
        if self.entries.len() == self.entries.capacity() {
            // Grows by an eighth: this is a part of the memory of a broadcast.
            let more = (self.entries.len() / 8).max(16);
            self.entries.reserve_exact(more);
        }
        self.entries.push_back(LogEntry {
            end: self.segments.end(),
            topic,
            event_type: FieldRange::of(fields.event_type.as_ref()),
            id: FieldRange::of(fields.id.as_ref()),
            key,
        });
    }

    /// Notes when the next frame is published. Times that differ by less than a thousandth of the
    /// largest age count as one, so a clock that always moves does not fill the memory.
    fn note_time(&mut self) {
        let step = self.retention.max_age().unwrap_or_default() / 1024;
        let is_new = |&(_, time): &(u64, Duration)| self.now.saturating_sub(time) > step;
        if self.times.back().is_none_or(is_new) {
            self.times.push_back((self.head(), self.now));
        }
    }

    /// Drops the oldest frame. Returns its number and its topic.
    pub(super) fn pop_oldest(&mut self) -> Option<(u64, u32)> {
        let dropped = self.entries.pop_front()?;
        let number = self.oldest;
        self.oldest += 1;
        self.start = dropped.end;
        self.segments.release(dropped.end);
        if !self.times.is_empty() {
            let next = self.times.get(1).map_or(self.head(), |&(next, _)| next);
            if next <= self.oldest {
                self.times.pop_front();
            }
        }
        Some((number, dropped.topic))
    }

    /// Drops the newest frame. Returns its topic.
    pub(super) fn pop_newest(&mut self) -> Option<u32> {
        let dropped = self.entries.pop_back()?;
        let end = self.entries.back().map_or(self.start, |last| last.end);
        self.segments.truncate(end);
        let head = self.head();
        if self.times.back().is_some_and(|&(number, _)| number >= head) {
            self.times.pop_back();
        }
        Some(dropped.topic)
    }

    /// Returns the key of a frame, if it is kept.
    #[inline]
    pub(super) fn key(&self, number: u64) -> Option<u128> {
        self.entry(number).map(|entry| entry.key)
    }

    /// Returns the number of the first frame that has this key or a larger one, or of the next frame.
    pub(super) fn first_from_key(&self, key: u128) -> u64 {
        self.oldest + self.entries.partition_point(|entry| entry.key < key) as u64
    }

    /// Returns the id of a frame that is kept.
    pub(super) fn id(&self, number: u64) -> Option<&str> {
        let entry = self.entry(number)?;
        entry.id.text(|| self.frame(number))
    }

    /// Returns the event type of a frame that is kept.
    pub(super) fn event_type(&self, number: u64) -> Option<&str> {
        let entry = self.entry(number)?;
        entry.event_type.text(|| self.frame(number))
    }

    /// Returns the bytes of a frame that is kept.
    #[inline]
    pub(super) fn frame(&self, number: u64) -> &[u8] {
        self.segments
            .within_frame(self.offset(number), self.offset(number + 1))
    }

    /// Returns the number of bytes of a frame that is kept.
    #[inline]
    pub(super) fn len(&self, number: u64) -> usize {
        usize::try_from(self.offset(number + 1) - self.offset(number)).unwrap_or(usize::MAX)
    }

    /// Returns the bytes of one frame: a copy, unless it is large.
    pub(super) fn join_one(&self, number: u64) -> Bytes {
        let (start, end) = (self.offset(number), self.offset(number + 1));
        self.segments.bytes(start, end)
    }

    /// Joins the frames with the numbers `from` to `to - 1`, up to about `budget` bytes. Returns the
    /// number of the frame after them.
    pub(super) fn join(&self, from: u64, to: u64, budget: usize) -> (u64, Bytes) {
        let (start, all) = (self.offset(from), self.offset(to));
        let end = self.segments.chunk_end(start, all, budget as u64);
        let next = if end == all {
            to
        } else {
            self.oldest + self.entries.partition_point(|entry| entry.end <= end) as u64
        };
        (next, self.segments.bytes(start, end))
    }

    fn entry(&self, number: u64) -> Option<&LogEntry> {
        let at = number.checked_sub(self.oldest)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// Returns the offset of a frame.
    #[inline]
    fn offset(&self, number: u64) -> u64 {
        let before = number.checked_sub(1).and_then(|before| self.entry(before));
        before.map_or(self.start, |entry| entry.end)
    }
}

/// The range of a field's value in its frame.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FieldRange {
    start: u32,
    len: u32,
}

impl FieldRange {
    /// The frame has no such field.
    const NONE: Self = Self {
        start: u32::MAX,
        len: 0,
    };

    fn of(range: Option<&Range<usize>>) -> Self {
        let Some(range) = range else {
            return Self::NONE;
        };
        // Frames are below 4 GiB: see `Retention`.
        let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            start: short(range.start),
            len: short(range.len()),
        }
    }

    #[inline]
    fn text<'a>(self, frame: impl FnOnce() -> &'a [u8]) -> Option<&'a str> {
        if self == Self::NONE {
            return None;
        }
        let start = self.start as usize;
        let text = frame().get(start..start + self.len as usize)?;
        core::str::from_utf8(text).ok()
    }
}
