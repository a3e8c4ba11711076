//! Sends each event to all clients, including clients that reconnect.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;
use serde::Serialize;
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble, from_stream};
use sse_proto::broadcast::{Restart, Retention, Subscribed};
use sse_proto::event::LastEventId;
use sse_proto::{Broadcast, Event, EventStreamExt, EventType, Frame, Subscription, channel};
use sysinfo::System;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::log::log;
use crate::watch::Stuck;

/// The maximum size of an event on the wire in bytes, without its id.
pub(crate) const EVENT_LIMIT: usize = 32 << 20;
/// The history for clients that reconnect and for pages that are opened late: one event of the largest size and some small ones, or
/// some hours of small ones.
const RETENTION: Retention = Retention::new(1 << 16, EVENT_LIMIT + (1 << 20));

const RECONNECTION_TIME: Duration = Duration::from_secs(1);

/// The bytes of a client's stream.
pub(crate) type Events = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The log of all events, and the number of the next client.
pub(crate) struct Publisher {
    /// Identifies this run of the server. The page compares it to see whether the server was
    /// restarted. It is also the epoch of the ids, so an id from an earlier run is unknown.
    run: String,
    since: Instant,
    broadcast: Broadcast,
    next_client: AtomicU64,
    ended: watch::Sender<bool>,
}

/// The data of the first event of each stream. For a client without an id, the event has the id of
/// the position where the stream begins. So a client that loses its connection at once misses
/// nothing.
#[derive(Serialize)]
struct Hello<'a> {
    run: &'a str,
    /// The time, in milliseconds since the server started. The events that are replayed were
    /// published before.
    at: u64,
    last_event_id: Option<Cow<'a, str>>,
    begins: Begins,
    /// The number of events that are replayed at once.
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
    /// With the oldest event that is kept, as the client asked.
    Oldest,
    /// Right after the last event ID.
    Resumed,
    /// With the oldest event that is kept. Events between the last event ID and this event are
    /// lost.
    Gap,
    /// With the oldest event that is kept. The last event ID is unknown.
    Unknown,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let broadcast = Broadcast::new(RETENTION);
        let start = broadcast.last_event_id().map(|id| id.to_string());
        let epoch = start.as_deref().and_then(|id| id.split('-').next());
        Self {
            run: epoch.unwrap_or_default().to_owned(),
            since: Instant::now(),
            broadcast,
            next_client: AtomicU64::new(1),
            ended: watch::Sender::new(false),
        }
    }

    /// Gives the event an id and encodes it, once for all clients.
    pub(crate) fn publish(&self, event: &Event<'_>) {
        if let Err(error) = self.broadcast.publish(event) {
            log(format_args!("not published: {error}"));
        }
    }

    /// Returns the milliseconds since the server started.
    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Makes the stream of a client: a greeting, the events that the client missed, and new events.
    /// A client without a last event ID missed nothing, or if `from_oldest`, all that is kept.
    pub(crate) fn subscribe(
        &self,
        peer: SocketAddr,
        last_event_id: &LastEventId<'_>,
        from_oldest: bool,
        stuck: Stuck,
    ) -> Events {
        let number = self.next_client.fetch_add(1, Ordering::Relaxed);
        let name = format!("client {number} at {peer}");
        match last_event_id {
            LastEventId::None => log(format_args!("{name} connected")),
            // Quoted: the client chose this text, and a terminal shows it.
            LastEventId::Id(id) => log(format_args!("{name} connected, Last-Event-ID {id:?}")),
            LastEventId::Invalid => log(format_args!("{name} connected, Last-Event-ID invalid")),
        }
        let (subscription, hello) = self.begin(last_event_id, from_oldest);

        // The client's own target sends no events here. It shows when and why the stream ends.
        let (target, own) = channel();
        target.on_close({
            let since = Instant::now();
            move |reason| {
                let lived = since.elapsed().as_secs_f32();
                let why = if stuck.get() {
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
        // Sent at once, before any event. The first bytes make `onopen` fire in the browser.
        let preamble = Preamble::new()
            .with_comment("events follow")
            .with_reconnection_time(RECONNECTION_TIME);
        let body = from_stream(stream::iter(hello.map(Frame::into_bytes)).chain(events))
            .preamble(&preamble)
            .keep_alive(KEEP_ALIVE_INTERVAL, sleep);
        // The target lives as long as the stream: without a target, its own stream would end.
        Box::pin(body.inspect(move |_| _ = &target))
    }

    /// Ends every open stream, and every stream that is opened later, with a last event.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Subscribes. Returns the greeting, unless the subscription itself begins with it.
    fn begin(
        &self,
        last_event_id: &LastEventId<'_>,
        from_oldest: bool,
    ) -> (Subscription, Option<Frame>) {
        let asked = from_oldest && matches!(last_event_id, LastEventId::None);
        // An invalid id is unknown, and a client with an unknown id can be given all that is kept.
        let given = if asked {
            LastEventId::Invalid
        } else {
            last_event_id.clone()
        };
        // The greeting tells a client that it is not resumed, in one block with a new id.
        let from_oldest = |restart: Restart, begins| {
            let kept = self.broadcast.statistics().retained_frames;
            let hello = self.hello(last_event_id, begins, kept as u64);
            (restart.oldest(&hello), None)
        };
        match self.broadcast.subscribe(given) {
            Subscribed::Live(subscription) => {
                let hello = self.hello(last_event_id, Begins::Live, 0);
                let hello = match subscription.last_event_id() {
                    Some(start) => hello.with_id(start),
                    None => hello,
                };
                (subscription, Some(Frame::new(&hello)))
            }
            // The client keeps its id until an event brings a new one.
            Subscribed::Resumed {
                subscription,
                missed,
            } => {
                let hello = self.hello(last_event_id, Begins::Resumed, missed);
                (subscription, Some(Frame::new(&hello)))
            }
            Subscribed::Unknown(restart) if asked => from_oldest(restart, Begins::Oldest),
            Subscribed::Gap(restart) => from_oldest(restart, Begins::Gap),
            Subscribed::Unknown(restart) | Subscribed::Ahead(restart) => {
                from_oldest(restart, Begins::Unknown)
            }
        }
    }

    /// Called after the subscription has begun, so that the time is that of its start or later.
    fn hello(
        &self,
        last_event_id: &LastEventId<'_>,
        begins: Begins,
        replayed: u64,
    ) -> Event<'static> {
        let hello = Event::json(&Hello {
            run: &self.run,
            at: self.millis(),
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

    /// Runs without the metrics, because they come more often than the comments. The paused clock
    /// advances whenever all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn a_stream_without_events_is_kept_alive() {
        let publisher = Publisher::new();
        let peer = SocketAddr::from(([127, 0, 0, 1], 7));
        let mut stream = publisher.subscribe(peer, &LastEventId::None, false, Stuck::default());
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
