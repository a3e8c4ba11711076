//! Where a subscriber begins, given the client's last event ID.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::filter::Filter;
use super::ids::AssignedId;
use super::log::Log;
use super::options::{Scope, SubscribeOptions};
use super::shared::BroadcastShared;
use super::subscriber::Subscriber;
use super::subscription::Subscription;
use crate::wire::last_event_id::LastEventId;

/// Where a subscriber begins. Returned by [`Broadcast::subscribe`](crate::Broadcast::subscribe).
///
/// `match` it to tell a client that it may have missed events; [`or_live`](Self::or_live) and
/// [`or_oldest`](Self::or_oldest) are for clients that need not be told.
///
/// # Examples
///
/// This handler starts a client that cannot be resumed at the next event, and tells it. The
/// adapters are inside and `chain` is outermost, because its result is not a stream of this crate.
/// To put adapters around it, wrap it in [`from_stream`](crate::adapt::from_stream).
///
/// ```
/// use futures::{FutureExt, StreamExt, stream};
/// use sse_proto::EventStreamExt;
/// use sse_proto::broadcast::{Retention, Subscribed};
/// use sse_proto::{Broadcast, Event, EventId, EventType, Frame};
///
/// let broadcast = Broadcast::new(Retention::new().with_max_frames(1));
/// for id in 1_u32..=3 {
///     broadcast.publish(&Event::message("x").with_id(id))?;
/// }
/// let reset = Frame::new(&Event::new(EventType::from_static("reset"), ""));
/// let (notice, subscription) = match broadcast.subscribe(Some(&EventId::from(1_u32))) {
///     Subscribed::Live(subscription) | Subscribed::Resumed { subscription, .. } => {
///         (None, subscription)
///     }
///     Subscribed::Gap(restart) | Subscribed::Unknown(restart) => {
///         (Some(reset.into_bytes()), restart.live())
///     }
/// };
/// let events = subscription.coalesce(16 * 1024);
/// let mut body = stream::iter(notice).chain(events);
/// broadcast.publish(&Event::message("live").with_id(4_u32))?;
/// let mut next = || body.next().now_or_never().flatten().unwrap();
/// assert_eq!(next(), "event: reset\ndata: \n\n");
/// assert_eq!(next(), "id: 4\ndata: live\n\n");
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
///
/// This handler starts such a client at the oldest event kept, and does not tell it:
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::Retention;
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let broadcast = Broadcast::new(Retention::new().with_max_frames(1));
/// for id in 1_u32..=3 {
///     broadcast.publish(&Event::message("x").with_id(id))?;
/// }
/// let mut body = broadcast.subscribe(Some(&EventId::from(1_u32))).or_oldest();
/// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 3\ndata: x\n\n");
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
///
/// This handler refuses such a client. After a 204, an `EventSource` does not reconnect. A 409
/// tells your own client to reload its state; an `EventSource` treats it as a permanent failure.
///
/// ```
/// use sse_proto::broadcast::{Retention, Subscribed};
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let broadcast = Broadcast::new(Retention::new().with_max_frames(1));
/// for id in 1_u32..=3 {
///     broadcast.publish(&Event::message("x").with_id(id))?;
/// }
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
    /// There was no id, or an empty one: the subscriber begins with the next frame.
    Live(Subscription),
    /// The subscriber begins with the first frame after the id.
    Resumed {
        /// The stream.
        subscription: Subscription,
        /// The number of frames published after the id. It also counts frames that the subscriber
        /// does not take or may not see, so do not show it to a client if there are scopes.
        missed: u64,
    },
    /// The id was published here, and frames after it were dropped.
    Gap(Restart),
    /// The id was never published here, or is forgotten, or is one that the client may not see, or is
    /// [invalid](LastEventId::Invalid).
    Unknown(Restart),
}

impl Subscribed {
    /// Begins with the next frame if the client cannot be resumed. Such a client misses events.
    pub fn or_live(self) -> Subscription {
        self.or(Restart::live)
    }

    /// Begins with the oldest frame kept if the client cannot be resumed. A client without an id
    /// still begins with the next frame.
    ///
    /// After a gap, the client misses the events that were dropped. With an unknown id, it may also
    /// miss events. It receives some twice only if the id is that of a kept frame that it may no
    /// longer see.
    pub fn or_oldest(self) -> Subscription {
        self.or(Restart::oldest)
    }

