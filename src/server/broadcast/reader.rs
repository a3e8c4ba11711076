//! How one subscriber reads the log, and waits.

use alloc::boxed::Box;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::core::{Core, Identity, State, version};
use super::end::SubscriptionEnd;
use super::filter::Filter;
use super::log::Log;
use super::options::Share;
use super::waiting::{self, NOWHERE};
use crate::server::foreign::NO_WAKE;
use crate::sync::MutexGuard;

/// What a subscriber is beside the core, so that the core is borrowed while it changes.
pub(super) struct Reader {
    /// The number of the next frame to read.
    pub(super) cursor: u64,
    /// Whose waker is kept; it is as long as `cursor` is the head and nothing is closed.
    registered: Identity,
    /// Where.
    place: u32,
    pub(super) phase: Phase,
    filter: Option<Box<Filter>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Reads,
    Ended(SubscriptionEnd),
}

impl Reader {
    pub(super) const fn new(cursor: u64, filter: Option<Box<Filter>>) -> Self {
        Self {
            cursor,
            registered: Identity::NOBODY,
            place: NOWHERE,
            phase: Phase::Reads,
            filter,
        }
    }

    /// Whether nothing has changed since this waker was kept.
    #[inline]
    pub(super) fn waits_as(&self, core: &Core, waker: &Waker) -> bool {
        core.version() == version(self.cursor)
            && ((self.place != NOWHERE && self.registered == Identity::of(waker))
                || waker.will_wake(NO_WAKE))
    }

    pub(super) fn poll(&mut self, core: &Core, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        // Cloning a waker runs code of the executor's, so it is done before there is a lock. Who has
        // read all is registered at once: it saves the next poll the lock.
        let mut waker = (!cx.waker().will_wake(NO_WAKE)).then(|| cx.waker().clone());
        for _ in 0..MOST_LOOKS {
            let mut state = core.lock();
            if self.cursor < state.log.oldest() {
                return self.lagged(state);
            }
            if self.cursor == state.log.head() {
                return self.at_head(state, waker);
            }
            let Some((next, bytes)) = self.take(&mut state.log, core.epoch) else {
                drop(state);
                return self.poll_filtered(core, cx);
            };
            self.move_to(next);
            let is_head = next == state.log.head();
            if bytes.is_empty() {
                if is_head {
                    return self.at_head(state, waker);
                }
                // Each chunk with a lock of its own: others wait for it.
                continue;
            }
            if is_head && state.end.is_none() {
                if let Some(waker) = waker.take() {
                    self.registered = Identity::of(&waker);
                    self.place = state.waiting.insert(waker);
                }
            }
            drop(state);
            return Poll::Ready(Some(bytes));
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes a chunk for which nobody is to be asked. `None` if there is somebody.
    #[inline]
    fn take(&self, log: &mut Log, epoch: Option<u64>) -> Option<(u64, Bytes)> {
        let filter = self.filter.as_deref();
        let share = filter.map_or(Share::Everybodys(None), |filter| filter.options.share());
        match share {
            Share::Nothing => None,
            _ if !log.has_scopes_from(self.cursor) => Some(log.take(self.cursor)),
            Share::Unscoped => None,
            Share::Everybodys(mine) => log.take_everybodys(self.cursor, mine, epoch),
        }
    }

    #[inline]
    fn move_to(&mut self, next: u64) {
        self.cursor = next;
        // What was kept went with the list when there was something to read.
        self.place = NOWHERE;
    }

    /// Polls with all frames read.
    fn at_head(
        &mut self,
        mut state: MutexGuard<'_, State>,
        mut waker: Option<Waker>,
    ) -> Poll<Option<Bytes>> {
        if let Some(end) = &state.end {
            let farewell = end.farewell.clone();
            self.finish(&mut state, SubscriptionEnd::Closed);
            drop(state);
            return Poll::Ready(farewell);
        }
        let mut old = None;
        if let Some(waker) = waker.take() {
            self.registered = Identity::of(&waker);
            if self.place == NOWHERE {
                self.place = state.waiting.insert(waker);
            } else {
                old = state.waiting.replace(self.place, waker);
            }
        }
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Polls with the next frame gone.
    fn lagged(&mut self, mut state: MutexGuard<'_, State>) -> Poll<Option<Bytes>> {
        state.lagged += 1;
        let skipped = self.filter.as_deref_mut().and_then(Filter::skip);
        let Some(skipped) = skipped else {
            self.finish(&mut state, SubscriptionEnd::Lagged);
            return Poll::Ready(None);
        };
        let oldest = state.log.oldest();
        let lost = oldest - self.cursor;
        state.log.pass(self.cursor, oldest);
        self.move_to(oldest);
        drop(state);
        Poll::Ready(Some(skipped(lost).to_bytes()))
    }

    pub(super) fn finish(&mut self, state: &mut State, end: SubscriptionEnd) {
        if state.log.leave(self.cursor) {
            state.log.forget_join(self.cursor);
        }
        state.subscribers -= 1;
        self.place = NOWHERE;
        self.phase = Phase::Ended(end);
    }

    /// Polls where each frame is looked at: the log is read, and the reading is noted, under the
    /// lock; the user's predicates run in between.
    fn poll_filtered(&mut self, core: &Core, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        for _ in 0..MOST_LOOKS {
            let waker = (!cx.waker().will_wake(NO_WAKE)).then(|| cx.waker().clone());
            let mut state = core.lock();
            if self.cursor < state.log.oldest() {
                return self.lagged(state);
            }
            if self.cursor == state.log.head() {
                return self.at_head(state, waker);
            }
            let chunk = state.log.look(self.cursor);
            drop(state);
            drop(waker);
            // Who has no filter does not come here.
            let filter = self.filter.as_deref_mut();
            let (next, picked) = match filter {
                Some(filter) => filter.pick(&chunk, core.epoch),
                None => (chunk.next, Bytes::new()),
            };
            core.lock().log.pass(self.cursor, next);
            self.move_to(next);
            if !picked.is_empty() {
                return Poll::Ready(Some(picked));
            }
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes back the waker, to be dropped without the lock.
    pub(super) fn unregister(&mut self, state: &mut State) -> Option<waiting::Place> {
        let is_kept =
            self.place != NOWHERE && self.cursor == state.log.head() && state.end.is_none();
        let old = is_kept.then(|| state.waiting.remove(self.place)).flatten();
        self.place = NOWHERE;
        old
    }
}

/// How many chunks are looked at in one poll of which nothing is for the subscriber.
const MOST_LOOKS: usize = 16;
