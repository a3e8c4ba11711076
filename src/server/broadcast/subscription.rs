//! `Subscription`, the stream of one subscriber, and `Held`, which gets older frames from elsewhere.

use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::handle::{Handle, HandleState};
use super::hub::{Hub, Next};
use super::merged::Merged;
use super::options::place_event;
use super::shared::BroadcastShared;
use super::slab::NONE;
use crate::server::foreign::NO_WAKE;
use crate::server::sharing::Sharing;
use crate::server::state::CloseReason;
use crate::server::stream::EventStream;
use crate::sync::MutexGuard;
use crate::wire::field::EventId;

/// The frames of a [`Broadcast`](crate::Broadcast) for one client, as the body of one response. Its
/// adapters are the methods of [`EventStreamExt`](crate::EventStreamExt).
///
/// One poll takes all frames that wait, up to 64 KiB, as one [`Bytes`]. Subscribers at the same
/// place share it, if all frames that wait for them are for all, or all of one topic. A larger frame
/// is a chunk of its own. A chunk may be shorter than 64 KiB if that saves a copy.
///
/// # Memory
///
/// A subscriber costs at most 96 bytes while it is idle, this type included, and no more while it
/// lags. Each topic that it has takes 48 more, and each topic that anybody has 200 and its name.
/// Options other than topics, and a [handle](Self::handle), cost an allocation each. A chunk takes
/// up to 64 KiB, or one larger frame, until it is dropped.
///
/// # End
///
/// The stream ends after all frames when the broadcast is closed. It also ends when the subscriber
/// lags, which means that a frame for it was dropped before it was read, unless it [skips
/// ahead](crate::broadcast::SubscribeOptions::with_skip_ahead). An `EventSource` reconnects, and is
/// resumed or told of the gap.
#[doc(alias = "subscriber")]
#[must_use = "a subscription that is dropped ends"]
pub struct Subscription {
    shared: Arc<BroadcastShared>,
    reader: Reader,
}

/// The part of a subscription that only its stream reaches.
struct Reader {
    slot: u32,
    /// Whether the client had no id.
    is_new: bool,
    /// Once this is set the slot is another's, unless the subscription can go on with pages.
    end: Option<CloseReason>,
    /// The version of the hub when nothing was left to read.
    seen: u64,
    waker: WakerIdentity,
}

/// No version.
const NEVER: u64 = u64::MAX;

/// The largest number of turns without a frame for the subscriber that one poll takes.
const MOST_TURNS: usize = 16;

impl Subscription {
    pub(super) fn new(shared: &Arc<BroadcastShared>, slot: u32, is_new: bool) -> Self {
        Self {
            shared: Arc::clone(shared),
            reader: Reader {
                slot,
                is_new,
                end: None,
                seen: NEVER,
                waker: WakerIdentity::NONE,
            },
        }
    }

    pub(super) fn shared(&self) -> &BroadcastShared {
        &self.shared
    }

    pub(super) fn slot(&self) -> u32 {
        self.reader.slot
    }

    /// Returns a handle, which adds and removes topics and ends the stream from elsewhere.
    pub fn handle(&self) -> Handle {
        let state = match self.reader.end {
            None => self.shared.lock().handle(self.reader.slot),
            Some(reason) => Arc::new(HandleState::of_ended(reason)),
        };
        Handle {
            shared: Arc::clone(&self.shared),
            state,
        }
    }

