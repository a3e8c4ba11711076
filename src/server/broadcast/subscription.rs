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
/// [skips ahead](crate::broadcast::SubscribeOptions::with_skip_ahead). An `EventSource` comes back by itself and is
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
            Phase::Reads => None,
            Phase::Ended(end) => Some(end),
        }
    }

    /// Returns an id that stands for its place: a client that comes back with it gets what is
    /// published behind. `None` where ids are the user's.
    ///
    /// A client knows no id before the first event that it got. If it is cut by then, what it missed
    /// is lost in silence: so send this first, as a block with nothing but an id, taken before the
    /// stream is polled. Where ids are the user's, send the id of the last event that the state which the page
    /// shows includes; or publish one at the start, and let those without an id begin with the
    /// [oldest](crate::broadcast::Restart::oldest) event.
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
    /// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 7-0~\n\n");
    ///
    /// // The connection is cut. The client comes back, and missed nothing.
    /// drop(body);
    /// broadcast.publish(&Event::message("meanwhile"))?;
    /// let subscribed = broadcast.subscribe(Some(&EventId::from_static("7-0~")));
    /// assert!(matches!(subscribed, Subscribed::Resumed { missed: 1, .. }));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        let place = Assigned {
            epoch: self.core.epoch?,
            number: self.reader.cursor - 1,
            is_place: true,
        };
        // Digits are an id.
        EventId::new(place.text().as_str())
            .ok()
            .map(EventId::into_owned)
    }

    /// Returns how many frames wait, not all of which may be for this subscriber.
    pub fn lag(&self) -> u64 {
        match self.reader.phase {
            Phase::Reads => self.core.lock().log.head() - self.reader.cursor,
            Phase::Ended(_) => 0,
        }
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
        if self.reader.phase == Phase::Reads {
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
        if reader.phase != Phase::Reads {
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
        self.reader.phase != Phase::Reads
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.reader.phase == Phase::Reads {
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
