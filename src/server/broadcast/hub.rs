//! The state under the lock: the log with its topics, the subscribers with their memberships, and
//! who is woken by what.
//!
//! A subscriber is *listed* in a topic while it has read all frames of it. A publication takes the
//! list of its topic, and looks at nobody else.

use alloc::boxed::Box;
use alloc::collections::{BinaryHeap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem;
use core::task::Waker;
use core::time::Duration;

use bytes::Bytes;

use super::handle::HandleState;
use super::ids::{Found, Ids, Order};
use super::joins::{BUDGET, Joined, Joins};
use super::log::Log;
use super::options::{EventTypes, PlaceEvent, Retention, SubscribeOptions};
use super::reached::{Arrival, Awaited};
use super::segments::Segments;
use super::slab::{NONE, Slab};
use super::topics::{ALL, Lost, NOBODY, Topics};
use super::wakes::Wakes;
use super::work;
use crate::server::state::CloseReason;
use crate::wire::encode::FieldRanges;
use crate::wire::field::EventId;

/// The largest number of frames that one turn under the lock looks at, for a subscriber that takes
/// few of them.
const MOST_LOOKS: usize = 1024;

/// The number of a frame that never comes.
const NEVER: u64 = u64::MAX;

pub(super) struct Hub {
    pub(super) log: Log,
    pub(super) order: Order,
    pub(super) topics: Topics,
    slots: Slab<Slot>,
    members: Slab<Member>,
    joins: Joins,
    /// The chains of one poll, to be merged; empty between polls.
    merge: Vec<Reverse<Chain>>,
    /// The frames that one poll takes; empty between polls.
    picked: Vec<u64>,
    pub(super) awaited: Awaited,
    pub(super) wakes: Wakes,
    /// The topics that got their first subscriber or lost their last, in order.
    pub(super) presence: VecDeque<(Arc<str>, bool)>,
    /// Whether somebody is told of `presence`.
    pub(super) is_told: bool,
    pub(super) is_closed: bool,
    farewell: Option<Bytes>,
    /// How many times a subscriber lagged.
    pub(super) lagged: u64,
    /// How many frames were published.
    pub(super) published: u64,
}

/// The part of a subscriber that others reach. A plain one costs no more than this.
struct Slot {
    /// The number of the next frame that it may lack.
    cursor: u64,
    extra: Option<Box<Extra>>,
    /// The first of its memberships.
    member: u32,
    /// Its position in the line, and the generation of the line in which it has that.
    position: u32,
    generation: u64,
}

/// A subscriber's membership of a topic.
struct Member {
    slot: u32,
    topic: u32,
    /// Its position among the waiters of the topic.
    position: u32,
    /// The next membership of the same subscriber.
    next: u32,
    /// The number of the first frame that it may see.
    since: u64,
}

/// What few subscribers have.
#[derive(Default)]
pub(super) struct Extra {
    types: Option<EventTypes>,
    /// What is sent first.
    first: Option<Bytes>,
    /// What tells of a lag.
    skipped: Option<Bytes>,
    place: Option<PlaceEvent>,
    /// The number after the last frame whose id was told as a place.
    told: u64,
    handle: Option<Arc<HandleState>>,
    end: Option<End>,
    pages: Option<Pages>,
}

/// The end that a subscriber has before it is polled to it.
enum End {
    /// After the frames before this number.
    Before(u64),
    /// At once. It is a member of nothing any more.
    Now(CloseReason, Option<Bytes>),
}

/// A subscriber that gets its older frames from elsewhere.
#[derive(Default)]
struct Pages {
    /// It gets none from the log.
    is_held: bool,
    /// The id at which it stands.
    id: Option<EventId<'static>>,
    /// For the topics that were added, the key of the last id that it may not see.
    since: Vec<(u32, u128)>,
}

/// A topic of a subscriber that has frames for it, in the order of their numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Chain {
    number: u64,
    topic: u32,
    /// The place of the frame in the topic's links.
    at: usize,
}

/// What a subscriber takes: the number of the frame after those that were looked at, the frames, and
/// whether more may be there.
type Taken = (u64, Bytes, bool);

/// What comes next for a subscriber.
pub(super) enum Next {
    Chunk {
        bytes: Bytes,
        /// Nothing more waits, so a waker is kept.
        is_last: bool,
    },
    /// The frames that were looked at are not for it.
    Again,
    Nothing,
    End(CloseReason, Option<Bytes>),
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            cursor: 0,
            extra: None,
            member: NONE,
            position: NONE,
            generation: 0,
        }
    }
}

impl Default for Member {
    fn default() -> Self {
        Self {
            slot: NONE,
            topic: NONE,
            position: NONE,
            next: NONE,
            since: 0,
        }
    }
}