    /// Returns why the stream has ended: [`Closed`](CloseReason::Closed) with the broadcast,
    /// [`Overflow`](CloseReason::Overflow) because the subscriber lagged,
    /// [`SentAway`](CloseReason::SentAway) by a handle, [`Rewound`](CloseReason::Rewound) with the
    /// log, [`Shutdown`](CloseReason::Shutdown) by [`until`](crate::EventStreamExt::until).
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.reader.end
    }

    /// Returns the id at which the subscription stands: the newest id before which no frame waits
    /// for it. A client that comes back with it misses nothing.
    ///
    /// `None` if the subscriber lags or has ended. If the ids are the user's, also if the log has no
    /// id yet and does not [begin](crate::Broadcast::reset) after one.
    ///
    /// A client has no id before its first event. If its connection is cut before that, it misses
    /// events without notice. So send a new client this id first, as
    /// [`with_defaults`](crate::EventStreamExt::with_defaults) does, or with
    /// [`Preamble::with_id`](crate::adapt::Preamble::with_id).
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::broadcast::{Retention, Subscribed};
    /// use sse_proto::{Broadcast, Event, EventId};
    ///
    /// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    /// let subscription = broadcast.subscribe(None).or_live_untold();
    /// assert_eq!(subscription.last_event_id().unwrap(), "7-0");
    ///
    /// // The connection is lost. The client reconnects and has missed nothing.
    /// drop(subscription);
    /// broadcast.publish(&Event::message("meanwhile"))?;
    /// let subscribed = broadcast.subscribe(EventId::from_static("7-0"));
    /// assert!(matches!(subscribed, Subscribed::Resumed { missed: 1, .. }));
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    #[doc(alias = "cursor")]
    #[doc(alias = "offset")]
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        match self.reader.end {
            None => self.shared.lock().last_event_id(self.reader.slot),
            Some(_) => None,
        }
    }

    /// Returns how many frames wait. Event types are not looked at.
    pub fn lag(&self) -> u64 {
        match self.reader.end {
            None => self.shared.lock().waiting(self.reader.slot),
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
    /// dispatch, because events and a gap marker of before go out as they are.
    ///
    /// If one of them ends, both end:
    ///
    /// - The target is closed: its queue and the frames published before are delivered.
    /// - The target is aborted: the stream ends at once.
    /// - The broadcast is closed: the target is closed, its queue is delivered, then the farewell
    ///   of the broadcast. The same applies if both are closed before the stream is polled.
    /// - The client is sent away: the target ends with that reason, and only the farewell follows.
    /// - The subscriber lags, or the log is rewound: the target ends with that reason, and nothing
    ///   more is delivered.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::Retention;
    /// use sse_proto::target::DispatchError;
    /// use sse_proto::{Broadcast, Event, channel};
    ///
    /// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    /// let (target, stream) = channel();
    /// let mut body = broadcast.subscribe(None).or_live_untold().merge(stream);
    ///
    /// broadcast.publish(&Event::message("to all"))?;
    /// target.dispatch_message("to you")?;
    /// let mut next = || body.next().now_or_never().flatten().unwrap();
    /// assert_eq!(next(), "id: 7-1\ndata: to all\n\n");
    /// assert_eq!(next(), "data: to you\n\n");
    ///
    /// let with_id = Event::message("to you").with_id(7_u32);
    /// assert_eq!(target.dispatch(&with_id), Err(DispatchError::HasId));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<S: Sharing>(self, own: EventStream<S>) -> Merged<S> {
        Merged::new(self, own)
    }

    /// Holds the subscription: it gets no frames from the log until it [joins](Held::join) again.
    /// What was to be sent first, such as a restart, is not sent. For a laggard whose frames a store
    /// behind the log still has.
    ///
    /// Returns `None` if the subscription has ended. One that joined from a [`Held`] before, and
    /// ended because it lagged, can be held again. One that lags and was never held has no
    /// [place](Held::last_event_id) any more: tell its client.
    pub fn hold(mut self) -> Option<Held> {
        match self.reader.end {
            None => {
                let waker = self.shared.lock().hold(self.reader.slot);
                drop(waker);
            }
            Some(CloseReason::Overflow) if self.reader.is_there() => self.reader.end = None,
            Some(_) => return None,
        }
        self.reader.seen = NEVER;
        Some(Held { subscription: self })
    }

    /// Ends the stream after all frames that were published so far, without the farewell of the
    /// broadcast. Returns whether this call ends it.
    pub(crate) fn shut_down(&mut self) -> bool {
        self.reader.seen = NEVER;
        self.reader.end.is_none() && self.shared.lock().shut_down(self.reader.slot)
    }

    /// Returns the id at which the stream of a new client starts.
    pub(crate) fn start(&self) -> Option<EventId<'static>> {
        self.reader.is_new.then(|| self.last_event_id())?
    }

    /// Returns the event that tells a quiet client its place, if it has moved.
    pub(crate) fn place(&mut self) -> Option<Bytes> {
        if self.reader.end.is_some() {
            return None;
        }
        let told = self.shared.lock().tell_place(self.reader.slot);
        told.map(|(place, id)| place_event(&place).with_id(id).to_bytes())
    }

    /// Returns whether no frame with a number below this one is to come.
    pub(super) fn has_passed(&self, number: u64) -> bool {
        self.shared.lock().has_passed(self.reader.slot, number)
    }
}

