//! Waiting for room in the queue, and holding it.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::channel::Handle;
use super::dispatch::{DispatchError, Dispatched, Outgoing};
use super::outbox::{Purpose, Reservation};
#[cfg(feature = "std")]
use super::sharing::Shared;
use super::sharing::Sharing;
use super::waiters::Ticket;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// Waits for room, then dispatches an event. Made by [`Target::send`](crate::Target::send).
///
/// It takes its place in line at its first poll that finds no room. Dropped before it resolves, it
/// sends nothing, and its place goes to the next one in line. Polled again after it resolved, it
/// resolves with the same outcome and sends nothing.
#[must_use = "a future does nothing unless it is polled"]
pub struct SendEvent<
    'a,
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    handle: &'a Handle<S::Means>,
    outgoing: Outgoing<'a>,
    turn: Option<Turn<S>>,
    outcome: Option<Result<Dispatched, DispatchError>>,
}

/// Waits for room in the queue. Made by [`Target::reserve`](crate::Target::reserve).
///
/// It resolves with a [`Permit`] that holds the room. It takes its place in line at its first poll
/// that finds no room. Dropped, it leaves the line, and room that was granted to it goes to the next
/// one. Polled again after it resolved, it asks for the same room again.
#[must_use = "a future does nothing unless it is polled"]
pub struct Reserve<
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    len: usize,
    turn: Turn<S>,
}

/// Holds room in the queue for one event, until it is used or dropped.
///
/// No frame is dropped for it, and no policy gives its room away. Like a handle, it keeps the target
/// open.
#[must_use = "the room is given back when it is dropped"]
pub struct Permit<
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    held: HeldRoom<S>,
}

impl<'a, S: Sharing> SendEvent<'a, S> {
    pub(super) fn new(handle: &'a Handle<S::Means>, event: &'a Event<'a>) -> Self {
        Self {
            handle,
            outgoing: Outgoing::Event(event, None),
            turn: None,
            outcome: None,
        }
    }
}

impl<S: Sharing> Future for SendEvent<'_, S> {
    type Output = Result<Dispatched, DispatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(outcome) = this.outcome {
            return Poll::Ready(outcome);
        }
        let turn = if let Some(turn) = &mut this.turn {
            turn
        } else {
            this.outgoing = this.outgoing.measured();
            match this.handle.dispatch(this.outgoing, None) {
                Err(DispatchError::Full) => {}
                outcome => return Poll::Ready(*this.outcome.insert(outcome)),
            }
            this.turn.insert(Turn::new(this.handle.clone()))
        };
        let purpose = Purpose::of(&this.outgoing);
        let outcome = match turn.poll_room(this.outgoing.len(), purpose, cx) {
            Poll::Ready(Ok(room)) => this.handle.dispatch(this.outgoing, Some(room)),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(*this.outcome.insert(outcome))
    }
}

impl<S: Sharing> Reserve<S> {
    pub(super) fn new(handle: Handle<S::Means>, len: usize) -> Self {
        let turn = Turn::new(handle);
        Self { len, turn }
    }
}

impl<S: Sharing> Future for Reserve<S> {
    type Output = Result<Permit<S>, DispatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { len, turn } = &mut *self;
        let room = core::task::ready!(turn.poll_room(*len, Purpose::Permit, cx))?;
        let handle = turn.handle.clone();
        let room = Some(room);
        Poll::Ready(Ok(Permit {
            held: HeldRoom { handle, room },
        }))
    }
}

impl<S: Sharing> Permit<S> {
    /// Dispatches an event into this room. See [`Target::dispatch`](crate::Target::dispatch).
    ///
    /// # Errors
    ///
    /// - [`DispatchError::Closed`] if the stream has ended;
    /// - [`DispatchError::TooLarge`] if the event is larger than [the room](Self::room);
    /// - [`DispatchError::TooDeep`] and [`DispatchError::HasId`] as for any dispatch.
    ///
    /// Never [`DispatchError::Full`].
    pub fn dispatch(mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        let room = self.held.room.take();
        self.held
            .handle
            .dispatch(Outgoing::Event(event, None), room)
    }

    /// Queues a frame into this room. See
    /// [`Target::dispatch_frame`](crate::Target::dispatch_frame).
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_frame(mut self, frame: &Frame) -> Result<(), DispatchError> {
        let room = self.held.room.take();
        let sent = self.held.handle.dispatch(Outgoing::Frame(frame), room);
        sent.map(|_| ())
    }

    /// Returns the number of bytes that this holds room for.
    pub fn room(&self) -> usize {
        self.held.room.as_ref().map_or(0, Reservation::bytes)
    }
}

/// A place in the line, once it is taken. Dropping it leaves the line.
struct Turn<S: Sharing> {
    handle: Handle<S::Means>,
    ticket: Option<Ticket>,
}

impl<S: Sharing> Turn<S> {
    fn new(handle: Handle<S::Means>) -> Self {
        let ticket = None;
        Self { handle, ticket }
    }

    fn poll_room(
        &mut self,
        len: usize,
        purpose: Purpose,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reservation, DispatchError>> {
        self.handle
            .poll_room(&mut self.ticket, len, purpose, cx.waker())
    }
}

impl<S: Sharing> Drop for Turn<S> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.handle.leave_line(ticket);
        }
    }
}

/// The room of a permit. Dropping it gives the room back.
struct HeldRoom<S: Sharing> {
    handle: Handle<S::Means>,
    // `None` once it is used.
    room: Option<Reservation>,
}

impl<S: Sharing> Drop for HeldRoom<S> {
    fn drop(&mut self) {
        self.handle.release_room(self.room.take());
    }
}

impl<S: Sharing> fmt::Debug for SendEvent<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendEvent")
            .field("waits", &self.turn.is_some())
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl<S: Sharing> fmt::Debug for Reserve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("len", &self.len)
            .field("waits", &self.turn.ticket.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: Sharing> fmt::Debug for Permit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("room", &self.room())
            .finish_non_exhaustive()
    }
}
