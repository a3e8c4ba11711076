//! What a subscriber takes, what it may see, and what happens when it lags.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use super::scope::Scope;
use crate::wire::event::Event;
use crate::wire::field::EventType;

/// After how many frames that were not for it a subscriber gets an id, if nobody says.
pub(super) const ID_AFTER: u32 = 64;

/// How a subscriber is served. A clone shares what it holds: make one for all alike.
///
/// # What it may see
///
/// A frame may have a [`Scope`]. A subscriber sees the frames without one, and those of the scopes
/// that it was [given](Self::with_scope): live and in a replay by the same rule. The id of a frame
/// that it may not see is for it an id that never was.
///
/// # What it takes
///
/// Of what it may see, all, or some [event types](Self::with_event_types), or what a
/// [predicate](Self::with_filter) says. So that the place moves on at which a client resumes, it
/// gets after some frames that were not for it a block with nothing but the id of the last one
/// (where ids are assigned, and that was another's, an id that stands for the place behind it).
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
    sees: Sees,
    takes: Takes,
    skipped: Option<Arc<SkippedFn>>,
    id_after: u32,
}

type SeesFn = dyn Fn(&Scope) -> bool + Send + Sync;
type TakesFn = dyn Fn(&Metadata<'_>) -> bool + Send + Sync;
pub(super) type SkippedFn = dyn Fn(u64) -> Event<'static> + Send + Sync;

#[derive(Clone)]
enum Sees {
    NoScope,
    One(Scope),
    If(Arc<SeesFn>),
}

#[derive(Clone)]
enum Takes {
    All,
    Types(Arc<[Box<str>]>),
    If(Arc<TakesFn>),
}

/// What of the frames a subscriber is given without asking anybody.
pub(super) enum Share<'a> {
    /// Chunks where nothing has a scope.
    Unscoped,
    /// Those, and what is left of others, as long as nothing is of this scope.
    Everybodys(Option<&'a Scope>),
    Nothing,
}

impl SubscribeOptions {
    /// Takes all frames without a scope, and is disconnected when it lags.
    pub const fn new() -> Self {
        Self {
            sees: Sees::NoScope,
            takes: Takes::All,
            skipped: None,
            id_after: ID_AFTER,
        }
    }

    /// Lets the subscriber see the frames of a scope, beside those without one.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.sees = Sees::One(scope);
        self
    }

    /// Lets the subscriber see the frames of the scopes for which a predicate holds, beside those
    /// without one.
    ///
    /// It runs without a lock, for each frame with a scope, and for the frame of the id that the client
    /// comes back with; it should always say the same. If it panics, the panic goes on to who polls
    /// or subscribes, and nothing is lost: the next poll asks again.
    pub fn with_scopes(mut self, sees: impl Fn(&Scope) -> bool + Send + Sync + 'static) -> Self {
        self.sees = Sees::If(Arc::new(sees));
        self
    }

    /// Takes only events of some types. `message` is the type of the events without one.
    pub fn with_event_types<'a>(
        mut self,
        event_types: impl IntoIterator<Item = EventType<'a>>,
    ) -> Self {
        let types = event_types.into_iter().map(|one| one.as_str().into());
        self.takes = Takes::Types(types.collect());
        self
    }

    /// Takes only events for which a predicate holds. It is called as that of
    /// [`with_scopes`](Self::with_scopes), and only for what the subscriber may see.
    pub fn with_filter(
        mut self,
        takes: impl Fn(&Metadata<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.takes = Takes::If(Arc::new(takes));
        self
    }

    /// Sets after how many frames that were not for it a subscriber gets an id, at the latest; 64
    /// without a call, 0 counts as 1. Less than the frames retained, or a client that is away for a
    /// moment finds its id gone.
    ///
    /// Where ids are assigned, that is at each frame whose number divides by it.
    pub const fn with_id_after(mut self, frames: u32) -> Self {
        self.id_after = if frames == 0 { 1 } else { frames };
        self
    }

    /// Lets a subscriber that lags skip ahead to the oldest frame there is, instead of ending. It is
    /// told by the event that `skipped` makes of the number of frames it lost (all frames, also those
    /// that were not for it). Give that event no id: it would overwrite the place to resume at.
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
    /// let broadcast = Broadcast::new(Retention::new().with_frames(1));
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

    /// Whether they are the default, which needs no memory.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.share(), Share::Everybodys(None)) && self.skipped.is_none()
    }

    /// What of the frames it is given without asking anybody.
    pub(super) fn share(&self) -> Share<'_> {
        match (&self.sees, &self.takes) {
            (Sees::NoScope, Takes::All) if self.id_after == ID_AFTER => Share::Everybodys(None),
            (Sees::One(scope), Takes::All) if self.id_after == ID_AFTER => {
                Share::Everybodys(Some(scope))
            }
            (_, Takes::All) => Share::Unscoped,
            (_, Takes::Types(_) | Takes::If(_)) => Share::Nothing,
        }
    }

    pub(super) fn sees(&self, scope: Option<&Scope>) -> bool {
        let Some(scope) = scope else {
            return true;
        };
        match &self.sees {
            Sees::NoScope => false,
            Sees::One(one) => one == scope,
            Sees::If(sees) => sees(scope),
        }
    }

    pub(super) fn takes(&self, frame: &Metadata<'_>) -> bool {
        match &self.takes {
            Takes::All => true,
            Takes::Types(types) => {
                let event_type = frame.event_type().unwrap_or("message");
                types.iter().any(|one| **one == *event_type)
            }
            Takes::If(takes) => takes(frame),
        }
    }

    /// What tells a subscriber that it skipped ahead; `None` if it is disconnected.
    pub(super) fn skipped(&self) -> Option<Arc<SkippedFn>> {
        self.skipped.clone()
    }

    pub(super) fn id_after(&self) -> u32 {
        self.id_after
    }
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sees = match &self.sees {
            Sees::NoScope => "no scope",
            Sees::One(scope) => scope.as_str(),
            Sees::If(_) => "by a predicate",
        };
        let takes: &dyn fmt::Debug = match &self.takes {
            Takes::All => &"all",
            Takes::Types(types) => types,
            Takes::If(_) => &"by a predicate",
        };
        f.debug_struct("SubscribeOptions")
            .field("sees", &sees)
            .field("takes", takes)
            .field("skips_ahead", &self.skipped.is_some())
            .field("id_after", &self.id_after)
            .finish()
    }
}

/// What a filter is told of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Metadata<'a> {
    pub(super) event_type: Option<&'a str>,
    pub(super) id: Option<&'a str>,
    pub(super) scope: Option<&'a Scope>,
    pub(super) len: usize,
}

impl<'a> Metadata<'a> {
    /// Returns the event type; `None` stands for `message`.
    pub fn event_type(&self) -> Option<&'a str> {
        self.event_type
    }

    /// Returns the id.
    pub fn id(&self) -> Option<&'a str> {
        self.id
    }

    /// Returns whose it is.
    pub fn scope(&self) -> Option<&'a Scope> {
        self.scope
    }

    /// Returns the number of bytes on the wire; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl fmt::Debug for Metadata<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("event_type", &self.event_type)
            .field("id", &self.id)
            .field("scope", &self.scope)
            .field("len", &self.len)
            .finish()
    }
}
