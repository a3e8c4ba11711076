//! One log of frames, encoded once, and many subscribers that read it by topics.
//!
//! A mutex guards the hub: the log, the topics, the subscribers and their wakers. An atomic outside
//! the mutex shows whether anything has changed. The lock is held to encode at most 16 KiB, to copy
//! at most 64 KiB, or, most often, to clone a `Bytes`. No user code runs under the lock: wakers,
//! clocks, keys and callbacks run without it.

mod handle;
mod hub;
mod ids;
mod joins;
mod log;
mod merged;
mod options;
mod publish;
mod reached;
mod segments;
mod shared;
mod signal;
mod slab;
mod subscribe;
mod subscription;
#[cfg(test)]
mod tests;
mod topics;
mod wakes;
mod work;

use ::core::fmt;
use ::core::future::Future;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use self::handle::{Handle, TopicTooLong};
pub use self::ids::Key;
use self::ids::{Found, Ids};
pub use self::merged::Merged;
pub use self::options::{Retention, SubscribeOptions};
pub use self::publish::{Publication, PublishError};
pub use self::reached::Arrival;
use self::shared::{BroadcastShared, LastHandle};
use self::signal::Signal;
pub use self::subscribe::{Restart, Subscribed};
pub use self::subscription::{Held, Subscription};
use crate::wire::event::Event;
use crate::wire::field::EventId;
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
/// # Topics
///
/// An event is for all, or for one topic: a user, a tenant, a room. A subscription has a set of
/// topics, which its [`Handle`] changes while it is open. It receives an event if its topic was in
/// the set when the event was published, and at every moment until a poll hands it out. A client
/// that resumes receives what it missed by the set that it is given then, as if it had had that set
/// since its last event ID.
///
/// An event costs those who get it: publishing wakes and looks at the subscribers of its topic only,
/// and a subscriber that reads or resumes looks at no events of other topics. What happens in other
/// topics cannot be seen, with two exceptions: an assigned id shows how many events there were in
/// all, and a client may be told of a gap that is none once the broadcast has
/// [forgotten](Retention::with_remembered_topics) its topic.
///
/// # Ids
///
/// A client resumes right after its last event ID: no duplicates, no gaps. The ids are assigned
/// ([`new`](Self::new)), or the user's, with an order ([`with_key`](Self::with_key)).
///
/// An id is a place in the log, not a right: a client may come back with the id of an event that it
/// may not see. An id is recognized by its text, and must be in the log. If it lies between two ids
/// of the log, it is unknown, because the order alone does not prove that it was ever published.
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
/// - Events for one user or tenant: [`publish_to`](Self::publish_to).
/// - Topics, event types, another rule for subscribers that lag:
///   [`subscribe_with`](Self::subscribe_with).
/// - Topics that change, sending a client away, waiting for its end: [`Subscription::handle`].
/// - How many are in a topic: [`subscribers_of`](Self::subscribers_of),
///   [`on_presence`](Self::on_presence).
/// - Answers to one connection, which need no replay: [`Subscription::merge`].
/// - A store behind the log: [`publish_all`](Self::publish_all), [`hold`](Self::hold),
///   [`reached`](Self::reached), [`reset`](Self::reset), [`rewind`](Self::rewind).
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
/// use sse_proto::{Broadcast, Event, EventType, Subscription};
///
/// fn events<B>(broadcast: &Broadcast, request: &Request<B>) -> Response<Body<Subscription>> {
///     let header = request.headers().get_all("last-event-id");
///     let last = last_event_id(header, request.uri().query(), "lastEventId");
///     // Tells a client that cannot be resumed to load its state again.
///     let reset = Event::new(EventType::from_static("reset"), "");
///     response(broadcast.subscribe(last).or_oldest(&reset))
/// }
///
/// let broadcast = Broadcast::new(Retention::default());
/// broadcast.publish(&Event::message("hi"))?;
/// let request = Request::get("/events").body(())?;
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
/// use sse_proto::broadcast::{Key, Retention, Subscribed};
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
/// let mut ann = broadcast.subscribe(None).or_live_untold();
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
/// let bob = match broadcast.subscribe(EventId::from(1_u32)) {
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

