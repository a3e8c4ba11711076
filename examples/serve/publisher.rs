//! Gives each event to all clients, also to those that come back for it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use sse_proto::adapt::{Preamble, from_stream};
use sse_proto::broadcast::{Restart, Retention, Subscribed};
use sse_proto::event::LastEventId;
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventStreamExt, EventType, Frame, Subscription, channel};
use sysinfo::System;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::log::log;
use crate::watch::{KEEP_ALIVE, Watched, cut_when_stuck};

/// What an event may take on the wire, before it is numbered.
pub(crate) const EVENT_LIMIT: usize = 32 << 20;
/// What is kept for clients that come back: an event of the largest size and what comes around it,
/// or some hours of small ones.
const RETENTION: Retention = Retention::new(1 << 16, EVENT_LIMIT + (1 << 20));

const RECONNECTION_TIME: Duration = Duration::from_secs(1);

/// The log of all events, and the number of the next client.
pub(crate) struct Publisher {
    /// Tells a client that returns whether the server is still the one that it left. The ids begin
    /// with it, so those of the server before are not taken for this one's.
    run: String,
    broadcast: Broadcast,
    next_client: AtomicU64,
    ended: watch::Sender<bool>,
}

/// The data of the first event of each stream. Where the client has no id yet it has one, which stands
/// for the place where the stream begins, so that a client that is cut at once misses nothing either.
#[derive(Serialize)]
struct Hello<'a> {
    run: &'a str,
    last_event_id: Option<Cow<'a, str>>,
    begins: Begins,
    /// How many events follow at once that the client has missed.
    replayed: u64,
    host: Option<String>,
    system: Option<String>,
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Begins {
    /// With the next event.
    Live,
    /// Behind the last event ID.
    Resumed,
    /// With the oldest event that is kept: those between it and the last event ID are gone.
    Gap,
    /// With the oldest event that is kept: the last event ID is not of this server.
    Unknown,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let broadcast = Broadcast::new(RETENTION);
        let first = broadcast.last_event_id().map(|id| id.to_string());
        let epoch = first.as_deref().and_then(|id| id.split('-').next());
        Self {
            run: epoch.unwrap_or_default().to_owned(),
            broadcast,
            next_client: AtomicU64::new(1),
            ended: watch::Sender::new(false),
        }
    }

    /// Numbers the event and encodes it, once for all clients.
    pub(crate) fn publish(&self, event: &Event<'_>) {
        if let Err(error) = self.broadcast.publish(event) {
            log(format_args!("not published: {error}"));
        }
    }

    /// Makes the stream of a client: a greeting, what it has missed, and what comes. `cut` is notified
    /// when the client is to be cut off.
    pub(crate) fn subscribe(
        &self,
        peer: SocketAddr,
        last_event_id: &LastEventId<'_>,
        cut: Arc<Notify>,
    ) -> Watched {
        let number = self.next_client.fetch_add(1, Ordering::Relaxed);
        let name = format!("client {number} at {peer}");
        match last_event_id {
            LastEventId::None => log(format_args!("{name} connected")),
            // Quoted: the client chose this text, and a terminal shows it.
            LastEventId::Id(id) => log(format_args!("{name} connected, Last-Event-ID {id:?}")),
            LastEventId::Invalid => log(format_args!("{name} connected, Last-Event-ID invalid")),
        }
        let (subscription, hello) = self.begin(last_event_id);

        // The client's own target has no events here. It knows when and why the stream ends.
        let (target, own) = channel();
        target.on_close({
            let since = Instant::now();
            move |reason| {
                let lived = since.elapsed().as_secs_f32();
                // The queue overflowed, or `cut_when_stuck` aborted the target.
                let reads_nothing = matches!(reason, CloseReason::Overflow | CloseReason::Aborted);
                let why = if reads_nothing {
                    cut.notify_one();
                    "it reads nothing".to_owned()
                } else {
                    reason.to_string()
                };
                log(format_args!(
                    "{name} disconnected: {why}, after {lived:.1} s"
                ));
            }
        });
        let mut ended = self.ended.subscribe();
        let bye = Event::new(EventType::from_static("bye"), "the server ends");
        let events = subscription
            .merge(own)
            .until(async move { ended.wait_for(|&ended| ended).await.is_ok() })
            .with_farewell(Frame::new(&bye));
        // Goes out at once and by itself: with the first bytes the browser's `onopen` fires.
        let preamble = Preamble::new()
            .with_comment("events follow")
            .with_reconnection_time(RECONNECTION_TIME);
        let body = from_stream(stream::iter(hello.map(Frame::into_bytes)).chain(events))
            .preamble(&preamble)
            .keep_alive(KEEP_ALIVE, sleep);
        let (body, polls) = Watched::new(body);
        tokio::spawn(cut_when_stuck(target, polls));
        body
    }

    /// Ends the stream of every client, as well as those that still come, each with a last event.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Subscribes. Returns the greeting, unless the subscription begins with it.
    fn begin(&self, last_event_id: &LastEventId<'_>) -> (Subscription, Option<Frame>) {
        let kept = || self.broadcast.statistics().retained_frames as u64;
        // The greeting tells a client that cannot be resumed, with the id of the place.
        let restart = |restart: Restart, begins| {
            let hello = self.hello(last_event_id, begins, kept());
            (restart.oldest(&hello), None)
        };
        match self.broadcast.subscribe(last_event_id.clone()) {
            Subscribed::Live(subscription) => {
                let hello = self.hello(last_event_id, Begins::Live, 0);
                let hello = match subscription.last_event_id() {
                    Some(start) => hello.with_id(start),
                    None => hello,
                };
                (subscription, Some(Frame::new(&hello)))
            }
            Subscribed::Resumed {
                subscription,
                missed,
            } => {
                // The client keeps the id that it has until it gets another with an event.
                let hello = self.hello(last_event_id, Begins::Resumed, missed);
                (subscription, Some(Frame::new(&hello)))
            }
            Subscribed::Gap(gap) => restart(gap, Begins::Gap),
            Subscribed::Unknown(unknown) | Subscribed::Ahead(unknown) => {
                restart(unknown, Begins::Unknown)
            }
        }
    }

    fn hello(
        &self,
        last_event_id: &LastEventId<'_>,
        begins: Begins,
        replayed: u64,
    ) -> Event<'static> {
        let hello = Event::json(&Hello {
            run: &self.run,
            last_event_id: match last_event_id {
                LastEventId::Id(id) => Some(id.to_str()),
                LastEventId::None | LastEventId::Invalid => None,
            },
            begins,
            replayed,
            host: System::host_name(),
            system: System::long_os_version(),
        });
        let hello = hello.unwrap_or_else(|error| {
            log(format_args!("a client is not greeted: {error}"));
            Event::message("{}")
        });
        hello.with_event_type(EventType::from_static("hello"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const AN_HOUR: Duration = Duration::from_secs(60 * 60);

    /// The metrics would hide it: they come more often. The clock of this test goes on when all wait for it.
    #[tokio::test(start_paused = true)]
    async fn a_stream_without_events_is_kept_alive_and_not_taken_for_a_stuck_one() {
        let publisher = Publisher::new();
        let peer = SocketAddr::from(([127, 0, 0, 1], 7));
        let mut stream = publisher.subscribe(peer, &LastEventId::None, Arc::default());
        let preamble = stream.next().await.expect("the first bytes");
        assert!(preamble.starts_with(b": events follow\n"));
        let hello = stream.next().await.expect("the greeting");
        assert!(hello.starts_with(b"event: hello\n"));

        let start = Instant::now();
        while start.elapsed() < AN_HOUR {
            let bytes = stream.next().await.expect("it does not end");
            assert_eq!(bytes, ": keep-alive comment\n");
        }
    }
}
