//! One log of frames, encoded once, and many who read it.
//!
//! # How it is held
//!
//! A plain mutex around the log and the wakers, and one atomic beside it that says whether anything
//! has changed. The lock is held to encode an event of at most 16 KiB, to copy at most 64 KiB, or to
//! look at what is noted of the frames in a chunk of that; mostly to clone a `Bytes`. What is larger is
//! encoded before, also where ids are assigned. And it is held for no code of the user's: wakers are
//! cloned before, woken and dropped after; predicates run in between two locks. Where the ids of the
//! user's stand has a lock of its own, which only those who come back with one take: see `index.rs`.
//!
//! It is the simplest that is fast enough: with 10 000 subscribers (`benches/broadcast.rs`) a delivery
//! takes 23 ns one at a time and 3 in bursts of 8, of which a clone of `Bytes` and its drop are 8 and
//! 1, the clone of a waker and its wake about as much. An event of one of them costs each of the others
//! 31 to 38. With a publisher on a thread of its own a
//! publication takes 130 ns with 1 as with 10 000 subscribers that are always behind.

mod chunk;
mod core;
mod end;
mod filter;
mod ids;
mod index;
mod join;
mod log;
mod merge;
mod options;
mod picked;
mod place;
mod publish;
mod reader;
mod retention;
mod scope;
mod segments;
mod statistics;
mod subscribe;
mod subscription;
mod waiting;

use ::core::fmt;
use ::core::time::Duration;
use alloc::sync::Arc;

use self::core::Core;
pub use self::end::SubscriptionEnd;
use self::log::Log;
pub use self::merge::Merged;
pub use self::options::{Metadata, SubscribeOptions};
pub use self::publish::PublishError;
pub use self::retention::Retention;
pub use self::scope::Scope;
pub use self::statistics::BroadcastStatistics;
pub use self::subscribe::{Restart, Subscribed};
pub use self::subscription::Subscription;
use crate::sync::Ordering;
use crate::wire::event::Event;
use crate::wire::field::EventId;
use crate::wire::frame::Frame;

/// One source of events for many clients, each of whom can come back and miss nothing.
///
/// An event is encoded once, into a log. A [`Subscription`] is a place in that log: the body of one
/// response, for any number of which the bytes are shared. Publishing never waits for a subscriber.
/// How much of the past is kept says [`Retention`].
///
/// Every clone is the same broadcast. When the last one is dropped, the subscribers end after what
/// they had.
///
/// # Ids
///
/// A client resumes strictly behind the id that it comes back with, and a replay goes over into what
/// is live without a duplicate and without a hole. The ids are either the user's, any text
/// ([`new`](Self::new)): a number, the id of a Redis stream entry. Give each event an id of its own;
/// one that recurs stands for its last event (so let none recur in another [`Scope`]: who has it from
/// the first is told that it is unknown), and behind an event without an id a client can't resume. Or
/// they are assigned ([`assigning_ids`](Self::assigning_ids)).
///
/// A client that is cut before its first event knows no id: see
/// [`Subscription::last_event_id`] for what to send first.
///
/// # Which part for what
///
/// - Events for one user or tenant, which are to be replayed to them alone: [`publish_for`](Self::publish_for).
/// - Only some event types, a filter, another rule for laggards: [`subscribe_with`](Self::subscribe_with).
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
/// use sse_proto::http::{Body, read_request, response};
/// use sse_proto::{Broadcast, Event, Subscription};
///
/// fn events<B>(broadcast: &Broadcast, request: &Request<B>) -> Response<Body<Subscription>> {
///     match read_request(request.headers()) {
///         Ok(last_event_id) => {
///             let subscribed = broadcast.subscribe(last_event_id.as_ref());
///             response(request.version(), subscribed.or_oldest())
///         }
///         Err(error) => error.into_response(),
///     }
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
/// // What waits comes as one chunk, which all who are at the same place share.
/// assert_eq!(
///     ann.next().now_or_never().flatten().unwrap(),
///     "id: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\ndata: three\n\n"
/// );
/// // Bob's connection was cut after the first event. He comes back with its id.
/// let bob = match broadcast.subscribe(Some(&EventId::from(1_u32))) {
///     Subscribed::Resumed { subscription, missed: 2 } => subscription,
///     other => unreachable!("{other:?}"),
/// };
/// broadcast.close(None);
/// let chunks: Vec<_> = bob.collect().now_or_never().unwrap();
/// assert_eq!(chunks, ["id: 2\ndata: two\n\nid: 3\ndata: three\n\n"]);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
pub struct Broadcast {
    core: Arc<Core>,
}

impl Broadcast {
    /// Makes a broadcast whose ids are those of the events that are published.
    pub fn new(retention: Retention) -> Self {
        Self::with(retention, None)
    }

