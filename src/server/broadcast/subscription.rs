//! The stream of one subscriber.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::core::{Core, State};
use super::end::SubscriptionEnd;
use super::filter::Filter;
use super::ids::Assigned;
use super::reader::{Phase, Reader};
use crate::wire::field::EventId;

/// The frames of a [`Broadcast`](crate::Broadcast), for the body of one response.
///
/// One poll takes all frames that wait, up to 64 KiB, as one [`Bytes`] that is shared with the other
/// subscribers at the same place. (A frame above that is a chunk of its own. Where more waits than
/// fits, a chunk may be shorter, so that it need not be copied; and while events keep coming, what
/// was joined for another a moment ago is taken if it is at least half of what waits.)
///
/// # Memory
///
/// A subscriber is a place in the log and a waker: no queue. Idle it costs 96 bytes at most, this
/// type included. One that lags costs nothing more; options other than the default cost a box. A
/// chunk that was handed out is its holder's: it keeps up to 64 KiB of the log in memory, or one
/// larger frame, which all who hold chunks of the same frames share.
///
/// # Its end
///
/// It ends when the broadcast is closed, after all that was published; and when it lags, so that its
/// next frame is not retained any more, unless it
/// [skips ahead](crate::SubscribeOptions::with_skip_ahead). An `EventSource` comes back by itself and is
/// resumed or told. An ended stream stays ended.
pub struct Subscription {
    core: Arc<Core>,
    reader: Reader,
}

impl Subscription {
    /// Stands where the number is that of the next frame.
    pub(super) fn new(
        core: &Arc<Core>,
        state: &mut State,
        cursor: u64,
        filter: Option<Box<Filter>>,
    ) -> Self {
        state.subscribers += 1;
        state.log.arrive(cursor);
        Self {
            core: Arc::clone(core),
            reader: Reader::new(cursor, filter),
        }
    }

    /// Returns why it has ended.
    pub fn end(&self) -> Option<SubscriptionEnd> {
        match self.reader.phase {
            Phase::Ended(end) => Some(end),
            Phase::Reads | Phase::Waits { .. } | Phase::ShutsDown { .. } => None,
        }
    }

    /// Returns an id that stands for its place: a client that comes back with it gets what is
    /// published behind. `None` where ids are the user's.
    ///
    /// A client knows no id before the first event that it got. If it is cut by then, what it missed
    /// is lost in silence: so send this first, as a block with nothing but an id, taken before the
    /// stream is polled. Where ids are the user's, send the id of the last event that the state which the page
    /// shows includes; or publish one at the start, and let those without an id begin with the
    /// [oldest](crate::Restart::oldest) event.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::adapt::{EventStreamExt, Preamble};
    /// use sse_proto::{Broadcast, Event, EventId, Retention, Subscribed};
    ///
    /// let broadcast = Broadcast::assigning_ids(Retention::new(), 7);
    /// let subscription = broadcast.subscribe(None).or_live();
    /// let start = Preamble::new().with_id(subscription.last_event_id());
    /// let mut body = subscription.preamble(&start);
    /// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 7-0~\n\n");
    ///
    /// // The connection is cut. The client comes back, and missed nothing.
    /// drop(body);
    /// broadcast.publish(&Event::message("meanwhile"))?;
    /// let subscribed = broadcast.subscribe(Some(&EventId::from_static("7-0~")));
    /// assert!(matches!(subscribed, Subscribed::Resumed { missed: 1, .. }));
    /// # Ok::<(), sse_proto::PublishError>(())
    /// ```
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        let place = Assigned {
            epoch: self.core.epoch?,
            number: self.reader.cursor - 1,
            is_place: true,
        };
        // Digits are an id.
        place.text().as_str().parse().ok()
    }

    /// Returns how many frames wait, not all of which may be for this subscriber.
    pub fn lag(&self) -> u64 {
        match self.end() {
            None => self.core.lock().log.head() - self.reader.cursor,
            Some(_) => 0,
        }
    }

    /// Ends it after all frames that were published up to now, without the broadcast's farewell.
    /// Returns whether this is what ends it: not if it ends already.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "`until` does not end subscriptions so far")
    )]
    pub(crate) fn shut_down(&mut self) -> bool {
        let mut state = self.core.lock();
        if !matches!(self.reader.phase, Phase::Reads | Phase::Waits { .. }) || state.end.is_some() {
            return false;
        }
        let old = self.reader.unregister(&mut state);
        let head = state.log.head();
        self.reader.phase = Phase::ShutsDown { head };
        drop(state);
        drop(old);
        true
    }

    /// The number of the next frame it reads.
    pub(super) fn cursor(&self) -> u64 {
        self.reader.cursor
    }

    /// The number that the next frame gets.
    pub(super) fn head(&self) -> u64 {
        self.core.next_number()
    }

    /// Whether the broadcast is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.core.version() % 2 == 1
    }

    /// Goes back to the oldest frame there is.
    pub(super) fn rewind(&mut self) {
        if self.end().is_none() {
            let mut state = self.core.lock();
            let old = self.reader.unregister(&mut state);
            let oldest = state.log.oldest();
            state.log.pass(self.reader.cursor, oldest);
            self.reader.cursor = oldest;
            drop(state);
            drop(old);
        }
    }
}

