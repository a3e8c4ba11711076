//! The state that the handles and the stream of one target share, under one lock, and the work that
//! follows each unlock.
//!
//! The lock is held only while the state machine works. Listeners and wakers run, and their
//! captures are dropped, after it is released. On a single thread the lock is a `RefCell`; all
//! other code is the same.

use alloc::boxed::Box;
use core::error::Error;
use core::task::{Poll, Waker};

use bytes::Bytes;

use super::dispatch::{Dispatch, DispatchError, DispatchResult};
use super::machine::{CloseNotice, Failure, StreamMachine};
use super::outbox::{Limits, Outgoing, Reservation};
use super::sharing::Primitives;
use super::state::CloseReason;
use super::waiters::Ticket;
use crate::sync::{AtomicBool, AtomicUsize, Ordering};
use crate::wire::event::Event;

pub(crate) struct Channel<K: Primitives> {
    handles: AtomicUsize,
    depth: K::Depth,
    /// True if a poll returns bytes or the end. Written only under the lock. A poll reads it
    /// without the lock, to decide whether to lock at all and whether to clone its waker first.
    ready: AtomicBool,
    /// Whether comments end with a blank line. Read before the event is made, so without the lock.
    blank_line: AtomicBool,
    locked: K::Lock<StreamMachine<K::Listener>>,
}

type Guard<'a, K> = <K as Primitives>::Guard<'a, StreamMachine<<K as Primitives>::Listener>>;

/// A counted pointer to a channel. When the last one is dropped, the stream ends.
pub(crate) struct Handle<K: Primitives> {
    pub(super) channel: K::Strong<Channel<K>>,
}

/// The reader's pointer to a channel. When it is dropped before the end, the client is gone.
pub(crate) struct StreamHandle<K: Primitives> {
    pub(super) channel: K::Strong<Channel<K>>,
}

/// Opens a channel.
pub(crate) fn open<K: Primitives>(limits: Limits) -> (Handle<K>, StreamHandle<K>) {
    let channel = K::Strong::from(Channel {
        handles: AtomicUsize::new(1),
        depth: K::Depth::default(),
        ready: AtomicBool::new(false),
        blank_line: AtomicBool::new(false),
        locked: K::lockable(StreamMachine::new(limits)),
    });
    let handle = Handle {
        channel: channel.clone(),
    };
    (handle, StreamHandle { channel })
}

/// Dispatch.
impl<K: Primitives> Channel<K> {
    /// Dispatches an event or frame into `room`, or into free room if `room` is `None`.
    #[inline]
    pub(crate) fn dispatch(
        &self,
        outgoing: Outgoing<'_>,
        room: Option<Reservation>,
    ) -> DispatchResult {
        let mut locked = self.lock();
        if let Some(event) = locked.event_to_ask_about(&outgoing) {
            return self.ask_listeners(locked, event, outgoing, room);
        }
        let result = locked.queue(&outgoing, room);
        self.finish_dispatch(locked, &outgoing, result)
    }

    // Not inlined, to keep the path without listeners short.
    #[inline(never)]
    fn ask_listeners(
        &self,
        mut locked: Guard<'_, K>,
        event: &Event<'_>,
        outgoing: Outgoing<'_>,
        room: Option<Reservation>,
    ) -> DispatchResult {
        let outgoing = outgoing.measured();
        let depth = K::enter(&self.depth, self.key());
        let mut running = Running {
            channel: self,
            room,
        };
        let listeners = match locked.begin(&outgoing, &mut running.room, depth) {
            Ok(listeners) => listeners,
            Err(error) => return Err(self.refuse(locked, &outgoing, error)),
        };
        drop(locked);

        let dispatch = Dispatch::new(event);
        if let Some(listeners) = &listeners {
            listeners.run_event(&dispatch);
        }
        let room = running.room.take();
        drop(running);

        let mut locked = self.lock();
        let (result, _ran_once) = locked.commit(&outgoing, room, dispatch.is_canceled());
        self.finish_dispatch(locked, &outgoing, result)
    }

    #[inline]
    fn finish_dispatch(
        &self,
        locked: Guard<'_, K>,
        outgoing: &Outgoing<'_>,
        result: DispatchResult,
    ) -> DispatchResult {
        // Matched and rebuilt, so that the success path does not copy an error.
        match result {
            Ok(done) => {
                self.unlock_and_wake(locked);
                Ok(done)
            }
            Err(error) => Err(self.refuse(locked, outgoing, error)),
        }
    }

    /// Ends a dispatch with an error. Also ends the stream if the queue is full and the policy is
    /// `Disconnect`.
    #[cold]
    fn refuse(
        &self,
        mut locked: Guard<'_, K>,
        outgoing: &Outgoing<'_>,
        error: DispatchError,
    ) -> DispatchError {
        if error == DispatchError::Full && locked.outbox().disconnects(outgoing.len()) {
            let notice = locked.close(CloseReason::Overflow);
            self.unlock_and_notify(locked, notice);
            return DispatchError::Closed(CloseReason::Overflow);
        }
        self.unlock_and_wake(locked);
        error
    }

