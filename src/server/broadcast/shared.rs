//! What handles, subscriptions and their handles share: the hub under its lock.

use alloc::boxed::Box;
use alloc::sync::Arc;
use std::sync::OnceLock;

use bytes::Bytes;

use super::hub::Hub;
use super::ids::Ids;
use super::options::Retention;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// A handle of the broadcast. Its drop closes the broadcast.
pub(super) struct LastHandle(pub(super) Arc<BroadcastShared>);

impl Drop for LastHandle {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

pub(super) struct BroadcastShared {
    pub(super) ids: Ids,
    pub(super) retention: Retention,
    pub(super) presence: OnceLock<Box<PresenceFn>>,
    /// Changes, under the lock, whenever a waker may have been taken. A subscriber that has
    /// registered its waker need not be polled again until it changes.
    version: AtomicU64,
    hub: Mutex<Hub>,
}

pub(super) type PresenceFn = dyn Fn(&str, bool) + Send + Sync;

impl BroadcastShared {
    pub(super) fn new(retention: Retention, ids: Ids) -> Self {
        let hub = Hub::new(retention.clone(), &ids);
        Self {
            ids,
            retention,
            presence: OnceLock::new(),
            version: AtomicU64::new(0),
            hub: Mutex::new(hub),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Hub> {
        // No user code runs under the lock, so a panic cannot have left half a change.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks, after the frames that are too old were dropped.
    #[inline]
    pub(super) fn lock_now(&self) -> MutexGuard<'_, Hub> {
        let now = self.retention.now();
        let mut hub = self.lock();
        if let Some(now) = now {
            hub.advance(now);
        }
        hub
    }

    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Releases the lock after a change, then wakes, and tells of presence.
    #[inline]
    pub(super) fn release(&self, mut hub: MutexGuard<'_, Hub>) {
        let version = self.version.load(Ordering::Relaxed) + 1;
        self.version.store(version, Ordering::Release);
        let has_presence = self.has_presence(&mut hub);
        if hub.wakes.is_empty() {
            drop(hub);
        } else {
            let wakes = hub.wakes.take();
            drop(hub);
            if let Some(list) = wakes.run() {
                self.lock().wakes.keep(list);
            }
        }
        if has_presence {
            self.tell_presence();
        }
    }

    fn has_presence(&self, hub: &mut Hub) -> bool {
        if hub.presence.is_empty() {
            return false;
        }
        if self.presence.get().is_none() {
            hub.presence.clear();
            return false;
        }
        true
    }

    /// Tells which topics got their first subscriber or lost their last, in order and one at a time:
    /// one thread tells what others enter meanwhile.
    #[cold]
    fn tell_presence(&self) {
        struct Telling<'a>(&'a BroadcastShared);
        impl Drop for Telling<'_> {
            fn drop(&mut self) {
                self.0.lock().is_told = false;
            }
        }
        let Some(tell) = self.presence.get() else {
            return;
        };
        loop {
            let mut hub = self.lock();
            if hub.is_told {
                return;
            }
            let Some((topic, is_here)) = hub.presence.pop_front() else {
                return;
            };
            hub.is_told = true;
            drop(hub);
            // Ends also if the user's code panics.
            let _telling = Telling(self);
            tell(&topic, is_here);
        }
    }

    /// Closes the broadcast, unless it is closed.
    pub(super) fn close(&self, farewell: Option<Bytes>) {
        let mut hub = self.lock();
        if hub.close(farewell) {
            self.release(hub);
        }
    }
}
