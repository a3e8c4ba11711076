//! The options of a broadcast and of its subscribers.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::wire::event::Event;
use crate::wire::field::{EventType, MESSAGE};

/// Sets how much history the log of a [`Broadcast`](crate::Broadcast) keeps, for clients that
/// reconnect or lag.
///
/// The oldest frames are dropped as soon as one of the limits is exceeded. A subscriber that had
/// not read them [lags](SubscribeOptions::with_skip_ahead).
///
/// # Memory
///
/// A broadcast holds less than 9/8 of `max_bytes`, plus 256 KiB, plus 192 bytes for each frame kept
/// and 128 bytes for each id remembered. A frame or id whose [`Scope`] is not a clone of another
/// frame's also holds the name and 24 bytes: at most 280 bytes. See
/// [`Subscription`](crate::Subscription) for the memory of a subscriber.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::broadcast::Retention;
/// use sse_proto::{Broadcast, Event};
///
/// let minute = Duration::from_secs(60);
/// let broadcast = Broadcast::new(Retention::new().with_max_frames(2).with_max_age(minute));
/// broadcast.advance(Duration::ZERO);
/// for data in ["1", "2", "3"] {
///     broadcast.publish(&Event::message(data))?;
/// }
/// assert_eq!(broadcast.statistics().retained_frames, 2);
/// broadcast.advance(Duration::from_secs(61));
/// assert_eq!(broadcast.statistics().retained_frames, 0);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retention {
    pub(super) max_frames: usize,
    pub(super) max_bytes: usize,
    pub(super) max_age: Option<Duration>,
    pub(super) remembered_ids: usize,
}

/// Ranges within a frame are held in 32 bits.
const MOST: usize = u32::MAX as usize;

impl Retention {
    /// Keeps 1024 frames and 1 MiB of any age, and remembers 4096 ids.
    pub const fn new() -> Self {
        Self {
            max_frames: 1024,
            max_bytes: 1024 * 1024,
            max_age: None,
            remembered_ids: 4096,
        }
    }

    /// Sets the largest number of frames kept; 0 counts as 1.
    pub const fn with_max_frames(mut self, frames: usize) -> Self {
        self.max_frames = if frames == 0 { 1 } else { frames };
        self
    }

    /// Sets the largest number of bytes kept, counted as on the wire. More than 4 GiB minus one
    /// byte counts as that. A larger event is refused as [too
    /// large](crate::broadcast::PublishError::TooLarge).
    pub const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = if bytes > MOST { MOST } else { bytes };
        self
    }

    /// Sets the age above which frames are dropped. Only calls of
    /// [`Broadcast::advance`](crate::Broadcast::advance) drop them, because a broadcast has no
    /// other clock.
    pub const fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets how many ids are remembered after their frames are dropped. If a client reconnects with
    /// a remembered id, `subscribe` reports a gap, or resumes the client if no later frame was
    /// dropped. A forgotten id is unknown.
    ///
    /// If ids are assigned, only the ids of dropped frames with a scope are remembered. The other
    /// ids are recognized by their number. When the id of a frame with a scope is forgotten, all ids
    /// of earlier frames become unknown. Without scopes, no id becomes unknown.
    pub const fn with_remembered_ids(mut self, ids: usize) -> Self {
        self.remembered_ids = ids;
        self
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}

/// The owner of a frame: a user, a tenant, a session. A clone shares the name.
///
/// # Examples
///
/// ```
/// let scope = sse_proto::broadcast::Scope::new("tenant-7");
/// assert_eq!(scope.as_str(), "tenant-7");
/// ```
#[doc(alias = "topic")]
#[doc(alias = "room")]
#[derive(Clone, Debug)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The log keeps the name with each frame, so it has a bound.
    pub(super) const MAX_BYTES: usize = 256;

    /// Makes a scope with any name. The name is never sent to a client. Publishing for a name above
    /// 256 bytes is [refused](crate::broadcast::PublishError::ScopeTooLong).
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The default number of skipped frames after which a subscriber gets an id.
pub(super) const ID_AFTER: u32 = 64;