impl Slot {
    fn is_over(&self) -> bool {
        let end = self.extra.as_ref().and_then(|extra| extra.end.as_ref());
        matches!(end, Some(End::Now(..)))
    }

    fn pages(&mut self) -> Option<&mut Pages> {
        self.extra.as_mut()?.pages.as_mut()
    }

    fn is_held(&self) -> bool {
        let pages = self.extra.as_ref().and_then(|extra| extra.pages.as_ref());
        pages.is_some_and(|pages| pages.is_held)
    }

    /// Waits for the next frame for all, with a waker if there is one.
    #[inline]
    fn stand_in_line(&mut self, topics: &mut Topics, joins: &mut Joins, waker: &mut Option<Waker>) {
        if self.generation != topics.line.generation {
            self.generation = topics.line.generation;
            self.position = topics.line.add(waker.take());
            if topics.behind(ALL) == 0 {
                joins.forget(ALL);
            }
        } else if waker.is_some() {
            mem::swap(topics.line.waker(self.position), waker);
        }
    }
}

/// Returns whether a subscriber takes an event type. One that asks for none takes all.
#[inline]
fn takes_type<'a>(types: Option<&[Box<str>]>, of_frame: impl FnOnce() -> Option<&'a str>) -> bool {
    types.is_none_or(|types| {
        let event_type = of_frame().unwrap_or(crate::wire::field::MESSAGE);
        types.iter().any(|one| **one == *event_type)
    })
}

/// Publishing.
impl Hub {
    pub(super) fn new(retention: Retention, ids: &Ids) -> Self {
        // A user's id that is gone is a gap for all topics.
        let remembered = ids.epoch().map_or(0, |_| retention.remembered_topics());
        Self {
            log: Log::new(retention),
            order: Order::new(ids),
            topics: Topics::new(remembered),
            slots: Slab::default(),
            members: Slab::default(),
            joins: Joins::default(),
            merge: Vec::new(),
            picked: Vec::new(),
            awaited: Awaited::default(),
            wakes: Wakes::default(),
            presence: VecDeque::new(),
            is_told: false,
            is_closed: false,
            farewell: None,
            lagged: 0,
            published: 0,
        }
    }

    /// Sets the time, and drops the frames that are too old.
    #[inline(never)]
    pub(super) fn advance(&mut self, now: Duration) {
        while self.log.is_expired_at(now) {
            self.drop_oldest();
        }
    }

    /// Makes room for a frame. Returns its topic.
    #[inline]
    pub(super) fn make_room(&mut self, len: usize, topic: Option<&str>) -> u32 {
        let Some(name) = topic else {
            self.drop_for(len);
            return ALL;
        };
        let found = self.topics.find(name);
        if let Some(at) = found.filter(|at| self.topics.get(*at).members > 0) {
            self.drop_for(len);
            return at;
        }
        // Dropping a frame may forget the topic, so its cost is asked for again.
        while self
            .log
            .is_full_for(len + self.topics.cost_of_frame(name) + self.topics.orphaned())
        {
            self.drop_oldest();
        }
        self.topics.open(name)
    }

    /// Makes room for a place, or for a frame of a topic that is there.
    #[inline]
    pub(super) fn drop_for(&mut self, len: usize) {
        while self.log.is_full_for(len + self.topics.orphaned()) {
            self.drop_oldest();
        }
    }

    #[inline(never)]
    fn drop_oldest(&mut self) {
        self.order.pop_oldest(&self.log);
        if let Some((number, topic)) = self.log.pop_oldest() {
            if topic != NOBODY {
                self.topics.pop_oldest(topic, number);
            }
        }
    }

    /// Appends a frame, with the key of its id, or 0. Returns its number.
    #[inline]
    pub(super) fn append(
        &mut self,
        put: impl FnOnce(&mut Segments),
        ranges: &FieldRanges,
        topic: u32,
        key: u128,
    ) -> u64 {
        let number = self.log.head();
        let key = match key {
            0 => self.order.last_key(&self.log),
            key => key,
        };
        self.log.append(put, ranges, topic, key);
        self.order.number_next(number + 1);
        self.published += 1;
        if topic != NOBODY {
            self.topics.push(topic, number);
            self.wake(topic);
        }
        if !self.awaited.is_empty() {
            let key = self.order.key_before(&self.log, number + 1);
            self.awaited.pass(key, self.log.id(number), &mut self.wakes);
        }
        number
    }

