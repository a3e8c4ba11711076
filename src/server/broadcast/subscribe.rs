//! Where a subscriber begins: what the client's last event ID says.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use super::core::{Core, State};
use super::filter::Filter;
use super::ids::Assigned;
use super::options::SubscribeOptions;
use super::scope::Scope;
use super::subscription::Subscription;
use crate::wire::field::EventId;

/// Where a subscriber begins. Returned by [`Broadcast::subscribe`](crate::Broadcast::subscribe).
///
/// # Examples
///
/// What to do where the past is not there is the caller's. To begin with what is published from now
/// on, and let the client know that it missed something:
///
/// ```
/// use futures::{FutureExt, StreamExt, stream};
/// use sse_proto::broadcast::{Retention, Subscribed};
/// use sse_proto::{Broadcast, Event, EventId, EventType, Frame};
///
/// let broadcast = Broadcast::new(Retention::new().with_frames(1));
/// for id in 1_u32..=3 {
///     broadcast.publish(&Event::message("x").with_id(id))?;
/// }
/// let reset = Frame::new(&Event::new(EventType::from_static("reset"), ""));
/// let mut body = match broadcast.subscribe(Some(&EventId::from(1_u32))) {
///     Subscribed::Live(subscription) | Subscribed::Resumed { subscription, .. } => {
///         subscription.left_stream()
///     }
///     Subscribed::Gap(start) | Subscribed::Unknown(start) => {
///         let first = stream::iter([reset.into_bytes()]);
///         first.chain(start.live()).right_stream()
///     }
/// };
/// broadcast.publish(&Event::message("live").with_id(4_u32))?;
/// let mut next = || body.next().now_or_never().flatten().unwrap();
/// assert_eq!(next(), "event: reset\ndata: \n\n");
/// assert_eq!(next(), "id: 4\ndata: live\n\n");
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
///
/// To begin with the oldest that there is:
///
/// ```
/// # use futures::{FutureExt, StreamExt};
/// # use sse_proto::broadcast::Retention;
/// # use sse_proto::{Broadcast, Event, EventId};
/// # let broadcast = Broadcast::new(Retention::new().with_frames(1));
/// # for id in 1_u32..=3 {
/// #     broadcast.publish(&Event::message("x").with_id(id))?;
/// # }
/// let mut body = broadcast.subscribe(Some(&EventId::from(1_u32))).or_oldest();
/// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 3\ndata: x\n\n");
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
///
/// To refuse: with 204 an `EventSource` does not come back; 409 tells a client of one's own to load
/// the state anew, which an `EventSource` takes for a failure for good.
///
/// ```
/// # use sse_proto::broadcast::{Retention, Subscribed};
/// # use sse_proto::{Broadcast, Event, EventId};
/// # let broadcast = Broadcast::new(Retention::new().with_frames(1));
/// # for id in 1_u32..=3 {
/// #     broadcast.publish(&Event::message("x").with_id(id))?;
/// # }
/// let status = |id: &str| match broadcast.subscribe(EventId::new(id).ok().as_ref()) {
///     Subscribed::Live(_) | Subscribed::Resumed { .. } => 200,
///     Subscribed::Gap(_) => 409,
///     Subscribed::Unknown(_) => 204,
/// };
/// assert_eq!(["1", "2", "3", "made up"].map(status), [409, 200, 200, 204]);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Debug)]
#[must_use = "a subscription that is dropped ends"]
pub enum Subscribed {
    /// There was no id, or an empty one: it begins with the next frame.
    Live(Subscription),
    /// It begins with the first frame behind the id.
    Resumed {
        /// The stream.
        subscription: Subscription,
        /// How many frames are replayed; where the subscriber does not take all, or there are scopes,
        /// how many were published, also those that it may not see. Don't show it to a client then.
        missed: u64,
    },
    /// The id was here once, and frames behind it are gone.
    Gap(Restart),
    /// The id was never here, or is forgotten, or is another's.
    Unknown(Restart),
}

impl Subscribed {
    /// Begins with the next frame where the client can't be resumed: it misses some.
    pub fn or_live(self) -> Subscription {
        match self {
            Self::Live(subscription) | Self::Resumed { subscription, .. } => subscription,
            Self::Gap(restart) | Self::Unknown(restart) => restart.live(),
        }
    }

    /// Begins with the oldest frame there is where the client can't be resumed: it misses some at a
    /// gap, and has some twice if its id is unknown but was this broadcast's.
    pub fn or_oldest(self) -> Subscription {
        match self {
            Self::Live(subscription) | Self::Resumed { subscription, .. } => subscription,
            Self::Gap(restart) | Self::Unknown(restart) => restart.oldest(),
        }
    }
}

/// A subscriber that can't begin where its client stopped.
#[must_use = "a subscription that is dropped ends"]
pub struct Restart {
    subscription: Subscription,
    oldest: Option<EventId<'static>>,
}

