//! The options of a broadcast and of its subscribers.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::topics::MAX_NAME;
use crate::wire::event::Event;
use crate::wire::field::EventType;
use crate::wire::frame::Frame;

/// Sets how much history the log of a [`Broadcast`](crate::Broadcast) keeps, for clients that
/// reconnect or lag.
///
/// The oldest frames are dropped as soon as one of the limits is exceeded. A subscriber that had
/// not read them [lags](SubscribeOptions::with_skip_ahead).
///
/// # Memory
///
/// A broadcast holds less than 9/8 of the bytes, plus 1 MiB, plus 64 bytes for each frame, plus 56
/// bytes for each [remembered topic](Self::with_remembered_topics). A topic that nobody subscribes
/// to, and that only retained frames keep, counts 200 bytes and its name against the limit of
/// bytes. See [`Subscription`](crate::Subscription) for the memory of subscribers and their topics.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use core::time::Duration;
/// use sse_proto::broadcast::Retention;
/// use sse_proto::{Broadcast, Event};
///
/// let start = Instant::now();
/// let hour = Duration::from_secs(3600);
/// let retention = Retention::new(2, 1 << 20).with_max_age(hour, move || start.elapsed());
/// let broadcast = Broadcast::new(retention);
/// for data in ["1", "2", "3"] {
///     broadcast.publish(&Event::message(data))?;
/// }
/// assert_eq!(broadcast.statistics().retained_frames, 2);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Clone)]
pub struct Retention {
    max_frames: usize,
    max_bytes: usize,
    remembered_topics: usize,
    age: Option<(Duration, Arc<Clock>)>,
}

type Clock = dyn Fn() -> Duration + Send + Sync;

/// Ranges within a frame, and the numbers of the frames of a topic, are held in 32 bits.
const MOST: usize = u32::MAX as usize;

impl Retention {
    /// Keeps at most `max_frames` frames (0 counts as 1) that take at most `max_bytes` bytes on the
    /// wire, and each at most 4 GiB less one. There is no other limit.
    ///
    /// A larger event is refused as [too large](crate::broadcast::PublishError::TooLarge).
    pub const fn new(max_frames: usize, max_bytes: usize) -> Self {
        Self {
            max_frames: match max_frames {
                0 => 1,
                MOST.. => MOST,
                frames => frames,
            },
            max_bytes: if max_bytes > MOST { MOST } else { max_bytes },
            remembered_topics: 16_384,
            age: None,
        }
    }

    /// Sets the age above which frames are dropped, and the clock that it is measured by.
    ///
    /// The clock returns the time since any fixed moment. It is read, without a lock, by each
    /// publication, subscription, call of [`statistics`](crate::Broadcast::statistics) and of
    /// [`Held::join`](crate::broadcast::Held::join), which then drop what is too old; polls do not
    /// read it. Ages are exact to a thousandth of `age`. A time before that of the last call has no
    /// effect.
    pub fn with_max_age(
        mut self,
        age: Duration,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.age = Some((age, Arc::new(clock)));
        self
    }

    /// Sets for how many topics without subscribers and frames the broadcast remembers the last
    /// frame that was dropped: 16 384 by default.
    ///
    /// While a topic is remembered, its clients are told of a gap only if they have missed a frame
    /// of it. Of more topics, the longest unused are merged: their clients may be told of a gap that
    /// is none. No gap is ever hidden. Ids of the user need no such memory.
    pub const fn with_remembered_topics(mut self, topics: usize) -> Self {
        self.remembered_topics = topics;
        self
    }

    pub(super) fn max_frames(&self) -> usize {
        self.max_frames
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn max_age(&self) -> Option<Duration> {
        self.age.as_ref().map(|(age, _)| *age)
    }

    pub(super) fn remembered_topics(&self) -> usize {
        self.remembered_topics
    }

    /// Reads the clock, if there is one.
    #[inline]
    pub(super) fn now(&self) -> Option<Duration> {
        self.age.as_ref().map(|(_, clock)| clock())
    }
}

/// Keeps 1024 frames and 1 MiB of any age.
impl Default for Retention {
    fn default() -> Self {
        Self::new(1024, 1024 * 1024)
    }
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retention")
            .field("max_frames", &self.max_frames)
            .field("max_bytes", &self.max_bytes)
            .field("max_age", &self.max_age())
            .field("remembered_topics", &self.remembered_topics)
            .finish_non_exhaustive()
    }
}