    /// Takes the waiters of a topic, and the wakers of those that are not woken yet.
    #[inline]
    fn wake(&mut self, at: u32) {
        let Self {
            topics,
            members,
            slots,
            wakes,
            ..
        } = self;
        if at == ALL {
            if topics.line.len() > 0 {
                wakes.take_line(&mut topics.line);
            }
            return;
        }
        let (waiters, line) = topics.waiters_and_line(at);
        waiters.take_each(|waiter| {
            let member = &mut members[waiter];
            member.position = NONE;
            let slot = &slots[member.slot];
            if slot.generation == line.generation {
                if let Some(waker) = line.waker(slot.position).take() {
                    work::wake(|| 1);
                    wakes.add(waker);
                }
            }
        });
    }

    /// Closes the broadcast, unless it is closed. Returns whether it was open.
    pub(super) fn close(&mut self, farewell: Option<Bytes>) -> bool {
        if mem::replace(&mut self.is_closed, true) {
            return false;
        }
        self.farewell = farewell;
        self.wakes.take_line(&mut self.topics.line);
        self.awaited.end(Arrival::Closed, &mut self.wakes);
        true
    }

    /// Drops the frames after a number, and ends the subscribers that were given some of them.
    pub(super) fn rewind(&mut self, number: u64) {
        while self.log.head() > number + 1 {
            if let Some(topic) = self.log.pop_newest() {
                if topic != NOBODY {
                    self.topics.pop_newest(topic, self.log.oldest());
                }
            }
        }
        for at in self.members.indexes() {
            let since = &mut self.members[at].since;
            *since = (*since).min(number + 1);
        }
        let last = self.order.key_before(&self.log, number + 1);
        for at in self.slots.indexes() {
            if let Some(pages) = self.slots[at].pages() {
                let since = pages.since.iter_mut();
                since.for_each(|(_, key)| *key = (*key).min(last));
            }
            let slot = &self.slots[at];
            let told = slot.extra.as_ref().map_or(0, |extra| extra.told);
            if slot.cursor.max(told) > number + 1 {
                self.detach(at, CloseReason::Rewound, None);
            }
        }
        self.joins.clear();
        self.awaited.end(Arrival::Rewound, &mut self.wakes);
    }

    /// Drops all frames, and ends all subscribers. The log begins after an id, or anew.
    pub(super) fn reset(&mut self, origin: Option<(&str, u128)>) {
        while self.log.frames() > 0 {
            self.drop_oldest();
        }
        for at in self.slots.indexes() {
            self.detach(at, CloseReason::Rewound, None);
        }
        self.joins.clear();
        self.order.begin(origin, self.log.head());
        self.awaited.end(Arrival::Rewound, &mut self.wakes);
    }
}

/// Subscribers.
impl Hub {
    /// Adds a subscriber whose next frame is that at `cursor`.
    pub(super) fn subscribe(&mut self, options: &SubscribeOptions, cursor: u64) -> u32 {
        let is_plain =
            options.types.is_none() && options.skipped.is_none() && options.place.is_none();
        let extra = (!is_plain).then(|| {
            Box::new(Extra {
                types: options.types.clone(),
                skipped: options.skipped.clone(),
                place: options.place.clone(),
                ..Extra::default()
            })
        });
        let at = self.slots.insert(Slot {
            cursor,
            extra,
            ..Slot::default()
        });
        self.topics.join(ALL);
        for name in options.topics() {
            self.add_member(at, name, 0);
        }
        at
    }

    pub(super) fn subscribers(&self) -> usize {
        self.topics.get(ALL).members as usize
    }

    fn add_member(&mut self, at: u32, name: &str, since: u64) -> u32 {
        let topic = self.topics.open(name);
        let is_first = self.topics.join(topic);
        if let Some(name) = self.topics.get(topic).name().filter(|_| is_first) {
            self.presence.push_back((Arc::clone(name), true));
        }
        let slot = &mut self.slots[at];
        slot.member = self.members.insert(Member {
            slot: at,
            topic,
            position: NONE,
            next: slot.member,
            since,
        });
        slot.member
    }

    fn members_of(&self, at: u32) -> impl Iterator<Item = (u32, &Member)> {
        let first = self.slots[at].member;
        core::iter::successors((first != NONE).then_some(first), |member| {
            Some(self.members[*member].next).filter(|next| *next != NONE)
        })
        .map(|member| (member, &self.members[member]))
    }

    /// Adds a topic to a subscriber: frames from now on. Returns whether it is new.
    pub(super) fn add_topic(&mut self, at: u32, name: &str) -> bool {
        if self.slots[at].is_over() || self.has_topic(at, name) {
            return false;
        }
        let head = self.log.head();
        let member = self.add_member(at, name, head);
        let topic = self.members[member].topic;
        let key = self.order.key_before(&self.log, head);
        if let Some(pages) = self.slots[at].pages() {
            pages.since.push((topic, key));
        }
        // It may wait for the other topics already.
        if !self.slots[at].is_held() {
            self.list(member);
        }
        true
    }

