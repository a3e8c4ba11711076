//! One log of frames, encoded once, and many subscribers that read it.
//!
//! A mutex guards the log and the wakers; an atomic outside the mutex shows whether anything has
//! changed. The lock is held to encode at most 16 KiB, to copy at most 64 KiB, or, most often, to
//! clone a `Bytes`. No user code runs under the lock: wakers and predicates run without it.

mod chunk;
mod filter;
mod ids;
mod index;
mod log;
mod options;
mod publish;
mod segments;
mod shared;
mod subscribe;
mod subscriber;
mod subscription;

use ::core::fmt;
use ::core::time::Duration;

use alloc::sync::Arc;

pub use self::options::{Retention, Scope, SubscribeOptions};
pub use self::publish::PublishError;
pub use self::shared::Statistics;
use self::shared::{BroadcastShared, LastHandle};
pub use self::subscribe::{Restart, Subscribed};
pub use self::subscription::{Merged, Subscription};
use crate::wire::event::Event;
use crate::wire::frame::Frame;
use crate::wire::last_event_id::LastEventId;

/// Sends events to many clients; a client that reconnects receives the events that it missed.
///
/// An event is encoded once, into a log. A [`Subscription`] reads that log; it is the body of one
/// response. Subscriptions share the bytes. Publishing never waits for a subscriber. [`Retention`]
/// sets how much history is kept.
///
/// Every clone is a handle of the same broadcast. When the last handle is dropped, the
/// subscriptions deliver the published events and end.
///
/// # Ids
///
/// A client resumes right after its last event ID: no duplicates, no gaps. You set the id of each
/// event ([`new`](Self::new)), or the broadcast assigns the ids
/// ([`assigning_ids`](Self::assigning_ids)).
///
/// An id that you set may be any text, such as a number or the id of a Redis stream entry. Give
/// each event a unique id: a repeated id refers to the last event that has it. A client cannot
/// resume after an event without an id.
///
/// A published id can come back in a request. So it has at most 1024 bytes, no space or tab at an
/// end, and no control character (other than a tab); an event with another id is
/// [refused](crate::broadcast::PublishError::InvalidId). Choose ids in ASCII: four JavaScript clients
/// fail to reconnect with an id that has a character beyond Latin-1.
///
/// A client that loses its connection before its first event has no id.
/// [`Subscription::last_event_id`] returns an id to send first.
///
/// # Which part to use
///
/// - Events for one user or tenant, which no other client receives, live or in a replay:
///   [`publish_for`](Self::publish_for).
/// - Some event types only, a filter, another rule for subscribers that lag:
///   [`subscribe_with`](Self::subscribe_with).
/// - Answers to one connection, which need no replay: [`Subscription::merge`].
/// - Keep-alive comments, first bytes, larger chunks: [`adapt`](crate::adapt).
///
/// In a handler, with the feature `http`:
///
/// ```
/// # #[cfg(feature = "http")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sse_proto::deps::http::{Request, Response};
/// use sse_proto::broadcast::Retention;
/// use sse_proto::http::{Body, last_event_id, response};
/// use sse_proto::{Broadcast, Event, Subscription};
///
/// fn events<B>(broadcast: &Broadcast, request: &Request<B>) -> Response<Body<Subscription>> {
///     let header = request.headers().get_all("last-event-id");
///     let last = last_event_id(header, request.uri().query(), "lastEventId");
///     response(request.version(), broadcast.subscribe(last).or_oldest())
/// }
///
/// let broadcast = Broadcast::assigning_ids(Retention::new(), 1);
/// broadcast.publish(&Event::message("hi"))?;
/// let request = Request::get("/events").header("last-event-id", "1-1").body(())?;
/// assert_eq!(events(&broadcast, &request).headers()["content-type"], "text/event-stream");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "http"))]
/// # fn main() {}
/// ```
///
/// # Examples
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::{Retention, Subscribed};
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let broadcast = Broadcast::new(Retention::new());
/// let mut ann = broadcast.subscribe(None).or_live();
/// for (id, data) in [(1_u32, "one"), (2, "two"), (3, "three")] {
///     broadcast.publish(&Event::message(data).with_id(id))?;
/// }
/// // Events that wait come as one chunk, which all subscribers at the same place share.
/// assert_eq!(
///     ann.next().now_or_never().flatten().unwrap(),
///     "id: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\ndata: three\n\n"
/// );
/// // Bob's connection was lost after the first event. His client reconnects with the id of that
/// // event.
/// let bob = match broadcast.subscribe(Some(&EventId::from(1_u32))) {
///     Subscribed::Resumed { subscription, missed: 2 } => subscription,
///     other => unreachable!("{other:?}"),
/// };
/// broadcast.close(None);
/// let chunks: Vec<_> = bob.collect().now_or_never().unwrap();
/// assert_eq!(chunks, ["id: 2\ndata: two\n\nid: 3\ndata: three\n\n"]);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[doc(alias = "channel")]
#[doc(alias = "topic")]
#[doc(alias = "room")]
#[derive(Clone)]
pub struct Broadcast {
    handle: Arc<LastHandle>,
}

impl Broadcast {
    /// Makes a broadcast that uses the ids of the published events.
    pub fn new(retention: Retention) -> Self {
        Self {
            handle: LastHandle::new(retention, None),
        }
    }

