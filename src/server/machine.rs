//! The part of an event stream that its lock guards: the state, the listeners, the queue and the
//! waiting tasks.
//!
//! This file has no lock and no clock, and it runs no foreign code. It returns wakers and
//! listeners, and the caller runs or drops them without the lock.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::task::{Poll, Waker};

use bytes::Bytes;

use super::dispatch::{DispatchError, DispatchResult, Dispatched, MAX_DEPTH};
use super::listeners::{Listener, ListenerId, Listeners, Occasion, Removed, Snapshot};
use super::outbox::{Limits, Outbox, Outgoing, Purpose, Reservation};
use super::state::{CloseReason, StreamInput, StreamState};
use super::waiters::{Ticket, Waiter, Waiters};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// The error that a stream failed with.
pub(crate) type Failure = Arc<dyn Error + Send + Sync + 'static>;

pub(crate) struct StreamMachine<F: ?Sized> {
    state: StreamState,
    /// True if the stream is merged into a subscription, whose ids the client resumes from.
    refuses_ids: bool,
    failure: Option<Failure>,
    /// The number of frames that the end dropped.
    discarded: usize,
    listeners: Listeners<F>,
    outbox: Outbox,
    /// The waker of the task that polled the stream and found nothing.
    reader: Option<Waker>,
    /// The tasks that wait for room; `None` until there is one.
    waiters: Option<Box<Waiters>>,
    /// The tasks that wait for the end; `None` until there is one.
    closed: Option<Box<Waiters>>,
}

/// The end of a stream, with the listeners to run and the tasks to wake.
pub(crate) struct CloseNotice<F: ?Sized> {
    reason: CloseReason,
    failure: Option<Failure>,
    listeners: Option<Snapshot<F>>,
    reader: Option<Waker>,
    waiters: [Option<Box<Waiters>>; 2],
}

/// Getters.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            state: StreamState::Open,
            refuses_ids: false,
            failure: None,
            discarded: 0,
            listeners: Listeners::new(),
            outbox: Outbox::new(limits),
            reader: None,
            waiters: None,
            closed: None,
        }
    }

    /// Returns the reason for the end, or `None` for an open stream.
    #[inline]
    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.state.reason()
    }

    /// Returns whether the stream has ended and no chunk is left.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state, StreamState::Ended(_))
    }

    /// Returns whether the stream has ended and the end dropped no frame.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_ended() && self.discarded == 0
    }

    /// Returns whether the stream ended for a reason that drops the queue, or a later end dropped
    /// frames that were still queued.
    #[cfg(feature = "std")]
    pub(crate) fn is_cut(&self) -> bool {
        let reason = self.close_reason();
        reason.is_some_and(|reason| !reason.delivers_queue())
            || (self.is_ended() && !self.is_drained())
    }

    /// Returns whether a poll returns a chunk or the end.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        !self.outbox.is_empty() || self.close_reason().is_some()
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    #[inline]
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Returns the event if local listeners must run for it.
    #[inline]
    pub(crate) fn event_to_ask_about<'e>(&self, outgoing: &Outgoing<'e>) -> Option<&'e Event<'e>> {
        match outgoing {
            Outgoing::Event(event, _) if self.listeners.hear_events() => {
                event.data().is_some().then_some(*event)
            }
            _ => None,
        }
    }
}