    /// Takes a topic, and what waits of it, from a subscriber. Returns whether it was there.
    pub(super) fn remove_topic(&mut self, at: u32, name: &str) -> bool {
        let Some(topic) = self.topics.find(name) else {
            return false;
        };
        let mut before = NONE;
        let mut member = self.slots[at].member;
        while member != NONE && self.members[member].topic != topic {
            before = member;
            member = self.members[member].next;
        }
        if member == NONE {
            return false;
        }
        let next = self.members[member].next;
        match before {
            NONE => self.slots[at].member = next,
            before => self.members[before].next = next,
        }
        self.remove_member(member);
        if let Some(pages) = self.slots[at].pages() {
            pages.since.retain(|(one, _)| *one != topic);
        }
        true
    }

    fn remove_member(&mut self, at: u32) {
        self.unlist(at);
        let topic = self.members.remove(at).topic;
        self.leave(topic);
    }

    /// Takes a membership from the waiters of its topic.
    fn unlist(&mut self, at: u32) {
        let member = &mut self.members[at];
        let position = mem::replace(&mut member.position, NONE);
        if position != NONE {
            let waiters = &mut self.topics.get_mut(member.topic).waiters;
            if let Some(moved) = waiters.remove(position) {
                self.members[moved].position = position;
            }
        }
    }

    /// Takes a subscriber from the waiters of all its topics. Returns its waker, to be dropped without
    /// the lock.
    fn unlist_all(&mut self, at: u32) -> Option<Waker> {
        let members = self.topics.everybody().members as usize;
        let line = &mut self.topics.line;
        let slot = &mut self.slots[at];
        let mut member = slot.member;
        let mut waker = None;
        if slot.generation == line.generation {
            slot.generation = 0;
            waker = line.remove(slot.position);
            if line.is_sparse(members) {
                let generation = line.generation;
                let slots = self.slots.values_mut();
                let in_line = slots.filter(|slot| slot.generation == generation);
                line.compact(in_line.map(|slot| &mut slot.position));
            }
        }
        while member != NONE {
            self.unlist(member);
            member = self.members[member].next;
        }
        waker
    }

    /// Counts one member of a topic less.
    fn leave(&mut self, topic: u32) {
        if let Some(name) = self.topics.leave(topic) {
            self.joins.forget(topic);
            self.presence.push_back((name, false));
        } else if self.topics.behind(topic) == 0 {
            self.joins.forget(topic);
        }
    }

    fn has_topic(&self, at: u32, name: &str) -> bool {
        let topic = self.topics.find(name);
        topic.is_some_and(|topic| self.members_of(at).any(|(_, member)| member.topic == topic))
    }

    pub(super) fn topics_of(&self, at: u32) -> Vec<Arc<str>> {
        let members = self.members_of(at);
        let names = members.filter_map(|(_, member)| self.topics.get(member.topic).name().cloned());
        names.collect()
    }

    /// Notes that a subscriber has read all frames of a topic. Returns its next membership.
    #[inline]
    fn list(&mut self, at: u32) -> u32 {
        let member = &mut self.members[at];
        if member.position == NONE {
            let topic = self.topics.get_mut(member.topic);
            member.position = topic.waiters.add(at);
            if topic.waiters.len() == topic.members as usize {
                self.joins.forget(member.topic);
            }
        }
        member.next
    }

    /// Notes that a subscriber has read all frames of all its topics, and keeps its waker, if there is
    /// one, in exchange for the one before.
    #[inline]
    fn settle(&mut self, at: u32, cursor: u64, waker: &mut Option<Waker>) {
        let slot = &mut self.slots[at];
        slot.cursor = cursor;
        let mut member = slot.member;
        slot.stand_in_line(&mut self.topics, &mut self.joins, waker);
        while member != NONE {
            member = self.list(member);
        }
    }

    /// Ends all memberships of a subscriber. Returns its waker, to be dropped without the lock.
    fn clear(&mut self, at: u32) -> Option<Waker> {
        let waker = self.unlist_all(at);
        self.leave(ALL);
        let mut member = mem::replace(&mut self.slots[at].member, NONE);
        while member != NONE {
            let next = self.members[member].next;
            self.remove_member(member);
            member = next;
        }
        waker
    }

    /// Ends a subscriber at its next poll, without the frames that wait. Returns whether it was open.
    pub(super) fn detach(&mut self, at: u32, reason: CloseReason, farewell: Option<Bytes>) -> bool {
        if self.slots[at].is_over() {
            return false;
        }
        let waker = self.clear(at);
        self.wakes.extend(waker);
        let extra = self.extra(at);
        extra.first = None;
        extra.end = Some(End::Now(reason, farewell));
        if let Some(handle) = extra.handle.clone() {
            self.wakes.extend(handle.ended.set(reason));
        }
        true
    }

