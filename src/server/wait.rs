//! The futures of a target, which wait for room in the queue or for the end, and `Permit`, which
//! holds room.

use core::future::{self, Future};
use core::task::{Context, Poll};

use super::channel::{Channel, Handle};
use super::dispatch::{DispatchError, DispatchResult, Dispatched};
use super::outbox::{Outgoing, Purpose, Reservation};
#[cfg(feature = "std")]
use super::sharing::Shared;
use super::sharing::{Primitives, Sharing};
use super::state::CloseReason;
use super::waiters::Ticket;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// Holds room in the queue for one event, until it is used or dropped.
///
/// Making a permit drops no frame, and no policy gives its room to another event. Like a handle, it
/// keeps the target open.
#[must_use = "the room is given back when it is dropped"]
pub struct Permit<
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    handle: Handle<S::Means>,
    /// `None` once it is used.
    room: Option<Reservation>,
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
    pub fn dispatch(self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        self.queue(Outgoing::Event(event, None))
    }

    /// Queues a frame into this room. See
    /// [`Target::dispatch_frame`](crate::Target::dispatch_frame).
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_frame(self, frame: &Frame) -> Result<(), DispatchError> {
        self.queue(Outgoing::Frame(frame)).map(|_| ())
    }

    /// Returns the number of bytes for which this permit holds room.
    pub fn room(&self) -> usize {
        self.room.as_ref().map_or(0, Reservation::bytes)
    }

    fn queue(mut self, outgoing: Outgoing<'_>) -> DispatchResult {
        let room = self.room.take();
        self.handle.channel.dispatch(outgoing, room)
    }
}

impl<S: Sharing> Drop for Permit<S> {
    fn drop(&mut self) {
        self.handle.channel.release_room(self.room.take());
    }
}

debug!(impl(S: Sharing) Permit<S>, self => room: self.room());

/// Waits for room, then dispatches an event. If the future is polled again after it has resolved,
/// it returns the same result.
pub(super) fn send<'a, K: Primitives>(
    handle: &'a Handle<K>,
    event: &'a Event<'a>,
) -> impl Future<Output = DispatchResult> + Unpin + use<'a, K> {
    let mut outgoing = Outgoing::Event(event, None);
    let mut turn = None;
    let mut outcome = None;
    future::poll_fn(move |cx| {
        if let Some(outcome) = outcome {
            return Poll::Ready(outcome);
        }
        if turn.is_none() {
            outgoing = outgoing.measured();
            match handle.channel.dispatch(outgoing, None) {
                Err(DispatchError::Full) => {}
                result => return Poll::Ready(*outcome.insert(result)),
            }
        }
        let turn = turn.get_or_insert_with(|| Turn::new(handle.clone()));
        let purpose = Purpose::of(&outgoing);
        turn.poll_room(outgoing.len(), purpose, cx).map(|room| {
            let result = room.and_then(|room| handle.channel.dispatch(outgoing, Some(room)));
            *outcome.insert(result)
        })
    })
}

/// Waits for room, and holds it.
pub(super) fn reserve<S: Sharing>(
    handle: Handle<S::Means>,
    len: usize,
) -> impl Future<Output = Result<Permit<S>, DispatchError>> + Unpin + use<S> {
    let mut turn = Turn::new(handle);
    future::poll_fn(move |cx| {
        let room = turn.poll_room(len, Purpose::DropsNone, cx);
        room.map_ok(|room| Permit {
            handle: turn.handle.clone(),
            room: Some(room),
        })
    })
}

/// Waits for the end. This does not keep the target open.
pub(super) fn closed<K: Primitives>(
    channel: K::Strong<Channel<K>>,
) -> impl Future<Output = CloseReason> + Unpin + use<K> {
    let mut waits = WaitsForEnd::<K> {
        channel,
        ticket: None,
    };
    future::poll_fn(move |cx| {
        let WaitsForEnd { channel, ticket } = &mut waits;
        // As in `Turn::poll_room`.
        let waker = cx.waker().clone();
        let (reason, _waker) = channel.with(|machine| machine.poll_closed(ticket, waker));
        reason
    })
}

/// A place in the line of waiting tasks, taken by the first poll that finds no room. The drop gives
/// the place up.
struct Turn<K: Primitives> {
    handle: Handle<K>,
    ticket: Option<Ticket>,
}

impl<K: Primitives> Turn<K> {
    fn new(handle: Handle<K>) -> Self {
        let ticket = None;
        Self { handle, ticket }
    }

    fn poll_room(
        &mut self,
        len: usize,
        purpose: Purpose,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reservation, DispatchError>> {
        let channel = &self.handle.channel;
        // Cloning and dropping a waker runs executor code, so both happen without the lock.
        let waker = cx.waker().clone();
        let (room, _waker) =
            channel.with(|machine| machine.poll_room(&mut self.ticket, len, purpose, waker));
        room
    }
}

impl<K: Primitives> Drop for Turn<K> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.handle.channel.leave_line(ticket);
        }
    }
}

/// A task that waits for the end.
struct WaitsForEnd<K: Primitives> {
    channel: K::Strong<Channel<K>>,
    ticket: Option<Ticket>,
}

impl<K: Primitives> Drop for WaitsForEnd<K> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.channel.with(|machine| machine.leave_closed(ticket));
        }
    }
}
