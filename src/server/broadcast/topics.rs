//! The topics: each with its way through the log, its waiters, and the last frame that it lost.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use std::collections::HashMap;
use std::hash::RandomState;

use super::slab::{NONE, Slab};

/// The topic of the frames for all. It has no name.
pub(super) const ALL: u32 = 0;

/// The topic of a place without a frame.
pub(super) const NOBODY: u32 = NONE;

/// The longest name in bytes.
pub(super) const MAX_NAME: usize = 256;

/// What a topic that nobody has counts against the retained bytes, beside its name.
pub(super) const COST: usize = 200;

#[derive(Default)]
pub(super) struct Topic {
    name: Option<Arc<str>>,
    pub(super) links: Links,
    /// The members that have read everything: subscribers for `ALL`, memberships otherwise.
    pub(super) waiters: Waiters,
    /// How many subscribe to it.
    pub(super) members: u32,
    /// The number of the last frame that was dropped; 0 if there is none.
    pub(super) lost: u64,
}

impl Topic {
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Returns whether a second member may come for a chunk of this topic.
    pub(super) fn is_shared(&self) -> bool {
        self.members as usize > self.waiters.0.len() + 1
    }

    /// Returns whether a member has not read everything.
    pub(super) fn is_behind(&self) -> bool {
        self.members as usize > self.waiters.0.len()
    }

    /// Returns whether only retained frames keep it.
    fn is_orphan(&self) -> bool {
        self.members == 0 && self.name.is_some()
    }

    fn cost(&self) -> usize {
        COST + self.name.as_ref().map_or(0, |name| name.len())
    }
}

/// The numbers of the retained frames of a topic, oldest first: their lower halves, which differ,
/// because fewer than 2^32 frames are retained.
#[derive(Default)]
pub(super) struct Links(VecDeque<u32>);

impl Links {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[expect(clippy::cast_possible_truncation, reason = "keeps the lower half")]
    pub(super) fn push(&mut self, number: u64) {
        self.0.push_back(number as u32);
    }

    pub(super) fn pop_oldest(&mut self) {
        self.0.pop_front();
        let (len, capacity) = (self.0.len(), self.0.capacity());
        if capacity > 4 && len <= capacity / 4 {
            self.0.shrink_to(2 * len);
        }
    }

    pub(super) fn pop_newest(&mut self) {
        self.0.pop_back();
    }

    /// Returns the number of a frame, given the number of the oldest frame in the log.
    #[expect(clippy::cast_possible_truncation, reason = "compares the lower halves")]
    #[inline]
    pub(super) fn get(&self, at: usize, oldest: u64) -> Option<u64> {
        let low = self.0.get(at)?;
        Some(oldest + u64::from(low.wrapping_sub(oldest as u32)))
    }

    pub(super) fn last(&self, oldest: u64) -> Option<u64> {
        self.get(self.0.len().checked_sub(1)?, oldest)
    }

    /// Returns the place of the first frame whose number is `number` or larger.
    #[expect(clippy::cast_possible_truncation, reason = "compares the lower halves")]
    #[inline]
    pub(super) fn first_from(&self, number: u64, oldest: u64) -> usize {
        let len = self.0.len();
        if len == 0 || number <= oldest {
            return 0;
        }
        let is_before = |low: u32| u64::from(low.wrapping_sub(oldest as u32)) < number - oldest;
        // Most subscribers lack none, or the last.
        for (at, low) in self.0.iter().enumerate().rev().take(2) {
            if is_before(*low) {
                return at + 1;
            }
        }
        self.0.partition_point(|low| is_before(*low))
    }
}

/// The members that wait for the next frame. Each keeps its position here.
#[derive(Default)]
pub(super) struct Waiters(Vec<u32>);

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a member. Returns its position.
    #[inline]
    pub(super) fn add(&mut self, member: u32) -> u32 {
        if self.0.len() == self.0.capacity() {
            // Grows by a quarter: this is a part of the memory of idle subscribers.
            self.0.reserve_exact((self.0.len() / 4).max(1));
        }
        self.0.push(member);
        u32::try_from(self.0.len() - 1).unwrap_or(NONE)
    }

    /// Removes a member. Returns the member that gets its position, if there is one.
    pub(super) fn remove(&mut self, position: u32) -> Option<u32> {
        self.0.swap_remove(position as usize);
        self.0.get(position as usize).copied()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = u32> {
        self.0.drain(..)
    }

    /// Gives memory back that `members` members do not need.
    fn shrink(&mut self, members: usize) {
        if self.0.capacity() / 4 > members {
            self.0.shrink_to(2 * members);
        }
    }
}

pub(super) struct Topics {
    all: Slab<Topic>,
    names: HashMap<Arc<str>, u32>,
    forgotten: Forgotten,
    /// What the topics that only retained frames keep count against the retained bytes.
    orphaned: usize,
}

impl Topics {
    pub(super) fn new(remembered: usize) -> Self {
        let mut all = Slab::default();
        all.insert(Topic::default());
        Self {
            all,
            names: HashMap::new(),
            forgotten: Forgotten::new(remembered),
            orphaned: 0,
        }
    }