    /// Makes a broadcast that gives each event an id: `epoch`, `-`, and a number that starts at 1.
    ///
    /// Use a new epoch at each start of the server, such as the time in milliseconds. Then an id
    /// from an earlier start is unknown, instead of being mistaken for an id of this start.
    ///
    /// Ids that end in `~` stand for the place after a frame. A client gets one from
    /// [`Subscription::last_event_id`], or in place of the id of a frame that it may not see.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{Retention, Subscribed};
    /// use sse_proto::{Broadcast, Event, EventId};
    ///
    /// let broadcast = Broadcast::assigning_ids(Retention::new(), 1_732_000_000_000);
    /// let mut subscription = broadcast.subscribe(None).or_live();
    /// broadcast.publish(&Event::message("hi"))?;
    /// assert_eq!(
    ///     subscription.next().now_or_never().flatten().unwrap(),
    ///     "id: 1732000000000-1\ndata: hi\n\n"
    /// );
    /// let from_before = EventId::from_static("1731000000000-1");
    /// assert!(matches!(broadcast.subscribe(Some(&from_before)), Subscribed::Unknown(_)));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn assigning_ids(retention: Retention, epoch: u64) -> Self {
        Self {
            handle: LastHandle::new(retention, Some(epoch)),
        }
    }

    /// Publishes an event to all subscribers: encodes it, and wakes the subscribers that wait.
    ///
    /// Returns the number of the frame, which counts from 1.
    ///
    /// # Errors
    ///
    /// If the broadcast is closed, if the event takes more bytes than are
    /// [kept](Retention::with_max_bytes), if it has an id and the broadcast assigns ids, or if a
    /// client could not [come back](Self#ids) with its id.
    #[doc(alias = "emit")]
    #[doc(alias = "fire")]
    #[doc(alias = "push")]
    #[inline]
    pub fn publish(&self, event: &Event<'_>) -> Result<u64, PublishError> {
        publish::event(self.shared(), event, None)
    }

    /// Publishes an event to the subscribers that may see a
    /// [scope](SubscribeOptions::with_scope), live or in a replay.
    ///
    /// It wakes all waiting subscribers; those that may not see the scope skip the frame. For an
    /// event to one connection that needs no replay, [`merge`](Subscription::merge) a separate
    /// target, which wakes only that connection.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and if the name of the scope takes more than 256 bytes.
    pub fn publish_for(&self, scope: &Scope, event: &Event<'_>) -> Result<u64, PublishError> {
        publish::event(self.shared(), event, Some(scope))
    }

    /// Publishes a frame without encoding it again: to all subscribers, or to those that may see a
    /// scope.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish) and [`publish_for`](Self::publish_for), and if the broadcast
    /// assigns ids, because no id can be added to an encoded frame.
    pub fn publish_frame(&self, frame: &Frame, scope: Option<&Scope>) -> Result<u64, PublishError> {
        publish::frame(self.shared(), frame, scope)
    }

    /// Subscribes to all frames without a scope, starting right after the client's last event ID.
    ///
    /// `last_event_id` is what [`last_event_id`](crate::http::last_event_id) reads from the request,
    /// an id, or `None`. See [`Subscribed`] for what to do if the client cannot be resumed.
    ///
    /// # Complexity
    ///
    /// Constant time on average, however much is kept. If the ids are the user's, a call with an id
    /// also takes some nanoseconds for each id published since the last such call.
    pub fn subscribe<'id>(&self, last_event_id: impl Into<LastEventId<'id>>) -> Subscribed {
        self.subscribe_with(last_event_id, &SubscribeOptions::new())
    }

    /// Subscribes with [options](SubscribeOptions): to some event types, for a scope, or to skip
    /// ahead after a lag.
    pub fn subscribe_with<'id>(
        &self,
        last_event_id: impl Into<LastEventId<'id>>,
        options: &SubscribeOptions,
    ) -> Subscribed {
        subscribe::subscribe(self.shared(), &last_event_id.into(), options)
    }

    /// Sets the time, as counted from any fixed moment, and drops frames above their
    /// [age](Retention::with_max_age). Frames published from now on get this time.
    ///
    /// Call it from a timer or before publishing. Frames published before the first call get the
    /// time of that call. A time earlier than that of the last call has no effect.
    pub fn advance(&self, now: Duration) {
        self.shared().lock().log.advance(now);
    }

    /// Ends all subscriptions after the events published so far and the farewell, if there is one.
    /// Later subscriptions end the same way. Has no effect if the broadcast is closed.
    ///
    /// A client reconnects by itself, so give the farewell a reconnection time, and no id.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{PublishError, Retention};
    /// use sse_proto::{Broadcast, Event, Frame};
    ///
    /// let broadcast = Broadcast::new(Retention::new());
    /// let subscription = broadcast.subscribe(None).or_live();
    /// broadcast.publish(&Event::message("last"))?;
    /// let later = Event::block().with_reconnection_time(Duration::from_secs(9));
    /// broadcast.close(Some(Frame::new(&later)));
    ///
    /// let chunks: Vec<_> = subscription.collect().now_or_never().unwrap();
    /// assert_eq!(chunks, ["data: last\n\n", "retry: 9000\n"]);
    /// assert_eq!(broadcast.publish(&Event::message("late")), Err(PublishError::Closed));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn close(&self, farewell: Option<Frame>) {
        self.shared().close(farewell.map(Frame::into_bytes));
    }

    /// Returns whether the broadcast is closed.
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// Returns the current counts of subscribers, frames and losses.
    ///
    /// # Complexity
    ///
    /// Linear in the number of frames before the next frame of the slowest subscriber.
    pub fn statistics(&self) -> Statistics {
        self.shared().statistics()
    }

    #[inline]
    fn shared(&self) -> &Arc<BroadcastShared> {
        &self.handle.0
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("is_closed", &self.is_closed())
            .field("statistics", &self.statistics())
            .finish()
    }
}
