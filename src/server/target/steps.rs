//! Commands in two steps.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;

use super::Target;
use crate::server::dispatch::{DispatchError, Dispatched, MAX_DISPATCH_DEPTH};
use crate::server::ending::{Ending, Failure};
use crate::server::listeners::Listener;
use crate::server::pending::{Decided, Pending};
use crate::server::room::{Purpose, Room};
use crate::server::state::{CloseReason, Effect, Input};
use crate::wire::encode::{self, Measured};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// The two steps of a dispatch and of a close, between which nothing is borrowed.
impl<P: Listener> Target<P> {
    /// Begins a dispatch: checks that the event can be taken, and reserves its room.
    ///
    /// Then call [`Pending::run_listeners`], and [`commit`](Self::commit) with what it returns.
    /// Events reach the client in the order of the commits.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch), and [`DispatchError::TooDeep`] when
    /// [`MAX_DISPATCH_DEPTH`] dispatches are under way. If the stream overflowed and ended, its
    /// close listeners have not run: see [`take_ending`](Self::take_ending).
    ///
    /// # Examples
    ///
    /// A listener that answers an event with another one, through a handle of its own:
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use sse_proto::target::{DispatchError, Dispatched, On};
    /// use sse_proto::{Event, EventType, LocalListener, Target};
    ///
    /// fn dispatch(
    ///     target: &RefCell<Target<LocalListener>>,
    ///     event: &Event<'_>,
    /// ) -> Result<Dispatched, DispatchError> {
    ///     let pending = target.borrow_mut().begin(event)?;
    ///     let mut decided = pending.run_listeners();
    ///     target.borrow_mut().commit(&mut decided)
    /// }
    ///
    /// let target = Rc::new(RefCell::new(Target::<LocalListener>::new()));
    /// let own = Rc::clone(&target);
    /// let on_ping = On::event_type(&EventType::from_static("ping"));
    /// let id = target.borrow_mut().listen(on_ping, move |_| {
    ///     dispatch(&own, &Event::message("pong first")).expect("there is room");
    /// });
    /// assert!(id.is_ok(), "it is open");
    /// let ping = Event::new(EventType::from_static("ping"), "");
    /// assert_eq!(dispatch(&target, &ping)?, Dispatched::Sent);
    /// let chunk = target.borrow_mut().next_chunk().unwrap();
    /// assert_eq!(chunk, "data: pong first\n\nevent: ping\ndata: \n\n");
    /// # Ok::<(), DispatchError>(())
    /// ```
    pub fn begin<'e>(&mut self, event: &'e Event<'e>) -> Result<Pending<'e, P>, DispatchError> {
        let reserved = self.reserved.as_ref();
        let depth = reserved.map_or(0, |reserved| reserved.under_way().frames);
        self.begin_at(event, depth)
    }

