//! What handles and stream share, and what is to be done once its lock is released.

use crate::sync::{AtomicBool, AtomicUsize, Ordering};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use super::sharing::sealed::Share;
use super::turns::Turns;
use crate::server::closed::Waiters;
use crate::server::dispatch::{DispatchError, Dispatched};
use crate::server::ending::Ending;
use crate::server::outbox::Limits;
use crate::server::panics::Panics;
use crate::server::pending::Pending;
use crate::server::room::Room;
use crate::server::state::CloseReason;
use crate::server::target::Target;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

#[expect(missing_debug_implementations, reason = "nobody else can name it")]
pub struct Core<S: Share> {
    pub(super) handles: AtomicUsize,
    pub(super) depth: S::Depth,
    /// Whether a poll gives anything: bytes or the end. Changed under the lock alone; without it, it
    /// tells who asks only for what is there now that the lock is not worth taking.
    pub(super) ready: AtomicBool,
    /// Whether a reader is kept. Changed under the lock alone; without it, it tells who finds nothing
    /// that a waker is to be cloned, before the lock is taken.
    pub(super) keeps_reader: AtomicBool,
    /// The stream is merged into another, whose ids are those to resume at. Used under the lock alone:
    /// it stands here because there is space for it.
    pub(super) refuses_ids: AtomicBool,
    inner: S::Lock,
}

#[expect(missing_debug_implementations, reason = "nobody else can name it")]
pub struct Inner<S: Share> {
    pub(super) target: Target<S::Listener>,
    pub(super) reader: Option<Waker>,
    pub(super) waiters: Waiters,
    /// Made for the first who has to wait for room.
    pub(super) turns: Option<Box<Turns>>,
}

impl<S: Share> Core<S> {
    /// Opens a target, for one handle.
    pub(super) fn open(limits: Limits) -> S::Strong {
        S::new(Self {
            handles: AtomicUsize::new(1),
            depth: S::Depth::default(),
            ready: AtomicBool::new(false),
            keeps_reader: AtomicBool::new(false),
            refuses_ids: AtomicBool::new(false),
            inner: S::behind_lock(Inner {
                target: Target::with_limits(limits),
                reader: None,
                waiters: Waiters::default(),
                turns: None,
            }),
        })
    }