    /// Removes a subscriber that has ended. Returns its waker, to be dropped without the lock.
    #[must_use]
    pub(super) fn remove(&mut self, at: u32, reason: CloseReason) -> Option<Waker> {
        let waker = if self.slots[at].is_over() {
            None
        } else {
            self.clear(at)
        };
        let extra = self.slots.remove(at).extra;
        if let Some(handle) = extra.and_then(|extra| extra.handle) {
            self.wakes.extend(handle.ended.set(reason));
        }
        waker
    }

    fn extra(&mut self, at: u32) -> &mut Extra {
        self.slots[at].extra.get_or_insert_default()
    }

    /// Returns the shared part of the handles of a subscriber.
    pub(super) fn handle(&mut self, at: u32) -> Arc<HandleState> {
        let handle = &mut self.extra(at).handle;
        Arc::clone(handle.get_or_insert_with(|| Arc::new(HandleState::new(at))))
    }

    /// Sets what a subscriber is sent first.
    pub(super) fn send_first(&mut self, at: u32, bytes: Bytes) {
        self.extra(at).first = Some(bytes);
    }

    /// Moves a subscriber to the oldest frame kept, or to where it may go on.
    pub(super) fn move_to(&mut self, at: u32, cursor: u64) {
        self.slots[at].cursor = cursor;
    }

    /// Ends a subscriber after the frames published so far. Returns whether it was open.
    pub(super) fn shut_down(&mut self, at: u32) -> bool {
        let head = self.log.head();
        if self.is_closed {
            return false;
        }
        let end = &mut self.extra(at).end;
        let is_open = end.is_none();
        end.get_or_insert(End::Before(head));
        is_open
    }

    pub(super) fn has_waker(&mut self, at: u32) -> bool {
        let slot = &self.slots[at];
        let line = &mut self.topics.line;
        slot.generation == line.generation && line.waker(slot.position).is_some()
    }

    /// Returns whether a subscriber can go on with pages after it lagged.
    pub(super) fn has_pages(&self, at: u32) -> bool {
        let extra = self.slots[at].extra.as_ref();
        extra.is_some_and(|extra| extra.pages.is_some())
    }
}

/// Reading.
impl Hub {
    /// Returns what comes next for a subscriber, and moves it. If nothing is left then, keeps `waker`,
    /// and puts the one before in its place, to be dropped without the lock.
    #[inline]
    pub(super) fn next(&mut self, at: u32, waker: &mut Option<Waker>) -> Next {
        let slot = &mut self.slots[at];
        let (cursor, member, is_plain) = (slot.cursor, slot.member, slot.extra.is_none());
        let is_listed = slot.generation == self.topics.line.generation;
        // Most have no topics and lack what the one before them lacked, so this is worth a shortcut:
        // it takes a quarter of the instructions of a poll away.
        if is_plain && member == NONE && !self.is_closed {
            let all = self.topics.everybody();
            if let Some((next, bytes)) = self.joins.newest(ALL, cursor, all.end_from(cursor)) {
                slot.cursor = next;
                slot.stand_in_line(&mut self.topics, &mut self.joins, waker);
                let is_last = true;
                return Next::Chunk { bytes, is_last };
            }
        }
        let (until, is_picky) = if is_plain {
            (NEVER, false)
        } else {
            match self.look_at_extra(at) {
                Ok(rule) => rule,
                Err(next) => return next,
            }
        };
        let all = if is_listed {
            Ok(None)
        } else {
            self.find_chain(ALL, cursor, until)
        };
        let found = match all {
            Ok(all) if member != NONE => self.find_chains(cursor, member, all, until),
            all => all,
        };
        let (next, bytes, has_more) = match found {
            Ok(Some(chain)) if self.merge.is_empty() && !is_picky => self.take_of_one(chain, until),
            Ok(Some(chain)) => {
                self.merge.push(Reverse(chain));
                self.take_of_several(at, until)
            }
            Ok(None) => (cursor, Bytes::new(), false),
            Err(Lost) => return self.lag(at),
        };
        let is_last = !has_more && until == NEVER && !self.is_closed;
        if is_last {
            self.settle(at, next, waker);
        } else {
            self.slots[at].cursor = next;
        }
        if !is_plain {
            self.note_place(at);
        }
        if !bytes.is_empty() {
            return Next::Chunk { bytes, is_last };
        }
        match is_last {
            true => Next::Nothing,
            // What was looked at and not taken needs no second look.
            false if has_more => Next::Again,
            false if until != NEVER => Next::End(CloseReason::Shutdown, None),
            false => Next::End(CloseReason::Closed, self.farewell.clone()),
        }
    }