/// Dispatch.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Queues an event or frame for which no listener runs: into `room`, or into free room if
    /// `room` is `None`.
    #[inline]
    pub(crate) fn queue(
        &mut self,
        outgoing: &Outgoing<'_>,
        room: Option<Reservation>,
    ) -> DispatchResult {
        // Released before the checks. The lock is held, so no other task can take the room.
        let released = room.map(|room| self.outbox.release(room));
        self.check(outgoing)?;
        self.outbox.queue(outgoing, released)?;
        Ok(Dispatched::Sent)
    }

    /// Begins the dispatch of an event that has listeners, and returns the listeners. Reserves room
    /// if `room` is `None`. After that, only a cancel or the end of the stream can keep the event
    /// from being queued.
    pub(crate) fn begin(
        &mut self,
        outgoing: &Outgoing<'_>,
        room: &mut Option<Reservation>,
        depth: usize,
    ) -> Result<Option<Snapshot<F>>, DispatchError> {
        self.check(outgoing)?;
        let len = outgoing.len();
        match room {
            Some(room) if len > room.bytes() => {
                let limit = room.bytes();
                return Err(DispatchError::TooLarge { len, limit });
            }
            Some(_) => {}
            None => {
                let found = self.outbox.reserve(len, Purpose::Event, false)?;
                *room = Some(found.ok_or(DispatchError::Full)?);
            }
        }
        if depth >= MAX_DEPTH {
            return Err(DispatchError::TooDeep);
        }
        Ok(self.listeners.sweep())
    }

    /// Ends a dispatch that has begun: queues the event, or releases its room. Also returns
    /// listeners, to drop without the lock.
    pub(crate) fn commit(
        &mut self,
        outgoing: &Outgoing<'_>,
        room: Option<Reservation>,
        is_canceled: bool,
    ) -> (DispatchResult, Option<Snapshot<F>>) {
        let result = if is_canceled && self.state == StreamState::Open {
            room.map(|room| self.outbox.release(room));
            Ok(Dispatched::Canceled)
        } else {
            self.queue(outgoing, room)
        };
        (result, self.listeners.sweep())
    }

    /// Refuses anything after the end, and refuses ids in a merged stream.
    #[inline]
    fn check(&self, outgoing: &Outgoing<'_>) -> Result<(), DispatchError> {
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        if self.refuses_ids && outgoing.has_id() {
            return Err(DispatchError::HasId);
        }
        Ok(())
    }
}

/// Settings and listeners.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Sets the gap marker.
    pub(crate) fn set_gap_marker(&mut self, marker: Option<Frame>) -> Result<(), DispatchError> {
        let open = self.state == StreamState::Open;
        if let Some(marker) = marker.as_ref().filter(|_| open) {
            self.check(&Outgoing::Frame(marker))?;
        }
        self.outbox.set_marker(marker.map(Frame::into_bytes));
        Ok(())
    }

    /// Refuses everything with an id from now on.
    #[cfg(feature = "std")]
    pub(crate) fn refuse_ids(&mut self) {
        self.refuses_ids = true;
    }

    /// Adds a listener. Returns it if the stream has ended.
    pub(crate) fn add_listener(&mut self, listener: Arc<Listener<F>>) -> Option<Arc<Listener<F>>> {
        if self.state != StreamState::Open {
            return Some(listener);
        }
        self.listeners.add(listener);
        None
    }

    /// Removes a listener. Drop the result without the lock.
    #[must_use]
    pub(crate) fn remove_listener(&mut self, id: ListenerId) -> Option<Removed<F>> {
        self.listeners.remove(id)
    }
}

/// The end.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Closes the stream. `None` if it was closed before.
    #[must_use]
    pub(crate) fn close(&mut self, reason: CloseReason) -> Option<CloseNotice<F>> {
        let was_open = self.state == StreamState::Open;
        self.state = self.state.next(StreamInput::End(reason));
        if self.is_ended() {
            self.discarded += self.outbox.discard();
        }
        self.note_if_emptied();
        was_open.then(|| CloseNotice {
            reason,
            failure: None,
            listeners: self.listeners.take_all(),
            reader: self.reader.take(),
            waiters: [self.closed.take(), self.waiters.take()],
        })
    }

    /// Closes the stream because of an error. `None` if it was closed before.
    #[must_use]
    pub(crate) fn fail(&mut self, failure: &Failure) -> Option<CloseNotice<F>> {
        let notice = self.close(CloseReason::Failed)?;
        self.failure = Some(Arc::clone(failure));
        let failure = self.failure.clone();
        Some(CloseNotice { failure, ..notice })
    }

    /// Returns the reason for the end, or keeps the waker of a task that waits for it. Also returns
    /// a waker to drop without the lock.
    pub(crate) fn poll_closed(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: Waker,
    ) -> (Poll<CloseReason>, Option<Waker>) {
        if let Some(reason) = self.close_reason() {
            return (Poll::Ready(reason), Some(waker));
        }
        let closed = self.closed.get_or_insert_default();
        let replaced = closed.keep_waker(ticket, 0, Purpose::DropsNone, waker);
        (Poll::Pending, replaced)
    }

    /// Forgets a task that waits for the end. Drop the result without the lock.
    pub(crate) fn leave_closed(&mut self, ticket: Ticket) -> Option<Waiter> {
        self.closed.as_mut()?.leave(ticket)
    }
}

