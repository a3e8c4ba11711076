//! The streams: `Subscription`, and `Merged`, which adds a connection's own events.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::ids::AssignedId;
use super::subscriber::Subscriber;
use crate::server::sharing::{Shared, Sharing};
use crate::server::state::CloseReason;
use crate::server::stream::EventStream;
use crate::wire::field::EventId;

/// The frames of a [`Broadcast`](crate::Broadcast), as the body of one response.
///
/// One poll takes all frames that wait, up to 64 KiB, as one [`Bytes`] that other subscribers at
/// the same place share. A larger frame is a chunk of its own. A chunk may be shorter than 64 KiB
/// if that saves a copy. It may also be a chunk that another subscriber just got, if that chunk has
/// at least half of the bytes that wait.
///
/// Its adapters (keep-alive comments, first bytes, an end at shutdown) are the methods of
/// [`EventStreamExt`](crate::EventStreamExt).
///
/// # Memory
///
/// A subscriber is a place in the log and a waker. It costs at most 96 bytes while it is idle, this
/// type included, and no more while it lags; options other than the default cost one allocation.
/// A chunk keeps up to 64 KiB of the log in memory, or one larger frame, until it is dropped.
///
/// # End
///
/// The stream ends after all frames when the broadcast is closed. It also ends when the subscriber
/// lags, which means that its next frame is no longer kept, unless it [skips
/// ahead](crate::broadcast::SubscribeOptions::with_skip_ahead). An `EventSource` reconnects, and is
/// resumed or told of the gap.
#[doc(alias = "subscriber")]
#[must_use = "a subscription that is dropped ends"]
pub struct Subscription {
    pub(super) subscriber: Subscriber,
}

impl Subscription {
    /// Returns why the stream has ended: [`Closed`](CloseReason::Closed) with the broadcast,
    /// [`Overflow`](CloseReason::Overflow) because the subscriber lagged,
    /// [`Shutdown`](CloseReason::Shutdown) by [`until`](crate::EventStreamExt::until).
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.subscriber.close_reason()
    }

    /// Returns an id for the current position of the subscriber. A client that resumes from it
    /// receives all events published after this position. `None` unless the broadcast assigns ids.
    ///
    /// A client has no id before its first event. If its connection is cut before that, it misses
    /// events without notice. So take this id before the stream is polled, and send it first, with
    /// [`Preamble::with_id`](crate::adapt::Preamble::with_id).
    ///
    /// If you set the ids, send the id of the last event that the page's state includes.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::adapt::Preamble;
    /// use sse_proto::broadcast::{Retention, Subscribed};
    /// use sse_proto::{Broadcast, Event, EventId, EventStreamExt};
    ///
    /// let broadcast = Broadcast::assigning_ids(Retention::new(), 7);
    /// let subscription = broadcast.subscribe(None).or_live();
    /// let start = Preamble::new().with_id(subscription.last_event_id());
    /// let mut body = subscription.preamble(&start);
    /// assert_eq!(body.next().now_or_never().flatten().unwrap(), "event: stream-start\nid: 7-0~\ndata: {}\n\n");
    ///
    /// // The connection is lost. The client reconnects and has missed nothing.
    /// drop(body);
    /// broadcast.publish(&Event::message("meanwhile"))?;
    /// let subscribed = broadcast.subscribe(Some(&EventId::from_static("7-0~")));
    /// assert!(matches!(subscribed, Subscribed::Resumed { missed: 1, .. }));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    #[doc(alias = "cursor")]
    #[doc(alias = "offset")]
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        let epoch = self.subscriber.shared().epoch?;
        AssignedId::place(epoch, self.subscriber.cursor() - 1).to_event_id()
    }

    /// Returns the number of frames that wait. Some of them may not be for this subscriber.
    pub fn lag(&self) -> u64 {
        match self.close_reason() {
            None => self.subscriber.shared().lock().log.head() - self.subscriber.cursor(),
            Some(_) => 0,
        }
    }

    /// Merges the events of the connection's own target, made by [`channel`](crate::channel), into
    /// the frames of the broadcast.
    ///
    /// Each event of the target comes after all frames that were published before its dispatch. It
    /// must have no id, because the broadcast could not resume a client from it. After this call
    /// the target refuses events and gap markers with an id:
    /// [`DispatchError::HasId`](crate::target::DispatchError::HasId). Merge before the first
    /// dispatch: events that are already queued, and a gap marker that is already set, are sent
    /// even if they have an id.
    ///
    /// If one of them ends, both end:
    ///
    /// - The target is closed: its queue and the frames published before are delivered.
    /// - The target is aborted: the stream ends at once.
    /// - The broadcast is closed: the target is closed, its queue is delivered, then the farewell
    ///   of the broadcast. The same applies if both are closed before the stream is polled.
    /// - The subscriber lags: the target ends with the reason [`CloseReason::Overflow`], and
    ///   nothing more is delivered.
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
            rest: Rest::All,
            farewell: None,
        }
    }

    /// Ends the stream after all frames that were published so far, without the farewell of the
    /// broadcast. Returns whether this call ends it.
    pub(crate) fn shut_down(&mut self) -> bool {
        self.subscriber.shut_down()
    }
}