    /// Returns the number of topics with a name.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn orphaned(&self) -> usize {
        self.orphaned
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &Topic {
        &self.all[at]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut Topic {
        &mut self.all[at]
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Returns the number of the last lost frame of a topic, which may be forgotten.
    pub(super) fn lost(&self, name: &str) -> u64 {
        match self.find(name) {
            Some(at) => self.all[at].lost,
            None => self.forgotten.lost(name),
        }
    }

    /// Returns the number of the last lost frame for all.
    pub(super) fn all_lost(&self) -> u64 {
        self.all[ALL].lost
    }

    /// Returns a topic, which is made if it is not there. It must get a member or a frame.
    #[inline]
    pub(super) fn open(&mut self, name: &str) -> u32 {
        if let Some(at) = self.find(name) {
            return at;
        }
        let lost = self.forgotten.lost(name);
        let name: Arc<str> = Arc::from(name);
        let at = self.all.insert(Topic {
            name: Some(Arc::clone(&name)),
            lost,
            ..Topic::default()
        });
        self.names.insert(name, at);
        at
    }

    /// Returns by how much the retained bytes grow if a topic gets a frame.
    pub(super) fn cost_of_frame(&self, name: &str) -> usize {
        match self.find(name).map(|at| &self.all[at]) {
            Some(topic) if topic.members > 0 || topic.links.len() > 0 => 0,
            _ => COST + name.len(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, at: u32, number: u64) {
        let topic = &mut self.all[at];
        topic.links.push(number);
        if topic.is_orphan() && topic.links.len() == 1 {
            self.orphaned += topic.cost();
        }
    }

    /// Drops the oldest frame of a topic, and the topic if nothing else keeps it.
    #[inline]
    pub(super) fn pop_oldest(&mut self, at: u32, number: u64) {
        let topic = &mut self.all[at];
        topic.links.pop_oldest();
        topic.lost = number;
        self.end_link(at);
    }

    /// Drops the newest frame of a topic, as if it had not been published.
    pub(super) fn pop_newest(&mut self, at: u32) {
        self.all[at].links.pop_newest();
        self.end_link(at);
    }

    fn end_link(&mut self, at: u32) {
        let topic = &self.all[at];
        if topic.is_orphan() && topic.links.len() == 0 {
            self.orphaned -= topic.cost();
            self.forget(at);
        }
    }

    /// Adds a member. Returns whether it is the first.
    pub(super) fn join(&mut self, at: u32) -> bool {
        let topic = &mut self.all[at];
        if topic.is_orphan() && topic.links.len() > 0 {
            self.orphaned -= topic.cost();
        }
        topic.members += 1;
        topic.members == 1
    }

    /// Removes a member. Returns the name if it was the last. The topic may be gone then.
    pub(super) fn leave(&mut self, at: u32) -> Option<Arc<str>> {
        let topic = &mut self.all[at];
        topic.members -= 1;
        topic.waiters.shrink(topic.members as usize);
        if !topic.is_orphan() {
            return None;
        }
        let name = topic.name.clone();
        if topic.links.len() > 0 {
            self.orphaned += topic.cost();
        } else {
            self.forget(at);
        }
        name
    }

    fn forget(&mut self, at: u32) {
        let topic = self.all.remove(at);
        let Some(name) = topic.name else { return };
        self.names.remove(&*name);
        let (len, capacity) = (self.names.len(), self.names.capacity());
        if capacity > 64 && capacity / 8 > len {
            self.names.shrink_to(2 * len);
        }
        self.forgotten.enter(&name, topic.lost);
    }
}

/// The last lost numbers of topics that are gone, by a seeded hash of their names.
///
/// Of equal hashes the larger number stays, and the smallest numbers merge into one, which stands
/// for all other topics. So a gap may be told where there is none, and none is hidden.
struct Forgotten {
    seed: RandomState,
    numbers: HashMap<u64, u64>,
    most: usize,
    /// The largest number that was merged.
    merged: u64,
}

impl Forgotten {
    fn new(most: usize) -> Self {
        Self {
            seed: RandomState::new(),
            numbers: HashMap::new(),
            most,
            merged: 0,
        }
    }

    fn lost(&self, name: &str) -> u64 {
        if self.numbers.is_empty() {
            return self.merged;
        }
        let own = self.numbers.get(&self.seed.hash_one(name));
        own.map_or(self.merged, |own| self.merged.max(*own))
    }

    fn enter(&mut self, name: &str, lost: u64) {
        if lost <= self.merged {
            return;
        }
        if self.most == 0 {
            self.merged = lost;
            return;
        }
        let number = self.numbers.entry(self.seed.hash_one(name)).or_default();
        *number = lost.max(*number);
        if self.numbers.len() > self.most {
            self.merge();
        }
    }

    /// Merges an eighth of the numbers, so that most topics are forgotten without a search.
    #[cold]
    fn merge(&mut self) {
        let mut all: Vec<u64> = self.numbers.values().copied().collect();
        let (_, largest, _) = all.select_nth_unstable(self.most / 8);
        self.merged = *largest;
        let merged = self.merged;
        self.numbers.retain(|_, number| *number > merged);
    }
}
