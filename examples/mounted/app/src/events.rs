//! One client's event stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use sse_proto::adapt::{FromStream, Preamble, from_stream};
use sse_proto::broadcast::Subscribed;
use sse_proto::deps::bytes::Bytes;
use sse_proto::event::LastEventId;
use sse_proto::{Broadcast, Event, EventType, Subscription};

use crate::ends::{End, Ends};

/// How long a client waits before it reconnects.
const RECONNECTION_TIME: Duration = Duration::from_millis(200);

/// The type of the event that tells a client to reload its state, because missed events are lost.
const RESET: EventType = EventType::from_static("reset");

/// The bytes of one client's event stream, for adapters.
pub type Events = FromStream<Watched>;

/// A client's event stream that remembers why it ended.
#[derive(Debug)]
pub struct Watched {
    /// Sent at once, so that the client sees an open connection before the first event.
    first: Option<Bytes>,
    subscription: Subscription,
    ends: Arc<Ends>,
}

impl Watched {
    pub(crate) fn events(
        broadcast: &Broadcast,
        last_event_id: LastEventId<'_>,
        ends: &Arc<Ends>,
    ) -> Events {
        let hello = Preamble::new()
            .with_comment("hello")
            .with_reconnection_time(RECONNECTION_TIME);
        let (subscription, hello) = match broadcast.subscribe(last_event_id) {
            // A new client that loses its connection before its first event resumes from this id.
            Subscribed::Live(subscription) => {
                let start = subscription.last_event_id();
                (subscription, hello.with_id(start))
            }
            Subscribed::Resumed { subscription, .. } => (subscription, hello),
            // The broadcast puts the id into the reset: a client that loses its connection before the
            // reset gets it the next time.
            Subscribed::Gap(restart)
            | Subscribed::Unknown(restart)
            | Subscribed::Ahead(restart) => (restart.oldest(&Event::new(RESET, "")), hello),
        };
        let first = hello.to_bytes();
        from_stream(Self {
            first: Some(first),
            subscription,
            ends: Arc::clone(ends),
        })
    }
}

impl Stream for Watched {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.subscription).poll_next(cx),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.ends.add(End::from(self.subscription.close_reason()));
    }
}