impl Stream for Subscription {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.get_mut().subscriber.poll(cx)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.close_reason().is_some()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("close_reason", &self.close_reason())
            .field("lag", &self.lag())
            .finish_non_exhaustive()
    }
}

/// A subscription and a connection's own events in one stream. Made by [`Subscription::merge`].
// A chunk of the target is held until all frames published before it was taken have been delivered.
// So each of its events comes after the frames published before its dispatch. Later frames do not
// delay the chunk, however fast they are published.
pub struct Merged<S: Sharing = Shared> {
    /// `None` once the stream has ended.
    subscription: Option<Subscription>,
    /// `None` once the target has ended.
    own: Option<EventStream<S>>,
    /// A chunk of the target, and the number of the first frame that may come after it.
    held: Option<(Bytes, u64)>,
    /// The frames that are delivered after the end of the target; all until it ends.
    rest: Rest,
    farewell: Option<Bytes>,
}

/// The frames that a merged stream still delivers.
enum Rest {
    None,
    /// Those before this number.
    Before(u64),
    All,
}

impl<S: Sharing> Merged<S> {
    /// Closes the target for the reason [`CloseReason::Shutdown`]. The stream ends after everything
    /// published and dispatched so far. Returns whether this call closed it.
    pub(crate) fn shut_down(&self) -> bool {
        let own = self.own.as_ref();
        own.is_some_and(|own| own.close(CloseReason::Shutdown))
    }

    /// Takes a chunk of the target. Returns whether the target has ended.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> bool {
        let (Some(own), None) = (&mut self.own, &self.held) else {
            return false;
        };
        match Pin::new(own).poll_next(cx) {
            Poll::Ready(Some(chunk)) => {
                // Read after the chunk was taken, so it counts all frames published before the
                // chunk's dispatches.
                let subscription = self.subscription.as_ref();
                let head = subscription.map_or(0, |one| one.subscriber.shared().next_number());
                self.held = Some((chunk, head));
                false
            }
            Poll::Ready(None) => true,
            Poll::Pending => false,
        }
    }

    /// Drops the held chunk if the target's queue was dropped, because the chunk belongs to it.
    fn drop_held_if_cut(&mut self) {
        if self.held.is_some() && self.own.as_ref().is_some_and(EventStream::is_cut) {
            self.held = None;
        }
    }

    /// Notes which frames of the broadcast are still delivered after the end of the target.
    fn own_ended(&mut self) {
        let own = self.own.take();
        self.rest = match (&self.subscription, &own) {
            (Some(subscription), Some(own)) if !own.is_cut() => {
                let shared = subscription.subscriber.shared();
                // A shutdown has its own farewell, so the broadcast's is not sent.
                let is_shutdown = own.close_reason() == Some(CloseReason::Shutdown);
                if shared.is_closed() && !is_shutdown {
                    Rest::All
                } else {
                    Rest::Before(shared.next_number())
                }
            }
            _ => {
                self.farewell = None;
                Rest::None
            }
        };
        // Its drop may run user code, so it comes last.
        drop(own);
    }

    /// Returns whether no frame before this number is still to come.
    fn has_passed(&self, number: u64) -> bool {
        let subscription = self.subscription.as_ref();
        let open = subscription.filter(|one| one.close_reason().is_none());
        open.is_none_or(|one| one.subscriber.cursor() >= number)
    }

    /// Returns whether the target has ended and no frame is still to come.
    fn has_ended(&self) -> bool {
        self.own.is_none()
            && match self.rest {
                Rest::None => true,
                Rest::Before(number) => self.has_passed(number),
                Rest::All => self.has_passed(u64::MAX),
            }
    }

    /// Returns the held chunk, if no frame is still to come before it.
    fn release(&mut self) -> Option<Bytes> {
        let (_, first) = self.held.as_ref()?;
        if !self.has_passed(*first) {
            return None;
        }
        self.held.take().map(|(chunk, _)| chunk)
    }

    /// Ends the target along with the subscription.
    fn end_own(&mut self, reason: CloseReason) {
        if reason == CloseReason::Overflow {
            // Even if the target was already closed, because frames that belong before this chunk
            // are lost.
            self.held = None;
        }
        if let Some(own) = &self.own {
            own.close(reason);
        }
    }
}

