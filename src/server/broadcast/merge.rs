//! Shared and personal events in one stream.
//!
//! What the own target has is taken first, and then held until all frames are out that were
//! published by that moment: each event of its own was dispatched before it, so each stands behind
//! all frames that were published before its dispatch. The moment stays the same while it is held,
//! so that however fast frames come, it goes out.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::end::SubscriptionEnd;
use super::subscription::Subscription;
use crate::server::adapt::Until;
use crate::server::sharing::{Shared, Sharing};
use crate::server::state::CloseReason;
use crate::server::stream::EventStream;

/// A subscription and a connection's own events in one stream. Made by [`Subscription::merge`].
pub struct Merged<S: Sharing = Shared> {
    // Gone once the target has ended.
    subscription: Option<Subscription>,
    // Gone once it has ended.
    own: Option<EventStream<S>>,
    /// A chunk of its own, and the number of the first frame that may come after it.
    held: Option<(Bytes, u64)>,
    /// The number of the first frame that does not come any more, once the target has ended.
    last: u64,
    farewell: Option<Bytes>,
}

impl Subscription {
    /// Merges the events of the connection's own target, such as [`channel`](crate::channel) makes,
    /// into the frames of the broadcast.
    ///
    /// Each personal event comes after all frames that were published before its dispatch. It must
    /// have no id: the client would come back with it, which no broadcast knows, and miss events.
    /// From this call on the target refuses it with
    /// [`DispatchError::HasId`](crate::target::DispatchError::HasId), and so a gap marker with an id. Merge
    /// before the first dispatch: what is queued by then, or set as the marker, goes out as it is.
    ///
    /// The end of one is the end of both: closing the target ends the stream once its queue and all
    /// frames that were published before are delivered; a target that is aborted ends it at once; a
    /// broadcast that is closed closes the target, whose queue is delivered before the farewell; a
    /// subscriber that lags ends its target for the reason [`CloseReason::Overflow`], and nothing
    /// follows. Where both are closed before the stream is polled, the farewell comes.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::Retention;
    /// use sse_proto::target::DispatchError;
    /// use sse_proto::{Broadcast, Event, channel};
    ///
    /// let broadcast = Broadcast::assigning_ids(Retention::new(), 1);
    /// let (target, stream) = channel();
    /// let mut body = broadcast.subscribe(None).or_live().merge(stream);
    ///
    /// broadcast.publish(&Event::message("to all"))?;
    /// target.dispatch_message("to you")?;
    /// let mut next = || body.next().now_or_never().flatten().unwrap();
    /// assert_eq!(next(), "id: 1-1\ndata: to all\n\n");
    /// assert_eq!(next(), "data: to you\n\n");
    ///
    /// let with_id = Event::message("to you").with_id(7_u32);
    /// assert_eq!(target.dispatch(&with_id), Err(DispatchError::HasId));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<S: Sharing>(self, own: EventStream<S>) -> Merged<S> {
        own.refuse_ids();
        Merged {
            subscription: Some(self),
            own: Some(own),
            held: None,
            last: 0,
            farewell: None,
        }
    }
}

