//! One subscriber: how it reads the log, waits, and ends.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::filter::Filter;
use super::log::Log;
use super::options::Unfiltered;
use super::shared::{BroadcastShared, BroadcastState, WakerIdentity, WakerSlot, version};
use crate::server::foreign::NO_WAKE;
use crate::server::state::CloseReason;
use crate::sync::MutexGuard;

/// A subscriber, which is counted in the log until it ends.
pub(super) struct Subscriber {
    shared: Arc<BroadcastShared>,
    reader: Reader,
}

/// The part of a subscriber that is not shared. It can change while the log is locked.
struct Reader {
    /// The number of the next frame to read.
    cursor: u64,
    phase: Phase,
    filter: Option<Box<Filter>>,
}

#[derive(Clone, Copy)]
enum Phase {
    Reads,
    /// A waker is kept in a slot, as long as `cursor` is the head and the broadcast is open.
    Waits {
        waker: WakerIdentity,
        slot: u32,
    },
    /// It reads all frames before the number `head`, and ends.
    ShutsDown {
        head: u64,
    },
    Ended(CloseReason),
}

/// The largest number of chunks that one poll skips because they have no frame for the subscriber.
const MOST_LOOKS: usize = 16;

impl Subscriber {
    pub(super) fn new(
        shared: &Arc<BroadcastShared>,
        state: &mut BroadcastState,
        cursor: u64,
        filter: Option<Box<Filter>>,
    ) -> Self {
        state.subscribers += 1;
        state.log.arrive(cursor);
        Self {
            shared: Arc::clone(shared),
            reader: Reader {
                cursor,
                phase: Phase::Reads,
                filter,
            },
        }
    }

    pub(super) fn shared(&self) -> &BroadcastShared {
        &self.shared
    }

    /// Returns the number of the next frame to read.
    pub(super) fn cursor(&self) -> u64 {
        self.reader.cursor
    }

    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        match self.reader.phase {
            Phase::Ended(reason) => Some(reason),
            Phase::Reads | Phase::Waits { .. } | Phase::ShutsDown { .. } => None,
        }
    }

    #[inline]
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let Self { shared, reader } = self;
        if let Phase::Ended(_) = reader.phase {
            return Poll::Ready(None);
        }
        if reader.still_waits(shared, cx.waker()) {
            return Poll::Pending;
        }
        reader.poll(shared, cx)
    }

    /// Goes back to the oldest frame kept, before the first poll.
    pub(super) fn rewind(&mut self) {
        let mut state = self.shared.lock();
        let oldest = state.log.oldest();
        state.log.pass(self.reader.cursor, oldest);
        self.reader.cursor = oldest;
    }

    /// Ends the subscriber after the frames published so far. Returns whether it was open.
    pub(super) fn shut_down(&mut self) -> bool {
        let mut state = self.shared.lock();
        let runs = matches!(self.reader.phase, Phase::Reads | Phase::Waits { .. });
        if !runs || state.is_closed {
            return false;
        }
        let old = self.reader.unregister(&mut state);
        let head = state.log.head();
        self.reader.phase = Phase::ShutsDown { head };
        drop(state);
        drop(old);
        true
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if self.close_reason().is_none() {
            let mut state = self.shared.lock();
            let old = self.reader.unregister(&mut state);
            self.reader.finish(&mut state, CloseReason::ClientGone);
            drop(state);
            drop(old);
        }
    }
}

impl Reader {
    /// Returns whether this waker is registered and nothing has changed since.
    #[inline]
    fn still_waits(&self, shared: &BroadcastShared, waker: &Waker) -> bool {
        shared.version() == version(self.cursor)
            && match self.phase {
                Phase::Reads => waker.will_wake(NO_WAKE),
                Phase::Waits { waker: kept, .. } => {
                    kept == WakerIdentity::of(waker) || waker.will_wake(NO_WAKE)
                }
                Phase::ShutsDown { .. } | Phase::Ended(_) => false,
            }
    }

