//! What the handle and the subscribers share: the state behind the lock, and the wakes.

use alloc::vec::Vec;
use core::task::Waker;

use bytes::Bytes;

use super::index::{Index, New};
use super::log::Log;
use super::waiting::{self, Waiting};
use crate::server::foreign::Panics;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};

pub(super) struct Core {
    pub(super) handles: AtomicUsize,
    /// The epoch of the ids, if they are assigned.
    pub(super) epoch: Option<u64>,
    /// The most bytes a frame may have.
    pub(super) limit: usize,
    /// Changes, under the lock, with all that a subscriber who has read everything waits for: see
    /// [`version`].
    version: AtomicU64,
    state: Mutex<State>,
    /// Locked before the state, never while that is.
    index: Mutex<Index>,
}

pub(super) struct State {
    pub(super) log: Log,
    pub(super) waiting: Waiting,
    pub(super) end: Option<End>,
    pub(super) subscribers: usize,
    /// How many were told that they lag.
    pub(super) lagged: u64,
}

/// The broadcast is closed.
pub(super) struct End {
    pub(super) farewell: Option<Bytes>,
}

/// What [`Core::version`] is while the next frame has the number `head` and all is open.
pub(super) const fn version(head: u64) -> u64 {
    2 * head
}

impl Core {
    pub(super) fn new(log: Log, epoch: Option<u64>, limit: usize) -> Self {
        Self {
            handles: AtomicUsize::new(1),
            epoch,
            limit,
            version: AtomicU64::new(version(log.head())),
            state: Mutex::new(State {
                log,
                waiting: Waiting::new(),
                end: None,
                subscribers: 0,
                lagged: 0,
            }),
            index: Mutex::new(Index::new()),
        }
    }

    /// Where ids of the user's stand, for one who asks: of all that was published before the call.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.next_number();
        while index.next() < head {
            // Without the lock of the log from here on.
            let new = New::of(&self.lock().log, index.next());
            let Some(new) = new else { break };
            index.enter(&new);
        }
        index
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing of the user's runs under the lock, so a panic can't have left half a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is registered to be woken, and sees no change here, will be woken.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The number that the next frame had a moment ago.
    #[inline]
    pub(super) fn next_number(&self) -> u64 {
        self.version() / 2
    }

    /// Tells everybody who waits that something has changed. Without the lock, since a waker is
    /// somebody else's code; each is woken, whatever another one does.
    #[inline]
    pub(super) fn tell(&self, mut state: MutexGuard<'_, State>) {
        let closed = u64::from(state.end.is_some());
        let version = version(state.log.head()) + closed;
        self.version.store(version, Ordering::Release);
        let waits = state.waiting.take_all();
        drop(state);
        if let Some(waits) = waits {
            self.wake(waits);
        }
    }

    fn wake(&self, mut waits: Vec<waiting::Place>) {
        let mut panics = Panics::default();
        let used = waits.len();
        for place in waits.drain(..) {
            if let waiting::Place::Waits(waker) = place {
                panics.catch(|| waker.wake());
            }
        }
        let left = self.lock().waiting.give_back(waits, used);
        drop(left);
        panics.go_on();
    }

    /// Closes, unless it is closed.
    pub(super) fn close(&self, farewell: Option<Bytes>) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(End { farewell });
            self.tell(state);
        }
    }
}

/// What tells a waker from others while it is kept: as `Waker::will_wake`, without keeping it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(usize, usize);

impl Identity {
    pub(super) const NOBODY: Self = Self(0, 0);

    #[inline]
    pub(super) fn of(waker: &Waker) -> Self {
        let vtable = core::ptr::from_ref(waker.vtable());
        Self(waker.data().addr(), vtable.addr())
    }
}
