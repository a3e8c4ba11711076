//! The log: frames in order, how far each was read, and what goes.
//!
//! How many subscribers stand at a frame is counted at the frame, so a subscriber needs no entry in
//! any list, and who falls off the tail is known at once.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use bytes::Bytes;

use super::chunk::Chunk;
use super::ids::{NO_ID, Remembered};
use super::place::Place;
use super::retention::Retention;
use super::scope::Scope;
use super::segments::Segments;
use crate::wire::encode::FieldRanges;

/// Frames are numbered from 1; a cursor is the number of the next frame to read.
pub(super) struct Log {
    retention: Retention,
    pub(super) entries: VecDeque<Entry>,
    /// The number of the first entry.
    pub(super) oldest: u64,
    /// Where the first entry begins.
    pub(super) start: u64,
    pub(super) segments: Segments,
    pub(super) remembered: Remembered,
    /// The last join of several frames, for the next at the same place.
    pub(super) join: Option<Chunk>,
    /// How many have read all.
    pub(super) at_head: u32,
    /// How many stand in front of the oldest frame, and do not know yet.
    pub(super) fallen: usize,
    /// Since which frame which time was the last one given.
    times: VecDeque<(u64, Duration)>,
    /// The last one given.
    now: Option<Duration>,
    /// The number of the last frame that has a scope; 0 if there was none.
    last_scoped: u64,
}

pub(super) struct Entry {
    pub(super) end: u64,
    hash: u64,
    pub(super) scope: Option<Scope>,
    readers: u32,
    pub(super) event_type: Place,
    pub(super) id: Place,
}