/// Making, publishing, subscribing.
impl Broadcast {
    /// Makes a broadcast that gives each event an id: an epoch, `-`, and a number that starts at 1.
    ///
    /// The epoch is drawn from the time and a random number. So an id from an earlier start of the
    /// server is unknown, instead of being mistaken for an id of this start.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::broadcast::{Retention, Subscribed};
    /// use sse_proto::{Broadcast, Event};
    ///
    /// let before = Broadcast::new(Retention::default());
    /// before.publish(&Event::message("hi"))?;
    /// let id = before.last_event_id().unwrap();
    /// assert!(matches!(before.subscribe(id.clone()), Subscribed::Resumed { missed: 0, .. }));
    ///
    /// let after_a_restart = Broadcast::new(Retention::default());
    /// assert!(matches!(after_a_restart.subscribe(id), Subscribed::Unknown(_)));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn new(retention: Retention) -> Self {
        Self::with_epoch(retention, ids::draw_epoch())
    }

    /// Makes a broadcast that assigns ids in an epoch of your own: for a target without a clock and
    /// random numbers, where [`new`](Self::new) does not exist, and for tests.
    ///
    /// Use a new epoch at each start of the server, such as a random number. With the epoch of an
    /// earlier start, clients that come back lose events without notice.
    pub fn with_epoch(retention: Retention, epoch: u64) -> Self {
        Self::with_ids(retention, Ids::Assigned(epoch))
    }

    /// Makes a broadcast that uses the ids of the published events, in the order of a [`Key`].
    ///
    /// Publish the ids in increasing order. A client cannot resume after an event without an id: it
    /// receives such an event again if it comes back with the id of an earlier one.
    pub fn with_key(retention: Retention, key: Key) -> Self {
        Self::with_ids(retention, Ids::Users(key))
    }

    fn with_ids(retention: Retention, ids: Ids) -> Self {
        let shared = BroadcastShared::new(retention, ids);
        Self {
            handle: Arc::new(LastHandle(Arc::new(shared))),
        }
    }

    /// Publishes an event to all: encodes it, and wakes the subscribers that wait.
    ///
    /// Returns the number of the frame in the log, which counts from 1. It is the second number of
    /// an assigned id.
    ///
    /// # Errors
    ///
    /// If the broadcast is closed, if the event takes more bytes than are [kept](Retention::new), if
    /// it has an id and the broadcast assigns ids, if a client could not [come back](Self#ids) with
    /// its id, or if the id has no key or is out of order.
    #[doc(alias = "emit")]
    #[doc(alias = "fire")]
    #[doc(alias = "push")]
    #[inline]
    pub fn publish(&self, event: &Event<'_>) -> Result<u64, PublishError> {
        publish::event(self.shared(), event, None)
    }

    /// Publishes an event to the subscribers of a topic.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and if the name of the topic takes more than 256 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{Retention, SubscribeOptions};
    /// use sse_proto::{Broadcast, Event};
    ///
    /// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    /// let ann = SubscribeOptions::new().with_topics(["user/ann", "tenant/7"]);
    /// let mut ann = broadcast.subscribe_with(None, &ann).or_live_untold();
    /// let mut bob = broadcast.subscribe(None).or_live_untold();
    ///
    /// broadcast.publish_to("user/ann", &Event::message("hello, Ann"))?;
    /// assert_eq!(ann.next().now_or_never().flatten().unwrap(), "id: 7-1\ndata: hello, Ann\n\n");
    /// assert!(bob.next().now_or_never().is_none());
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    #[inline]
    pub fn publish_to(&self, topic: &str, event: &Event<'_>) -> Result<u64, PublishError> {
        publish::event(self.shared(), event, Some(topic))
    }

    /// Publishes frames that have ids of the user under one lock, and wakes each subscriber once.
    ///
    /// Returns an answer for each, in their order. One that is refused stops no other.
    ///
    /// # Errors
    ///
    /// In each answer, as [`publish_to`](Self::publish_to). Where ids are assigned, all are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::broadcast::{Key, Publication, PublishError, Retention};
    /// use sse_proto::{Broadcast, Event, EventId, Frame};
    ///
    /// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    /// let frame = |id: u32| Publication::new(Frame::new(&Event::message("x").with_id(id)));
    /// let answers = broadcast.publish_all([
    ///     frame(7).with_topic("ann"),
    ///     frame(6),
    ///     Publication::place(EventId::from(8_u32)),
    /// ]);
    /// assert_eq!(answers, [Ok(1), Err(PublishError::OutOfOrder), Ok(2)]);
    /// assert_eq!(broadcast.last_event_id().unwrap(), "8");
    /// ```
    pub fn publish_all<'a>(
        &self,
        publications: impl IntoIterator<Item = Publication<'a>>,
    ) -> Vec<Result<u64, PublishError>> {
        let publications: Vec<_> = publications.into_iter().collect();
        publish::all(self.shared(), &publications)
    }

    /// Subscribes to the frames for all, right after the client's last event ID.
    ///
    /// `last_event_id` is what [`last_event_id`](crate::http::last_event_id) reads from the request,
    /// an id, or `None`. See [`Subscribed`] for what to do if the client cannot be resumed.
    ///
    /// # Complexity
    ///
    /// Logarithmic in the number of frames kept, for an id of the user and for each topic. Linear in
    /// the number of topics.
    pub fn subscribe<'id>(&self, last_event_id: impl Into<LastEventId<'id>>) -> Subscribed {
        self.subscribe_with(last_event_id, &SubscribeOptions::new())
    }

    /// Subscribes with [options](SubscribeOptions): to topics, to some event types, or to skip ahead
    /// after a lag.
    pub fn subscribe_with<'id>(
        &self,
        last_event_id: impl Into<LastEventId<'id>>,
        options: &SubscribeOptions,
    ) -> Subscribed {
        subscribe::subscribe(self.shared(), &last_event_id.into(), options)
    }

    /// Ends all subscriptions after the events that were published and the farewell, if there is
    /// one. Later subscriptions end the same way. Has no effect if the broadcast is closed.
    ///
    /// A client reconnects by itself, so give the farewell a reconnection time, and no id.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{Key, PublishError, Retention};
    /// use sse_proto::{Broadcast, Event, Frame};
    ///
    /// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    /// let subscription = broadcast.subscribe(None).or_live_untold();
    /// broadcast.publish(&Event::message("last"))?;
    /// broadcast.close(Some(Frame::new(&Event::message("bye"))));
    ///
    /// let chunks: Vec<_> = subscription.collect().now_or_never().unwrap();
    /// assert_eq!(chunks, ["data: last\n\n", "data: bye\n\n"]);
    /// assert_eq!(broadcast.publish(&Event::message("late")), Err(PublishError::Closed));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn close(&self, farewell: Option<Frame>) {
        self.shared().close(farewell.map(Frame::into_bytes));
    }

    /// Returns whether the broadcast is closed.
    pub fn is_closed(&self) -> bool {
        self.shared().lock().is_closed
    }

    /// Returns the current counts of subscribers, topics, frames and losses.
    ///
    /// # Complexity
    ///
    /// Linear in the number of subscriptions and their topics, under the lock: for a metric that is
    /// read now and then.
    pub fn statistics(&self) -> Statistics {
        let hub = self.shared().lock_now();
        let (lagging, most_behind) = hub.lags();
        Statistics {
            subscribers: hub.subscribers(),
            lagging,
            most_behind,
            topics: hub.topics.len(),
            lagged: hub.lagged,
            published: hub.published,
            retained_frames: hub.log.frames(),
            retained_bytes: hub.log.bytes(),
        }
    }

    #[inline]
    fn shared(&self) -> &Arc<BroadcastShared> {
        &self.handle.0
    }
}

