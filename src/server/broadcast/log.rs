//! The log: frames in order, the number of subscribers at each, and the last joined chunk.
//!
//! The number of subscribers at a frame is counted at the frame. So a subscriber needs no entry in
//! a list, and the subscribers that lag are known as soon as their frame is dropped.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use core::time::Duration;

use bytes::Bytes;

use super::chunk::{BUDGET, FieldRange, Joined, JoinedFrame, Selection};
use super::ids::{AssignedId, NO_ID, RememberedIds};
use super::options::{ID_AFTER, Retention, Scope};
use super::segments::Segments;
use crate::wire::encode::FieldRanges;

/// Frames are numbered from 1. A cursor is the number of the next frame to read.
pub(super) struct Log {
    retention: Retention,
    /// The epoch of the ids, if they are assigned. Such an id is found by its number.
    epoch: Option<u64>,
    entries: VecDeque<LogEntry>,
    /// The number of the first entry.
    oldest: u64,
    /// The offset of the first entry.
    start: u64,
    segments: Segments,
    remembered: RememberedIds,
    /// The last chunk that was joined, for other subscribers at the same cursor.
    joined: Joined,
    /// The number of subscribers that have read everything.
    at_head: u32,
    /// The number of subscribers whose next frame was dropped, and that have not ended or skipped
    /// ahead yet.
    fallen: u32,
    /// Pairs of a frame number and a time: frames from that number on were published at that time.
    times: VecDeque<(u64, Duration)>,
    now: Option<Duration>,
    /// The number of the last frame with a scope; 0 if there is none.
    last_scoped: u64,
}

struct LogEntry {
    end: u64,
    hash: u64,
    scope: Option<Scope>,
    /// The number of subscribers whose next frame this is.
    readers: u32,
    event_type: FieldRange,
    id: FieldRange,
}

/// The maximum number of frames that are inspected for one subscriber under the lock.
const MOST_LOOKED_AT: u64 = 256;

impl Log {
    pub(super) fn new(retention: Retention, epoch: Option<u64>) -> Self {
        Self {
            segments: Segments::new(retention.max_bytes),
            remembered: RememberedIds::new(retention.remembered_ids),
            retention,
            epoch,
            entries: VecDeque::new(),
            oldest: 1,
            start: 0,
            joined: Joined::default(),
            at_head: 0,
            fallen: 0,
            times: VecDeque::new(),
            now: None,
            last_scoped: 0,
        }
    }

    /// Returns the number of the oldest frame kept, or of the next one.
    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Returns the number that the next frame gets.
    pub(super) fn head(&self) -> u64 {
        self.oldest + self.entries.len() as u64
    }

    pub(super) fn frames(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.end() - self.start
    }

    /// Returns the number of subscribers that lag and have not ended or skipped ahead yet.
    pub(super) fn fallen(&self) -> u32 {
        self.fallen
    }

    /// Returns the smallest cursor that is in the log.
    pub(super) fn slowest(&self) -> Option<u64> {
        let at = self.entries.iter().position(|entry| entry.readers > 0);
        let at_head = (self.at_head > 0).then_some(self.entries.len());
        at.or(at_head).map(|at| self.oldest + at as u64)
    }

    pub(super) fn remembered(&self) -> &RememberedIds {
        &self.remembered
    }

    pub(super) fn is_large(&self, len: usize) -> bool {
        self.segments.is_large(len)
    }

    /// Appends a frame of `len` bytes that is within the limits and not large.
    #[inline]
    pub(super) fn append(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
        places: &FieldRanges,
        scope: Option<&Scope>,
    ) {
        self.make_room(len);
        self.segments.append(len, write);
        self.enter(places, scope);
    }

    /// Appends a frame that is within the limits and large.
    pub(super) fn append_large(
        &mut self,
        bytes: Bytes,
        places: &FieldRanges,
        scope: Option<&Scope>,
    ) {
        self.make_room(bytes.len());
        self.segments.append_segment(bytes);
        self.enter(places, scope);
    }

    fn make_room(&mut self, len: usize) {
        while self.entries.len() >= self.retention.max_frames {
            self.drop_oldest();
        }
        let max_bytes = self.retention.max_bytes as u64;
        while self.bytes() + len as u64 > max_bytes && !self.entries.is_empty() {
            self.drop_oldest();
        }
    }