    /// Unlocks. Then wakes the reader if there are bytes, and the waiters that room is granted to.
    #[inline]
    fn unlock_and_wake(&self, mut locked: Guard<'_, K>) {
        let is_ready = locked.is_ready();
        self.ready.store(is_ready, Ordering::Relaxed);
        let reader = if is_ready {
            locked.reader().take()
        } else {
            None
        };
        if locked.has_line() {
            unlock_and_grant::<K>(locked);
        } else {
            drop(locked);
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Returns a key that is unique among all live channels.
    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    pub(crate) fn blank_line(&self) -> bool {
        self.blank_line.load(Ordering::Relaxed)
    }

    pub(crate) fn set_blank_line(&self, blank_line: bool) {
        self.blank_line.store(blank_line, Ordering::Relaxed);
    }
}

/// Unlocks. Then wakes the waiters that room is granted to.
#[inline(never)]
fn unlock_and_grant<K: Primitives>(mut locked: Guard<'_, K>) {
    let granted = locked.grant_room();
    drop(locked);
    granted.into_iter().for_each(Waker::wake);
}

/// A dispatch whose listeners are running. If one of them panics, the drop releases the room.
struct Running<'a, K: Primitives> {
    channel: &'a Channel<K>,
    room: Option<Reservation>,
}

impl<K: Primitives> Drop for Running<'_, K> {
    fn drop(&mut self) {
        K::leave(&self.channel.depth);
        self.channel.release_room(self.room.take());
    }
}

/// The end.
impl<K: Primitives> Channel<K> {
    /// Closes the stream. Returns whether it was open.
    pub(crate) fn close(&self, reason: CloseReason) -> bool {
        let mut locked = self.lock();
        let notice = locked.close(reason);
        self.unlock_and_notify(locked, notice)
    }

    /// Closes the stream because of an error.
    pub(crate) fn fail(&self, error: Box<dyn Error + Send + Sync>) {
        // Made before locking: if the stream is already closed, the error is dropped without the
        // lock.
        let failure = Failure::from(error);
        let mut locked = self.lock();
        let notice = locked.fail(&failure);
        self.unlock_and_notify(locked, notice);
    }

    /// Unlocks a closed stream. If this call closed it, wakes all waiting tasks and runs the close
    /// listeners. Returns whether it did.
    #[cold]
    fn unlock_and_notify(
        &self,
        locked: Guard<'_, K>,
        notice: Option<CloseNotice<K::Listener>>,
    ) -> bool {
        self.ready.store(true, Ordering::Relaxed);
        drop(locked);
        notice.map(CloseNotice::send).is_some()
    }
}

/// Polling, and waiting for room.
impl<K: Primitives> Channel<K> {
    /// Takes a chunk, if there is one, and registers no waker.
    #[inline]
    pub(crate) fn try_next(&self) -> Poll<Option<Bytes>> {
        if !self.ready.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        self.poll_next(None)
    }

    /// Takes a chunk, or registers the waker of the reader. Not inlined, so that its callers can be
    /// inlined.
    #[inline(never)]
    pub(crate) fn poll_next(&self, reader: Option<&Waker>) -> Poll<Option<Bytes>> {
        // Cloning a waker runs executor code, so it happens without the lock: before locking if the
        // stream is probably not ready, otherwise only after a locked look has found nothing.
        let is_ready = self.ready.load(Ordering::Relaxed);
        let mut own = reader.filter(|_| !is_ready).cloned();
        loop {
            let mut locked = self.lock();
            if let Some(chunk) = locked.next_chunk() {
                self.unlock_and_wake(locked);
                return Poll::Ready(Some(chunk));
            }
            if locked.close_reason().is_some() {
                return Poll::Ready(None);
            }
            let kept = locked.reader();
            let is_kept =
                |reader: &&Waker| kept.as_ref().is_some_and(|kept| kept.will_wake(reader));
            let Some(reader) = reader.filter(|reader| !is_kept(reader)) else {
                return Poll::Pending;
            };
            if let Some(own) = own {
                let replaced = kept.replace(own);
                drop(locked);
                drop(replaced);
                return Poll::Pending;
            }
            drop(locked);
            own = Some(reader.clone());
        }
    }

    /// Leaves the line. Room that was granted goes to the next waiter.
    pub(crate) fn leave_line(&self, ticket: Ticket) {
        let mut locked = self.lock();
        // Dropped after the lock is released.
        let _waiter = locked.leave_line(ticket);
        self.unlock_and_wake(locked);
    }

    /// Releases room, and grants it to the waiters.
    pub(crate) fn release_room(&self, room: Option<Reservation>) {
        if let Some(room) = room {
            let mut locked = self.lock();
            locked.release_room(room);
            self.unlock_and_wake(locked);
        }
    }

    /// Runs `work` under the lock. The caller drops the result after the lock is released.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut StreamMachine<K::Listener>) -> T) -> T {
        work(&mut self.lock())
    }

    #[inline]
    fn lock(&self) -> Guard<'_, K> {
        K::lock(&self.locked)
    }
}

impl<K: Primitives> Handle<K> {
    /// Returns a handle, unless the last one was dropped.
    pub(crate) fn upgrade(channel: &K::Weak<Channel<K>>) -> Option<Self> {
        let channel = K::upgrade(channel)?;
        let more = |handles: usize| (handles > 0).then(|| handles + 1);
        channel
            .handles
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Self { channel })
    }
}

impl<K: Primitives> Clone for Handle<K> {
    fn clone(&self) -> Self {
        self.channel.handles.fetch_add(1, Ordering::Relaxed);
        let channel = self.channel.clone();
        Self { channel }
    }
}

impl<K: Primitives> Drop for Handle<K> {
    fn drop(&mut self) {
        // Release and acquire: everything that other handles did happens before the close.
        if self.channel.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.channel.close(CloseReason::HandlesDropped);
        }
    }
}

impl<K: Primitives> Drop for StreamHandle<K> {
    fn drop(&mut self) {
        self.channel.close(CloseReason::ClientGone);
    }
}
