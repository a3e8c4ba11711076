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
        let (subscription, misses) = match broadcast.subscribe(last_event_id) {
            Subscribed::Live(subscription) | Subscribed::Resumed { subscription, .. } => {
                (subscription, false)
            }
            Subscribed::Gap(restart) | Subscribed::Unknown(restart) => (restart.oldest(), true),
        };
        let hello = Preamble::new()
            .with_comment("hello")
            .with_reconnection_time(RECONNECTION_TIME);
        // The id of the first position: a client that loses its connection before its first event resumes there.
        let first = match subscription.last_event_id() {
            // In the reset, so that a client that loses its connection before the reset gets it the next time.
            Some(start) if misses => {
                let reset = Event::new(RESET, "").with_id(start);
                [hello.to_bytes(), reset.to_bytes()].concat().into()
            }
            start => hello.with_id(start).to_bytes(),
        };
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