    /// Returns before which frame a subscriber ends and whether it takes only some event types, or what
    /// comes next without a look at the log.
    #[inline(never)]
    fn look_at_extra(&mut self, at: u32) -> Result<(u64, bool), Next> {
        let slot = &mut self.slots[at];
        let is_held = slot.is_held();
        let Some(extra) = &mut slot.extra else {
            return Ok((NEVER, false));
        };
        if let Some(End::Now(reason, farewell)) = &mut extra.end {
            return Err(Next::End(*reason, farewell.take()));
        }
        if let Some(bytes) = extra.first.take() {
            let is_last = false;
            return Err(Next::Chunk { bytes, is_last });
        }
        if is_held {
            return Err(Next::Nothing);
        }
        let until = match extra.end {
            Some(End::Before(number)) => number,
            Some(End::Now(..)) | None => NEVER,
        };
        Ok((until, extra.types.is_some()))
    }

    /// Finds the topics of a subscriber that have frames for it, from its first membership on. Returns
    /// one, which may be that of all, found before, and puts the others in `merge`.
    #[inline(never)]
    fn find_chains(
        &mut self,
        cursor: u64,
        mut member: u32,
        mut found: Option<Chain>,
        until: u64,
    ) -> Result<Option<Chain>, Lost> {
        while member != NONE {
            let one = &self.members[member];
            member = one.next;
            if one.position != NONE {
                continue;
            }
            match self.find_chain(one.topic, cursor.max(one.since), until) {
                Ok(chain) if found.is_none() => found = chain,
                Ok(chain) => self.merge.extend(chain.map(Reverse)),
                Err(Lost) => {
                    self.merge.clear();
                    return Err(Lost);
                }
            }
        }
        Ok(found)
    }

    /// Returns the first frame of a topic in a range.
    #[inline]
    fn find_chain(&self, topic: u32, from: u64, until: u64) -> Result<Option<Chain>, Lost> {
        if from >= until {
            return Ok(None);
        }
        let next = self.topics.get(topic).next_from(from, self.log.oldest())?;
        let next = next.filter(|(number, _)| *number < until);
        Ok(next.map(|(number, at)| Chain { number, topic, at }))
    }

    /// Takes frames of one topic.
    #[inline]
    fn take_of_one(&mut self, chain: Chain, until: u64) -> Taken {
        let Chain { number, topic, at } = chain;
        let oldest = self.log.oldest();
        let entry = self.topics.get(topic);
        let members = entry.members;
        let mut waiting = entry.links.len() - at;
        if until != NEVER {
            waiting = entry.links.first_from(until, oldest) - at;
        }
        if members > 1 && until == NEVER {
            if let Some(found) = self.joins.find(topic, number, waiting) {
                return (found.next, found.bytes.clone(), found.frames < waiting);
            }
        }
        let (next, frames, bytes) = self.join_chain(chain, waiting);
        // Not for the last who comes.
        if members > 1 && until == NEVER && self.topics.behind(topic) > 1 {
            self.joins.keep(Joined {
                topic,
                first: number,
                next,
                frames,
                bytes: bytes.clone(),
            });
        }
        (next, bytes, frames < waiting)
    }

    /// Joins frames of one topic. Returns the number of the frame after them, and how many they are.
    #[inline(never)]
    fn join_chain(&mut self, chain: Chain, waiting: usize) -> (u64, usize, Bytes) {
        let Chain { number, topic, at } = chain;
        if waiting == 1 {
            let bytes = self.log.join_one(number);
            work::look(1);
            work::copy(bytes.len());
            return (number + 1, 1, bytes);
        }
        let oldest = self.log.oldest();
        let links = &self.topics.get(topic).links;
        let last = links.get(at + waiting - 1, oldest).unwrap_or(number);
        if last - number == waiting as u64 - 1 {
            // No other topic has frames in between.
            let (next, bytes) = self.log.join(number, last + 1, BUDGET);
            let frames = usize::try_from(next - number).unwrap_or(usize::MAX);
            work::look(frames);
            work::copy(bytes.len());
            return (next, frames, bytes);
        }
        let mut len = 0;
        for at in at..at + waiting {
            let Some(number) = links.get(at, oldest) else {
                break;
            };
            len += self.log.len(number);
            if len > BUDGET && !self.picked.is_empty() {
                break;
            }
            self.picked.push(number);
        }
        work::look(self.picked.len());
        let frames = self.picked.len();
        let next = self.picked.last().map_or(number, |last| last + 1);
        (next, frames, self.join_picked())
    }

