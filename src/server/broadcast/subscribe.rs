//! Where a subscriber begins, given the client's last event ID.

use alloc::sync::Arc;

use super::hub::Hub;
use super::ids::Found;
use super::options::SubscribeOptions;
use super::shared::BroadcastShared;
use super::subscription::Subscription;
use crate::wire::event::Event;
use crate::wire::field::EventId;
use crate::wire::last_event_id::LastEventId;

/// Where a subscriber begins. Returned by [`Broadcast::subscribe`](crate::Broadcast::subscribe).
///
/// `match` it to decide what becomes of a client that cannot be resumed, or choose with
/// [`or_live`](Self::or_live) and [`or_oldest`](Self::or_oldest), which tell it.
///
/// # Examples
///
/// This handler starts such a client at the next event, and tells it. The event that tells has the
/// id of the place where the client goes on.
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::{Key, Retention};
/// use sse_proto::{Broadcast, Event, EventId, EventType};
///
/// let broadcast = Broadcast::with_key(Retention::new(1, 1 << 20), Key::number());
/// for id in 1_u32..=3 {
///     broadcast.publish(&Event::message("x").with_id(id))?;
/// }
/// let reset = Event::new(EventType::from_static("reset"), "");
/// let mut body = broadcast.subscribe(EventId::from(1_u32)).or_live(&reset);
/// broadcast.publish(&Event::message("live").with_id(4_u32))?;
/// let mut next = || body.next().now_or_never().flatten().unwrap();
/// assert_eq!(next(), "event: reset\nid: 3\ndata: \n\n");
/// assert_eq!(next(), "id: 4\ndata: live\n\n");
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
///
/// This handler refuses such a client. After a 204, an `EventSource` does not reconnect. A 409
/// tells your own client to reload its state; an `EventSource` treats it as a permanent failure.
///
/// ```
/// use sse_proto::broadcast::{Key, Retention, Subscribed};
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let broadcast = Broadcast::with_key(Retention::new(1, 1 << 20), Key::number());
/// for id in 1_u32..=3 {
///     broadcast.publish(&Event::message("x").with_id(id))?;
/// }
/// let status = match broadcast.subscribe(EventId::from(1_u32)) {
///     Subscribed::Live(_) | Subscribed::Resumed { .. } => 200,
///     Subscribed::Gap(_) | Subscribed::Unknown(_) | Subscribed::Ahead(_) => 409,
/// };
/// assert_eq!(status, 409);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Debug)]
#[must_use = "a subscription that is dropped ends"]
pub enum Subscribed {
    /// The client has no last event ID. It begins with the first frame that is published from now
    /// on.
    Live(Subscription),
    /// The client receives all frames after its id.
    Resumed {
        /// The stream, which begins with the first frame that the client lacks.
        subscription: Subscription,
        /// The number of those frames, of all event types.
        missed: u64,
    },
    /// A frame for the client was lost after its id. With the user's ids: the id itself is gone from
    /// the log, so that this cannot be known.
    Gap(Restart),
    /// The id is none that this broadcast knows, or is [invalid](LastEventId::Invalid).
    Unknown(Restart),
    /// The log has not reached the id: another machine may have published it. Wait until it
    /// [is there](crate::Broadcast::reached) and subscribe again, restart, or refuse.
    Ahead(Restart),
}

impl Subscribed {
    /// Starts a client that cannot be resumed with the next frame, and tells it: see
    /// [`Restart::live`]. For a client that loads its state again when it is told.
    pub fn or_live(self, tells: &Event<'_>) -> Subscription {
        self.or(|restart| restart.live(tells))
    }

    /// Starts a client that cannot be resumed with the oldest frame kept, and tells it: see
    /// [`Restart::oldest`]. For events that are the state, such as the lines of a chat.
    pub fn or_oldest(self, tells: &Event<'_>) -> Subscription {
        self.or(|restart| restart.oldest(tells))
    }

