//! What the handles and the stream of one target share: one lock, and everything that happens after
//! it is released.
//!
//! The lock is held for the work of the state machine alone. Listeners, wakers and the drop of
//! whatever they captured wait until it is released. On a single thread the lock is a `RefCell`, and
//! all else is the same code.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::task::{Poll, Waker};

use bytes::Bytes;

use super::closed_future::{CloseSenders, Closed};
use super::dispatch::{Dispatch, DispatchError, DispatchResult, Outgoing};
use super::listeners::{Listener, ListenerId};
use super::machine::{CloseNotice, StreamMachine};
use super::outbox::{Limits, Purpose, Reservation};
use super::sharing::Share;
use super::state::CloseReason;
use super::waiters::{Claim, Ticket, Waiters};
use crate::sync::{AtomicBool, AtomicUsize, Ordering};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

pub(crate) struct Channel<K: Share> {
    handles: AtomicUsize,
    depth: K::Depth,
    /// Whether a poll returns bytes or the end. Changed under the lock alone. Read without it, it
    /// tells a poll that needs no wake whether the lock is worth taking.
    ready: AtomicBool,
    /// Whether a waker of the reader is kept. Changed under the lock alone. Read without it, it tells
    /// a poll whether its waker is to be cloned before the lock is taken.
    has_reader: AtomicBool,
    locked: K::Lock<Locked<K>>,
}

struct Locked<K: Share> {
    machine: StreamMachine<K::Listener>,
    reader: Option<Waker>,
    closed: CloseSenders,
    /// Made for the first task that waits for room.
    waiters: Option<Box<Waiters>>,
}

type Guard<'a, K> = <K as Share>::Guard<'a, Locked<K>>;

/// A counted pointer to a channel. When the last one is dropped, the stream ends.
pub(crate) struct Handle<K: Share>(K::Strong<Channel<K>>);

/// A pointer to a channel that does not keep it open.
pub(crate) struct WeakHandle<K: Share>(K::Weak<Channel<K>>);

/// The reader's pointer to a channel. When it is dropped before the end, the client is gone.
pub(crate) struct StreamHandle<K: Share>(K::Strong<Channel<K>>);

/// Opens a channel.
pub(crate) fn open<K: Share>(limits: Limits) -> (Handle<K>, StreamHandle<K>) {
    let channel = K::strong(Channel {
        handles: AtomicUsize::new(1),
        depth: K::Depth::default(),
        ready: AtomicBool::new(false),
        has_reader: AtomicBool::new(false),
        locked: K::lockable(Locked {
            machine: StreamMachine::new(limits),
            reader: None,
            closed: CloseSenders::default(),
            waiters: None,
        }),
    });
    (Handle(channel.clone()), StreamHandle(channel))
}

/// Dispatch.
impl<K: Share> Channel<K> {
    /// Dispatches what goes out: into the room that is reserved for it, or where it finds some.
    #[inline]
    pub(crate) fn dispatch(
        &self,
        outgoing: Outgoing<'_>,
        room: Option<Reservation>,
    ) -> DispatchResult {
        let mut locked = self.lock();
        if let Some(event) = locked.machine.event_to_ask_about(&outgoing) {
            return self.ask_listeners(locked, event, outgoing, room);
        }
        // Taken apart and put together, so that no error is copied where there is none.
        match locked.machine.queue(&outgoing, room) {
            Ok(sent) => {
                self.unlock_and_wake(locked);
                Ok(sent)
            }
            Err(error) => Err(self.refuse(locked, &outgoing, error)),
        }
    }

    // Not inlined: without listeners, nothing of it should be in the way.
    #[inline(never)]
    fn ask_listeners(
        &self,
        mut locked: Guard<'_, K>,
        event: &Event<'_>,
        outgoing: Outgoing<'_>,
        room: Option<Reservation>,
    ) -> DispatchResult {
        let outgoing = outgoing.measured();
        let depth = K::depth(&self.depth, self.key());
        let channel = self;
        let mut loan = Loan { channel, room };
        let begun = match locked.machine.begin(&outgoing, &mut loan.room, depth) {
            Ok(begun) => begun,
            Err(error) => return Err(self.refuse(locked, &outgoing, error)),
        };
        drop(locked);

        let dispatch = Dispatch::new(event);
        if let Some(listeners) = &begun.listeners {
            K::deeper(&self.depth, self.key(), || listeners.run_event(&dispatch));
        }

        let mut locked = self.lock();
        let _swept = locked.machine.sweep_listeners();
        let (room, canceled) = (loan.room.take(), dispatch.is_canceled());
        match locked.machine.commit(&outgoing, room, canceled) {
            Ok(done) => {
                self.unlock_and_wake(locked);
                Ok(done)
            }
            Err(error) => Err(self.refuse(locked, &outgoing, error)),
        }
    }

