//! Waiting for room in the queue, and holding it.

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::handle::TargetHandle;
use super::hub::Inner;
use super::sharing::{Sharing, over_sharing};
use super::turns::Ticket;
use crate::server::dispatch::{DispatchError, Dispatched};
use crate::server::room::Room;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

over_sharing! {
    /// Waits for room in the queue. Made by [`TargetHandle::reserve`].
    ///
    /// It resolves with a [`Permit`] that holds the room, and with an error when the stream is
    /// closed, also while it waits, or when so much will never fit. Those who wait are served in
    /// the order of their first polls; while somebody waits, no dispatch without a permit gets room.
    ///
    /// It takes its place in line when it is first polled. Dropped, it leaves the line, and room
    /// that it was given goes to the next one. Polled again after it resolved, it asks for as much
    /// again.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct Reserve {
        target: TargetHandle<S>,
        len: usize,
        ticket: Option<Ticket>,
    }
}

over_sharing! {
    /// Holds room in the queue for one event, until it is used or dropped.
    ///
    /// Nothing is dropped for it, and it is not dropped for anything. Like a handle, it keeps the
    /// target open.
    #[must_use = "the room is given back when it is dropped"]
    pub struct Permit {
        target: TargetHandle<S>,
        // `None` only while it is used.
        room: Option<Room>,
    }
}

impl<S: Sharing> TargetHandle<S> {
    /// Waits until there is room for a frame of `len` bytes, and holds it.
    ///
    /// The exact length of an event is [`encoded_len`](crate::encoded_len); a larger permit is good
    /// for a smaller event. Costs nothing to who does not call it.
    ///
    /// Where the target [drops or disconnects](crate::target::Overflow) on overflow, this waits all the
    /// same: it is for those who can wait for the client.
    ///
    /// # Errors
    ///
    /// The future resolves with [`DispatchError::TooLarge`] at once if the queue may never hold so
    /// much, and with [`DispatchError::Closed`] when the stream is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::target::{Limits, channel_with};
    /// use sse_proto::Event;
    ///
    /// # futures::executor::block_on(async {
    /// let (target, mut stream) = channel_with(Limits::new().with_frames(1));
    /// target.dispatch_message("first")?;
    ///
    /// let second = Event::message("second");
    /// let mut reserve = target.reserve(second.encoded_len());
    /// assert!((&mut reserve).now_or_never().is_none(), "the queue is full");
    /// assert_eq!(stream.next().await.unwrap(), "data: first\n\n");
    /// reserve.await?.dispatch(&second)?;
    /// assert_eq!(stream.next().await.unwrap(), "data: second\n\n");
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// # })?;
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn reserve(&self, len: usize) -> Reserve<S> {
        Reserve {
            target: self.clone(),
            len,
            ticket: None,
        }
    }
}

impl<S: Sharing> Permit<S> {
    /// Dispatches an event into the room that this holds. See [`TargetHandle::dispatch`].
    ///
    /// # Errors
    ///
    /// When the stream is closed; when the event is larger than [the room](Self::room), which is
    /// the limit in [`DispatchError::TooLarge`]; when listeners dispatch too deep. Never
    /// [`DispatchError::Full`].
    pub fn dispatch(mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        let room = self.room.take();
        self.target.core.dispatch_promised(event, room)
    }

    /// Queues a frame into the room that this holds. See [`TargetHandle::dispatch_frame`].
    ///
    /// # Errors
    ///
    /// When the stream is closed, or the frame is larger than [the room](Self::room).
    pub fn dispatch_frame(mut self, frame: &Frame) -> Result<(), DispatchError> {
        let room = self.room.take();
        self.target.core.dispatch_promised_frame(frame, room)
    }

    /// Returns how many bytes of room this holds.
    pub fn room(&self) -> usize {
        self.room.as_ref().map_or(0, Room::bytes)
    }
}

impl<S: Sharing> Drop for Permit<S> {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            drop(room);
            self.target.core.serve();
        }
    }
}

impl<S: Sharing> Reserve<S> {
    /// Takes what there is to take, without waiting.
    fn ask(
        ticket: &mut Option<Ticket>,
        len: usize,
        inner: &mut Inner<S>,
    ) -> Poll<Result<Room, DispatchError>> {
        let Some(number) = *ticket else {
            return match inner.target.promise(len) {
                // Those in line come first.
                Ok(Some(room)) if !inner.target.is_awaited() => Poll::Ready(Ok(room)),
                Ok(_) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            };
        };
        if let Some(reason) = inner.target.close_reason() {
            *ticket = None;
            return Poll::Ready(Err(DispatchError::Closed(reason)));
        }
        match inner.turns.as_mut().and_then(|turns| turns.fetch(number)) {
            Some(room) => {
                *ticket = None;
                Poll::Ready(Ok(room))
            }
            None => Poll::Pending,
        }
    }

    /// Whom this has told to wake it.
    fn registered(ticket: Option<Ticket>, inner: &mut Inner<S>) -> Option<&mut Waker> {
        inner.turns.as_mut()?.waker(ticket?)
    }

    fn permit(&self, room: Room) -> Permit<S> {
        Permit {
            room: Some(room),
            target: self.target.clone(),
        }
    }
}

impl<S: Sharing> Future for Reserve<S> {
    type Output = Result<Permit<S>, DispatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            target,
            len,
            ticket,
        } = &mut *self;
        let mut own = None;
        loop {
            let mut inner = target.core.lock();
            match Self::ask(ticket, *len, &mut inner) {
                Poll::Ready(Ok(room)) => {
                    drop(inner);
                    return Poll::Ready(Ok(self.permit(room)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            let registered = Self::registered(*ticket, &mut inner);
            if registered
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                return Poll::Pending;
            }
            let Some(waker) = own.take() else {
                drop(inner);
                // Cloning a waker runs code of the executor's, so it is done without the lock, and
                // what came meanwhile is looked for again.
                own = Some(cx.waker().clone());
                continue;
            };
            let old = if let Some(registered) = registered {
                Some(mem::replace(registered, waker))
            } else {
                let Inner { target, turns, .. } = &mut *inner;
                *ticket = Some(turns.get_or_insert_default().wait(*len, waker, target));
                None
            };
            drop(inner);
            drop(old);
            return Poll::Pending;
        }
    }
}

impl<S: Sharing> Drop for Reserve<S> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let mut inner = self.target.core.lock();
        let place = inner.turns.as_mut().and_then(|turns| turns.leave(ticket));
        drop(inner);
        // May hold room, which the next one gets then.
        drop(place);
        self.target.core.serve();
    }
}

impl<S: Sharing> fmt::Debug for Reserve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("len", &self.len)
            .field("waits", &self.ticket.is_some())
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