impl Log {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            entries: VecDeque::new(),
            oldest: 1,
            start: 0,
            segments: Segments::new(retention.bytes()),
            remembered: Remembered::new(retention.remembered_ids()),
            join: None,
            at_head: 0,
            fallen: 0,
            times: VecDeque::new(),
            now: None,
            last_scoped: 0,
        }
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// The number that the next frame gets.
    pub(super) fn head(&self) -> u64 {
        self.oldest + self.entries.len() as u64
    }

    pub(super) fn frames(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.end() - self.start
    }

    pub(super) fn is_large(&self, len: usize) -> bool {
        self.segments.is_large(len)
    }

    /// Whether a frame from this one on may have a scope.
    pub(super) fn has_scopes_from(&self, number: u64) -> bool {
        self.last_scoped >= number
    }

    /// Makes room for a frame that is within the limits and not large, and has it written.
    #[inline]
    pub(super) fn append(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
        about: About<'_>,
    ) {
        self.make_room(len);
        self.segments.append(len, write);
        self.enter(about);
    }

    /// As `append`, for bytes that are large.
    pub(super) fn append_own(&mut self, bytes: Bytes, about: About<'_>) {
        self.make_room(bytes.len());
        self.segments.append_own(bytes);
        self.enter(about);
    }

    fn make_room(&mut self, len: usize) {
        while self.entries.len() >= self.retention.frames() {
            self.drop_oldest();
        }
        while self.bytes() + len as u64 > self.retention.bytes() as u64 && !self.entries.is_empty()
        {
            self.drop_oldest();
        }
    }

    #[inline]
    fn enter(&mut self, about: About<'_>) {
        let number = self.head();
        let (id, end) = (Place::of(about.places.id.as_ref()), self.segments.end());
        let mut hash = NO_ID;
        if about.finds_id && id.len > 0 {
            let start = self.entries.back().map_or(self.start, |last| last.end);
            let start = start + u64::from(id.start);
            let text = self.segments.within_frame(start, start + u64::from(id.len));
            hash = self.remembered.hash(text);
        }
        let now = self.now.unwrap_or_default();
        if self.retention.age().is_some() && self.times.back().is_none_or(|&(_, time)| time < now) {
            self.times.push_back((number, now));
        }
        self.entries.push_back(Entry {
            end,
            hash,
            // Put in behind: with something to drop, the entry would be made first and copied then.
            scope: None,
            readers: mem::take(&mut self.at_head),
            event_type: Place::of(about.places.event_type.as_ref()),
            id,
        });
        if about.scope.is_some() {
            self.last_scoped = number;
            if let Some(entry) = self.entries.back_mut() {
                entry.scope = about.scope;
            }
        }
    }

    fn drop_oldest(&mut self) {
        let Some(gone) = self.entries.pop_front() else {
            return;
        };
        self.fallen += gone.readers as usize;
        if self
            .join
            .as_ref()
            .is_some_and(|join| join.from == self.oldest)
        {
            self.join = None;
        }
        self.remembered.remember(gone.hash, self.oldest, gone.scope);
        self.oldest += 1;
        self.start = gone.end;
        self.segments.release(gone.end);
    }

    /// Takes the time; frames that are older than their age go.
    pub(super) fn advance(&mut self, now: Duration) {
        if self.now.is_none() {
            // The clock may have begun long ago: what is here is of this time.
            self.times.iter_mut().for_each(|(_, time)| *time = now);
        }
        let now = self.now.map_or(now, |last| last.max(now));
        self.now = Some(now);
        let Some(age) = self.retention.age() else {
            return;
        };
        while let Some(&(_, time)) = self.times.front() {
            let until = self.times.get(1).map_or(self.head(), |&(number, _)| number);
            if now.saturating_sub(time) <= age && until > self.oldest {
                break;
            }
            while self.oldest < until {
                self.drop_oldest();
            }
            self.times.pop_front();
        }
        self.times.shrink_to(2 * self.times.len() + 4);
        let (len, capacity) = (self.entries.len(), self.entries.capacity());
        if capacity > 64 && capacity / 4 > len {
            self.entries.shrink_to(2 * len);
        }
    }

    /// Counts one more who stands at `cursor`.
    #[inline]
    pub(super) fn arrive(&mut self, cursor: u64) {
        match self.readers(cursor) {
            Some(readers) => *readers += 1,
            None => self.fallen += 1,
        }
    }

    /// Counts one less who stands at `cursor`; returns whether it was the last.
    #[inline]
    pub(super) fn leave(&mut self, cursor: u64) -> bool {
        if let Some(readers) = self.readers(cursor) {
            *readers -= 1;
            return *readers == 0;
        }
        self.fallen -= 1;
        false
    }

    /// How many stand at `cursor`; `None` in front of the oldest frame.
    #[inline]
    fn readers(&mut self, cursor: u64) -> Option<&mut u32> {
        let at = usize::try_from(cursor.checked_sub(self.oldest)?).ok()?;
        match self.entries.get_mut(at) {
            Some(entry) => Some(&mut entry.readers),
            None => Some(&mut self.at_head),
        }
    }

    /// Where the one stands who is farthest behind, of those who still are in the log.
    pub(super) fn slowest(&self) -> Option<u64> {
        let at = self.entries.iter().position(|entry| entry.readers > 0);
        match at {
            Some(at) => Some(self.oldest + at as u64),
            None => (self.at_head > 0).then(|| self.head()),
        }
    }

    /// Where a frame begins.
    #[inline]
    pub(super) fn offset(&self, number: u64) -> u64 {
        let before = self.place(number).checked_sub(1);
        before
            .and_then(|at| self.entries.get(at))
            .map_or(self.start, |entry| entry.end)
    }

    #[inline]
    pub(super) fn place(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.oldest)).unwrap_or(usize::MAX)
    }

    /// Returns the id of a frame that is here.
    pub(super) fn id(&self, number: u64) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(self.oldest)?).ok()?;
        let entry = self.entries.get(at)?;
        let start = self.offset(number);
        let frame = self.segments.within_frame(start, entry.end);
        entry.id.text(frame)
    }

    /// The numbers and the hashes of the ids of what is remembered and of what is here, from a number on.
    pub(super) fn ids_from(&self, number: u64) -> impl Iterator<Item = (u64, u64)> {
        let first = number.max(self.oldest);
        let here = self
            .entries
            .range(self.place(first).min(self.entries.len())..);
        let here = (first..).zip(here.map(|entry| entry.hash));
        self.remembered.from(number).chain(here)
    }

    /// Whether a frame had this id; of one that is gone, the hash is all there is of it.
    pub(super) fn has_id(&self, number: u64, id: &str) -> bool {
        if number >= self.oldest {
            return self.id(number) == Some(id);
        }
        let hash = self.remembered.hash(id.as_bytes());
        self.remembered.from(number).next() == Some((number, hash))
    }

    /// Returns whose a frame is, also one that is gone: `Err` if that is forgotten.
    pub(super) fn scope(&self, number: u64) -> Result<Option<&Scope>, ()> {
        let at = number.checked_sub(self.oldest);
        match at.and_then(|at| self.entries.get(usize::try_from(at).ok()?)) {
            Some(entry) => Ok(entry.scope.as_ref()),
            None => self.remembered.scope_of_gone(number),
        }
    }

    /// Returns the numbers of the frames that are here.
    pub(super) fn numbers(&self) -> core::ops::Range<u64> {
        self.oldest..self.head()
    }
}

/// What is noted of a frame beside its bytes.
pub(super) struct About<'a> {
    pub(super) places: &'a FieldRanges,
    /// Whether its id is to be noted; those that are assigned need not be.
    pub(super) finds_id: bool,
    pub(super) scope: Option<Scope>,
}
