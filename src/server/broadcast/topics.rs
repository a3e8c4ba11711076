//! The topics: each with its way through the log, its waiters, and the last frame that it lost.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use core::mem;
use core::task::Waker;
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

/// A frame was dropped that a subscriber had not read.
pub(super) struct Lost;

#[derive(Default)]
pub(super) struct Topic {
    name: Option<Arc<str>>,
    pub(super) links: Links,
    /// The memberships that have read everything. Those of `ALL` are in the line.
    pub(super) waiters: Waiters,
    /// How many subscribe to it.
    pub(super) members: u32,
    /// The number of the last frame that was dropped; 0 if there is none.
    pub(super) lost: u64,
    /// The number of the newest frame, which may be dropped; 0 if there is none.
    newest: u64,
}

impl Topic {
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Returns the number and the place of the first frame whose number is `from` or larger.
    #[inline]
    pub(super) fn next_from(&self, from: u64, oldest: u64) -> Result<Option<(u64, usize)>, Lost> {
        if self.lost >= from {
            return Err(Lost);
        }
        if self.newest <= from {
            let last = self.links.len().checked_sub(1);
            return Ok(last.filter(|_| self.newest == from).map(|at| (from, at)));
        }
        let at = self.links.first_from(from, oldest);
        Ok(self.links.get(at, oldest).map(|number| (number, at)))
    }

    /// Returns the number after the newest frame, if no frame from `from` on was dropped.
    #[inline]
    pub(super) fn end_from(&self, from: u64) -> Option<u64> {
        (self.lost < from).then_some(self.newest + 1)
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
    #[inline(never)]
    pub(super) fn first_from(&self, number: u64, oldest: u64) -> usize {
        let Some(after) = number.checked_sub(oldest) else {
            return 0;
        };
        let distance = |low: u32| u64::from(low.wrapping_sub(oldest as u32));
        // Where no other topic has frames in between, the place is known.
        let guess = usize::try_from(after).unwrap_or(usize::MAX);
        if self.0.get(guess).is_some_and(|low| distance(*low) == after) {
            return guess;
        }
        // Most subscribers lack only a few: the steps back from the last one double.
        let (mut end, mut step) = (self.0.len(), 1);
        while end > 0 {
            let start = end.saturating_sub(step);
            if distance(self.0[start]) < after {
                let mut start = start + 1;
                while start < end {
                    let middle = start.midpoint(end);
                    if distance(self.0[middle]) < after {
                        start = middle + 1;
                    } else {
                        end = middle;
                    }
                }
                return start;
            }
            (end, step) = (start, 2 * step);
        }
        0
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

    /// Takes all, in order.
    #[inline]
    pub(super) fn take_each(&mut self, mut take: impl FnMut(u32)) {
        for member in &self.0 {
            take(*member);
        }
        self.0.clear();
    }

    /// Gives memory back that `members` members do not need.
    fn shrink(&mut self, members: usize) {
        if self.0.capacity() / 4 > members {
            self.0.shrink_to(2 * members);
        }
    }
}

/// The waiters of the topic of all: the subscribers themselves, with their wakers. Each keeps its
/// position, and the generation of the line.
///
/// A publication takes the whole line without a look at the subscribers, and a new generation begins.
pub(super) struct Line {
    wakers: Vec<Option<Waker>>,
    /// The positions that subscribers have left.
    free: Vec<u32>,
    pub(super) generation: u64,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            wakers: Vec::new(),
            free: Vec::new(),
            // A subscriber is in no generation at first.
            generation: 1,
        }
    }
}

impl Line {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.wakers.len() - self.free.len()
    }

    /// Adds a subscriber. Returns its position.
    #[inline]
    pub(super) fn add(&mut self, waker: Option<Waker>) -> u32 {
        if let Some(position) = self.free.pop() {
            self.wakers[position as usize] = waker;
            return position;
        }
        let position = self.wakers.len();
        if position == self.wakers.capacity() {
            // Grows by an eighth: this is a part of the memory of idle subscribers.
            self.wakers.reserve_exact((position / 8).max(4));
        }
        self.wakers.push(waker);
        u32::try_from(position).unwrap_or(NONE)
    }

    #[inline]
    pub(super) fn waker(&mut self, position: u32) -> &mut Option<Waker> {
        &mut self.wakers[position as usize]
    }

    pub(super) fn wakers(&self) -> impl Iterator<Item = &Option<Waker>> {
        self.wakers.iter()
    }

    /// Removes a subscriber. Returns its waker.
    pub(super) fn remove(&mut self, position: u32) -> Option<Waker> {
        self.free.push(position);
        self.wakers[position as usize].take()
    }

    /// Exchanges all wakers for an empty list.
    #[inline]
    pub(super) fn exchange(&mut self, empty: &mut Vec<Option<Waker>>) {
        // Those who are woken will wait again.
        empty.reserve_exact(self.len());
        self.generation += 1;
        self.free = Vec::new();
        mem::swap(&mut self.wakers, empty);
    }

    /// Gives memory back that `members` subscribers do not need.
    fn shrink(&mut self, members: usize) {
        let capacity = self.wakers.capacity();
        if capacity > 64 && capacity / 4 > members {
            self.wakers.shrink_to(2 * members);
        }
    }

    /// Returns whether the subscribers in the line should move together: as many positions are free,
    /// and a quarter of all subscribers, since the move looks at each of them.
    pub(super) fn is_sparse(&self, members: usize) -> bool {
        self.free.len() > self.len().max(members / 4).max(64)
    }

    /// Gives the subscribers in the line, by their positions, new ones without free ones in between.
    pub(super) fn compact<'a>(&mut self, positions: impl Iterator<Item = &'a mut u32>) {
        let mut together = Vec::with_capacity(self.len());
        for position in positions {
            let waker = self.wakers[*position as usize].take();
            *position = u32::try_from(together.len()).unwrap_or(NONE);
            together.push(waker);
        }
        self.wakers = together;
        self.free = Vec::new();
    }
}