    /// Ends a dispatch with an error, and the stream if the queue overflowed and that is the policy.
    #[cold]
    fn refuse(
        &self,
        mut locked: Guard<'_, K>,
        outgoing: &Outgoing<'_>,
        error: DispatchError,
    ) -> DispatchError {
        if error == DispatchError::Full && locked.machine.outbox().disconnects(outgoing.len()) {
            let notice = locked.machine.close(CloseReason::Overflow);
            self.unlock_and_tell(locked, notice);
            return DispatchError::Closed(CloseReason::Overflow);
        }
        self.unlock_and_wake(locked);
        error
    }

    /// Unlocks. Then wakes the reader if there are bytes, and the waiters that room is granted to.
    #[inline]
    fn unlock_and_wake(&self, mut locked: Guard<'_, K>) {
        let reader = if locked.machine.outbox().is_empty() {
            None
        } else {
            self.ready.store(true, Ordering::Relaxed);
            self.has_reader.store(false, Ordering::Relaxed);
            locked.reader.take()
        };
        if locked.waiters.is_some() {
            let granted = locked.grant_room();
            drop(locked);
            reader.into_iter().chain(granted).for_each(Waker::wake);
            return;
        }
        drop(locked);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// The end.
impl<K: Share> Channel<K> {
    /// Closes the stream. Returns whether it was open.
    pub(crate) fn close(&self, reason: CloseReason) -> bool {
        let mut locked = self.lock();
        let notice = locked.machine.close(reason);
        let was_open = notice.is_some();
        self.unlock_and_tell(locked, notice);
        was_open
    }

    /// Closes the stream because of an error.
    pub(crate) fn fail(&self, error: Box<dyn Error + Send + Sync>) {
        let mut locked = self.lock();
        // An error that comes too late is dropped after the lock is released.
        let (notice, _late) = match locked.machine.fail(error) {
            Ok(notice) => (Some(notice), None),
            Err(late) => (None, Some(late)),
        };
        self.unlock_and_tell(locked, notice);
    }

    /// Returns a future that resolves once the stream is closed.
    pub(crate) fn closed(&self) -> Closed {
        let mut locked = self.lock();
        if let Some(reason) = locked.machine.close_reason() {
            return Closed::already(reason);
        }
        let (closed, gone) = locked.closed.add();
        drop(locked);
        drop(gone);
        closed
    }

    /// Unlocks a closed stream. Then wakes every task that waits, and runs the close listeners.
    #[cold]
    fn unlock_and_tell(&self, mut locked: Guard<'_, K>, notice: Option<CloseNotice<K::Listener>>) {
        self.ready.store(true, Ordering::Relaxed);
        let reader = locked.reader.take();
        let closed = mem::take(&mut locked.closed);
        let waiters = locked.waiters.take();
        let reason = locked.machine.close_reason();
        drop(locked);

        reader.into_iter().for_each(Waker::wake);
        if let Some(reason) = reason {
            closed.send(reason);
        }
        let waiters = waiters
            .into_iter()
            .flat_map(|waiters| waiters.into_wakers());
        waiters.for_each(Waker::wake);
        if let Some(notice) = notice {
            notice.run_listeners();
        }
    }
}

/// Listeners, settings and getters.
impl<K: Share> Channel<K> {
    /// Adds a listener. Returns it if the stream has ended.
    pub(crate) fn add_listener(
        &self,
        listener: Arc<Listener<K::Listener>>,
    ) -> Option<Arc<Listener<K::Listener>>> {
        self.lock().machine.add_listener(listener)
    }

    /// Removes a listener. Returns whether there was one.
    pub(crate) fn remove_listener(&self, id: ListenerId) -> bool {
        // Two statements: what is removed is dropped after the lock is released.
        let removed = self.lock().machine.remove_listener(id);
        removed.is_some()
    }

    pub(crate) fn set_gap_marker(&self, marker: Option<Frame>) -> Result<(), DispatchError> {
        self.lock().machine.set_gap_marker(marker)
    }

    #[cfg(feature = "std")]
    pub(crate) fn refuse_ids(&self) {
        self.lock().machine.refuse_ids();
    }

    /// Looks at the state machine.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&StreamMachine<K::Listener>) -> T) -> T {
        at(&self.lock().machine)
    }
}

/// Waiting for room.
impl<K: Share> Channel<K> {
    /// Polls for room for `len` bytes. The first poll that finds none joins the line.
    pub(crate) fn poll_room(
        &self,
        ticket: &mut Option<Ticket>,
        len: usize,
        purpose: Purpose,
        waker: &Waker,
    ) -> Poll<Result<Reservation, DispatchError>> {
        let mut own = None;
        loop {
            let mut locked = self.lock();
            if let Some(room) = locked.take_room(*ticket, len, purpose).transpose() {
                *ticket = None;
                return Poll::Ready(room);
            }
            let registered = ticket.and_then(|ticket| locked.waiters.as_mut()?.waker_mut(ticket));
            if registered.as_ref().is_some_and(|old| old.will_wake(waker)) {
                return Poll::Pending;
            }
            let Some(waker) = own.take() else {
                drop(locked);
                // The clone runs code of the executor, so it is made without the lock. Then the
                // room is looked for again, because some may have come meanwhile.
                own = Some(waker.clone());
                continue;
            };
            let replaced = if let Some(registered) = registered {
                Some(mem::replace(registered, waker))
            } else {
                let waiters = locked.waiters.get_or_insert_default();
                *ticket = Some(waiters.join(len, purpose, waker));
                locked.machine.outbox_mut().set_awaited(true);
                None
            };
            drop(locked);
            drop(replaced);
            return Poll::Pending;
        }
    }

