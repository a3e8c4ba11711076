//! The handle of a subscription.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::Future;

use super::hub::Hub;
use super::shared::BroadcastShared;
use super::signal::Signal;
use super::slab::NONE;
use super::topics::MAX_NAME;
use crate::server::state::CloseReason;
use crate::sync::MutexGuard;
use crate::wire::field::EventId;
use crate::wire::frame::Frame;

/// Controls one [`Subscription`](crate::Subscription) from anywhere. Made by
/// [`Subscription::handle`](crate::Subscription::handle).
///
/// Clones are handles of the same subscription. A handle keeps neither the subscription nor the
/// broadcast open; once the subscription has ended, it has no effect. It keeps the memory of the
/// broadcast's log, so drop it then.
///
/// # Examples
///
/// ```
/// use futures::{FutureExt, StreamExt};
/// use sse_proto::broadcast::Retention;
/// use sse_proto::target::CloseReason;
/// use sse_proto::{Broadcast, Event, Frame};
///
/// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
/// let mut body = broadcast.subscribe(None).or_live_untold();
/// let handle = body.handle();
///
/// broadcast.publish_to("room-1", &Event::message("before"))?;
/// assert_eq!(handle.add_topic("room-1")?.unwrap(), "7-1");
/// broadcast.publish_to("room-1", &Event::message("in the room"))?;
/// assert_eq!(handle.lag(), 1);
/// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 7-2\ndata: in the room\n\n");
///
/// handle.close(Some(Frame::new(&Event::message("bye"))));
/// assert_eq!(handle.closed().now_or_never(), Some(CloseReason::SentAway));
/// assert_eq!(body.next().now_or_never().flatten().unwrap(), "data: bye\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<BroadcastShared>,
    pub(super) state: Arc<HandleState>,
}

/// What the handles of a subscription share with it.
pub(super) struct HandleState {
    slot: u32,
    /// Set, under the lock of the broadcast, before the slot gets another subscriber.
    pub(super) ended: Arc<Signal<CloseReason>>,
}

impl HandleState {
    pub(super) fn new(slot: u32) -> Self {
        Self {
            slot,
            ended: Signal::new(),
        }
    }

    /// Makes the state of a subscription that has ended.
    pub(super) fn of_ended(reason: CloseReason) -> Self {
        let state = Self::new(NONE);
        // Nobody waits yet.
        drop(state.ended.set(reason));
        state
    }
}

/// The error of a topic whose name takes more than 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicTooLong(pub(super) usize);

impl TopicTooLong {
    pub(super) fn check(name: &str) -> Result<(), Self> {
        match name.len() {
            ..=MAX_NAME => Ok(()),
            len => Err(Self(len)),
        }
    }
}

impl fmt::Display for TopicTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(len) = self;
        write!(
            f,
            "the name of the topic takes {len} bytes, more than {MAX_NAME}"
        )
    }
}

impl Error for TopicTooLong {}

impl Handle {
    /// Adds a topic: the subscription receives its frames from now on, and none from before.
    ///
    /// Returns the id at the head of the log, as
    /// [`Broadcast::last_event_id`](crate::Broadcast::last_event_id) does. Load the state of the
    /// topic up to that id.
    ///
    /// # Errors
    ///
    /// If the name takes more than 256 bytes.
    pub fn add_topic(&self, name: &str) -> Result<Option<EventId<'static>>, TopicTooLong> {
        TopicTooLong::check(name)?;
        let (mut hub, slot) = self.lock();
        let id = hub.order.last_id_before(&hub.log, hub.log.head());
        if let Some(slot) = slot {
            hub.add_topic(slot, name);
        }
        self.shared.release(hub);
        Ok(id)
    }

    /// Removes a topic, and takes back its frames that wait. What a poll gave is gone. Returns
    /// whether the subscription had the topic.
    pub fn remove_topic(&self, name: &str) -> bool {
        let (mut hub, slot) = self.lock();
        let had = slot.is_some_and(|slot| hub.remove_topic(slot, name));
        self.shared.release(hub);
        had
    }

    /// Returns the topics, in no order.
    pub fn topics(&self) -> Vec<Arc<str>> {
        let (hub, slot) = self.lock();
        slot.map_or_else(Vec::new, |slot| hub.topics_of(slot))
    }

    /// Returns how many frames wait for the subscription. Event types are not looked at.
    ///
    /// # Complexity
    ///
    /// Logarithmic in the retained frames, for each topic.
    pub fn lag(&self) -> u64 {
        let (hub, slot) = self.lock();
        slot.map_or(0, |slot| hub.waiting(slot))
    }

    /// Sends the client away: takes back the frames that wait, and ends the stream after the
    /// farewell, if there is one. Returns whether the subscription was open.
    ///
    /// The client reconnects, usually within three seconds. Answer it with
    /// [204](crate::http#sending-a-client-away), after which an `EventSource` stays away.
    pub fn close(&self, farewell: Option<Frame>) -> bool {
        let farewell = farewell.map(Frame::into_bytes);
        let (mut hub, slot) = self.lock();
        let reason = CloseReason::SentAway;
        let was_open = slot.is_some_and(|slot| hub.detach(slot, reason, farewell));
        self.shared.release(hub);
        was_open
    }

    /// Waits for the end of the subscription, and returns the reason.
    ///
    /// [`ClientGone`](CloseReason::ClientGone) if the stream was dropped before its end,
    /// [`Overflow`](CloseReason::Overflow) if it lagged, [`SentAway`](CloseReason::SentAway) by
    /// [`close`](Self::close), [`Rewound`](CloseReason::Rewound) with the log,
    /// [`Closed`](CloseReason::Closed) with the broadcast, and [`Shutdown`](CloseReason::Shutdown) by
    /// [`until`](crate::EventStreamExt::until).
    pub fn closed(&self) -> impl Future<Output = CloseReason> + Send + Sync + Unpin + use<> {
        self.state.ended.wait()
    }

    /// Locks the hub. Returns the slot, too, unless the subscription has ended.
    fn lock(&self) -> (MutexGuard<'_, Hub>, Option<u32>) {
        let hub = self.shared.lock();
        let is_open = self.state.ended.get().is_none();
        (hub, is_open.then_some(self.state.slot))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("close_reason", &self.state.ended.get())
            .finish_non_exhaustive()
    }
}