    /// Makes a broadcast that gives each event an id: `epoch`, `-`, and a number that counts from 1.
    ///
    /// Give each start of a server another epoch (the time in milliseconds, a count of the starts):
    /// an id of the process before is then unknown, and not taken for one of this. Such an id is
    /// found by arithmetic, in no time and no memory.
    ///
    /// A subscriber for whom some frames were not is also sent ids that end in `~`, which stand for
    /// the place behind a frame.
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
        Self::with(retention, Some(epoch))
    }

    fn with(retention: Retention, epoch: Option<u64>) -> Self {
        let core = Core::new(Log::new(retention), epoch, retention.bytes());
        Self {
            core: Arc::new(core),
        }
    }

    /// Publishes an event to all. Encodes it, and wakes who waits.
    ///
    /// Returns the number of the frame, which counts from 1.
    ///
    /// # Errors
    ///
    /// When the broadcast is closed, when the event takes more bytes than are
    /// [retained](Retention::with_bytes), or when it has an id though ids are assigned.
    #[inline]
    pub fn publish(&self, event: &Event<'_>) -> Result<u64, PublishError> {
        publish::event(&self.core, event, None)
    }

    /// Publishes an event of somebody's: only subscribers who may see that
    /// [scope](SubscribeOptions::with_scope) get it, live or in a replay.
    ///
    /// Everybody who waits is woken for it, and all but those pass over it: what a delivery costs for
    /// each. For events that are one connection's alone and need no replay,
    /// [`merge`](Subscription::merge) its own target: that wakes nobody else.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and when the text of the scope is longer than
    /// [`Scope::MAX_LEN`].
    pub fn publish_for(&self, scope: &Scope, event: &Event<'_>) -> Result<u64, PublishError> {
        publish::event(&self.core, event, Some(scope))
    }

    /// Publishes a frame to all, without encoding it again.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and wherever ids are assigned: a frame can't be given one.
    pub fn publish_frame(&self, frame: &Frame) -> Result<u64, PublishError> {
        publish::frame(&self.core, frame, None)
    }

    /// Publishes a frame of somebody's, without encoding it again.
    ///
    /// # Errors
    ///
    /// As [`publish_frame`](Self::publish_frame) and [`publish_for`](Self::publish_for).
    pub fn publish_frame_for(&self, scope: &Scope, frame: &Frame) -> Result<u64, PublishError> {
        publish::frame(&self.core, frame, Some(scope))
    }

    /// Subscribes to all frames without a scope, from behind the client's last event ID on.
    ///
    /// The id is what [`last_event_id`](crate::http::last_event_id) reads from the request. See
    /// [`Subscribed`] for what to do where the client can't be resumed.
    ///
    /// # Complexity
    ///
    /// The time does not depend on how much is retained, on average: the first who comes with an id of
    /// the user's pays some nanoseconds for each id that was published since the last who did.
    pub fn subscribe(&self, last_event_id: Option<&EventId<'_>>) -> Subscribed {
        self.subscribe_with(last_event_id, &SubscribeOptions::new())
    }

    /// Subscribes with [options](SubscribeOptions): to some types only, for a scope, or to skip ahead
    /// rather than end.
    pub fn subscribe_with(
        &self,
        last_event_id: Option<&EventId<'_>>,
        options: &SubscribeOptions,
    ) -> Subscribed {
        subscribe::subscribe(&self.core, last_event_id, options)
    }

    /// Takes the time, counted from any moment that stays the same: frames that are older than
    /// [their age](Retention::with_age) go, and what is published from now on is of this time.
    ///
    /// Call it now and then, from a timer or before publishing. What was published before the first
    /// call is of the time that this gives. A time before the last one given changes nothing.
    pub fn advance(&self, now: Duration) {
        self.core.lock().log.advance(now);
    }

    /// Ends all subscribers after what was published, and after a last frame if there is one; those
    /// too who subscribe later. Without effect on a broadcast that is closed.
    ///
    /// A client comes back by itself, so a farewell is the place for a reconnection time. Give it no
    /// id.
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
    /// assert_eq!(chunks, ["data: last\n\n", "retry: 9000\n\n"]);
    /// assert_eq!(broadcast.publish(&Event::message("late")), Err(PublishError::Closed));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn close(&self, farewell: Option<Frame>) {
        self.core.close(farewell.map(Frame::into_bytes));
    }

    /// Returns whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.core.lock().end.is_some()
    }

    /// Returns what it holds, and what was lost.
    ///
    /// # Complexity
    ///
    /// Looks at each frame retained until it finds a reader.
    pub fn statistics(&self) -> BroadcastStatistics {
        statistics::of(&self.core.lock())
    }
}

impl Clone for Broadcast {
    fn clone(&self) -> Self {
        self.core.handles.fetch_add(1, Ordering::Relaxed);
        Self {
            core: Arc::clone(&self.core),
        }
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        // Release and acquire: what other handles did happens before the end.
        if self.core.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.core.close(None);
        }
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
