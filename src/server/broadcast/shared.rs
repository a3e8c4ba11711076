//! The state that handles and subscribers of a broadcast share: the log and the wakers.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use bytes::Bytes;

use super::index::{IdIndex, NewIds};
use super::log::Log;
use super::options::Retention;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// A snapshot of the counts of a [`Broadcast`](crate::Broadcast): subscribers, frames and losses.
#[derive(Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// The number of subscribers that have not ended.
    pub subscribers: usize,
    /// The number of subscribers that lag: their next frame is no longer kept. The next poll of
    /// each ends it or skips ahead.
    pub lagging: usize,
    /// The number of frames that the slowest subscriber has not read yet. Subscribers that lag do
    /// not count.
    pub most_behind: u64,
    /// The number of times that a subscriber ended or skipped ahead because it lagged.
    pub lagged: u64,
    /// The number of frames that were published. Those that are not retained were dropped.
    pub published: u64,
    /// The number of frames that are kept.
    pub retained_frames: usize,
    /// The number of bytes that the kept frames take on the wire.
    pub retained_bytes: u64,
}

/// The part that all handles of a broadcast share. The drop of the last handle drops it, which
/// closes the broadcast.
pub(super) struct LastHandle(pub(super) Arc<BroadcastShared>);

impl LastHandle {
    pub(super) fn new(retention: Retention, epoch: Option<u64>) -> Arc<Self> {
        Arc::new(Self(Arc::new(BroadcastShared::new(retention, epoch))))
    }
}