/// Sets which frames a subscriber receives, and what happens when it lags. A clone shares the
/// predicates and names.
///
/// # Scopes
///
/// A frame may have a [`Scope`]. A subscriber sees the frames without a scope and the frames of the
/// scopes that it was [given](Self::with_scope), live and in a replay. The id of any other frame is
/// unknown to it.
///
/// # Selection and ids
///
/// A subscriber takes all frames that it may see, or only some [event
/// types](Self::with_event_types), or only the frames that a [predicate](Self::with_filter)
/// selects.
///
/// A client resumes after the last id that it received. To keep this id recent, a subscriber [also
/// receives](Self::with_id_after) ids of skipped frames, each in a block with only an id. It never
/// receives the id of a frame that it may not see. If ids are assigned, it receives the id of the
/// place after that frame instead, which ends in `~`.
///
/// # Examples
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::{Retention, Scope, SubscribeOptions};
/// use sse_proto::{Broadcast, Event, EventType};
///
/// let broadcast = Broadcast::new(Retention::new());
/// let ticks = SubscribeOptions::new()
///     .with_event_types([EventType::from_static("tick")])
///     .with_scope(Scope::new("ann"));
/// let mut subscription = broadcast.subscribe_with(None, &ticks).or_live();
///
/// let tick = |data| Event::new(EventType::from_static("tick"), data);
/// broadcast.publish(&Event::message("not a tick"))?;
/// broadcast.publish_for(&Scope::new("ann"), &tick("for Ann"))?;
/// broadcast.publish_for(&Scope::new("bob"), &tick("for Bob"))?;
/// broadcast.publish(&tick("for all"))?;
/// assert_eq!(
///     subscription.next().now_or_never().flatten().unwrap(),
///     "event: tick\ndata: for Ann\n\nevent: tick\ndata: for all\n\n"
/// );
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Clone)]
pub struct SubscribeOptions {
    scopes: Scopes,
    wanted: Wanted,
    /// Makes the event after a skip; `None` if a subscriber that lags is disconnected.
    pub(super) skipped: Option<Arc<SkippedFn>>,
    pub(super) id_after: u32,
}

pub(super) type SkippedFn = dyn Fn(u64) -> Event<'static> + Send + Sync;
type WantedFn = dyn Fn(&str, Option<&str>) -> bool + Send + Sync;

#[derive(Clone)]
enum Scopes {
    None,
    One(Scope),
    If(Arc<dyn Fn(&Scope) -> bool + Send + Sync>),
}

#[derive(Clone)]
enum Wanted {
    All,
    Types(Arc<[Box<str>]>),
    If(Arc<WantedFn>),
}

/// The chunks that a subscriber takes without inspecting each frame.
pub(super) enum Unfiltered<'a> {
    /// None.
    Nothing,
    /// Chunks without scoped frames.
    Unscoped,
    /// Also the unscoped part of other chunks, unless one of their frames has this scope.
    Public(Option<&'a Scope>),
}

impl SubscribeOptions {
    /// Takes all frames without a scope. A subscriber that lags is disconnected.
    pub const fn new() -> Self {
        Self {
            scopes: Scopes::None,
            wanted: Wanted::All,
            skipped: None,
            id_after: ID_AFTER,
        }
    }

