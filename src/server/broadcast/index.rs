//! The index of the ids of published events, which finds the frame of an id in the log. A broadcast
//! that assigns ids does not need it.
//!
//! Ids are entered only when a client resumes from an id, because most frames are dropped before
//! that. Entering a million ids takes 0.1 s, so the index has its own lock, which only subscribers
//! with an id wait for. The log is locked only to copy ids, a few thousand at a time.

use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use super::ids::NO_ID;
use super::log::Log;

/// Maps the hash of an id to the number of its frame. The frame may be forgotten.
pub(super) struct IdIndex {
    numbers: HashMap<u64, u64, BuildHasherDefault<NoHash>>,
    /// The number of the first frame that is not entered.
    next: u64,
}

/// Ids that are not entered yet.
pub(super) struct NewIds {
    /// Numbers and hashes, in order.
    ids: Vec<(u64, u64)>,
    /// The number of frames that are in the log or remembered, and the number of the first one.
    kept: usize,
    first: u64,
}

/// The largest number of ids that are copied under one lock of the log.
const MOST: usize = 4096;

impl IdIndex {
    pub(super) fn new() -> Self {
        Self {
            numbers: HashMap::default(),
            next: 1,
        }
    }

    /// Returns the number of the first frame that is not entered.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Returns the number of the last frame that had an id with this hash. The frame may be
    /// forgotten.
    pub(super) fn find(&self, hash: u64) -> Option<u64> {
        self.numbers.get(&hash).copied()
    }

    /// Enters ids. A repeated id refers to its last frame.
    pub(super) fn enter(&mut self, new: &NewIds) {
        // The index is swept once an eighth of it is forgotten, so each id is visited only a few
        // times.
        if self.numbers.len() + new.ids.len() > new.kept + new.kept / 8 {
            self.numbers.retain(|_, number| *number >= new.first);
        }
        for &(number, hash) in &new.ids {
            if hash != NO_ID {
                self.numbers.insert(hash, number);
            }
            self.next = number + 1;
        }
    }

    #[cfg(test)]
    pub(super) fn insert(&mut self, hash: u64, number: u64) {
        self.numbers.insert(hash, number);
    }
}

impl NewIds {
    /// Copies the next ids, starting at the frame `next`; `None` if there are none.
    pub(super) fn copy(log: &Log, next: u64) -> Option<Self> {
        let ids: Vec<_> = log.ids_starting_at(next).take(MOST).collect();
        (!ids.is_empty()).then(|| Self {
            ids,
            kept: log.frames() + log.remembered().len(),
            first: log.remembered().first().unwrap_or(log.oldest()),
        })
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct NoHash(u64);

impl Hasher for NoHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::broadcast::{Broadcast, Retention};
    use crate::wire::event::Event;

    fn publish(broadcast: &Broadcast, ids: core::ops::Range<u64>) {
        for id in ids {
            let event = Event::message("x").with_id(id);
            assert!(broadcast.publish(&event).is_ok());
        }
    }

    #[test]
    fn the_log_is_locked_for_some_ids_at_a_time() {
        let all = 2 * MOST as u64 + 1;
        let retention = Retention::new().with_max_frames(1);
        let broadcast = Broadcast::new(retention.with_remembered_ids(3 * MOST));
        publish(&broadcast, 0..all);
        let first = NewIds::copy(&broadcast.shared().lock().log, 1);
        assert_eq!(first.map(|new| new.ids.len()), Some(MOST));
        let index = broadcast.shared().index();
        assert_eq!((index.numbers.len() as u64, index.next), (all, all + 1));
    }

    #[test]
    fn forgotten_ids_do_not_pile_up() {
        let retention = Retention::new().with_max_frames(50);
        let broadcast = Broadcast::new(retention.with_remembered_ids(30));
        for round in 0..200 {
            publish(&broadcast, round * 7..(round + 1) * 7);
            let index = broadcast.shared().index();
            assert!(index.numbers.len() <= 80 + 10);
        }
    }
}
