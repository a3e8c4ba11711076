//! What is read of the log: chunks, and the last of them shared.
//!
//! Frames are joined when the first reader asks, and the join is kept for those behind it at the same
//! place: a burst is joined once for all, whoever of them is the fastest.

use alloc::sync::Arc;

use bytes::Bytes;

use super::chunk::{BUDGET, Chunk, Known};
use super::log::Log;
use super::options::ID_AFTER;
use super::picked::Picked;
use super::scope::Scope;

/// So many frames of a chunk are looked at under the lock, for each subscriber.
const MOST_LOOKED_AT: usize = 256;

impl Log {
    /// Moves one from `cursor` over the next chunk, and returns it and where it ends. There must be
    /// a frame.
    #[inline]
    pub(super) fn take(&mut self, cursor: u64) -> (u64, Bytes) {
        self.join(cursor);
        let last = self.leave(cursor);
        let (next, bytes) = match &self.join {
            Some(join) if !last => (join.next, join.bytes.clone()),
            // Nobody is left for the join: its memory is not kept.
            _ => self
                .join
                .take()
                .map_or((cursor, Bytes::new()), |join| (join.next, join.bytes)),
        };
        self.arrive(next);
        (next, bytes)
    }

    /// As [`take`](Self::take), without what has a scope: which may leave nothing. `None`, and nothing
    /// has changed, if there are frames of `mine` in the chunk, or too many to look for those.
    pub(super) fn take_everybodys(
        &mut self,
        cursor: u64,
        mine: Option<&Scope>,
        epoch: Option<u64>,
    ) -> Option<(u64, Bytes)> {
        self.join(cursor);
        let (next, bytes) = self.join.as_ref().map(|join| (join.next, &join.bytes))?;
        let range = self.place(cursor)..self.place(next);
        if let Some(mine) = mine {
            let mut frames = self.entries.range(range.clone());
            let looks = range.len() <= MOST_LOOKED_AT;
            if !looks || frames.any(|entry| entry.scope.as_ref() == Some(mine)) {
                return None;
            }
        }
        let everybodys = self.join.as_ref().and_then(|join| join.everybodys.clone());
        let (next, everybodys) = everybodys.unwrap_or_else(|| {
            let (start, mut from) = (self.offset(cursor), 0);
            let mut picked = Picked::new(bytes);
            for (entry, number) in self.entries.range(range).zip(cursor..) {
                let to = usize::try_from(entry.end - start).unwrap_or(usize::MAX);
                let fits = match (&entry.scope, epoch) {
                    (None, _) => picked.put(from, to),
                    (Some(_), None) => picked.skip(),
                    (Some(_), Some(epoch)) => picked.leave_out(number, true, epoch, ID_AFTER),
                };
                if !fits {
                    return (number, picked.finish());
                }
                from = to;
            }
            (next, picked.finish())
        });
        if let Some(join) = &mut self.join {
            join.everybodys
                .get_or_insert_with(|| (next, everybodys.clone()));
        }
        self.pass(cursor, next);
        Some((next, everybodys))
    }

    /// Moves one from a place to another.
    #[inline]
    pub(super) fn pass(&mut self, cursor: u64, next: u64) {
        if self.leave(cursor) {
            self.forget_join(cursor);
        }
        self.arrive(next);
    }

    /// Nobody is left for the join: its memory is not kept.
    pub(super) fn forget_join(&mut self, cursor: u64) {
        if self.join.as_ref().is_some_and(|join| join.from == cursor) {
            self.join = None;
        }
    }

    /// Returns the chunk at `cursor` and what is known of its frames. There must be one.
    pub(super) fn look(&mut self, cursor: u64) -> Chunk {
        self.join(cursor);
        let next = self.join.as_ref().map_or(cursor, |join| join.next);
        let frames = match &self.join {
            Some(Chunk {
                frames: Some(_), ..
            }) => None,
            _ => Some(self.known(cursor, next)),
        };
        let join = self.join.get_or_insert_with(|| Chunk::empty(cursor));
        join.frames = join.frames.take().or(frames);
        join.clone()
    }

    fn known(&self, from: u64, next: u64) -> Arc<[Known]> {
        let start = self.offset(from);
        let range = self.place(from)..self.place(next);
        let known = self.entries.range(range).map(|entry| Known {
            end: usize::try_from(entry.end - start).unwrap_or(usize::MAX),
            event_type: entry.event_type,
            id: entry.id,
            scope: entry.scope.clone(),
        });
        known.collect()
    }

    /// Joins what there is at `cursor`, unless the last join is there and most of what there is.
    #[inline]
    fn join(&mut self, cursor: u64) {
        let head = self.head();
        let fits = self.join.as_ref().is_some_and(|join| {
            // When events come all the time, a join is made anew only once as much again has come.
            join.from == cursor && (join.next == head || self.is_most(cursor, join.bytes.len()))
        });
        if !fits {
            self.join = Some(self.make_join(cursor));
        }
    }

    fn is_most(&self, cursor: u64, len: usize) -> bool {
        let behind = self.segments.end() - self.offset(cursor);
        2 * len as u64 >= behind.min(BUDGET as u64)
    }

    #[cold]
    fn make_join(&self, cursor: u64) -> Chunk {
        let start = self.offset(cursor);
        let end = self.segments.chunk_end(start, BUDGET as u64);
        let next = if end == self.segments.end() {
            self.head()
        } else {
            let before = self.entries.partition_point(|entry| entry.end <= end);
            self.oldest + before as u64
        };
        Chunk {
            from: cursor,
            next,
            bytes: self.segments.bytes(start, end),
            frames: None,
            everybodys: None,
        }
    }
}
