//! One event stream: takes commands, yields bytes.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use bytes::Bytes;

use super::dispatch::{
    Decided, DispatchError, Dispatched, MAX_DISPATCH_DEPTH, Pending, Reserved, Room,
};
use super::ending::{Ending, Failure, RemovedListener};
use super::holders::LocalListener;
use super::listeners::{Listener, ListenerId, Listeners, On};
use super::outbox::{Limits, Outbox};
use super::state::{CloseReason, Effect, Input, State};
use crate::wire::encode::Parts;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// One event stream on the sending side, as a state machine: no I/O, no lock, no clock, no waker.
///
/// It takes **commands** ([`dispatch`](Self::dispatch), [`close`](Self::close) and the like) and
/// yields **output** ([`next_chunk`](Self::next_chunk)): bytes for the client, in the order of the
/// commands. After each command, send what `next_chunk` gives until it gives nothing; when
/// [`is_ended`](Self::is_ended) is true then, the response is over. With the feature `std`,
/// [`channel`](crate::channel) does that for you and wakes the reader.
///
/// Local listeners run inside the commands, before an event is encoded. A listener that itself
/// uses the target needs the target not to be borrowed meanwhile: take the two steps
/// [`begin`](Self::begin) and [`commit`](Self::commit) then, and
/// [`begin_close`](Self::begin_close).
///
/// # Examples
///
/// ```
/// use sse_proto::{CloseReason, Dispatched, Event, EventType, LocalListener, On, Target};
///
/// let mut target = Target::<LocalListener>::new();
/// target.listen(On::event_type(&EventType::from_static("secret")), |dispatch| {
///     dispatch.prevent_default();
/// });
/// assert_eq!(target.dispatch(&Event::message("hi"))?, Dispatched::Sent);
/// let secret = Event::new(EventType::from_static("secret"), "1234");
/// assert_eq!(target.dispatch(&secret)?, Dispatched::Canceled);
/// target.close();
/// assert_eq!(target.close_reason(), Some(CloseReason::Closed));
///
/// assert_eq!(target.next_chunk().unwrap(), "data: hi\n\n");
/// assert!(target.is_ended());
/// # Ok::<(), sse_proto::DispatchError>(())
/// ```
pub struct Target<P: Listener = LocalListener> {
    state: State,
    failure: Option<Failure>,
    discarded: usize,
    listeners: Listeners<P>,
    outbox: Outbox,
    // Made at the first dispatch that has listeners to ask.
    reserved: Option<Arc<Reserved>>,
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

    #[cfg(feature = "std")]
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    /// Returns whether the stream is over: closed, and nothing left to deliver.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Returns whether the stream is over and all that was queued was taken.
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
}

/// Commands.
impl<P: Listener> Target<P> {
    /// Dispatches an event: runs its local listeners, in order, and queues it for the client
    /// unless one of them cancels it.
    ///
    /// A [block](Event::block) without data is queued without asking the listeners.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the event is larger than the queue: before
    /// any listener runs.
    pub fn dispatch(&mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        if !self.asks_listeners(event) {
            return self.send(event);
        }
        let mut decided = self.begin(event)?.run_listeners();
        self.commit(&mut decided)
    }