/// The stream: it takes chunks, or keeps the waker of its reader.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Takes one chunk: whole frames, in order. A chunk is never empty.
    #[must_use]
    #[inline]
    pub(crate) fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.outbox.pop_chunk();
        self.note_if_emptied();
        chunk
    }

    /// Returns the waker of the reader, to replace or take it.
    #[inline]
    pub(crate) fn reader(&mut self) -> &mut Option<Waker> {
        &mut self.reader
    }

    #[inline]
    fn note_if_emptied(&mut self) {
        if self.outbox.is_empty() {
            self.state = self.state.next(StreamInput::Emptied);
        }
    }
}

/// Waiting for room.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Returns the room that was granted to a waiting task. A task without a ticket gets free room,
    /// unless other tasks wait. If there is no room, the task joins the line or stays in it. Also
    /// returns a waker to drop without the lock.
    pub(crate) fn poll_room(
        &mut self,
        ticket: &mut Option<Ticket>,
        len: usize,
        purpose: Purpose,
        waker: Waker,
    ) -> (Poll<Result<Reservation, DispatchError>>, Option<Waker>) {
        let found = match (self.close_reason(), *ticket) {
            (Some(reason), _) => Err(DispatchError::Closed(reason)),
            (None, Some(ticket)) => Ok(self.line().take_room(ticket)),
            (None, None) => self.outbox.reserve(len, purpose, false),
        };
        if let Some(room) = found.transpose() {
            *ticket = None;
            return (Poll::Ready(room), Some(waker));
        }
        let replaced = self.line().keep_waker(ticket, len, purpose, waker);
        self.outbox.set_awaited(true);
        (Poll::Pending, replaced)
    }

    /// Takes a waiter out of the line, and releases its room. Drop the result without the lock.
    pub(crate) fn leave_line(&mut self, ticket: Ticket) -> Option<Waiter> {
        let mut waiter = self.waiters.as_mut()?.leave(ticket)?;
        if let Some(room) = waiter.room.take() {
            self.outbox.release(room);
        }
        Some(waiter)
    }

    pub(crate) fn release_room(&mut self, room: Reservation) {
        self.outbox.release(room);
    }

    /// Returns whether tasks may wait for room.
    #[inline]
    pub(crate) fn has_line(&self) -> bool {
        self.waiters.is_some()
    }

    /// Grants room to the waiters, as long as there is some. Returns their wakers.
    pub(crate) fn grant_room(&mut self) -> Vec<Waker> {
        let waiters = self.waiters.get_or_insert_default();
        let outbox = &mut self.outbox;
        let wakers = waiters.grant(|len, purpose| outbox.reserve(len, purpose, true).ok()?);
        outbox.set_awaited(waiters.is_awaited());
        wakers
    }

    fn line(&mut self) -> &mut Waiters {
        self.waiters.get_or_insert_default()
    }
}

impl<F: Fn(&Occasion<'_>) + ?Sized> CloseNotice<F> {
    /// Wakes all waiting tasks. Then runs the close listeners in order, and the error listeners if
    /// the stream failed.
    pub(crate) fn send(self) {
        self.reader.into_iter().for_each(Waker::wake);
        let waiters = self.waiters.into_iter().flatten();
        let wakers = waiters.flat_map(|waiters| waiters.into_wakers());
        wakers.for_each(Waker::wake);
        if let Some(listeners) = &self.listeners {
            listeners.run_end(self.reason, self.failure.as_deref());
        }
    }
}