impl Reader {
    /// Returns whether the slot is this subscription's.
    fn is_there(&self) -> bool {
        self.slot != NONE
    }

    #[inline]
    fn poll(&mut self, shared: &BroadcastShared, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        if self.still_waits(shared, cx.waker()) {
            return Poll::Pending;
        }
        // A clone of a waker runs code of the executor, so it is made before the lock. A subscriber
        // that has read everything registers it at once, so that the next poll need not lock.
        let mut waker = (!cx.waker().will_wake(NO_WAKE)).then(|| cx.waker().clone());
        let identity = waker.as_ref().map(WakerIdentity::of);
        for _ in 0..MOST_TURNS {
            // Locks once per turn, because others wait for the lock.
            let mut hub = shared.lock();
            match hub.next(self.slot, &mut waker) {
                Next::Chunk { bytes, is_last } => {
                    self.seen = NEVER;
                    if is_last {
                        self.wait(shared, &mut hub, identity);
                    }
                    return Poll::Ready(Some(bytes));
                }
                Next::Again => {}
                Next::Nothing => {
                    self.wait(shared, &mut hub, identity);
                    return Poll::Pending;
                }
                Next::End(reason, farewell) => {
                    self.end = Some(reason);
                    if reason == CloseReason::Overflow && hub.has_pages(self.slot) {
                        let waker = hub.hold(self.slot);
                        drop(hub);
                        drop(waker);
                    } else {
                        self.leave(shared, hub, reason);
                    }
                    return Poll::Ready(farewell);
                }
            }
        }
        // Yields, so that other tasks can run.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns whether this waker is registered and nothing has changed since.
    #[inline]
    fn still_waits(&self, shared: &BroadcastShared, waker: &Waker) -> bool {
        self.seen == shared.version()
            && (self.waker == WakerIdentity::of(waker) || waker.will_wake(NO_WAKE))
    }

    /// Notes the waker that the hub keeps, after everything was read.
    #[inline]
    fn wait(&mut self, shared: &BroadcastShared, hub: &mut Hub, kept: Option<WakerIdentity>) {
        self.seen = shared.version();
        match kept {
            Some(identity) => self.waker = identity,
            None if hub.has_waker(self.slot) => {}
            None => self.waker = WakerIdentity::NONE,
        }
    }

    /// Gives the slot back.
    fn leave(
        &mut self,
        shared: &BroadcastShared,
        mut hub: MutexGuard<'_, Hub>,
        reason: CloseReason,
    ) {
        let waker = hub.remove(self.slot, reason);
        self.slot = NONE;
        shared.release(hub);
        drop(waker);
    }
}

impl Stream for Subscription {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Self { shared, reader } = self.get_mut();
        reader.poll(shared, cx)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.reader.end.is_some()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Self { shared, reader } = self;
        if reader.is_there() {
            let reason = reader.end.unwrap_or(CloseReason::ClientGone);
            reader.leave(shared, shared.lock(), reason);
        }
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

/// A subscription that gets its older frames from a store behind the log. Made by
/// [`Broadcast::hold`](crate::Broadcast::hold) and [`Subscription::hold`].
///
/// It is counted, has its [handle](Self::handle) and its topics from the first page on, and gets no
/// frames from the log until it [joins](Self::join) the log.
///
/// # Examples
///
/// The store is a `Vec`, of which the log has only the end:
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let store: Vec<(u32, Option<&str>)> = vec![(1, None), (2, Some("ann")), (3, Some("bob")), (4, None)];
/// let broadcast = Broadcast::with_key(Retention::new(1, 1 << 20), Key::number());
/// for (id, _) in &store {
///     broadcast.publish(&Event::message("x").with_id(*id))?;
/// }
///
/// let ann = SubscribeOptions::new().with_topics(["ann"]);
/// let mut held = broadcast.hold(&ann);
/// let (mut last, mut sent) = (0, Vec::new());
/// let mut body = loop {
///     for (id, topic) in store.iter().filter(|(id, _)| *id > last) {
///         if held.takes(*topic, None, &EventId::from(*id)) {
///             sent.push(*id);
///         }
///     }
///     last = store.last().unwrap().0;
///     // If the log has moved on meanwhile, the next page begins after the last one.
///     held = match held.join(&EventId::from(last)) {
///         Ok(subscription) => break subscription,
///         Err(held) => held,
///     };
/// };
/// assert_eq!(sent, [1, 2, 4]);
/// broadcast.publish(&Event::message("live").with_id(5_u32))?;
/// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 5\ndata: live\n\n");
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[must_use = "a subscription that is dropped ends"]
pub struct Held {
    subscription: Subscription,
}

impl Held {
    pub(super) fn new(subscription: Subscription) -> Self {
        let waker = subscription.shared.lock().hold(subscription.slot());
        drop(waker);
        Self { subscription }
    }