    /// Dispatches an event without a type.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_message(&mut self, data: &str) -> Result<Dispatched, DispatchError> {
        self.dispatch(&Event::message(data))
    }

    /// Queues a comment, which clients ignore.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the comment is larger than the queue.
    pub fn dispatch_comment(&mut self, text: &str) -> Result<(), DispatchError> {
        self.send(&Event::block().with_comment(text)).map(|_| ())
    }

    /// Queues a frame, without encoding it again. Local listeners do not see it: there is no
    /// [`Event`] to show them.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the frame is larger than the queue.
    pub fn dispatch_frame(&mut self, frame: &Frame) -> Result<(), DispatchError> {
        self.check(frame.len())?;
        self.outbox.push_bytes(frame.bytes());
        Ok(())
    }

    /// Closes the stream. What is queued is still delivered. The close listeners run at once, and
    /// no listener of events runs any more. Without effect on a closed stream.
    pub fn close(&mut self) {
        self.end(CloseReason::Closed);
    }

    /// Closes the stream and drops what is queued.
    pub fn abort(&mut self) {
        self.end(CloseReason::Aborted);
    }

    /// Closes the stream because the client went away, and drops what is queued. The error
    /// listeners do not run: a client may go when it likes.
    pub fn client_gone(&mut self) {
        self.end(CloseReason::ClientGone);
    }

    /// Closes the stream because of an error: the close listeners run, then the error listeners
    /// with the error. What is queued is still delivered.
    pub fn fail(&mut self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        if let Some(ending) = self.begin_failure(error) {
            ending.run();
        }
    }

    /// Closes the stream for a reason. [`close`](Self::close), [`abort`](Self::abort) and
    /// [`client_gone`](Self::client_gone) are short for it.
    pub fn end(&mut self, reason: CloseReason) {
        if let Some(ending) = self.begin_close(reason) {
            ending.run();
        }
    }

    /// Removes a listener. One that is removed during a dispatch does not run any more in it.
    ///
    /// What is returned holds the listener: drop it where the drop of what the listener captured
    /// may use the target. `None` if there is no such listener.
    ///
    /// # Complexity
    ///
    /// Grows with the number of listeners: the list is copied, for the dispatches that hold it.
    pub fn remove_listener(&mut self, id: ListenerId) -> Option<RemovedListener<P>> {
        self.listeners.remove(id).map(RemovedListener)
    }
}

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
    /// target.borrow_mut().listen(On::event_type(&EventType::from_static("ping")), move |_| {
    ///     dispatch(&own, &Event::message("pong first")).expect("there is room");
    /// });
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

    /// Begins to close the stream because of an error. `None` if it was closed.
    pub fn begin_failure(
        &mut self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Option<Ending<P>> {
        let error: Failure = Arc::from(error.into());
        let mut ending = self.begin_close(CloseReason::Failed)?;
        self.failure = Some(Arc::clone(&error));
        ending.failure = Some(error);
        Some(ending)
    }
}

/// Output.
impl<P: Listener> Target<P> {
    /// Takes what is queued, within the limit of a chunk: whole frames, in order.
    ///
    /// `None` means that nothing is queued now; if the target [is ended](Self::is_ended), nothing
    /// ever will be. A chunk is never empty.
    #[must_use = "the bytes are the client's"]
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
    pub(crate) fn asks_listeners(&self, event: &Event<'_>) -> bool {
        !self.listeners.is_empty() && event.data().is_some()
    }

    /// Queues an event that no listener is asked about.
    #[inline]
    pub(crate) fn send(&mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        let parts = Parts::of(event);
        let measured = parts.measure();
        self.check(measured.len)?;
        self.outbox.push_event(&parts, measured);
        Ok(Dispatched::Sent)
    }

    /// Adds a listener; gives it back if the stream is closed, since it would never run.
    pub(crate) fn add_listener(&mut self, on: On, listener: P) -> (ListenerId, Option<P>) {
        if self.is_closed() {
            return (self.listeners.unused_id(), Some(listener));
        }
        (self.listeners.add(on, listener), None)
    }

    fn settle(&mut self, decided: &mut Decided<'_, P>) -> Result<Dispatched, DispatchError> {
        if decided.swept {
            decided.swept_out = self.listeners.sweep();
        }
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        if decided.canceled {
            return Ok(Dispatched::Canceled);
        }
        let measured = decided.pending.measured;
        self.check(measured.len)?;
        self.outbox
            .push_event(&Parts::of(decided.pending.event), measured);
        Ok(Dispatched::Sent)
    }

    #[inline]
    fn check(&self, len: usize) -> Result<(), DispatchError> {
        if let Some(reason) = self.close_reason() {
            return Err(DispatchError::Closed(reason));
        }
        let (frames, bytes) = match &self.reserved {
            None => (0, 0),
            Some(reserved) => (reserved.frames(), reserved.bytes()),
        };
        self.outbox.check(len, frames, bytes)
    }

    fn reserve(&mut self, bytes: usize) -> Room {
        self.reserved.get_or_insert_default().reserve(bytes)
    }

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
            .field("failure", &self.failure)
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}