    #[inline]
    pub(super) fn lock(&self) -> S::Guard<'_> {
        S::lock(&self.inner)
    }

    /// What tells this target from all others that live.
    #[cfg(feature = "std")]
    pub(super) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Dispatches an event.
    #[inline]
    pub(super) fn dispatch(&self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        let inner = self.lock();
        if self.refuses_ids.load(Ordering::Relaxed) && event.id().is_some() {
            return Err(self.refuse_id(inner, None));
        }
        if inner.target.asks_listeners(event) {
            return self.ask_listeners(inner, |target, depth| target.begin_at(event, depth));
        }
        self.sent(inner, |target| target.send(event))
    }

    /// Dispatches an event into room that was promised: what was given back has no byte.
    pub(super) fn dispatch_promised(
        &self,
        event: &Event<'_>,
        room: Option<Room>,
    ) -> Result<Dispatched, DispatchError> {
        let inner = self.lock();
        if self.refuses_ids.load(Ordering::Relaxed) && event.id().is_some() {
            return Err(self.refuse_id(inner, room));
        }
        if inner.target.asks_listeners(event) {
            return self.ask_listeners(inner, |target, depth| {
                target.begin_promised(event, depth, room)
            });
        }
        self.sent(inner, |target| target.send_promised(event, room))
    }

    /// Queues a frame.
    pub(super) fn dispatch_frame(&self, frame: &Frame) -> Result<(), DispatchError> {
        let inner = self.lock();
        if self.refuses_ids.load(Ordering::Relaxed) && frame.id().is_some() {
            return Err(self.refuse_id(inner, None));
        }
        self.sent(inner, |target| target.queue_frame(frame))
    }

    /// Queues a frame into room that was promised.
    pub(super) fn dispatch_promised_frame(
        &self,
        frame: &Frame,
        room: Option<Room>,
    ) -> Result<(), DispatchError> {
        let inner = self.lock();
        if self.refuses_ids.load(Ordering::Relaxed) && frame.id().is_some() {
            return Err(self.refuse_id(inner, room));
        }
        self.sent(inner, |target| target.queue_promised_frame(frame, room))
    }

    /// Refuses what has an id where ids are not for this stream. (A closed one says that it is closed.)
    #[cold]
    fn refuse_id(&self, inner: S::Guard<'_>, room: Option<Room>) -> DispatchError {
        let closed = inner.target.close_reason();
        drop(inner);
        drop(room);
        self.serve();
        closed.map_or(DispatchError::HasId, DispatchError::Closed)
    }

    // Not inlined: without listeners, nothing of it should be in the way.
    #[inline(never)]
    fn ask_listeners<'e>(
        &self,
        inner: S::Guard<'_>,
        begin: impl FnOnce(
            &mut Target<S::Listener>,
            usize,
        ) -> Result<Pending<'e, S::Listener>, DispatchError>,
    ) -> Result<Dispatched, DispatchError> {
        let depth = S::depth(self);
        let pending = self.sent(inner, |target| begin(target, depth))?;
        let unwinds = Serve(self);
        let mut decided = S::deeper(self, || pending.run_listeners());
        mem::forget(unwinds);
        self.sent(self.lock(), |target| target.commit(&mut decided))
    }

    /// Does something that may queue bytes or give room back. Wakes the reader if there are bytes,
    /// and those who waited for room if there is some.
    #[inline]
    pub(super) fn sent<T>(
        &self,
        mut inner: S::Guard<'_>,
        work: impl FnOnce(&mut Target<S::Listener>) -> Result<T, DispatchError>,
    ) -> Result<T, DispatchError> {
        // Taken apart and put together, so that no error is copied where there is none.
        match work(&mut inner.target) {
            Ok(done) => {
                self.pass_on(inner);
                Ok(done)
            }
            Err(error) => Err(self.refused(inner, error)),
        }
    }

    #[cold]
    fn refused(&self, mut inner: S::Guard<'_>, error: DispatchError) -> DispatchError {
        match inner.target.take_ending() {
            Some(ending) => self.tell(inner, Some(ending)),
            None => self.pass_on(inner),
        }
        error
    }

    /// Wakes the reader if there are bytes, and those who waited for room if there is some.
    #[inline]
    fn pass_on(&self, mut inner: S::Guard<'_>) {
        let reader = if inner.target.queued_frames() > 0 {
            self.ready.store(true, Ordering::Relaxed);
            self.keeps_reader.store(false, Ordering::Relaxed);
            inner.reader.take()
        } else {
            None
        };
        if inner.turns.is_some() {
            let served = inner.serve();
            drop(inner);
            wake_all(reader.into_iter().chain(served)).go_on();
            return;
        }
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Does something that may close the target, and tells everybody if it did: the reader, the
    /// tasks that wait, the listeners. Each is told, whatever another one does. Returns whether it
    /// did.
    pub(super) fn end<T>(
        &self,
        work: impl FnOnce(&mut Target<S::Listener>) -> Result<Ending<S::Listener>, T>,
    ) -> bool {
        let mut inner = self.lock();
        // Where the target was closed before, what it was to be closed with is dropped without the
        // lock.
        let (ending, _late) = match work(&mut inner.target) {
            Ok(ending) => (Some(ending), None),
            Err(late) => (None, Some(late)),
        };
        let closed = ending.is_some();
        self.tell(inner, ending);
        closed
    }

    pub(super) fn close(&self, reason: CloseReason) -> bool {
        self.end(|target| target.begin_close(reason).ok_or(()))
    }

    #[cold]
    fn tell(&self, mut inner: S::Guard<'_>, ending: Option<Ending<S::Listener>>) {
        self.ready.store(true, Ordering::Relaxed);
        let reader = if ending.is_some() || inner.target.is_ended() {
            inner.reader.take()
        } else {
            None
        };
        let waiters = mem::take(&mut inner.waiters);
        let turns = inner.turns.take();
        let reason = inner.target.close_reason();
        drop(inner);

        let mut panics = Panics::default();
        if let Some(reader) = reader {
            panics.catch(|| reader.wake());
        }
        if let Some(reason) = reason {
            waiters.tell(reason, &mut panics);
        }
        for waker in turns.into_iter().flat_map(|turns| turns.end()) {
            panics.catch(|| waker.wake());
        }
        if let Some(ending) = ending {
            ending.run_all(&mut panics);
        }
        panics.go_on();
    }

    /// Gives room that came back to those who wait for it.
    pub(super) fn serve(&self) {
        let served = self.lock().serve();
        wake_all(served).go_on();
    }
}

impl<S: Share> Inner<S> {
    /// Gives room that came back to those who wait for it; returns whom to wake.
    #[inline]
    pub(super) fn serve(&mut self) -> Vec<Waker> {
        match &mut self.turns {
            None => Vec::new(),
            Some(turns) => turns.serve(&mut self.target),
        }
    }
}

/// Wakes all of them, whatever one does.
pub(super) fn wake_all(wakers: impl IntoIterator<Item = Waker>) -> Panics {
    let mut panics = Panics::default();
    for waker in wakers {
        panics.catch(|| waker.wake());
    }
    panics
}

/// Gives on the room of a dispatch whose listeners panic.
struct Serve<'a, S: Share>(&'a Core<S>);

impl<S: Share> Drop for Serve<'_, S> {
    fn drop(&mut self) {
        self.0.serve();
    }
}