    #[inline]
    fn enter(&mut self, places: &FieldRanges, scope: Option<&Scope>) {
        let number = self.head();
        let id = FieldRange::of(places.id.as_ref());
        let mut hash = NO_ID;
        if self.epoch.is_none() && id.len > 0 {
            let start = self.entries.back().map_or(self.start, |last| last.end);
            let start = start + u64::from(id.start);
            let text = self.segments.within_frame(start, start + u64::from(id.len));
            hash = self.remembered.hash(text);
        }
        let now = self.now.unwrap_or_default();
        let is_timed = self.retention.max_age.is_some();
        if is_timed && self.times.back().is_none_or(|&(_, time)| time < now) {
            self.times.push_back((number, now));
        }
        self.entries.push_back(LogEntry {
            end: self.segments.end(),
            hash,
            // Set in place: a value with a destructor would be built first, then copied.
            scope: None,
            readers: mem::take(&mut self.at_head),
            event_type: FieldRange::of(places.event_type.as_ref()),
            id,
        });
        if let (Some(_), Some(entry)) = (scope, self.entries.back_mut()) {
            self.last_scoped = number;
            entry.scope = scope.cloned();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(dropped) = self.entries.pop_front() else {
            return;
        };
        self.fallen += dropped.readers;
        self.forget_joined(self.oldest);
        self.remembered
            .remember(dropped.hash, self.oldest, dropped.scope);
        self.oldest += 1;
        self.start = dropped.end;
        self.segments.release(dropped.end);
    }

    /// Sets the time, and drops the frames that are too old.
    pub(super) fn advance(&mut self, now: Duration) {
        if self.now.is_none() {
            // On the first call, all frames in the log get this time.
            self.times.iter_mut().for_each(|(_, time)| *time = now);
        }
        let now = self.now.map_or(now, |last| last.max(now));
        self.now = Some(now);
        let Some(max_age) = self.retention.max_age else {
            return;
        };
        while let Some(&(_, time)) = self.times.front() {
            let until = self.times.get(1).map_or(self.head(), |&(number, _)| number);
            if now.saturating_sub(time) <= max_age && until > self.oldest {
                break;
            }
            while self.oldest < until {
                self.drop_oldest();
            }
            self.times.pop_front();
        }
        self.times.shrink_to(2 * self.times.len() + 4);
        self.entries.shrink_to(2 * self.entries.len() + 64);
    }

    /// Counts one more subscriber at `cursor`.
    #[inline]
    pub(super) fn arrive(&mut self, cursor: u64) {
        *self.readers(cursor) += 1;
    }

    /// Counts one subscriber fewer at `cursor`. Drops the joined chunk there when the last
    /// subscriber leaves.
    #[inline]
    pub(super) fn leave(&mut self, cursor: u64) {
        let readers = self.readers(cursor);
        *readers -= 1;
        if *readers == 0 {
            self.forget_joined(cursor);
        }
    }

    /// Moves a subscriber to another cursor.
    #[inline]
    pub(super) fn pass(&mut self, cursor: u64, next: u64) {
        self.leave(cursor);
        self.arrive(next);
    }

    /// Returns the count of subscribers at `cursor`, or of all lagging subscribers if that frame
    /// was dropped.
    #[inline]
    fn readers(&mut self, cursor: u64) -> &mut u32 {
        if cursor < self.oldest {
            return &mut self.fallen;
        }
        let index = self.index(cursor);
        let entry = self.entries.get_mut(index);
        entry.map_or(&mut self.at_head, |entry| &mut entry.readers)
    }

    /// Moves a subscriber over the next chunk. Returns the chunk and the new cursor. There must be
    /// a frame at `cursor`.
    #[inline]
    pub(super) fn take(&mut self, cursor: u64) -> (u64, Bytes) {
        let next = self.join(cursor).next;
        // The first clone of a chunk allocates, so the last subscriber takes the chunk itself.
        let bytes = match *self.readers(cursor) {
            1 => mem::take(&mut self.joined).bytes,
            _ => self.joined.bytes.clone(),
        };
        self.pass(cursor, next);
        (next, bytes)
    }

    /// Like [`take`](Self::take), but without the frames that have a scope. The chunk may be empty.
    pub(super) fn take_public(&mut self, cursor: u64) -> (u64, Bytes) {
        self.join(cursor);
        let public = self.joined.public.take();
        let (next, bytes) = public.unwrap_or_else(|| self.select_public());
        self.joined.public = Some((next, bytes.clone()));
        self.pass(cursor, next);
        (next, bytes)
    }

    /// Returns whether the next chunk has frames of a scope, or too many frames to inspect.
    pub(super) fn may_have(&mut self, cursor: u64, scope: &Scope) -> bool {
        let next = self.join(cursor).next;
        let mut entries = self.entries.range(self.range(cursor, next));
        let is_same = |one: &Scope| one.as_str() == scope.as_str();
        next - cursor > MOST_LOOKED_AT
            || entries.any(|entry| entry.scope.as_ref().is_some_and(is_same))
    }

    /// Returns the public part of the joined chunk, and the number of the frame after it.
    fn select_public(&self) -> (u64, Bytes) {
        let joined = &self.joined;
        let (start, mut from) = (self.offset(joined.from), 0);
        let mut selection = Selection::new(&joined.bytes);
        let entries = self.entries.range(self.range(joined.from, joined.next));
        for (entry, number) in entries.zip(joined.from..) {
            let to = usize::try_from(entry.end - start).unwrap_or(usize::MAX);
            let fits = match (&entry.scope, self.epoch) {
                (None, _) => selection.put(from, to),
                (Some(_), None) => selection.skip(),
                (Some(_), Some(epoch)) => {
                    selection.skip_assigned(AssignedId::place(epoch, number), ID_AFTER)
                }
            };
            if !fits {
                return (number, selection.finish());
            }
            from = to;
        }
        (joined.next, selection.finish())
    }

    /// Returns the next chunk and the metadata of its frames. There must be a frame at `cursor`.
    pub(super) fn look(&mut self, cursor: u64) -> (Joined, Arc<[JoinedFrame]>) {
        let next = self.join(cursor).next;
        let frames = self.joined.frames.take();
        let frames = frames.unwrap_or_else(|| self.frames_between(cursor, next));
        self.joined.frames = Some(Arc::clone(&frames));
        (self.joined.clone(), frames)
    }

    fn frames_between(&self, from: u64, next: u64) -> Arc<[JoinedFrame]> {
        let start = self.offset(from);
        let entries = self.entries.range(self.range(from, next));
        let frames = entries.map(|entry| JoinedFrame {
            end: usize::try_from(entry.end - start).unwrap_or(usize::MAX),
            event_type: entry.event_type,
            id: entry.id,
            scope: entry.scope.clone(),
        });
        frames.collect()
    }

    /// Joins the frames at `cursor`. Reuses the last chunk if it begins there and covers most of
    /// them.
    #[inline]
    fn join(&mut self, cursor: u64) -> &Joined {
        let (head, last) = (self.head(), &self.joined);
        // While events keep arriving, the chunk is rebuilt only once its size would double.
        let waiting = || (self.segments.end() - self.offset(cursor)).min(BUDGET as u64);
        let fits =
            last.from == cursor && (last.next == head || 2 * last.bytes.len() as u64 >= waiting());
        if !fits {
            self.joined = self.make_joined(cursor);
        }
        &self.joined
    }

    #[cold]
    fn make_joined(&self, cursor: u64) -> Joined {
        let start = self.offset(cursor);
        let end = self.segments.chunk_end(start, BUDGET as u64);
        let next = if end == self.segments.end() {
            self.head()
        } else {
            let before = self.entries.partition_point(|entry| entry.end <= end);
            self.oldest + before as u64
        };
        Joined {
            from: cursor,
            next,
            bytes: self.segments.bytes(start, end),
            frames: None,
            public: None,
        }
    }

    fn forget_joined(&mut self, cursor: u64) {
        if self.joined.from == cursor {
            self.joined = Joined::default();
        }
    }

    /// Returns whether a frame from this number on may have a scope.
    pub(super) fn has_scopes_from(&self, number: u64) -> bool {
        self.last_scoped >= number
    }

    /// Returns the id of a frame that is kept.
    pub(super) fn id(&self, number: u64) -> Option<&str> {
        let entry = self.entry(number)?;
        let frame = self.segments.within_frame(self.offset(number), entry.end);
        entry.id.text(frame)
    }

    /// Returns the numbers of the frames that are kept or remembered, and the hashes of their ids,
    /// starting at a number.
    pub(super) fn ids_starting_at(&self, number: u64) -> impl Iterator<Item = (u64, u64)> {
        let first = number.max(self.oldest);
        let kept = self.index(first).min(self.entries.len())..;
        let kept = self.entries.range(kept);
        let kept = (first..).zip(kept.map(|entry| entry.hash));
        self.remembered.starting_at(number).chain(kept)
    }

    /// Returns whether a frame had this id. For a dropped frame, only the hash is compared.
    pub(super) fn has_id(&self, number: u64, id: &str) -> bool {
        if number >= self.oldest {
            return self.id(number) == Some(id);
        }
        let hash = self.remembered.hash(id.as_bytes());
        self.remembered.starting_at(number).next() == Some((number, hash))
    }

    /// Returns the scope of a kept or dropped frame, or `Err` if it is forgotten.
    pub(super) fn scope(&self, number: u64) -> Result<Option<&Scope>, ()> {
        match self.entry(number) {
            Some(entry) => Ok(entry.scope.as_ref()),
            None => self.remembered.scope(number),
        }
    }

    fn entry(&self, number: u64) -> Option<&LogEntry> {
        let at = number.checked_sub(self.oldest)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// Returns the offset of a frame.
    #[inline]
    fn offset(&self, number: u64) -> u64 {
        let before = self.index(number).checked_sub(1);
        before
            .and_then(|at| self.entries.get(at))
            .map_or(self.start, |entry| entry.end)
    }

    /// Returns the indexes of the entries with these numbers.
    fn range(&self, from: u64, next: u64) -> Range<usize> {
        self.index(from)..self.index(next)
    }

    #[inline]
    fn index(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.oldest)).unwrap_or(usize::MAX)
    }
}