    /// Takes frames of the chains found.
    #[inline(never)]
    fn take_of_several(&mut self, at: u32, until: u64) -> Taken {
        let (next, has_more) = self.pick(at, until);
        (next, self.join_picked(), has_more)
    }

    /// Picks frames of the chains found, in order. Returns the number of the frame after those that
    /// were looked at, and whether more may be there.
    fn pick(&mut self, at: u32, until: u64) -> (u64, bool) {
        let extra = self.slots[at].extra.as_ref();
        let types = extra.and_then(|extra| extra.types.as_deref());
        let mut heap = BinaryHeap::from(mem::take(&mut self.merge));
        let oldest = self.log.oldest();
        let (mut len, mut looks, mut next) = (0, 0, 0);
        while let Some(mut first) = heap.peek_mut() {
            let Reverse(chain) = *first;
            if takes_type(types, || self.log.event_type(chain.number)) {
                len += self.log.len(chain.number);
                if len > BUDGET && !self.picked.is_empty() {
                    break;
                }
                self.picked.push(chain.number);
            }
            looks += 1;
            next = chain.number + 1;
            if looks == MOST_LOOKS && types.is_some() {
                break;
            }
            let links = &self.topics.get(chain.topic).links;
            match links.get(chain.at + 1, oldest).filter(|one| *one < until) {
                Some(number) => {
                    *first = Reverse(Chain {
                        number,
                        at: chain.at + 1,
                        ..chain
                    });
                }
                None => {
                    std::collections::binary_heap::PeekMut::pop(first);
                }
            }
        }
        work::look(looks);
        self.merge = heap.into_vec();
        let has_more = !self.merge.is_empty();
        self.merge.clear();
        self.merge.shrink_to(MOST_LOOKS);
        (next, has_more)
    }

    /// Joins the picked frames into one exact allocation.
    fn join_picked(&mut self) -> Bytes {
        let picked = mem::take(&mut self.picked);
        let bytes = match &picked[..] {
            [] => Bytes::new(),
            &[first, ..] if picked.last() == Some(&(first + picked.len() as u64 - 1)) => {
                let end = first + picked.len() as u64;
                self.log.join(first, end, usize::MAX).1
            }
            numbers => {
                let len = numbers.iter().map(|number| self.log.len(*number)).sum();
                let mut joined = Vec::with_capacity(len);
                for number in numbers {
                    joined.extend_from_slice(self.log.frame(*number));
                }
                Bytes::from(joined)
            }
        };
        work::copy(bytes.len());
        self.picked = picked;
        self.picked.clear();
        self.picked.shrink_to(BUDGET / 8);
        bytes
    }

    /// Is called when a frame that a subscriber had not read was dropped.
    #[cold]
    fn lag(&mut self, at: u32) -> Next {
        self.lagged += 1;
        let oldest = self.log.oldest();
        let slot = &mut self.slots[at];
        let Some(bytes) = slot.extra.as_ref().and_then(|extra| extra.skipped.clone()) else {
            return Next::End(CloseReason::Overflow, None);
        };
        slot.cursor = oldest;
        let is_last = false;
        Next::Chunk { bytes, is_last }
    }

    /// Returns how many frames wait for a subscriber.
    pub(super) fn waiting(&self, at: u32) -> u64 {
        let slot = &self.slots[at];
        if slot.is_over() {
            return 0;
        }
        let oldest = self.log.oldest();
        let waiting = |topic: u32, from: u64| {
            let links = &self.topics.get(topic).links;
            (links.len() - links.first_from(from, oldest)) as u64
        };
        let members = self.members_of(at);
        let own = members.map(|(_, one)| waiting(one.topic, slot.cursor.max(one.since)));
        waiting(ALL, slot.cursor) + own.sum::<u64>()
    }

    /// Returns the number of the first frame that waits for a subscriber, or of the head. `None` if
    /// it lags.
    pub(super) fn first_waiting(&self, at: u32) -> Option<u64> {
        let slot = &self.slots[at];
        let (oldest, head) = (self.log.oldest(), self.log.head());
        let first = |topic: u32, from: u64| {
            let topic = self.topics.get(topic);
            let number = topic
                .links
                .get(topic.links.first_from(from, oldest), oldest);
            (topic.lost < from).then(|| number.unwrap_or(head))
        };
        let members = self.members_of(at);
        let own = members.map(|(_, one)| first(one.topic, slot.cursor.max(one.since)));
        own.chain([first(ALL, slot.cursor)])
            .try_fold(head, |least, one| Some(least.min(one?)))
    }
}

/// Places and pages.
impl Hub {
    /// Returns whether no frame with a number below this one is to come for a subscriber.
    pub(super) fn has_passed(&self, at: u32, number: u64) -> bool {
        // A rewind may have taken the head back.
        let number = number.min(self.log.head());
        let first = self.first_waiting(at);
        self.slots[at].cursor >= number || first.is_some_and(|first| first >= number)
    }

