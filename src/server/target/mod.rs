//! One event stream: takes commands, yields bytes.

mod commands;
mod listen;
mod steps;

use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use bytes::Bytes;

use super::dispatch::{DispatchError, Dispatched};
use super::ending::{Ending, Failure};
use super::holders::LocalListener;
use super::listeners::{Listener, ListenerId, Listeners, On};
use super::outbox::{Limits, Outbox};
use super::pending::Decided;
use super::room::{Amount, Purpose, Reserved, Room};
use super::state::{CloseReason, Input, State};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// One event stream on the sending side, as a state machine: no I/O, no lock, no clock, no waker.
///
/// It takes **commands** ([`dispatch`](Self::dispatch), [`close`](Self::close) and the like) and
/// yields **output** ([`next_chunk`](Self::next_chunk)): bytes for the client, in the order of the
/// commands. After each command, send what `next_chunk` gives until it gives nothing; when
/// [`is_ended`](Self::is_ended) is true then, the response is over. With the feature `std`,
/// `channel` does that for you and wakes the reader.
///
/// Local listeners run inside the commands, before an event is encoded. A listener that itself
/// uses the target needs the target not to be borrowed meanwhile: take the two steps
/// [`begin`](Self::begin) and [`commit`](Self::commit) then, and
/// [`begin_close`](Self::begin_close) and [`take_ending`](Self::take_ending).
///
/// # Examples
///
/// ```
/// use sse_proto::target::{CloseReason, Dispatched, On};
/// use sse_proto::{Event, EventType, LocalListener, Target};
///
/// let mut target = Target::<LocalListener>::new();
/// let secret = On::event_type(&EventType::from_static("secret"));
/// let id = target.listen(secret, |dispatch| dispatch.prevent_default());
/// assert!(id.is_ok(), "it is open");
/// assert_eq!(target.dispatch(&Event::message("hi"))?, Dispatched::Sent);
/// let secret = Event::new(EventType::from_static("secret"), "1234");
/// assert_eq!(target.dispatch(&secret)?, Dispatched::Canceled);
/// target.close();
/// assert_eq!(target.close_reason(), Some(CloseReason::Closed));
///
/// assert_eq!(target.next_chunk().unwrap(), "data: hi\n\n");
/// assert!(target.is_ended());
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
pub struct Target<P: Listener = LocalListener> {
    state: State,
    failure: Option<Failure>,
    discarded: usize,
    listeners: Listeners<P>,
    outbox: Outbox,
    // Made at the first dispatch that has listeners to ask, or the first permit.
    reserved: Option<Arc<Reserved>>,
    /// The stream overflowed and ended, and its listeners have not been told.
    untold: Option<Ending<P>>,
}

/// Construction and getters.
impl<P: Listener> Target<P> {
    /// Opens an event stream with the default [`Limits`]. Allocates nothing.
    pub fn new() -> Self {
        Self::with_limits(Limits::new())
    }

    /// Opens an event stream.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            state: State::Open,
            failure: None,
            discarded: 0,
            listeners: Listeners::new(),
            outbox: Outbox::new(limits),
            reserved: None,
            untold: None,
        }
    }

    /// Returns whether the stream takes nothing any more: true from the call that ended it.
    pub fn is_closed(&self) -> bool {
        self.state != State::Open
    }

    /// Returns why the stream was closed.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.state.reason()
    }

    /// Returns the error that the stream [failed](Self::fail) with.
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.failure.as_deref()
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    /// Returns whether the stream is over: closed, and nothing left to deliver.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Returns whether the stream is over and all that was queued then was taken. (What newer events
    /// pushed out before is counted by [`dropped_frames`](Self::dropped_frames).)
    pub fn is_drained(&self) -> bool {
        self.is_ended() && self.discarded == 0
    }

    /// Returns how many frames are queued.
    pub fn queued_frames(&self) -> usize {
        self.outbox.frames()
    }

    /// Returns how many bytes are queued.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Returns how many frames were dropped to make room for newer ones, since the stream was
    /// opened. See [`Overflow`](crate::target::Overflow).
    pub fn dropped_frames(&self) -> usize {
        self.outbox.dropped()
    }
}

/// Output.
impl<P: Listener> Target<P> {
    /// Takes what is queued, within the limit of a chunk: whole frames, in order.
    ///
    /// `None` means that nothing is queued now; if the target [is ended](Self::is_ended), nothing
    /// ever will be. A chunk is never empty.
    #[must_use = "the bytes are the client's"]
    #[inline]
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.outbox.pop_chunk();
        if self.outbox.is_empty() {
            self.emptied();
        }
        chunk
    }
}

impl<P: Listener> Target<P> {
    /// Whether local listeners are to be asked before `event` is sent.
    #[inline]
    pub(crate) fn asks_listeners(&self, event: &Event<'_>) -> bool {
        event.data().is_some() && self.listeners.hears_events()
    }