    pub(crate) fn begin_at<'e>(
        &mut self,
        event: &'e Event<'e>,
        depth: usize,
    ) -> Result<Pending<'e, P>, DispatchError> {
        let measured = event.fields().measure();
        self.admit(measured.len, event.data().is_some())?;
        not_too_deep(depth)?;
        let room = self.reserve(Purpose::UnderWay, measured.len);
        Ok(self.pending(event, measured, Some(room)))
    }

    /// Begins a dispatch into room that was promised.
    pub(crate) fn begin_promised<'e>(
        &mut self,
        event: &'e Event<'e>,
        depth: usize,
        room: Option<Room>,
    ) -> Result<Pending<'e, P>, DispatchError> {
        let measured = event.fields().measure();
        self.admit_promised(measured.len, room.as_ref())?;
        not_too_deep(depth)?;
        Ok(self.pending(event, measured, room))
    }

    fn pending<'e>(
        &mut self,
        event: &'e Event<'e>,
        measured: Measured,
        room: Option<Room>,
    ) -> Pending<'e, P> {
        let asks = self.asks_listeners(event);
        Pending {
            event,
            measured,
            _swept: self.listeners.sweep(),
            listeners: asks.then(|| self.listeners.snapshot()).flatten(),
            room,
        }
    }

    /// Ends a dispatch: queues the event, or gives its room back if it was canceled.
    ///
    /// Calling it again changes nothing and returns the same.
    ///
    /// # Errors
    ///
    /// When the stream was closed while the listeners ran, by one of them for example. (For a
    /// [block](Event::block) or for what another target began, also as
    /// [`dispatch`](Self::dispatch).)
    pub fn commit(&mut self, decided: &mut Decided<'_, P>) -> Result<Dispatched, DispatchError> {
        if let Some(outcome) = decided.outcome {
            return outcome;
        }
        let outcome = self.settle(decided);
        decided.outcome = Some(outcome);
        outcome
    }

    /// Queues a frame as [`dispatch_frame`](Self::dispatch_frame) does, and leaves the end that this
    /// may bring about to [`take_ending`](Self::take_ending).
    ///
    /// # Errors
    ///
    /// As [`dispatch_frame`](Self::dispatch_frame).
    pub fn queue_frame(&mut self, frame: &Frame) -> Result<(), DispatchError> {
        let event_type = || encode::dispatched_type(frame.as_bytes());
        // Whether it is an event matters only where that may push others out.
        let is_event = self.outbox.drops() && event_type().is_some();
        self.admit(frame.len(), is_event)?;
        let promised = self.promised();
        self.outbox.make_way(frame.len(), event_type, promised)?;
        self.outbox.push_bytes(frame.bytes());
        Ok(())
    }

    /// Begins to close the stream: from here on it is closed. `None` if it was.
    ///
    /// Then call [`Ending::run`], which tells the listeners.
    pub fn begin_close(&mut self, reason: CloseReason) -> Option<Ending<P>> {
        let (state, effect) = self.state.next(Input::End(reason));
        self.state = state;
        if matches!(effect, Effect::Discard | Effect::CloseAndDiscard) {
            self.discarded += self.outbox.discard();
        }
        if self.outbox.is_empty() {
            self.emptied();
        }
        match effect {
            Effect::None | Effect::Discard => None,
            Effect::Close | Effect::CloseAndDiscard => Some(Ending {
                reason,
                failure: None,
                listeners: self.listeners.give_up(),
            }),
        }
    }

    /// Returns the end that [`Overflow::Disconnect`](crate::target::Overflow::Disconnect) brought about in
    /// [`begin`](Self::begin), [`commit`](Self::commit) or [`queue_frame`](Self::queue_frame), once:
    /// those who call them call [`Ending::run`] on it, which tells the listeners. All other commands
    /// do that themselves.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use sse_proto::target::{CloseReason, DispatchError, Limits, Overflow};
    /// use sse_proto::{Event, LocalListener, Target};
    ///
    /// let limits = Limits::new().with_frames(1).with_overflow(Overflow::Disconnect);
    /// let mut target = Target::<LocalListener>::with_limits(limits);
    /// let told = Rc::new(Cell::new(false));
    /// let tell = Rc::clone(&told);
    /// assert!(target.on_close(move |_| tell.set(true)).is_ok(), "it is open");
    ///
    /// target.dispatch_message("1")?;
    /// let event = Event::message("2");
    /// let overflow = DispatchError::Closed(CloseReason::Overflow);
    /// assert_eq!(target.begin(&event).err(), Some(overflow));
    /// assert!(!told.get());
    /// target.take_ending().unwrap().run();
    /// assert!(told.get());
    /// # Ok::<(), DispatchError>(())
    /// ```
    pub fn take_ending(&mut self) -> Option<Ending<P>> {
        self.untold.take()
    }

    /// Begins to close the stream because of an error.
    ///
    /// # Errors
    ///
    /// When the stream was closed before: gives the error back.
    pub fn begin_failure(
        &mut self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<Ending<P>, Box<dyn Error + Send + Sync>> {
        let error = error.into();
        let Some(mut ending) = self.begin_close(CloseReason::Failed) else {
            return Err(error);
        };
        let error: Failure = Arc::from(error);
        self.failure = Some(Arc::clone(&error));
        ending.failure = Some(error);
        Ok(ending)
    }
}

fn not_too_deep(depth: usize) -> Result<(), DispatchError> {
    if depth < MAX_DISPATCH_DEPTH {
        Ok(())
    } else {
        Err(DispatchError::TooDeep)
    }
}