impl<S: Sharing> Stream for Merged<S> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        loop {
            this.drop_held_if_cut();
            if this.poll_own(cx) {
                this.own_ended();
            }
            if let Some(chunk) = this.release() {
                return Poll::Ready(Some(chunk));
            }
            if this.has_ended() {
                this.subscription = None;
                return Poll::Ready(this.farewell.take());
            }
            let Some(subscription) = &mut this.subscription else {
                return Poll::Pending;
            };
            if subscription.is_terminated() {
                // Only the rest of the target's events is to come.
                return Poll::Pending;
            }
            match Pin::new(&mut *subscription).poll_next(cx) {
                Poll::Ready(chunk) => match subscription.close_reason() {
                    None => return Poll::Ready(chunk),
                    Some(reason) => {
                        this.farewell = chunk;
                        this.end_own(reason);
                    }
                },
                Poll::Pending => {
                    if let Some(chunk) = this.release() {
                        return Poll::Ready(Some(chunk));
                    }
                    if !this.has_ended() {
                        return Poll::Pending;
                    }
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use core::task::Waker;

    use futures::StreamExt;

    use super::*;
    use crate::server::broadcast::{Broadcast, Retention, Scope, SubscribeOptions};
    use crate::wire::event::Event;
    use crate::wire::frame::Frame;

    fn publish(broadcast: &Broadcast, data: &str) {
        assert!(broadcast.publish(&Event::message(data)).is_ok());
    }

    fn poll(subscription: &mut Subscription) -> Poll<Option<Bytes>> {
        subscription.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
    }

    fn chunk(text: &'static str) -> Poll<Option<Bytes>> {
        Poll::Ready(Some(Bytes::from(text)))
    }

    #[test]
    fn a_shutdown_delivers_what_was_published_by_then() {
        let broadcast = Broadcast::new(Retention::new());
        let mut reads = broadcast.subscribe(None).or_live();
        let mut waits = broadcast.subscribe(None).or_live();
        publish(&broadcast, "1");
        assert_eq!(poll(&mut waits), chunk("data: 1\n\n"));
        assert!(poll(&mut waits).is_pending());
        assert!(reads.shut_down() && waits.shut_down());
        assert!(!reads.shut_down(), "it ends already");
        // The farewell of the broadcast is not for them.
        broadcast.close(Some(Frame::new(&Event::message("bye"))));
        assert_eq!(poll(&mut reads), chunk("data: 1\n\n"));
        for mut ended in [reads, waits] {
            assert_eq!(poll(&mut ended), Poll::Ready(None));
            assert_eq!(ended.close_reason(), Some(CloseReason::Shutdown));
            assert!(!ended.shut_down());
        }
        assert_eq!(broadcast.statistics().subscribers, 0);
    }

    #[test]
    fn a_shutdown_ends_a_subscription_after_frames_of_others_and_more_that_come() {
        let broadcast = Broadcast::new(
            Retention::new()
                .with_max_frames(10_000)
                .with_max_bytes(64 << 20),
        );
        let types = [crate::EventType::from_static("a")];
        let options = SubscribeOptions::new().with_event_types(types);
        for options in [SubscribeOptions::new(), options] {
            let mut subscription = broadcast.subscribe_with(None, &options).or_live();
            let data = Event::message("x".repeat(992));
            for _ in 0..2_000 {
                assert!(broadcast.publish_for(&Scope::new("bob"), &data).is_ok());
            }
            let last = Event::new(crate::EventType::from_static("a"), "last");
            assert!(broadcast.publish(&last).is_ok());
            assert!(subscription.shut_down());
            for _ in 0..100 {
                publish(&broadcast, &"y".repeat(1_000));
            }
            let wire = loop {
                if let Poll::Ready(chunk) = poll(&mut subscription) {
                    break chunk.unwrap_or_default();
                }
            };
            assert!(wire.starts_with(b"event: a\ndata: last\n\n"));
            assert_eq!(poll(&mut subscription), Poll::Ready(None));
        }
    }

    #[test]
    fn a_broadcast_that_is_closed_ends_its_subscriptions_itself() {
        let broadcast = Broadcast::new(Retention::new());
        let mut subscription = broadcast.subscribe(None).or_live();
        broadcast.close(Some(Frame::new(&Event::message("bye"))));
        assert!(!subscription.shut_down());
        assert_eq!(poll(&mut subscription), chunk("data: bye\n\n"));
        assert_eq!(subscription.close_reason(), Some(CloseReason::Closed));
    }
}