impl Drop for LastHandle {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

pub(super) struct BroadcastShared {
    /// The epoch of the ids, if they are assigned.
    pub(super) epoch: Option<u64>,
    /// The largest size of a frame in bytes.
    pub(super) max_frame_bytes: usize,
    /// Twice the number of the next frame, plus 1 once the broadcast is closed. Changed under the
    /// lock. A subscriber that has read everything has nothing to do until this changes.
    version: AtomicU64,
    state: Mutex<BroadcastState>,
    /// Locked before the state, never while the state is locked.
    index: Mutex<IdIndex>,
}

pub(super) struct BroadcastState {
    pub(super) log: Log,
    pub(super) wakers: WakerList,
    pub(super) is_closed: bool,
    pub(super) farewell: Option<Bytes>,
    pub(super) subscribers: usize,
    /// The number of times that a lagging subscriber ended or skipped ahead.
    pub(super) lagged: u64,
}

/// The value of `version` while the next frame has the number `head` and the broadcast is open. A
/// closed broadcast adds 1.
pub(super) const fn version(head: u64) -> u64 {
    2 * head
}

impl BroadcastShared {
    fn new(retention: Retention, epoch: Option<u64>) -> Self {
        let max_frame_bytes = retention.max_bytes;
        let log = Log::new(retention, epoch);
        Self {
            epoch,
            max_frame_bytes,
            version: AtomicU64::new(version(log.head())),
            state: Mutex::new(BroadcastState {
                log,
                wakers: WakerList::new(),
                is_closed: false,
                farewell: None,
                subscribers: 0,
                lagged: 0,
            }),
            index: Mutex::new(IdIndex::new()),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, BroadcastState> {
        // No user code runs under the lock, so a panic cannot have left half a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the index of ids, including all ids published before the call.
    pub(super) fn index(&self) -> MutexGuard<'_, IdIndex> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.next_number();
        while index.next() < head {
            // The log is locked while the ids are copied, and not while they are entered.
            let new = NewIds::copy(&self.lock().log, index.next());
            let Some(new) = new else { break };
            index.enter(&new);
        }
        index
    }

    /// Returns the current version. If a subscriber has registered its waker and sees no change
    /// here, the next change wakes it.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns the number of the next frame. It may be outdated, because the log is not locked.
    #[inline]
    pub(super) fn next_number(&self) -> u64 {
        self.version() / 2
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.version() % 2 == 1
    }

    /// Stores the new version after a change, and wakes all waiting subscribers. Returns the number
    /// of the last frame. Wakers are executor code, so they run without the lock.
    #[inline]
    pub(super) fn wake_all(&self, mut state: MutexGuard<'_, BroadcastState>) -> u64 {
        let head = state.log.head();
        let version = version(head) + u64::from(state.is_closed);
        self.version.store(version, Ordering::Release);
        let wakers = state.wakers.take_all();
        drop(state);
        if let Some(mut wakers) = wakers {
            let used = wakers.len();
            for slot in wakers.drain(..) {
                if let WakerSlot::Waits(waker) = slot {
                    waker.wake();
                }
            }
            let unused = self.lock().wakers.reuse(wakers, used);
            drop(unused);
        }
        head - 1
    }

    /// Closes the broadcast, unless it is closed.
    pub(super) fn close(&self, farewell: Option<Bytes>) {
        let mut state = self.lock();
        if !state.is_closed {
            state.is_closed = true;
            state.farewell = farewell;
            self.wake_all(state);
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        let state = self.lock();
        let log = &state.log;
        let head = log.head();
        Statistics {
            subscribers: state.subscribers,
            lagging: log.fallen() as usize,
            most_behind: log.slowest().map_or(0, |slowest| head - slowest),
            lagged: state.lagged,
            published: head - 1,
            retained_frames: log.frames(),
            retained_bytes: log.bytes(),
        }
    }
}

/// The wakers of the subscribers that have read everything.
///
/// A publication takes the whole list at once and wakes it without the lock. The emptied list is
/// reused for a later publication, so waking allocates nothing.
pub(super) struct WakerList {
    slots: Vec<WakerSlot>,
    free: u32,
    spare: Vec<WakerSlot>,
}

/// A waker or a free slot. Both take two words.
pub(super) enum WakerSlot {
    Waits(Waker),
    Free { next: u32 },
}

/// The end of the list of free slots.
const NO_SLOT: u32 = u32::MAX;

impl WakerList {
    const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NO_SLOT,
            spare: Vec::new(),
        }
    }

    /// Adds a waker. Returns its slot, which it keeps until the next `take_all`.
    #[inline]
    pub(super) fn insert(&mut self, waker: Waker) -> u32 {
        if let Some(slot) = self.slots.get_mut(self.free as usize) {
            let at = self.free;
            if let WakerSlot::Free { next } = mem::replace(slot, WakerSlot::Waits(waker)) {
                self.free = next;
            }
            return at;
        }
        if self.slots.len() == self.slots.capacity() {
            // Grows by a quarter, because wakers are most of the memory of idle subscribers.
            let more = (self.slots.len() / 4).max(4);
            self.slots.reserve_exact(more);
        }
        self.slots.push(WakerSlot::Waits(waker));
        u32::try_from(self.slots.len() - 1).unwrap_or(NO_SLOT)
    }

    /// Replaces the waker of a slot. Returns the old one.
    pub(super) fn replace(&mut self, at: u32, waker: Waker) -> Option<WakerSlot> {
        let slot = self.slots.get_mut(at as usize)?;
        Some(mem::replace(slot, WakerSlot::Waits(waker)))
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<WakerSlot> {
        let slot = self.slots.get_mut(at as usize)?;
        let old = mem::replace(slot, WakerSlot::Free { next: self.free });
        self.free = at;
        Some(old)
    }

    #[inline]
    fn take_all(&mut self) -> Option<Vec<WakerSlot>> {
        if self.slots.is_empty() {
            return None;
        }
        self.free = NO_SLOT;
        Some(mem::replace(&mut self.slots, mem::take(&mut self.spare)))
    }

    /// Takes back the emptied list of `take_all`. Returns the list that is not kept, to be dropped
    /// without the lock.
    fn reuse(&mut self, emptied: Vec<WakerSlot>, used: usize) -> Vec<WakerSlot> {
        let too_large = emptied.capacity() > 4 * used + 64;
        if too_large || self.spare.capacity() >= emptied.capacity() {
            return emptied;
        }
        mem::replace(&mut self.spare, emptied)
    }
}

/// Identifies a registered waker, as `Waker::will_wake` does, without a clone of the waker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct WakerIdentity(usize, usize);

impl WakerIdentity {
    #[inline]
    pub(super) fn of(waker: &Waker) -> Self {
        let vtable = core::ptr::from_ref(waker.vtable());
        Self(waker.data().addr(), vtable.addr())
    }
}