impl Restart {
    /// Returns the id of the oldest frame there was, if that had one and the subscriber may see it.
    pub fn oldest_id(&self) -> Option<&EventId<'static>> {
        self.oldest.as_ref()
    }

    /// Begins with the first frame that was published after the call of `subscribe`.
    pub fn live(self) -> Subscription {
        self.subscription
    }

    /// Begins with the oldest frame there is.
    pub fn oldest(mut self) -> Subscription {
        self.subscription.rewind();
        self.subscription
    }
}

impl fmt::Debug for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restart")
            .field("oldest_id", &self.oldest)
            .finish_non_exhaustive()
    }
}

/// Where the frame of an id is, or was.
struct Found {
    number: u64,
    scope: Option<Scope>,
}

pub(super) fn subscribe(
    core: &Arc<Core>,
    last_event_id: Option<&EventId<'_>>,
    options: &SubscribeOptions,
) -> Subscribed {
    let text = last_event_id.map(EventId::to_str);
    let text = text.as_deref().filter(|text| !text.is_empty());
    // Before there is a lock: it is a clone of what the user gave.
    let filter = (!options.is_plain()).then(|| Box::new(Filter::new(options.clone())));
    let Some(text) = text else {
        let mut state = core.lock();
        let head = state.log.head();
        return Subscribed::Live(Subscription::new(core, &mut state, head, filter));
    };
    let found = match core.epoch {
        None => find(core, text),
        Some(epoch) => find_assigned(&core.lock(), epoch, text),
    };
    // The predicate runs without the lock. What it says of a frame stays true, whatever goes
    // meanwhile.
    let found = found.filter(|found| options.sees(found.scope.as_ref()));

    let mut state = core.lock();
    let (head, oldest) = (state.log.head(), state.log.oldest());
    if let Some(found) = &found {
        // Nothing is lost if what is gone is in front of the id, or the frame of the id itself.
        let cursor = found.number + 1;
        if cursor >= oldest {
            return Subscribed::Resumed {
                subscription: Subscription::new(core, &mut state, cursor, filter),
                missed: head - cursor,
            };
        }
    }
    let subscription = Subscription::new(core, &mut state, head, filter);
    let scope = state.log.scope(oldest).ok().flatten().cloned();
    let id = id_of(&state, core.epoch, oldest);
    drop(state);
    let oldest = id.filter(|_| options.sees(scope.as_ref()));
    let restart = Restart {
        subscription,
        oldest,
    };
    match found {
        Some(_) => Subscribed::Gap(restart),
        None => Subscribed::Unknown(restart),
    }
}

/// Finds an id of the user's.
fn find(core: &Core, text: &str) -> Option<Found> {
    let index = core.index();
    let state = core.lock();
    let log = &state.log;
    let number = index.find(log.remembered.hash(text.as_bytes()))?;
    let scope = log.scope(number).ok()?.cloned();
    log.has_id(number, text).then_some(Found { number, scope })
}

fn find_assigned(state: &State, epoch: u64, text: &str) -> Option<Found> {
    let log = &state.log;
    let id = Assigned::parse(text).filter(|id| id.epoch == epoch && id.number < log.head())?;
    // A place is nobody's. The place in front of the first frame has no frame.
    let scope = match id.number {
        0 if !id.is_place => return None,
        _ if id.is_place => None,
        number => log.scope(number).ok()?.cloned(),
    };
    Some(Found {
        number: id.number,
        scope,
    })
}

fn id_of(state: &State, epoch: Option<u64>, number: u64) -> Option<EventId<'static>> {
    if !state.log.numbers().contains(&number) {
        return None;
    }
    let text = match epoch {
        None => Cow::Borrowed(state.log.id(number)?),
        Some(epoch) => {
            let id = Assigned {
                epoch,
                number,
                is_place: false,
            };
            Cow::Owned(String::from(id.text().as_str()))
        }
    };
    // It was an id before.
    EventId::new(text.into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::broadcast::{Broadcast, Retention};
    use crate::wire::event::Event;

    /// No two texts are known whose hashes are equal under any key, so one is put there.
    #[test]
    fn an_id_whose_hash_is_that_of_another_is_unknown() {
        let broadcast = Broadcast::new(Retention::new());
        let published = broadcast.publish(&Event::message("x").with_id(1_u32));
        assert_eq!(published, Ok(1));
        let hash = broadcast.core.lock().log.remembered.hash(b"other");
        broadcast.core.index().insert(hash, 1);
        let ask = |id| broadcast.subscribe(Some(&EventId::from_static(id)));
        assert!(matches!(ask("other"), Subscribed::Unknown(_)));
        assert!(matches!(ask("1"), Subscribed::Resumed { .. }));
    }
}