    /// Finds an id, given its key if it has one.
    pub(super) fn find(&self, id: &str, key: Option<u128>) -> Found {
        key.map_or(Found::Unknown, |key| self.order.find(&self.log, id, key))
    }

    /// Returns how many subscribers lag, and how many frames wait for the slowest of the others.
    pub(super) fn lags(&self) -> (usize, u64) {
        let slots = self.slots.indexes();
        let reading = slots.filter(|at| !self.slots[*at].is_over() && !self.slots[*at].is_held());
        reading.fold((0, 0), |(lagging, most), at| match self.first_waiting(at) {
            None => (lagging + 1, most),
            Some(_) => (lagging, self.waiting(at).max(most)),
        })
    }

    /// Returns the id at which a subscriber stands.
    pub(super) fn last_event_id(&self, at: u32) -> Option<EventId<'static>> {
        let slot = &self.slots[at];
        let pages = slot.extra.as_ref().and_then(|extra| extra.pages.as_ref());
        if slot.is_over() || pages.is_some_and(|pages| pages.is_held) {
            return pages.and_then(|pages| pages.id.clone());
        }
        match self.first_waiting(at) {
            Some(number) => self.order.last_id_before(&self.log, number),
            None => pages.and_then(|pages| pages.id.clone()),
        }
    }

    /// Notes where a subscriber stands that may need pages.
    #[inline(never)]
    fn note_place(&mut self, at: u32) {
        if self.has_pages(at) {
            let id = self.last_event_id(at);
            if let Some(pages) = self.slots[at].pages() {
                pages.id = id;
            }
        }
    }

    /// Returns the event that tells a subscriber its place, with the id, if the place has moved.
    pub(super) fn tell_place(&mut self, at: u32) -> Option<(PlaceEvent, EventId<'static>)> {
        let place = self.slots[at].extra.as_ref()?.place.clone()?;
        let number = self.first_waiting(at)?;
        let id = self.order.last_id_before(&self.log, number)?;
        let told = self.slots[at].cursor.max(self.extra(at).told);
        if number <= told || self.slots[at].is_held() || self.slots[at].is_over() {
            return None;
        }
        self.extra(at).told = number;
        Some((place, id))
    }

    /// Lets a subscriber get its frames from elsewhere. Returns its waker, to be dropped without the
    /// lock.
    #[must_use]
    pub(super) fn hold(&mut self, at: u32) -> Option<Waker> {
        let id = self.last_event_id(at);
        if !self.has_pages(at) {
            // What was added before the oldest frame was added before the place of the subscriber.
            let added = self
                .members_of(at)
                .filter(|(_, one)| one.since > self.log.oldest());
            let key = |one: &Member| (one.topic, self.order.key_before(&self.log, one.since));
            let since = added.map(|(_, one)| key(one)).collect();
            let pages = Pages {
                since,
                ..Pages::default()
            };
            self.extra(at).pages = Some(pages);
        }
        let extra = self.extra(at);
        extra.first = None;
        let pages = extra.pages.get_or_insert_default();
        pages.is_held = true;
        pages.id = id;
        self.unlist_all(at)
    }

    /// Lets a held subscriber go on after a frame of the log. Returns whether the frame is there.
    pub(super) fn join(&mut self, at: u32, found: Found) -> bool {
        if self.slots[at].is_over() {
            return true;
        }
        let Found::At(number) = found else {
            return false;
        };
        self.slots[at].cursor = number + 1;
        let is_whole = self.first_waiting(at).is_some();
        if let Some(pages) = self.slots[at].pages() {
            // Otherwise a frame of its own was lost after that one.
            pages.is_held = !is_whole;
        }
        is_whole
    }

    /// Returns whether a frame from elsewhere is for a held subscriber.
    pub(super) fn takes(
        &self,
        at: u32,
        topic: Option<&str>,
        event_type: Option<&str>,
        key: Option<u128>,
    ) -> bool {
        let slot = &self.slots[at];
        let Some(extra) = slot.extra.as_ref().filter(|_| !slot.is_over()) else {
            return false;
        };
        if !takes_type(extra.types.as_deref(), || event_type) {
            return false;
        }
        let Some(name) = topic else { return true };
        let Some(topic) = self.topics.find(name).filter(|_| self.has_topic(at, name)) else {
            return false;
        };
        let pages = extra.pages.as_ref();
        let mut since = pages.into_iter().flat_map(|pages| &pages.since);
        let since = since.find(|(one, _)| *one == topic);
        since.is_none_or(|(_, since)| key.is_some_and(|key| key > *since))
    }
}
