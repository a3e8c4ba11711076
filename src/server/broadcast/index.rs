//! Where an id of the user's stands in the log, for those who ask.
//!
//! Ids are entered only when somebody asks for one, with all that came since the last time: most that is
//! published is gone before, and to enter it and take it out again is a quarter of the time of a small
//! publication. For the first who asks, a million take a tenth of a second. So the index has a lock of
//! its own, and only those who ask wait for that: the log is locked for some thousands of ids at a time,
//! while they are copied.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use std::collections::HashMap;

use super::ids::NO_ID;
use super::log::Log;

/// Numbers of frames by the hashes of their ids: of all that are in the log or remembered, once it is
/// brought up to date, and of some that are forgotten.
pub(super) struct Index {
    places: HashMap<u64, u64, AsItIs>,
    /// The number of the first frame that is not entered.
    next: u64,
}

/// What is not entered yet.
pub(super) struct New {
    /// Numbers and hashes, in order.
    ids: Vec<(u64, u64)>,
    /// How many frames are in the log or remembered, and the number of the first of them.
    kept: usize,
    first: u64,
}

/// So many are copied with one lock of the log.
const MOST: usize = 4096;

impl Index {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::default(),
            next: 1,
        }
    }

    /// The number of the first frame that is not entered.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Finds the last frame that had an id of this hash, which may be forgotten by now.
    pub(super) fn find(&self, hash: u64) -> Option<u64> {
        self.places.get(&hash).copied()
    }

    /// An id that recurs stands for its last frame.
    pub(super) fn enter(&mut self, new: &New) {
        // What is forgotten is at most an eighth, so each id that is entered is looked at some times at most.
        if self.places.len() + new.ids.len() > new.kept + new.kept / 8 {
            self.places.retain(|_, number| *number >= new.first);
        }
        for &(number, hash) in &new.ids {
            if hash != NO_ID {
                self.places.insert(hash, number);
            }
            self.next = number + 1;
        }
    }

    #[cfg(test)]
    pub(super) fn insert(&mut self, hash: u64, number: u64) {
        self.places.insert(hash, number);
    }
}

impl New {
    /// Copies the next of them, from a number on; `None` if there are none.
    pub(super) fn of(log: &Log, next: u64) -> Option<Self> {
        let ids: Vec<_> = log.ids_from(next).take(MOST).collect();
        (!ids.is_empty()).then(|| Self {
            ids,
            kept: log.frames() + log.remembered.len(),
            first: log.remembered.first().unwrap_or(log.oldest()),
        })
    }
}

/// The keys are hashes already.
#[derive(Clone, Copy, Default)]
struct AsItIs(u64);

impl BuildHasher for AsItIs {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for AsItIs {
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
        let broadcast = Broadcast::new(
            Retention::new()
                .with_frames(1)
                .with_remembered_ids(3 * MOST),
        );
        publish(&broadcast, 0..all);
        let first = New::of(&broadcast.core.lock().log, 1);
        assert_eq!(first.map(|new| new.ids.len()), Some(MOST));
        let index = broadcast.core.index();
        assert_eq!((index.places.len() as u64, index.next), (all, all + 1));
    }

    #[test]
    fn what_is_forgotten_does_not_pile_up() {
        let broadcast = Broadcast::new(Retention::new().with_frames(50).with_remembered_ids(30));
        for round in 0..200 {
            publish(&broadcast, round * 7..(round + 1) * 7);
            let index = broadcast.core.index();
            assert!(index.places.len() <= 80 + 10);
        }
    }
}