impl<S: Sharing> Merged<S> {
    /// Returns the subscription, until the stream ends.
    pub fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// Ends the stream once a future resolves: its target, for the reason
    /// [`CloseReason::Shutdown`], as [`EventStream::until`] does. All that was published and
    /// dispatched by then is delivered; then comes the [farewell](Until::with_farewell), if there is
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::broadcast::Retention;
    /// use sse_proto::target::CloseReason;
    /// use sse_proto::{Broadcast, Event, Frame, channel};
    ///
    /// let broadcast = Broadcast::new(Retention::new());
    /// let (target, stream) = channel();
    /// let bye = Frame::new(&Event::message("bye"));
    /// let body = broadcast.subscribe(None).or_live().merge(stream);
    /// let body = body.until(ready("the server shuts down")).with_farewell(bye);
    ///
    /// broadcast.publish(&Event::message("to all"))?;
    /// let chunks = block_on(body.collect::<Vec<_>>());
    /// assert_eq!(chunks, ["data: to all\n\n", "data: bye\n\n"]);
    /// assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn until<F: Future>(self, future: F) -> Until<Self, F> {
        Until::telling(self, future, |merged| {
            let own = merged.own.as_ref();
            own.is_some_and(|own| own.close(CloseReason::Shutdown))
        })
    }

    /// Takes what the own target has; returns whether that has ended.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> bool {
        let (Some(own), None) = (&mut self.own, &self.held) else {
            return false;
        };
        match Pin::new(own).poll_next(cx) {
            Poll::Ready(Some(chunk)) => {
                // Read after the chunk was taken: see above.
                let head = self.subscription.as_ref().map_or(0, Subscription::head);
                self.held = Some((chunk, head));
                false
            }
            Poll::Ready(None) => true,
            Poll::Pending => false,
        }
    }

    /// Drops what is held if the target's queue was dropped: it is a part of that.
    fn check_held(&mut self) {
        if self.held.is_some() && self.own.as_ref().is_some_and(EventStream::is_cut) {
            self.held = None;
        }
    }

    /// Sees to what is still to come of the broadcast.
    fn own_ended(&mut self) {
        let own = self.own.take();
        self.last = match (&self.subscription, &own) {
            (Some(subscription), Some(own)) if !own.is_cut() => {
                // Who is to end by a shutdown has that one's farewell.
                let is_shutdown = own.close_reason() == Some(CloseReason::Shutdown);
                if subscription.is_closed() && !is_shutdown {
                    u64::MAX
                } else {
                    subscription.head()
                }
            }
            _ => {
                self.farewell = None;
                0
            }
        };
        // What it holds may run code of the user's when it is dropped.
        drop(own);
    }

    /// The number of the next frame; larger than all if no frame comes any more.
    fn read(&self) -> u64 {
        let subscription = self.subscription.as_ref();
        subscription.map_or(u64::MAX, |subscription| match subscription.end() {
            None => subscription.cursor(),
            Some(_) => u64::MAX,
        })
    }

    /// What is held, if no frame is to come before it.
    fn release(&mut self) -> Option<Bytes> {
        let read = self.read();
        let (chunk, _) = self.held.take_if(|(_, first)| *first <= read)?;
        Some(chunk)
    }

    /// Ends the target along with the subscription.
    fn end_own(&mut self, end: SubscriptionEnd) {
        if end == SubscriptionEnd::Lagged {
            // Also where the target was closed before: what stands in front of it is lost.
            self.held = None;
        }
        if let Some(own) = &self.own {
            own.close(match end {
                SubscriptionEnd::Closed => CloseReason::Closed,
                SubscriptionEnd::Lagged => CloseReason::Overflow,
            });
        }
    }
}

impl<S: Sharing> Stream for Merged<S> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        loop {
            this.check_held();
            if this.poll_own(cx) {
                this.own_ended();
            }
            if let Some(chunk) = this.release() {
                return Poll::Ready(Some(chunk));
            }
            if this.own.is_none() && this.read() >= this.last {
                this.subscription = None;
                return Poll::Ready(this.farewell.take());
            }
            let Some(subscription) = &mut this.subscription else {
                return Poll::Pending;
            };
            if subscription.is_terminated() {
                // The rest of the target's own, up to its end.
                return Poll::Pending;
            }
            match Pin::new(&mut *subscription).poll_next(cx) {
                Poll::Ready(chunk) => match subscription.end() {
                    None => return Poll::Ready(chunk),
                    Some(end) => {
                        this.farewell = chunk;
                        this.end_own(end);
                    }
                },
                Poll::Pending => {
                    if let Some(chunk) = this.release() {
                        return Poll::Ready(Some(chunk));
                    }
                    if this.own.is_some() || this.read() < this.last {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<S: Sharing> FusedStream for Merged<S> {
    fn is_terminated(&self) -> bool {
        self.subscription.is_none()
    }
}

impl<S: Sharing> fmt::Debug for Merged<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged")
            .field("subscription", &self.subscription)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