/// Presence.
impl Broadcast {
    /// Returns how many subscriptions have a topic.
    pub fn subscribers_of(&self, topic: &str) -> usize {
        let hub = self.shared().lock();
        let found = hub.topics.find(topic);
        found.map_or(0, |at| hub.topics.get(at).members as usize)
    }

    /// Calls a function when a topic gets its first subscription (`true`) and loses its last one
    /// (`false`). Only the first call of this method counts, so make it before anybody subscribes.
    ///
    /// The function runs without a lock, in the thread that subscribes, drops or changes a
    /// subscription. Calls are in the order of the changes, one at a time: what other threads change
    /// meanwhile is told by the thread that is telling. A panic reaches the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use sse_proto::broadcast::{Retention, SubscribeOptions};
    /// use sse_proto::Broadcast;
    ///
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let broadcast = Broadcast::new(Retention::default());
    /// let sees = Arc::clone(&seen);
    /// broadcast.on_presence(move |topic, is_here| {
    ///     sees.lock().unwrap().push(format!("{topic} {is_here}"));
    /// });
    /// let ann = SubscribeOptions::new().with_topics(["ann"]);
    /// let first = broadcast.subscribe_with(None, &ann);
    /// let second = broadcast.subscribe_with(None, &ann);
    /// assert_eq!(broadcast.subscribers_of("ann"), 2);
    /// drop((first, second));
    /// assert_eq!(*seen.lock().unwrap(), ["ann true", "ann false"]);
    /// ```
    pub fn on_presence(&self, tell: impl Fn(&str, bool) + Send + Sync + 'static) {
        // A second call has no effect.
        let _ = self.shared().presence.set(Box::new(tell));
    }
}