/// Sets which frames a subscriber receives, and what happens when it lags.
///
/// A subscriber receives the frames for all and those of its topics. [Event
/// types](Self::with_event_types) are a filter of these: a right to see a frame is a topic, never an
/// event type.
///
/// # Examples
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
/// use sse_proto::{Broadcast, Event, EventType};
///
/// let broadcast = Broadcast::with_key(Retention::default(), Key::number());
/// let ticks = SubscribeOptions::new()
///     .with_event_types([EventType::from_static("tick")])
///     .with_topics(["ann", "tenant-7"]);
/// let mut subscription = broadcast.subscribe_with(None, &ticks).or_live_untold();
///
/// let tick = |data| Event::new(EventType::from_static("tick"), data);
/// broadcast.publish(&Event::message("not a tick"))?;
/// broadcast.publish_to("ann", &tick("for Ann"))?;
/// broadcast.publish_to("bob", &tick("for Bob"))?;
/// broadcast.publish(&tick("for all"))?;
/// assert_eq!(
///     subscription.next().now_or_never().flatten().unwrap(),
///     "event: tick\ndata: for Ann\n\nevent: tick\ndata: for all\n\n"
/// );
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SubscribeOptions {
    topics: BTreeSet<Box<str>>,
    pub(super) types: Option<EventTypes>,
    pub(super) skipped: Option<Bytes>,
    pub(super) place: Option<PlaceEvent>,
}

/// The event that carries the id of a place: its type and its data.
pub(super) type PlaceEvent = Arc<(EventType<'static>, Box<str>)>;

/// The event types that a subscriber takes.
pub(super) type EventTypes = Arc<[Box<str>]>;

impl SubscribeOptions {
    /// Takes all frames without a topic. A subscriber that lags is disconnected.
    pub const fn new() -> Self {
        Self {
            topics: BTreeSet::new(),
            types: None,
            skipped: None,
            place: None,
        }
    }

    /// Adds topics whose frames the subscriber receives, too.
    ///
    /// No frame has a topic with a name above 256 bytes, so such a name is left out. See
    /// [`Handle::add_topic`](crate::broadcast::Handle::add_topic) for topics that come later.
    #[doc(alias("room", "channel"))]
    pub fn with_topics<T: AsRef<str>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        let topics = topics
            .into_iter()
            .filter(|name| name.as_ref().len() <= MAX_NAME);
        self.topics
            .extend(topics.map(|name| Box::from(name.as_ref())));
        self
    }

    /// Takes only events of some types. `message` is the type of events without one. Events of other
    /// types count where frames are counted: as missed, as waiting, and in a lag.
    pub fn with_event_types<'a>(
        mut self,
        event_types: impl IntoIterator<Item = EventType<'a>>,
    ) -> Self {
        let types = event_types.into_iter().map(|one| one.as_str().into());
        self.types = Some(types.collect());
        self
    }

    /// Lets a subscriber that lags skip ahead to the oldest frame kept, instead of ending.
    ///
    /// A subscriber lags if a frame that it has not read was dropped. It then gets the frame that
    /// tells its client. Give that frame no id: the client would resume after it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
    /// use sse_proto::{Broadcast, Event, EventType, Frame};
    ///
    /// let lost = Frame::new(&Event::new(EventType::from_static("lost"), ""));
    /// let options = SubscribeOptions::new().with_skip_ahead(lost);
    /// let broadcast = Broadcast::with_key(Retention::new(1, 1 << 20), Key::number());
    /// let mut slow = broadcast.subscribe_with(None, &options).or_live_untold();
    /// for data in ["1", "2", "3"] {
    ///     broadcast.publish(&Event::message(data))?;
    /// }
    /// let mut next = || slow.next().now_or_never().flatten().unwrap();
    /// assert_eq!(next(), "event: lost\ndata: \n\n");
    /// assert_eq!(next(), "data: 3\n\n");
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn with_skip_ahead(mut self, tells: Frame) -> Self {
        self.skipped = Some(tells.into_bytes());
        self
    }

    /// Lets a quiet subscription tell its client its [place](crate::Subscription::last_event_id),
    /// when [`keep_alive`](crate::EventStreamExt::keep_alive) would send a comment and the place has
    /// moved since the client got an id.
    ///
    /// The place is the id of an event with this type and this data. Without such events, the id of
    /// a client that gets little grows old: once its frame is dropped, the client may be told of a
    /// gap. No publication wakes the subscription for this.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use std::time::Duration;
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{Retention, SubscribeOptions};
    /// use sse_proto::{Broadcast, Event, EventStreamExt, EventType};
    ///
    /// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    /// let options = SubscribeOptions::new().with_place(EventType::from_static("place"), "");
    /// let quiet = broadcast.subscribe_with(None, &options).or_live_untold();
    /// broadcast.publish_to("bob", &Event::message("for Bob"))?;
    /// // A timer that fires at once.
    /// let mut body = quiet.keep_alive(Duration::from_secs(15), |_: Duration| ready(()));
    /// let told = body.next().now_or_never().flatten().unwrap();
    /// assert_eq!(told, "event: place\nid: 7-1\ndata: \n\n");
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn with_place(mut self, event_type: EventType<'_>, data: impl Into<Box<str>>) -> Self {
        self.place = Some(Arc::new((event_type.into_owned(), data.into())));
        self
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|name| &**name)
    }
}

/// Makes the event that carries the id of a place.
pub(super) fn place_event(place: &PlaceEvent) -> Event<'_> {
    Event::message(&*place.1).with_event_type(place.0.clone())
}