pub(super) struct Topics {
    /// `ALL`, apart from the others because each subscriber has it.
    everybody: Topic,
    /// The subscribers that have read all frames of all their topics, with their wakers.
    pub(super) line: Line,
    all: Slab<Topic>,
    names: HashMap<Arc<str>, u32, Seed>,
    forgotten: Forgotten,
    /// What the topics that only retained frames keep count against the retained bytes.
    orphaned: usize,
}

impl Topics {
    pub(super) fn new(remembered: usize) -> Self {
        let mut all = Slab::default();
        // Its index is that of `ALL`, which is taken.
        all.insert(Topic::default());
        let seed = Seed::new();
        Self {
            everybody: Topic::default(),
            line: Line::default(),
            all,
            names: HashMap::with_hasher(seed),
            forgotten: Forgotten::new(remembered, seed),
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
    pub(super) fn everybody(&self) -> &Topic {
        &self.everybody
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &Topic {
        match at {
            ALL => &self.everybody,
            at => &self.all[at],
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut Topic {
        match at {
            ALL => &mut self.everybody,
            at => &mut self.all[at],
        }
    }

    /// Returns the waiters of a topic with a name, and the line.
    #[inline]
    pub(super) fn waiters_and_line(&mut self, at: u32) -> (&mut Waiters, &mut Line) {
        (&mut self.all[at].waiters, &mut self.line)
    }

    /// Returns how many members of a topic have not read everything.
    #[inline]
    pub(super) fn behind(&self, at: u32) -> usize {
        let waiters = match at {
            ALL => self.line.len(),
            at => self.all[at].waiters.len(),
        };
        self.get(at).members as usize - waiters
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
        let topic = self.get_mut(at);
        topic.links.push(number);
        topic.newest = number;
        if topic.is_orphan() && topic.links.len() == 1 {
            let cost = topic.cost();
            self.orphaned += cost;
        }
    }

    /// Drops the oldest frame of a topic, and the topic if nothing else keeps it.
    #[inline]
    pub(super) fn pop_oldest(&mut self, at: u32, number: u64) {
        let topic = self.get_mut(at);
        topic.links.pop_oldest();
        topic.lost = number;
        self.end_link(at);
    }

    /// Drops the newest frame of a topic, as if it had not been published.
    pub(super) fn pop_newest(&mut self, at: u32, oldest: u64) {
        let topic = self.get_mut(at);
        topic.links.pop_newest();
        topic.newest = topic.links.last(oldest).unwrap_or(0);
        self.end_link(at);
    }

    fn end_link(&mut self, at: u32) {
        let topic = self.get(at);
        if topic.is_orphan() && topic.links.len() == 0 {
            let cost = topic.cost();
            self.orphaned -= cost;
            self.forget(at);
        }
    }

    /// Adds a member. Returns whether it is the first.
    pub(super) fn join(&mut self, at: u32) -> bool {
        let topic = self.get_mut(at);
        topic.members += 1;
        let is_first = topic.members == 1 && topic.name.is_some();
        if is_first && topic.links.len() > 0 {
            let cost = topic.cost();
            self.orphaned -= cost;
        }
        is_first
    }

    /// Removes a member. Returns the name if it was the last. The topic may be gone then.
    pub(super) fn leave(&mut self, at: u32) -> Option<Arc<str>> {
        let topic = self.get_mut(at);
        topic.members -= 1;
        topic.waiters.shrink(topic.members as usize);
        if !topic.is_orphan() {
            if at == ALL {
                self.line.shrink(self.everybody.members as usize);
            }
            return None;
        }
        let name = topic.name.clone();
        if topic.links.len() > 0 {
            let cost = topic.cost();
            self.orphaned += cost;
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
    seed: Seed,
    numbers: HashMap<u64, u64>,
    most: usize,
    /// The largest number that was merged.
    merged: u64,
}

impl Forgotten {
    fn new(most: usize, seed: Seed) -> Self {
        Self {
            seed,
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

/// Hashes a name with a key that nobody knows: eight bytes at a time, the two halves of a product
/// folded. A publication to a topic hashes its name under the lock, and the keyed hash of `std` would
/// take four times as long.
#[derive(Clone, Copy)]
struct Seed(u64);

impl Seed {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seed {
    type Hasher = FoldHasher;

    fn build_hasher(&self) -> FoldHasher {
        FoldHasher {
            key: self.0,
            state: self.0,
        }
    }
}

struct FoldHasher {
    key: u64,
    state: u64,
}

impl FoldHasher {
    #[inline]
    fn fold(&mut self, word: u64, factor: u64) {
        let product = u128::from(self.state ^ word) * u128::from(factor);
        #[expect(clippy::cast_possible_truncation, reason = "splits the product")]
        let halves = (product as u64, (product >> 64) as u64);
        self.state = halves.0 ^ halves.1;
    }
}

impl Hasher for FoldHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((word, after)) = rest.split_first_chunk::<8>() {
            self.fold(u64::from_le_bytes(*word), GOLDEN_RATIO);
            rest = after;
        }
        let last = rest
            .iter()
            .fold(0, |last, byte| last << 8 | u64::from(*byte));
        self.fold(last, GOLDEN_RATIO ^ bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.state ^= u64::from(byte);
    }

    #[inline]
    fn finish(&self) -> u64 {
        let mut last = Self { ..*self };
        last.fold(0, self.key | 1);
        last.state
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