/// A store behind the log.
impl Broadcast {
    /// Returns the id at the head: the newest id in the log, or the last one before it.
    ///
    /// `None` if the ids are the user's, and the log has none and does not [begin](Self::reset)
    /// after one.
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        let hub = self.shared().lock();
        hub.order.last_id_before(&hub.log, hub.log.head())
    }

    /// Opens a subscription whose older frames come from a store behind the log. See [`Held`].
    ///
    /// Topics of the options count from the beginning: what a store has of them is for the
    /// subscription.
    pub fn hold(&self, options: &SubscribeOptions) -> Held {
        let shared = self.shared();
        let mut hub = shared.lock();
        let head = hub.log.head();
        let slot = hub.subscribe(options, head);
        shared.release(hub);
        Held::new(Subscription::new(shared, slot, false))
    }

    /// Waits for an id, and returns what became of it: it is in the log, it was passed without being
    /// there, or the log was rewound or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::FutureExt;
    /// use sse_proto::broadcast::{Arrival, Key, Retention};
    /// use sse_proto::{Broadcast, Event, EventId};
    ///
    /// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    /// let mut seven = broadcast.reached(&EventId::from(7_u32));
    /// let mut nine = broadcast.reached(&EventId::from(9_u32));
    /// broadcast.publish(&Event::message("x").with_id(7_u32))?;
    /// assert_eq!((&mut seven).now_or_never(), Some(Arrival::In));
    /// assert_eq!((&mut nine).now_or_never(), None);
    /// broadcast.publish(&Event::message("x").with_id(10_u32))?;
    /// assert_eq!(nine.now_or_never(), Some(Arrival::Passed));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn reached(
        &self,
        id: &EventId<'_>,
    ) -> impl Future<Output = Arrival> + Send + Sync + Unpin + use<> {
        let arrival = Signal::new();
        let id = id.to_str();
        let key = self.shared().ids.key(&id);
        let mut hub = self.shared().lock();
        let found = hub.find(&id, key);
        let ahead = key.filter(|key| *key > hub.order.key_before(&hub.log, hub.log.head()));
        let now = match (found, ahead) {
            (Found::At(_), _) => Some(Arrival::In),
            (_, None) => Some(Arrival::Passed),
            _ if hub.is_closed => Some(Arrival::Closed),
            (_, Some(key)) => {
                hub.awaited.add(key, &id, &arrival);
                None
            }
        };
        drop(hub);
        // Nobody waits yet.
        drop(now.map(|now| arrival.set(now)));
        arrival.wait()
    }

    /// Drops the frames after an id, because the store behind the log has lost them. Smaller ids may
    /// follow then.
    ///
    /// Ends the subscriptions that stand after the id, for the reason
    /// [`CloseReason::Rewound`](crate::target::CloseReason::Rewound). Their clients come back, and
    /// their ids are unknown or known as any other.
    ///
    /// Returns false, and changes nothing, if the id is not in the log, or if ids are assigned. Then
    /// [`reset`](Self::reset) the log.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::broadcast::{Key, Retention};
    /// use sse_proto::{Broadcast, Event, EventId};
    ///
    /// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    /// for id in [7_u32, 8, 9] {
    ///     broadcast.publish(&Event::message("x").with_id(id))?;
    /// }
    /// assert!(broadcast.rewind(&EventId::from(7_u32)));
    /// assert_eq!(broadcast.last_event_id().unwrap(), "7");
    /// broadcast.publish(&Event::message("x").with_id(8_u32))?;
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    #[must_use = "false means that nothing has changed"]
    pub fn rewind(&self, id: &EventId<'_>) -> bool {
        let shared = self.shared();
        let id = id.to_str();
        let key = shared.ids.key(&id).filter(|_| shared.ids.epoch().is_none());
        let mut hub = shared.lock();
        let found = hub.find(&id, key);
        let Found::At(number) = found else {
            return false;
        };
        hub.rewind(number);
        shared.release(hub);
        true
    }

    /// Drops all frames, and ends all subscriptions for the reason
    /// [`CloseReason::Rewound`](crate::target::CloseReason::Rewound). The log begins after `origin`,
    /// so that an empty log knows where it is. Smaller ids may follow.
    ///
    /// Assigned ids go on with the next number; give no origin.
    ///
    /// # Errors
    ///
    /// If the origin cannot come back, or has no key.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::broadcast::{Key, Retention, Subscribed};
    /// use sse_proto::{Broadcast, EventId};
    ///
    /// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    /// broadcast.reset(Some(&EventId::from(6_u32)))?;
    /// let ask = |id: u32| broadcast.subscribe(EventId::from(id));
    /// assert!(matches!(ask(5), Subscribed::Gap(_)));
    /// assert!(matches!(ask(6), Subscribed::Resumed { missed: 0, .. }));
    /// assert!(matches!(ask(7), Subscribed::Ahead(_)));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn reset(&self, origin: Option<&EventId<'_>>) -> Result<(), PublishError> {
        let shared = self.shared();
        let origin = match origin {
            Some(_) if shared.ids.epoch().is_some() => return Err(PublishError::AssignsIds),
            Some(id) => Some((id.to_str(), publish::key_of(shared, id.text())?)),
            None => None,
        };
        let origin = origin.as_ref().map(|(id, key)| (&**id, *key));
        let mut hub = shared.lock();
        hub.reset(origin);
        shared.release(hub);
        Ok(())
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

/// A snapshot of the counts of a [`Broadcast`]: subscribers, topics, frames and losses.
#[derive(Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// The number of subscriptions that have not ended.
    pub subscribers: usize,
    /// The number of subscribers that lag: a frame for each was dropped before it was read. The next
    /// poll of each ends it or skips ahead.
    pub lagging: usize,
    /// The number of frames that wait for the slowest of the other subscribers.
    pub most_behind: u64,
    /// The number of topics that a subscription has, or that a retained frame is for.
    pub topics: usize,
    /// The number of times that a subscriber ended or skipped ahead because it lagged.
    pub lagged: u64,
    /// The number of frames that were published. Those that are not retained were dropped.
    pub published: u64,
    /// The number of frames that are kept.
    pub retained_frames: usize,
    /// The number of bytes that they have on the wire.
    pub retained_bytes: u64,
}