    fn poll(&mut self, shared: &BroadcastShared, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        // Cloning a waker runs executor code, so it happens before locking. A subscriber that has
        // read everything registers its waker at once, so that the next poll need not lock.
        let waker = (!cx.waker().will_wake(NO_WAKE)).then(|| cx.waker().clone());
        for _ in 0..MOST_LOOKS {
            let mut state = shared.lock();
            if self.cursor < state.log.oldest() {
                return self.lag(state);
            }
            if self.has_read_all(&state.log) {
                return self.wait(state, waker);
            }
            let taken = Self::take(&mut state.log, self.cursor, self.filter.as_deref_mut());
            let (next, bytes) = match taken {
                Ok(taken) => taken,
                Err(filter) => {
                    let (chunk, frames) = state.log.look(self.cursor);
                    drop(state);
                    // The predicates run without the lock.
                    let selected = filter.select(&chunk, &frames, shared.epoch);
                    state = shared.lock();
                    state.log.pass(self.cursor, selected.0);
                    selected
                }
            };
            self.move_to(next);
            let has_read_all = self.has_read_all(&state.log);
            if bytes.is_empty() {
                if has_read_all {
                    return self.wait(state, waker);
                }
                // Locks once per chunk, because other subscribers wait for the lock.
                continue;
            }
            if has_read_all && !state.is_closed {
                let unused = self.register(&mut state, waker);
                drop(state);
                drop(unused);
            }
            return Poll::Ready(Some(bytes));
        }
        // Yields, so that other tasks can run.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn has_read_all(&self, log: &Log) -> bool {
        match self.phase {
            Phase::ShutsDown { head } => self.cursor >= head,
            Phase::Reads | Phase::Waits { .. } | Phase::Ended(_) => self.cursor == log.head(),
        }
    }

    /// Takes a chunk that needs no filter. Returns the filter if the next chunk needs it.
    #[inline]
    fn take<'a>(
        log: &mut Log,
        cursor: u64,
        filter: Option<&'a mut Filter>,
    ) -> Result<(u64, Bytes), &'a mut Filter> {
        let has_scopes = log.has_scopes_from(cursor);
        if let Some(filter) = filter {
            let is_needed = match filter.options.unfiltered() {
                Unfiltered::Nothing => true,
                Unfiltered::Unscoped => has_scopes,
                Unfiltered::Public(None) => false,
                Unfiltered::Public(Some(own)) => has_scopes && log.may_have(cursor, own),
            };
            if is_needed {
                return Err(filter);
            }
        }
        Ok(if has_scopes {
            log.take_public(cursor)
        } else {
            log.take(cursor)
        })
    }

    #[inline]
    fn move_to(&mut self, next: u64) {
        self.cursor = next;
        if let Phase::Waits { .. } = self.phase {
            // The publication of the next frame has already taken the waker.
            self.phase = Phase::Reads;
        }
    }

    /// Finishes a poll that has read all frames: ends the stream, or registers the waker.
    fn wait(
        &mut self,
        mut state: MutexGuard<'_, BroadcastState>,
        waker: Option<Waker>,
    ) -> Poll<Option<Bytes>> {
        if let Phase::ShutsDown { .. } = self.phase {
            self.finish(&mut state, CloseReason::Shutdown);
            return Poll::Ready(None);
        }
        if state.is_closed {
            let farewell = state.farewell.clone();
            self.finish(&mut state, CloseReason::Closed);
            return Poll::Ready(farewell);
        }
        let old = self.register(&mut state, waker);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Finishes a poll whose next frame was dropped: ends the stream, or skips ahead.
    fn lag(&mut self, mut state: MutexGuard<'_, BroadcastState>) -> Poll<Option<Bytes>> {
        state.lagged += 1;
        let Some(skipped) = self.filter.as_deref_mut().and_then(Filter::skip) else {
            self.finish(&mut state, CloseReason::Overflow);
            return Poll::Ready(None);
        };
        let oldest = state.log.oldest();
        let lost = oldest - self.cursor;
        state.log.pass(self.cursor, oldest);
        self.move_to(oldest);
        drop(state);
        Poll::Ready(Some(skipped(lost).to_bytes()))
    }

    fn finish(&mut self, state: &mut BroadcastState, reason: CloseReason) {
        state.log.leave(self.cursor);
        state.subscribers -= 1;
        self.phase = Phase::Ended(reason);
    }

    /// Keeps a waker. Returns a waker that is not needed, to be dropped without the lock.
    fn register(&mut self, state: &mut BroadcastState, waker: Option<Waker>) -> Option<WakerSlot> {
        let waker = waker?;
        let identity = WakerIdentity::of(&waker);
        let (slot, old) = match self.phase {
            Phase::Reads => (state.wakers.insert(waker), None),
            Phase::Waits { slot, .. } => (slot, state.wakers.replace(slot, waker)),
            Phase::ShutsDown { .. } | Phase::Ended(_) => return Some(WakerSlot::Waits(waker)),
        };
        self.phase = Phase::Waits {
            waker: identity,
            slot,
        };
        old
    }

    /// Takes the waker back, to be dropped without the lock.
    fn unregister(&mut self, state: &mut BroadcastState) -> Option<WakerSlot> {
        let Phase::Waits { slot, .. } = self.phase else {
            return None;
        };
        self.phase = Phase::Reads;
        let is_kept = self.cursor == state.log.head() && !state.is_closed;
        is_kept.then(|| state.wakers.remove(slot)).flatten()
    }
}