    fn or(self, begin: fn(Restart) -> Subscription) -> Subscription {
        match self {
            Self::Live(subscription) | Self::Resumed { subscription, .. } => subscription,
            Self::Gap(restart) | Self::Unknown(restart) => begin(restart),
        }
    }
}

/// A subscriber whose client cannot be resumed.
#[derive(Debug)]
#[must_use = "a subscription that is dropped ends"]
pub struct Restart {
    subscription: Subscription,
}

impl Restart {
    /// Begins with the first frame that was published after the call of `subscribe`.
    pub fn live(self) -> Subscription {
        self.subscription
    }

    /// Begins with the oldest frame kept.
    pub fn oldest(mut self) -> Subscription {
        self.subscription.subscriber.rewind();
        self.subscription
    }
}

pub(super) fn subscribe(
    shared: &Arc<BroadcastShared>,
    last_event_id: &LastEventId<'_>,
    options: &SubscribeOptions,
) -> Subscribed {
    // Made before locking, because it clones user values.
    let filter = (!options.is_default()).then(|| Box::new(Filter::new(options.clone())));
    let found = match last_event_id {
        LastEventId::Id(id) if *id != "" => match shared.epoch {
            None => find(shared, &id.to_str()),
            Some(epoch) => find_assigned(&shared.lock().log, epoch, &id.to_str()),
        },
        LastEventId::Id(_) | LastEventId::None => {
            let mut state = shared.lock();
            let head = state.log.head();
            let subscriber = Subscriber::new(shared, &mut state, head, filter);
            return Subscribed::Live(Subscription { subscriber });
        }
        LastEventId::Invalid => None,
    };
    // The predicate runs without the lock. Its result stays valid if the frame is dropped
    // meanwhile.
    let found = found.filter(|(_, scope)| options.sees(scope.as_ref()));

    let mut state = shared.lock();
    let (head, oldest) = (state.log.head(), state.log.oldest());
    // Nothing is lost if only frames up to that of the id were dropped.
    let resumed = found.as_ref().map(|(number, _)| number + 1);
    let resumed = resumed.filter(|cursor| *cursor >= oldest);
    let cursor = resumed.unwrap_or(head);
    let subscriber = Subscriber::new(shared, &mut state, cursor, filter);
    let subscription = Subscription { subscriber };
    if resumed.is_some() {
        let missed = head - cursor;
        return Subscribed::Resumed {
            subscription,
            missed,
        };
    }
    let restart = Restart { subscription };
    match found {
        Some(_) => Subscribed::Gap(restart),
        None => Subscribed::Unknown(restart),
    }
}

/// Finds the number and the scope of the frame with an id. The frame may be dropped.
fn find(shared: &BroadcastShared, text: &str) -> Option<(u64, Option<Scope>)> {
    let index = shared.index();
    let state = shared.lock();
    let log = &state.log;
    let number = index.find(log.remembered().hash(text.as_bytes()))?;
    let scope = log.scope(number).ok()?.cloned();
    log.has_id(number, text).then_some((number, scope))
}

/// Finds the number and the scope of the frame with an assigned id. The frame may be dropped.
fn find_assigned(log: &Log, epoch: u64, text: &str) -> Option<(u64, Option<Scope>)> {
    let id = AssignedId::parse(text).filter(|id| id.epoch == epoch && id.number < log.head())?;
    // A place has no scope. Number 0 is only a place: the one before the first frame.
    let scope = match id.number {
        0 if !id.is_place => return None,
        _ if id.is_place => None,
        number => log.scope(number).ok()?.cloned(),
    };
    Some((id.number, scope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::broadcast::{Broadcast, Retention};
    use crate::wire::event::Event;
    use crate::wire::field::EventId;

    /// No colliding ids are known, so the test enters the hash by hand.
    #[test]
    fn an_id_whose_hash_is_that_of_another_is_unknown() {
        let broadcast = Broadcast::new(Retention::new());
        let published = broadcast.publish(&Event::message("x").with_id(1_u32));
        assert_eq!(published, Ok(1));
        let hash = broadcast.shared().lock().log.remembered().hash(b"other");
        broadcast.shared().index().insert(hash, 1);
        let ask = |id| broadcast.subscribe(Some(&EventId::from_static(id)));
        assert!(matches!(ask("other"), Subscribed::Unknown(_)));
        assert!(matches!(ask("1"), Subscribed::Resumed { .. }));
    }
}