    /// Leaves the line. Room that was granted goes to the next waiter.
    pub(crate) fn leave_line(&self, ticket: Ticket) {
        let mut locked = self.lock();
        let waiters = locked.waiters.as_mut();
        let claim = waiters.and_then(|waiters| waiters.leave(ticket));
        // Its waker is dropped after the lock is released.
        let _waker = match claim {
            Some(Claim::Granted(room)) => {
                locked.machine.outbox_mut().release(room);
                None
            }
            Some(Claim::Awaits(waker)) => Some(waker),
            None => None,
        };
        unlock_and_grant(locked);
    }

    /// Releases room, and grants it to the waiters.
    pub(crate) fn release_room(&self, room: Option<Reservation>) {
        if let Some(room) = room {
            let mut locked = self.lock();
            locked.machine.outbox_mut().release(room);
            unlock_and_grant(locked);
        }
    }
}

/// What the stream does.
impl<K: Share> Channel<K> {
    /// Takes a chunk, if there is one, and keeps no waker.
    #[inline]
    pub(crate) fn try_next(&self) -> Poll<Option<Bytes>> {
        if !self.ready.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        self.poll_next(None)
    }

    /// Takes a chunk, or keeps the waker of the reader. Not inlined, so that its callers are.
    #[inline(never)]
    pub(crate) fn poll_next(&self, reader: Option<&Waker>) -> Poll<Option<Bytes>> {
        // The clone of a waker runs code of the executor, so it is made without the lock: before it
        // is taken if that is likely to be needed, otherwise between two looks.
        let is_likely =
            !self.ready.load(Ordering::Relaxed) && !self.has_reader.load(Ordering::Relaxed);
        let mut own = reader.filter(|_| is_likely).cloned();
        loop {
            let mut locked = self.lock();
            if let Some(chunk) = locked.machine.next_chunk() {
                self.unlock_after_chunk(locked);
                return Poll::Ready(Some(chunk));
            }
            if locked.machine.close_reason().is_some() {
                return Poll::Ready(None);
            }
            if let Some(own) = own {
                self.has_reader.store(true, Ordering::Relaxed);
                let replaced = locked.reader.replace(own);
                drop(locked);
                drop(replaced);
                return Poll::Pending;
            }
            let is_kept = |reader: &Waker| {
                let kept = locked.reader.as_ref();
                kept.is_some_and(|kept| kept.will_wake(reader))
            };
            let Some(reader) = reader.filter(|reader| !is_kept(reader)) else {
                return Poll::Pending;
            };
            drop(locked);
            own = Some(reader.clone());
        }
    }