    /// Returns a handle. Removing a topic and closing act between two frames of a page, since
    /// [`takes`](Self::takes) looks at both.
    pub fn handle(&self) -> Handle {
        self.subscription.handle()
    }

    /// Returns the id at which the subscription stood when it was held. `None` for a new one.
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        self.subscription.last_event_id()
    }

    /// Returns whether a frame from elsewhere is for this subscriber: it has the topic, the id is
    /// after the head at which the topic was added, and the event type (`None` is `message`) is one
    /// that it takes.
    ///
    /// False for every frame once the client was sent away. Then [`join`](Self::join), for the end.
    pub fn takes(&self, topic: Option<&str>, event_type: Option<&str>, id: &EventId<'_>) -> bool {
        let Subscription { shared, reader } = &self.subscription;
        let key = shared.ids.key(&id.to_str());
        shared.lock().takes(reader.slot, topic, event_type, key)
    }

    /// Goes on right after a frame of the log, whoever may see that frame.
    ///
    /// # Errors
    ///
    /// Returns the held subscription if the id is not in the log: dropped meanwhile, or not
    /// [there yet](crate::Broadcast::reached). The same if a frame of its topics after that id was
    /// dropped, or may have been. Go on with pages.
    pub fn join(self, id: &EventId<'_>) -> Result<Subscription, Self> {
        let Subscription { shared, reader } = &self.subscription;
        let id = id.to_str();
        let key = shared.ids.key(&id);
        let mut hub = shared.lock_now();
        let found = hub.find(&id, key);
        let is_there = hub.join(reader.slot, found);
        drop(hub);
        if is_there {
            Ok(self.subscription)
        } else {
            Err(self)
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Identifies a registered waker, as `Waker::will_wake` does, without a clone of the waker.
#[derive(Clone, Copy, PartialEq, Eq)]
struct WakerIdentity(usize, usize);

impl WakerIdentity {
    /// No waker has a table of functions at address 0.
    const NONE: Self = Self(0, 0);

    #[inline]
    fn of(waker: &Waker) -> Self {
        let vtable = core::ptr::from_ref(waker.vtable());
        Self(waker.data().addr(), vtable.addr())
    }
}