    /// Lets the subscriber also see the frames of one scope.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes = Scopes::One(scope);
        self
    }

    /// Lets the subscriber also see the frames of the scopes for which a predicate returns true.
    ///
    /// The predicate runs without a lock: for each frame with a scope, and for the frame of the
    /// client's last event ID. It must always return the same result for the same scope. A panic
    /// reaches the caller that polls or subscribes; no frame is lost, and the next poll calls the
    /// predicate again.
    pub fn with_scopes(mut self, sees: impl Fn(&Scope) -> bool + Send + Sync + 'static) -> Self {
        self.scopes = Scopes::If(Arc::new(sees));
        self
    }

    /// Takes only events of some types. `message` is the type of events without one.
    pub fn with_event_types<'a>(
        mut self,
        event_types: impl IntoIterator<Item = EventType<'a>>,
    ) -> Self {
        let types = event_types.into_iter().map(|one| one.as_str().into());
        self.wanted = Wanted::Types(types.collect());
        self
    }

    /// Takes only events for which a predicate returns true, given the event type and the id. The
    /// type of an event without one is `message`.
    ///
    /// The predicate is called like that of [`with_scopes`](Self::with_scopes), and only for frames
    /// that the subscriber may see.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::broadcast::SubscribeOptions;
    ///
    /// let prices = SubscribeOptions::new()
    ///     .with_filter(|event_type, _id| event_type.starts_with("price-"));
    /// # drop(prices);
    /// ```
    pub fn with_filter(
        mut self,
        takes: impl Fn(&str, Option<&str>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.wanted = Wanted::If(Arc::new(takes));
        self
    }

    /// Sets the number of skipped frames after which the subscriber gets an id: 64 by default; 0
    /// counts as 1. Choose less than the number of frames kept. Otherwise the frame of the client's
    /// id may be dropped before the client reconnects.
    ///
    /// If ids are assigned, an id is sent at each frame number that is a multiple of `frames`.
    pub const fn with_id_after(mut self, frames: u32) -> Self {
        self.id_after = if frames == 0 { 1 } else { frames };
        self
    }

    /// Lets a subscriber that lags skip ahead to the oldest frame kept, instead of ending.
    ///
    /// The subscriber then gets the event that `skipped` makes of the number of lost frames. That
    /// number counts all frames, including those that were not for the subscriber. Give the event
    /// no id, because the client would reconnect with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::broadcast::{Retention, SubscribeOptions};
    /// use sse_proto::{Broadcast, Event, EventType};
    ///
    /// let options = SubscribeOptions::new().with_skip_ahead(|frames| {
    ///     Event::new(EventType::from_static("lost"), frames.to_string())
    /// });
    /// let broadcast = Broadcast::new(Retention::new().with_max_frames(1));
    /// let mut slow = broadcast.subscribe_with(None, &options).or_live();
    /// for data in ["1", "2", "3"] {
    ///     broadcast.publish(&Event::message(data))?;
    /// }
    /// let mut next = || slow.next().now_or_never().flatten().unwrap();
    /// assert_eq!(next(), "event: lost\ndata: 2\n\n");
    /// assert_eq!(next(), "data: 3\n\n");
    /// # Ok::<(), sse_proto::broadcast::PublishError>(())
    /// ```
    pub fn with_skip_ahead(
        mut self,
        skipped: impl Fn(u64) -> Event<'static> + Send + Sync + 'static,
    ) -> Self {
        self.skipped = Some(Arc::new(skipped));
        self
    }

    /// Returns whether these are the default options, which need no memory.
    pub(super) fn is_default(&self) -> bool {
        matches!(self.unfiltered(), Unfiltered::Public(None)) && self.skipped.is_none()
    }

    pub(super) fn unfiltered(&self) -> Unfiltered<'_> {
        match (&self.scopes, &self.wanted) {
            (_, Wanted::Types(_) | Wanted::If(_)) => Unfiltered::Nothing,
            // Shared chunks contain ids at the default distance only.
            (Scopes::None, Wanted::All) if self.id_after == ID_AFTER => Unfiltered::Public(None),
            (Scopes::One(scope), Wanted::All) if self.id_after == ID_AFTER => {
                Unfiltered::Public(Some(scope))
            }
            (_, Wanted::All) => Unfiltered::Unscoped,
        }
    }

    /// Returns whether the subscriber may see a frame.
    pub(super) fn sees(&self, scope: Option<&Scope>) -> bool {
        let Some(scope) = scope else {
            return true;
        };
        match &self.scopes {
            Scopes::None => false,
            Scopes::One(one) => one.as_str() == scope.as_str(),
            Scopes::If(sees) => sees(scope),
        }
    }

    /// Returns whether the subscriber wants a frame that it may see.
    pub(super) fn takes(&self, event_type: Option<&str>, id: Option<&str>) -> bool {
        let event_type = event_type.unwrap_or(MESSAGE);
        match &self.wanted {
            Wanted::All => true,
            Wanted::Types(types) => types.iter().any(|one| **one == *event_type),
            Wanted::If(takes) => takes(event_type, id),
        }
    }
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Leaves out the predicates and the names.
impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("skips_ahead", &self.skipped.is_some())
            .field("id_after", &self.id_after)
            .finish_non_exhaustive()
    }
}