    /// Starts a client that cannot be resumed with the next frame, and does not tell it: for events
    /// that replace each other, such as a current price.
    pub fn or_live_untold(self) -> Subscription {
        self.or(|restart| restart.subscription)
    }

    fn or(self, begin: impl FnOnce(Restart) -> Subscription) -> Subscription {
        match self {
            Self::Live(subscription) | Self::Resumed { subscription, .. } => subscription,
            Self::Gap(restart) | Self::Unknown(restart) | Self::Ahead(restart) => begin(restart),
        }
    }
}

/// A subscriber whose client cannot be resumed, and what tells the client.
///
/// The event that tells is sent before all frames, in one block with the id of the place where the
/// client goes on. So a client whose connection is cut before the end of that block comes back with
/// its old id and is told again. An event that has an id keeps it.
#[derive(Debug)]
#[must_use = "a subscription that is dropped ends"]
pub struct Restart {
    subscription: Subscription,
}

impl Restart {
    /// Begins with the first frame that was published after the call of `subscribe`.
    pub fn live(self, tells: &Event<'_>) -> Subscription {
        self.tell(tells);
        self.subscription
    }

    /// Begins with the oldest frame kept.
    ///
    /// With an [unknown](Subscribed::Unknown) id, the client may receive frames a second time.
    pub fn oldest(self, tells: &Event<'_>) -> Subscription {
        let mut hub = self.subscription.shared().lock();
        let oldest = hub.log.oldest();
        hub.move_to(self.subscription.slot(), oldest);
        drop(hub);
        self.tell(tells);
        self.subscription
    }

    fn tell(&self, tells: &Event<'_>) {
        let place = self.subscription.last_event_id();
        let text = place.as_ref().map(EventId::to_str);
        let fields = tells.fields();
        let fields = match (fields.id, &text) {
            (None, Some(id)) => fields.with_id(id.as_bytes()),
            _ => fields,
        };
        let bytes = fields.write_to_bytes(fields.measure());
        let mut hub = self.subscription.shared().lock();
        hub.send_first(self.subscription.slot(), bytes);
    }
}

pub(super) fn subscribe(
    shared: &Arc<BroadcastShared>,
    last_event_id: &LastEventId<'_>,
    options: &SubscribeOptions,
) -> Subscribed {
    let text = match last_event_id {
        LastEventId::Id(id) => Some(id.to_str()).filter(|id| !id.is_empty()),
        LastEventId::None | LastEventId::Invalid => None,
    };
    let is_new = text.is_none() && *last_event_id != LastEventId::Invalid;
    // A key is the user's code, which runs without the lock.
    let key = text.as_deref().and_then(|id| shared.ids.key(id));

    let mut hub = shared.lock_now();
    let found = match hub.find(text.as_deref().unwrap_or_default(), key) {
        Found::At(number) if has_gap(&hub, options, number + 1) => Found::Gone,
        found => found,
    };
    let cursor = match found {
        Found::At(number) => number + 1,
        _ => hub.log.head(),
    };
    let slot = hub.subscribe(options, cursor);
    let missed = hub.waiting(slot);
    shared.release(hub);

    let subscription = Subscription::new(shared, slot, is_new);
    if is_new {
        return Subscribed::Live(subscription);
    }
    if let Found::At(_) = found {
        return Subscribed::Resumed {
            subscription,
            missed,
        };
    }
    let restart = Restart { subscription };
    match found {
        Found::Gone => Subscribed::Gap(restart),
        Found::Ahead => Subscribed::Ahead(restart),
        Found::At(_) | Found::Unknown => Subscribed::Unknown(restart),
    }
}

/// Returns whether a frame for a subscriber was lost, from a number on.
fn has_gap(hub: &Hub, options: &SubscribeOptions, from: u64) -> bool {
    if from >= hub.log.oldest() {
        return false;
    }
    let lost = options.topics().map(|name| hub.topics.lost(name));
    lost.chain([hub.topics.everybody().lost])
        .any(|lost| lost >= from)
}
