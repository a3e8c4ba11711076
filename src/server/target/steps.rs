//! Commands in two steps.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;

use super::Target;
use crate::server::dispatch::{DispatchError, Dispatched, MAX_DISPATCH_DEPTH};
use crate::server::ending::{Ending, Failure};
use crate::server::listeners::Listener;
use crate::server::pending::{Decided, Pending};
use crate::server::state::{CloseReason, Effect, Input};
use crate::wire::encode::Parts;
use crate::wire::event::Event;

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
    /// [`MAX_DISPATCH_DEPTH`] dispatches are under way.
    ///
    /// # Examples
    ///
    /// A listener that answers an event with another one, through a handle of its own:
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use sse_proto::{Dispatched, DispatchError, Event, EventType, LocalListener, On, Target};
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
        let depth = self.reserved.as_ref().map_or(0, |room| room.frames());
        self.begin_at(event, depth)
    }

    pub(crate) fn begin_at<'e>(
        &mut self,
        event: &'e Event<'e>,
        depth: usize,
    ) -> Result<Pending<'e, P>, DispatchError> {
        let measured = Parts::of(event).measure();
        self.check(measured.len)?;
        if depth >= MAX_DISPATCH_DEPTH {
            return Err(DispatchError::TooDeep);
        }
        let asks = self.asks_listeners(event);
        Ok(Pending {
            event,
            measured,
            _swept: self.listeners.sweep(),
            listeners: asks.then(|| self.listeners.snapshot()).flatten(),
            room: Some(self.reserve(measured.len)),
        })
    }

    /// Ends a dispatch: queues the event, or gives its room back if it was canceled.
    ///
    /// Calling it again changes nothing and returns the same.
    ///
    /// # Errors
    ///
    /// When the stream was closed while the listeners ran, by one of them for example.
    pub fn commit(&mut self, decided: &mut Decided<'_, P>) -> Result<Dispatched, DispatchError> {
        if let Some(outcome) = decided.outcome {
            return outcome;
        }
        // The room is ours again, or, for another target's dispatch, is checked as for a new one.
        decided.pending.room = None;
        let outcome = self.settle(decided);
        decided.outcome = Some(outcome);
        outcome
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
