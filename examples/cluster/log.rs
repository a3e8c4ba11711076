//! The log of the hub: in this process, or in an engine that many nodes share.

use std::error::Error;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sse_proto::adapt::KEEP_ALIVE_INTERVAL;
use sse_proto::broadcast::{Retention, SubscribeOptions};
use sse_proto::deps::bytes::Bytes;
use sse_proto::event::LastEventId;
use sse_proto::{Broadcast, Event, EventStreamExt, event_type};
use sse_proto_redis::{Limits, Stream, redis};
use sse_proto_relay::{
    Busy, Engine, Entry, Metrics, Options, PublishError, Publisher, Readiness, Refusal, Relay,
};
use tokio::time::sleep;

/// A log that clients resume from.
pub(crate) trait Log: Send + Sync {
    /// Returns the log as this node has it in memory.
    fn broadcast(&self) -> &Broadcast;

    /// Subscribes a client right after its last event ID. A client that cannot be resumed is told.
    fn subscribe<'a>(
        &'a self,
        options: &'a SubscribeOptions,
        last: LastEventId<'a>,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, Busy>>;

    /// Publishes an event to a topic, or to all. An event with the same key is published once, as
    /// long as the engine remembers the key.
    fn publish<'a>(
        &'a self,
        topic: Option<&'a str>,
        event: Event<'a>,
        key: String,
    ) -> BoxFuture<'a, Result<(), Unpublished>>;

    /// Returns whether the node should get clients, and why not.
    fn readiness(&self) -> Readiness;

    /// Returns what the relay has done.
    fn metrics(&self) -> Metrics;
}

/// Why an event was not published, or may not have been.
#[derive(Debug)]
pub(crate) enum Unpublished {
    /// It is too large.
    TooLarge,
    /// It was surely not published, and may be later.
    Refused,
    /// It may have been published. With the same key it can be tried again.
    Unconfirmed,
}

/// Tells a client that cannot be resumed to load its state again.
fn reset() -> Event<'static> {
    Event::new(event_type!("reset"), "{}")
}

/// The log of one machine. It remembers no keys, and a restart loses it.
impl Log for Broadcast {
    fn broadcast(&self) -> &Broadcast {
        self
    }

    fn subscribe<'a>(
        &'a self,
        options: &'a SubscribeOptions,
        last: LastEventId<'a>,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, Busy>> {
        let subscription = self.subscribe_with(last, options).or_live(&reset());
        let stream = subscription.keep_alive(KEEP_ALIVE_INTERVAL, sleep);
        Box::pin(async { Ok(Box::pin(stream) as _) })
    }

    fn publish<'a>(
        &'a self,
        topic: Option<&'a str>,
        event: Event<'a>,
        _key: String,
    ) -> BoxFuture<'a, Result<(), Unpublished>> {
        let published = match topic {
            Some(topic) => self.publish_to(topic, &event),
            None => self.publish(&event),
        };
        Box::pin(async { published.map(drop).map_err(|_| Unpublished::TooLarge) })
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn metrics(&self) -> Metrics {
        Metrics::default()
    }
}

/// The log of an engine: what this node does is the same for each of them.
struct Shared<E: Engine> {
    relay: Relay<E>,
    publisher: Publisher<E>,
}

impl<E: Engine> Shared<E> {
    async fn open(reader: E, writer: E) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self {
            relay: Relay::open(reader, Options::new()).await?,
            publisher: Publisher::open(writer).await?,
        })
    }
}

impl<E: Engine> Log for Shared<E> {
    fn broadcast(&self) -> &Broadcast {
        self.relay.broadcast()
    }

    fn subscribe<'a>(
        &'a self,
        options: &'a SubscribeOptions,
        last: LastEventId<'a>,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, Busy>> {
        Box::pin(async {
            let subscribed = self.relay.subscribe(options, last).await?;
            Ok(Box::pin(subscribed.or_live(&reset())) as _)
        })
    }

    fn publish<'a>(
        &'a self,
        topic: Option<&'a str>,
        event: Event<'a>,
        key: String,
    ) -> BoxFuture<'a, Result<(), Unpublished>> {
        Box::pin(async move {
            let entry = Entry::new(&event).and_then(|entry| entry.with_key(key));
            let entry = entry.and_then(|entry| match topic {
                Some(topic) => entry.with_topic(topic),
                None => Ok(entry),
            });
            let entry = entry.map_err(|_| Unpublished::TooLarge)?;
            match self.publisher.publish(&entry).await {
                Ok(_) => Ok(()),
                Err(PublishError::Refused(Refusal::TooLarge { .. })) => Err(Unpublished::TooLarge),
                Err(PublishError::Refused(_)) => Err(Unpublished::Refused),
                Err(PublishError::Unconfirmed { .. }) => Err(Unpublished::Unconfirmed),
            }
        })
    }

    fn readiness(&self) -> Readiness {
        self.relay.readiness()
    }

    fn metrics(&self) -> Metrics {
        self.relay.metrics()
    }
}

/// Where the log is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Here,
    Redis(String),
}

/// The engine keeps this many entries, and for this long.
const MAX_ENTRIES: usize = 1_000_000;
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

impl Place {
    /// Opens the log.
    pub(crate) async fn open(&self) -> Result<Box<dyn Log>, Box<dyn Error + Send + Sync>> {
        Ok(match self {
            Self::Here => Box::new(Broadcast::new(Retention::default())),
            Self::Redis(url) => {
                let stream = redis_stream(url)?;
                Box::new(Shared::open(stream.engine().await?, stream.engine().await?).await?)
            }
        })
    }

    /// Makes the stream of the engine, which no node does by itself.
    pub(crate) async fn create(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Self::Here => Ok(()),
            Self::Redis(url) => {
                let limits = Limits::new(MAX_ENTRIES, MAX_AGE);
                Ok(redis_stream(url)?.create(&limits).await?)
            }
        }
    }
}

fn redis_stream(url: &str) -> Result<Stream, Box<dyn Error + Send + Sync>> {
    Ok(Stream::new(redis::Client::open(url)?, "cluster")?)
}