impl Stream for Subscription {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Self { core, reader } = self.get_mut();
        if let Phase::Ended(_) = reader.phase {
            return Poll::Ready(None);
        }
        if reader.waits_as(core, cx.waker()) {
            return Poll::Pending;
        }
        reader.poll(core, cx)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.end().is_some()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.end().is_none() {
            let mut state = self.core.lock();
            let old = self.reader.unregister(&mut state);
            self.reader.finish(&mut state, SubscriptionEnd::Closed);
            drop(state);
            drop(old);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("end", &self.end())
            .field("lag", &self.lag())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;
    use crate::server::broadcast::{Broadcast, Retention, Scope, SubscribeOptions};
    use crate::wire::event::Event;
    use crate::wire::frame::Frame;

    fn publish(broadcast: &Broadcast, data: &str) {
        assert!(broadcast.publish(&Event::message(data)).is_ok());
    }

    fn next(subscription: &mut Subscription) -> Option<Option<Bytes>> {
        subscription.next().now_or_never()
    }

    #[test]
    fn a_shutdown_delivers_what_was_published_by_then() {
        let broadcast = Broadcast::new(Retention::new());
        let mut reads = broadcast.subscribe(None).or_live();
        let mut waits = broadcast.subscribe(None).or_live();
        publish(&broadcast, "1");
        assert!(next(&mut waits).is_some() && next(&mut waits).is_none());
        assert!(reads.shut_down() && waits.shut_down());
        assert!(!reads.shut_down(), "it ends already");
        // A farewell of the broadcast's is not one of theirs.
        broadcast.close(Some(Frame::new(&Event::message("bye"))));
        assert_eq!(next(&mut reads), Some(Some(Bytes::from("data: 1\n\n"))));
        for mut ended in [reads, waits] {
            assert_eq!(next(&mut ended), Some(None));
            assert_eq!(ended.end(), Some(SubscriptionEnd::Shutdown));
            assert!(!ended.shut_down());
        }
        assert_eq!(broadcast.statistics().subscribers, 0);
    }

    #[test]
    fn a_shutdown_ends_a_subscription_after_frames_of_others_and_more_that_come() {
        let broadcast = Broadcast::new(Retention::new().with_frames(10_000).with_bytes(64 << 20));
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
                if let Some(chunk) = next(&mut subscription) {
                    break chunk.unwrap_or_default();
                }
            };
            assert!(wire.starts_with(b"event: a\ndata: last\n\n"));
            assert_eq!(next(&mut subscription), Some(None));
        }
    }

    #[test]
    fn a_broadcast_that_is_closed_ends_its_subscriptions_itself() {
        let broadcast = Broadcast::new(Retention::new());
        let mut subscription = broadcast.subscribe(None).or_live();
        broadcast.close(Some(Frame::new(&Event::message("bye"))));
        assert!(!subscription.shut_down());
        assert_eq!(
            next(&mut subscription),
            Some(Some(Bytes::from("data: bye\n\n")))
        );
        assert_eq!(subscription.end(), Some(SubscriptionEnd::Closed));
    }
}
