//! The state machine of one event stream: its state, its listeners and its queue. No lock, no clock,
//! no waker, and no foreign code runs in here.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;

use bytes::Bytes;

use super::dispatch::{DispatchError, DispatchResult, Dispatched, MAX_DEPTH, Outgoing};
use super::listeners::{Listener, ListenerId, Listeners, Occasion, Snapshot};
use super::outbox::{Limits, Outbox, Purpose, Reservation};
use super::state::{CloseEffect, CloseReason, StreamInput, StreamState};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// The error that a stream failed with.
pub(crate) type Failure = Arc<dyn Error + Send + Sync + 'static>;

pub(crate) struct StreamMachine<F: ?Sized> {
    state: StreamState,
    /// The stream is merged into another one, whose ids are those to resume at.
    refuses_ids: bool,
    failure: Option<Failure>,
    /// How many frames the end dropped.
    discarded: usize,
    listeners: Listeners<F>,
    outbox: Outbox,
}

/// The listeners of a dispatch that has begun. Drop it without the lock.
pub(crate) struct Begun<F: ?Sized> {
    pub(crate) listeners: Option<Snapshot<F>>,
    /// Held for its drop.
    _swept: Option<Snapshot<F>>,
}

/// The end of a stream, which its listeners have not been told.
///
/// It holds all listeners of the stream, because none of them is needed after this.
pub(crate) struct CloseNotice<F: ?Sized> {
    reason: CloseReason,
    failure: Option<Failure>,
    listeners: Option<Snapshot<F>>,
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

    /// Returns whether the end dropped frames, or would have.
    #[cfg(feature = "std")]
    pub(crate) fn is_cut(&self) -> bool {
        let reason = self.close_reason();
        reason.is_some_and(|reason| !reason.delivers_queue())
            || (self.is_ended() && !self.is_drained())
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    #[inline]
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Returns the event that local listeners have to be asked about, if there is one.
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

/// Commands.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Queues what no listener is asked about: into reserved room, or where it finds some.
    #[inline]
    pub(crate) fn queue(
        &mut self,
        outgoing: &Outgoing<'_>,
        room: Option<Reservation>,
    ) -> DispatchResult {
        // Released first: until this returns, nothing else can take it.
        let limit = room.map(|room| self.outbox.release(room));
        self.check(outgoing)?;
        match limit {
            None => self.outbox.queue(outgoing)?,
            Some(limit) => self.outbox.queue_within(limit, outgoing)?,
        }
        Ok(Dispatched::Sent)
    }

    /// Begins the dispatch of an event that listeners are asked about. Reserves room if it has none,
    /// so that nothing but a cancel or an end keeps it from being sent.
    pub(crate) fn begin(
        &mut self,
        outgoing: &Outgoing<'_>,
        room: &mut Option<Reservation>,
        depth: usize,
    ) -> Result<Begun<F>, DispatchError> {
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
        Ok(Begun {
            _swept: self.listeners.sweep(),
            listeners: self.listeners.snapshot(),
        })
    }

    /// Ends a dispatch that has begun: queues the event, or releases its room.
    pub(crate) fn commit(
        &mut self,
        outgoing: &Outgoing<'_>,
        room: Option<Reservation>,
        canceled: bool,
    ) -> DispatchResult {
        if canceled && self.state == StreamState::Open {
            room.map(|room| self.outbox.release(room));
            return Ok(Dispatched::Canceled);
        }
        self.queue(outgoing, room)
    }

    /// Sets the frame that goes out where frames were dropped.
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
    pub(crate) fn remove_listener(&mut self, id: ListenerId) -> Option<Snapshot<F>> {
        self.listeners.remove(id)
    }

    /// Removes the listeners that ran once. Drop the result without the lock.
    #[must_use]
    pub(crate) fn sweep_listeners(&mut self) -> Option<Snapshot<F>> {
        self.listeners.sweep()
    }

    /// Closes the stream. `None` if it was closed before.
    #[must_use]
    pub(crate) fn close(&mut self, reason: CloseReason) -> Option<CloseNotice<F>> {
        let (state, effect) = self.state.next(StreamInput::End(reason));
        self.state = state;
        if matches!(effect, CloseEffect::Discard | CloseEffect::CloseAndDiscard) {
            self.discarded += self.outbox.discard();
        }
        self.note_if_emptied();
        match effect {
            CloseEffect::None | CloseEffect::Discard => None,
            CloseEffect::Close | CloseEffect::CloseAndDiscard => Some(CloseNotice {
                reason,
                failure: None,
                listeners: self.listeners.take_all(),
            }),
        }
    }

    /// Closes the stream because of an error. Returns the error if it was closed before.
    pub(crate) fn fail(
        &mut self,
        error: Box<dyn Error + Send + Sync>,
    ) -> Result<CloseNotice<F>, Box<dyn Error + Send + Sync>> {
        let Some(notice) = self.close(CloseReason::Failed) else {
            return Err(error);
        };
        let failure = Some(Failure::from(error));
        self.failure.clone_from(&failure);
        Ok(CloseNotice { failure, ..notice })
    }

    /// Refuses what this stream does not take: anything after the end, and ids in a merged stream.
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

/// Output.
impl<F: Fn(&Occasion<'_>) + ?Sized> StreamMachine<F> {
    /// Takes one chunk: whole frames, in order. A chunk is never empty.
    #[must_use]
    #[inline]
    pub(crate) fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.outbox.pop_chunk();
        self.note_if_emptied();
        chunk
    }

    #[inline]
    fn note_if_emptied(&mut self) {
        if self.outbox.is_empty() {
            (self.state, _) = self.state.next(StreamInput::Emptied);
        }
    }
}

impl<F: Fn(&Occasion<'_>) + ?Sized> CloseNotice<F> {
    /// Runs the close listeners in order, then the error listeners if the stream failed.
    pub(crate) fn run_listeners(self) {
        if let Some(listeners) = &self.listeners {
            listeners.run_end(self.reason, self.failure.as_deref());
        }
    }
}