    /// Queues an event that no listener is asked about.
    #[inline]
    pub(crate) fn send(&mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        let (held, promised) = (self.held(), self.promised());
        match self.outbox.send(event, held, promised) {
            Ok(()) => Ok(Dispatched::Sent),
            Err(error) => Err(self.overflowed(error, || event.fields().measure().len)),
        }
    }

    /// Queues an event that no listener is asked about, into room that was promised.
    pub(crate) fn send_promised(
        &mut self,
        event: &Event<'_>,
        room: Option<Room>,
    ) -> Result<Dispatched, DispatchError> {
        let parts = event.fields();
        let measured = parts.measure();
        self.admit_promised(measured.len, room.as_ref())?;
        // The room is free again, and taken at once.
        drop(room);
        self.outbox.push_event(&parts, measured);
        Ok(Dispatched::Sent)
    }

    /// Queues a frame into room that was promised.
    pub(crate) fn queue_promised_frame(
        &mut self,
        frame: &Frame,
        room: Option<Room>,
    ) -> Result<(), DispatchError> {
        self.admit_promised(frame.len(), room.as_ref())?;
        drop(room);
        self.outbox.push_bytes(frame.bytes());
        Ok(())
    }

    /// Promises room for a frame of `len` bytes, if there is any; nothing is dropped for it.
    pub(crate) fn promise(&mut self, len: usize) -> Result<Option<Room>, DispatchError> {
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        self.outbox.fits_at_all(len)?;
        let has_room = self.outbox.has_room(len, self.held());
        Ok(has_room.then(|| self.reserve(Purpose::Promised, len)))
    }

    /// Whether somebody waits for a promise.
    pub(crate) fn is_awaited(&self) -> bool {
        self.outbox.is_awaited()
    }

    /// Sets whether somebody waits for a promise: nobody else gets room then.
    pub(crate) fn set_awaited(&mut self, awaited: bool) {
        self.outbox.set_awaited(awaited);
    }

    /// Adds a listener; gives it back if the stream is closed.
    pub(crate) fn add_listener(&mut self, on: On, listener: P) -> Result<ListenerId, P> {
        if self.is_closed() {
            return Err(listener);
        }
        Ok(self.listeners.add(on, listener))
    }

    fn settle(&mut self, decided: &mut Decided<'_, P>) -> Result<Dispatched, DispatchError> {
        decided.swept = self.listeners.sweep();
        let room = decided.pending.room.take();
        let admitted = room.is_some_and(|room| room.is_of(self.reserved.as_ref()));
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        if decided.canceled {
            return Ok(Dispatched::Canceled);
        }
        let measured = decided.pending.measured;
        let parts = decided.pending.event.fields();
        if !admitted {
            // Another target's dispatch is as good as a new one.
            self.admit(measured.len, parts.dispatched_type().is_some())?;
        }
        let promised = self.promised();
        self.outbox
            .make_way(measured.len, || parts.dispatched_type(), promised)?;
        self.outbox.push_event(&parts, measured);
        Ok(Dispatched::Sent)
    }

    /// Refuses what is not to be queued now; ends the stream if that is its policy.
    #[inline]
    fn admit(&mut self, len: usize, is_event: bool) -> Result<(), DispatchError> {
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        match self.outbox.admit(len, is_event, self.held()) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.overflowed(error, || len)),
        }
    }

    /// Ends the stream if that is the policy and what is queued left no room. Where others hold it or
    /// wait for it, that is not the client's doing.
    #[cold]
    fn overflowed(&mut self, error: DispatchError, len: impl FnOnce() -> usize) -> DispatchError {
        if error == DispatchError::Full
            && self.outbox.disconnects()
            && !self.outbox.has_room(len(), Amount::default())
        {
            self.untold = self.begin_close(CloseReason::Overflow);
            return DispatchError::Closed(CloseReason::Overflow);
        }
        error
    }

    /// Refuses what does not fit into the room that it was promised.
    fn admit_promised(&self, len: usize, room: Option<&Room>) -> Result<(), DispatchError> {
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        let limit = room.map_or(0, Room::bytes);
        if len > limit {
            return Err(DispatchError::TooLarge { len, limit });
        }
        Ok(())
    }

    /// What is held for dispatches under way and for permits.
    #[inline]
    fn held(&self) -> Amount {
        match &self.reserved {
            None => Amount::default(),
            Some(reserved) => reserved.under_way().and(reserved.promised()),
        }
    }

    #[inline]
    fn promised(&self) -> Amount {
        let reserved = self.reserved.as_ref();
        reserved.map_or(Amount::default(), |reserved| reserved.promised())
    }

    fn reserve(&mut self, purpose: Purpose, bytes: usize) -> Room {
        self.reserved
            .get_or_insert_default()
            .reserve(purpose, bytes)
    }

    #[inline]
    fn emptied(&mut self) {
        (self.state, _) = self.state.next(Input::Emptied);
    }
}

impl<P: Listener> Default for Target<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Listener> fmt::Debug for Target<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("state", &self.state)
            .field("failed", &self.failure.is_some())
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}
