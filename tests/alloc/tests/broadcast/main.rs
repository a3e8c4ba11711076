//! What a broadcast allocates, how much memory it and its subscribers hold, and that it frees all of it.

mod allocations;
mod memory;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use allocation_counter::AllocationInfo;
use futures::Stream;
use sse_proto::{Broadcast, Event, Subscription};

const KIB: usize = 1024;

/// A task; as an executor's, its waker is a pointer to something that is there already.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn poll(subscription: &mut Subscription, waker: &Waker) -> Poll<Option<bytes::Bytes>> {
    Pin::new(subscription).poll_next(&mut Context::from_waker(waker))
}

fn held(made: AllocationInfo) -> usize {
    usize::try_from(made.bytes_current).expect("more is allocated than is given back")
}

fn subscribe(broadcast: &Broadcast, many: usize) -> Vec<Subscription> {
    let mut subscriptions = Vec::with_capacity(many);
    subscriptions.extend((0..many).map(|_| broadcast.subscribe(None).or_live_untold()));
    subscriptions
}

/// Publishes an event to all, or to a topic that no subscriber has.
fn publish(broadcast: &Broadcast, is_private: bool) {
    let event = Event::message("x");
    let published = if is_private {
        broadcast.publish_to("somebody", &event)
    } else {
        broadcast.publish(&event)
    };
    published.expect("it is open");
}