    #[inline]
    fn unlock_after_chunk(&self, locked: Guard<'_, K>) {
        let machine = &locked.machine;
        let more = !machine.outbox().is_empty() || machine.close_reason().is_some();
        self.ready.store(more, Ordering::Relaxed);
        unlock_and_grant(locked);
    }

    #[inline]
    fn lock(&self) -> Guard<'_, K> {
        K::lock(&self.locked)
    }

    /// Returns what tells this channel from all others that live.
    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

impl<K: Share> Locked<K> {
    /// Takes the room of a waiter, or finds some for a task that has not waited. That one comes
    /// after all waiters.
    fn take_room(
        &mut self,
        ticket: Option<Ticket>,
        len: usize,
        purpose: Purpose,
    ) -> Result<Option<Reservation>, DispatchError> {
        if let Some(reason) = self.machine.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        let waiters = self.waiters.as_mut();
        match ticket {
            Some(ticket) => Ok(waiters.and_then(|waiters| waiters.take_room(ticket))),
            None => self.machine.outbox_mut().reserve(len, purpose, false),
        }
    }

    /// Grants room to the waiters, as long as there is some. Returns their wakers.
    #[inline]
    fn grant_room(&mut self) -> Vec<Waker> {
        let Some(waiters) = &mut self.waiters else {
            return Vec::new();
        };
        let outbox = self.machine.outbox_mut();
        let wakers = waiters.grant(|len, purpose| outbox.reserve(len, purpose, true).ok()?);
        outbox.set_awaited(waiters.is_awaited());
        wakers
    }
}

/// Unlocks. Then wakes the waiters that room is granted to.
#[inline]
fn unlock_and_grant<K: Share>(mut locked: impl DerefMut<Target = Locked<K>>) {
    if locked.waiters.is_some() {
        let granted = locked.grant_room();
        drop(locked);
        granted.into_iter().for_each(Waker::wake);
    }
}

/// The room of a dispatch whose listeners run. A panic of one of them gives it back.
struct Loan<'a, K: Share> {
    channel: &'a Channel<K>,
    room: Option<Reservation>,
}

impl<K: Share> Drop for Loan<'_, K> {
    fn drop(&mut self) {
        self.channel.release_room(self.room.take());
    }
}

impl<K: Share> Handle<K> {
    pub(crate) fn downgrade(&self) -> WeakHandle<K> {
        WeakHandle(K::downgrade(&self.0))
    }
}

impl<K: Share> WeakHandle<K> {
    /// Returns a handle, unless the last one was dropped.
    pub(crate) fn upgrade(&self) -> Option<Handle<K>> {
        let channel = K::upgrade(&self.0)?;
        let more = |handles: usize| (handles > 0).then(|| handles + 1);
        channel
            .handles
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Handle(channel))
    }
}

impl<K: Share> Clone for Handle<K> {
    fn clone(&self) -> Self {
        self.0.handles.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl<K: Share> Clone for WeakHandle<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Share> Drop for Handle<K> {
    fn drop(&mut self) {
        // Release and acquire: what other handles did happens before the end.
        if self.0.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.close(CloseReason::HandlesDropped);
        }
    }
}

impl<K: Share> Drop for StreamHandle<K> {
    fn drop(&mut self) {
        self.0.close(CloseReason::ClientGone);
    }
}

impl<K: Share> Deref for Handle<K> {
    type Target = Channel<K>;

    #[inline]
    fn deref(&self) -> &Channel<K> {
        &self.0
    }
}

impl<K: Share> Deref for StreamHandle<K> {
    type Target = Channel<K>;

    #[inline]
    fn deref(&self) -> &Channel<K> {
        &self.0
    }
}
