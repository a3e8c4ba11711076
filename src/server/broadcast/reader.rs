//! How one subscriber reads the log, and waits.

use alloc::boxed::Box;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::core::{Core, Identity, State, version};
use super::end::SubscriptionEnd;
use super::filter::Filter;
use super::log::Log;
use super::options::Share;
use super::waiting;
use crate::server::now::NOW;
use crate::sync::MutexGuard;
use crate::wire::encode;

/// What a subscriber is beside the core, so that the core is borrowed while it changes.
pub(super) struct Reader {
    /// The number of the next frame to read.
    pub(super) cursor: u64,
    pub(super) phase: Phase,
    filter: Option<Box<Filter>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Reads,
    /// A waker is kept at a place, as long as `cursor` is the head and nothing is closed.
    Waits {
        waker: Identity,
        place: u32,
    },
    /// It reads all frames before this number, and ends.
    ShutsDown {
        head: u64,
    },
    Ended(SubscriptionEnd),
}

impl Reader {
    pub(super) const fn new(cursor: u64, filter: Option<Box<Filter>>) -> Self {
        Self {
            cursor,
            phase: Phase::Reads,
            filter,
        }
    }

    /// Whether nothing has changed since this waker was kept.
    #[inline]
    pub(super) fn waits_as(&self, core: &Core, waker: &Waker) -> bool {
        core.version() == version(self.cursor)
            && match self.phase {
                Phase::Reads => waker.will_wake(NOW),
                Phase::Waits { waker: kept, .. } => {
                    kept == Identity::of(waker) || waker.will_wake(NOW)
                }
                Phase::ShutsDown { .. } | Phase::Ended(_) => false,
            }
    }

    /// Whether there is nothing more to read.
    fn has_read_all(&self, log: &Log) -> bool {
        match self.phase {
            Phase::ShutsDown { head } => self.cursor >= head,
            Phase::Reads | Phase::Waits { .. } | Phase::Ended(_) => self.cursor == log.head(),
        }
    }

    pub(super) fn poll(&mut self, core: &Core, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        // Cloning a waker runs code of the executor's, so it is done before there is a lock. Who has
        // read all is registered at once: it saves the next poll the lock.
        let waker = (!cx.waker().will_wake(NOW)).then(|| cx.waker().clone());
        for _ in 0..MOST_LOOKS {
            let mut state = core.lock();
            if self.cursor < state.log.oldest() {
                return self.lagged(state);
            }
            if self.has_read_all(&state.log) {
                return self.at_end(state, waker);
            }
            let Some((next, bytes)) = self.take(&mut state.log, core.epoch) else {
                drop(state);
                return self.poll_filtered(core, cx);
            };
            self.move_to(next);
            let has_read_all = self.has_read_all(&state.log);
            if bytes.is_empty() {
                if has_read_all {
                    return self.at_end(state, waker);
                }
                // Each chunk with a lock of its own: others wait for it.
                continue;
            }
            if has_read_all && state.end.is_none() {
                let unused = self.register(&mut state, waker);
                drop(state);
                drop(unused);
            }
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
        if let Phase::Waits { .. } = self.phase {
            // The waker went with the list when there was something to read.
            self.phase = Phase::Reads;
        }
    }

    /// Polls with all frames read.
    fn at_end(
        &mut self,
        mut state: MutexGuard<'_, State>,
        waker: Option<Waker>,
    ) -> Poll<Option<Bytes>> {
        if let Phase::ShutsDown { .. } = self.phase {
            self.finish(&mut state, SubscriptionEnd::Shutdown);
            drop(state);
            return Poll::Ready(None);
        }
        if let Some(end) = &state.end {
            let farewell = end.farewell.clone();
            self.finish(&mut state, SubscriptionEnd::Closed);
            drop(state);
            return Poll::Ready(farewell);
        }
        let old = self.register(&mut state, waker);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Keeps a waker; returns the one that it replaces, to be dropped without the lock.
    fn register(&mut self, state: &mut State, waker: Option<Waker>) -> Option<waiting::Place> {
        let waker = waker?;
        let identity = Identity::of(&waker);
        let (place, old) = match self.phase {
            Phase::Reads => (state.waiting.insert(waker), None),
            Phase::Waits { place, .. } => (place, state.waiting.replace(place, waker)),
            Phase::ShutsDown { .. } | Phase::Ended(_) => {
                return Some(waiting::Place::Waits(waker));
            }
        };
        self.phase = Phase::Waits {
            waker: identity,
            place,
        };
        old
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
        Poll::Ready(Some(encode::to_bytes(&skipped(lost))))
    }

    pub(super) fn finish(&mut self, state: &mut State, end: SubscriptionEnd) {
        if state.log.leave(self.cursor) {
            state.log.forget_join(self.cursor);
        }
        state.subscribers -= 1;
        self.phase = Phase::Ended(end);
    }

    /// Polls where each frame is looked at: the log is read, and the reading is noted, under the
    /// lock; the user's predicates run in between.
    fn poll_filtered(&mut self, core: &Core, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        for _ in 0..MOST_LOOKS {
            let waker = (!cx.waker().will_wake(NOW)).then(|| cx.waker().clone());
            let mut state = core.lock();
            if self.cursor < state.log.oldest() {
                return self.lagged(state);
            }
            if self.has_read_all(&state.log) {
                return self.at_end(state, waker);
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
        let Phase::Waits { place, .. } = self.phase else {
            return None;
        };
        self.phase = Phase::Reads;
        let is_kept = self.cursor == state.log.head() && state.end.is_none();
        is_kept.then(|| state.waiting.remove(place)).flatten()
    }
}

/// How many chunks are looked at in one poll of which nothing is for the subscriber.
const MOST_LOOKS: usize = 16;
