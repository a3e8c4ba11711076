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
use sse_proto_nats::async_nats::ConnectOptions;
use sse_proto_redis::redis::Client;
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
    Nats(String),
}

/// The name of the stream in the engine.
const STREAM: &str = "cluster";
/// The engine keeps this many entries, and for this long.
const MAX_ENTRIES: u32 = 1_000_000;
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

type Failed = Box<dyn Error + Send + Sync>;

impl Place {
    /// Opens the log.
    pub(crate) async fn open(&self) -> Result<Box<dyn Log>, Failed> {
        match self {
            Self::Here => Ok(Box::new(Broadcast::new(Retention::default()))),
            Self::Redis(url) => {
                let stream = redis(url)?;
                Box::pin(join(stream.engine().await?, stream.engine().await?)).await
            }
            Self::Nats(url) => {
                let stream = nats(url)?;
                Box::pin(join(stream.engine().await?, stream.engine().await?)).await
            }
        }
    }

    /// Makes the stream of the engine, which no node does by itself.
    pub(crate) async fn create(&self) -> Result<(), Failed> {
        match self {
            Self::Here => {}
            Self::Redis(url) => {
                let limits = sse_proto_redis::Limits::new(MAX_ENTRIES as usize, MAX_AGE);
                redis(url)?.create(&limits).await?;
            }
            Self::Nats(url) => {
                let limits = sse_proto_nats::Limits::new(MAX_ENTRIES.into(), MAX_AGE);
                nats(url)?.create(&limits).await?;
            }
        }
        Ok(())
    }
}

/// Opens the log of an engine, with a connection to read and one to write.
async fn join<E: Engine>(reader: E, writer: E) -> Result<Box<dyn Log>, Failed> {
    Ok(Box::new(Shared {
        relay: Relay::open(reader, Options::new()).await?,
        publisher: Publisher::open(writer).await?,
    }))
}

fn redis(url: &str) -> Result<sse_proto_redis::Stream, Failed> {
    Ok(sse_proto_redis::Stream::new(Client::open(url)?, STREAM)?)
}

fn nats(url: &str) -> Result<sse_proto_nats::Stream, Failed> {
    Ok(sse_proto_nats::Stream::new(
        ConnectOptions::new(),
        url,
        STREAM,
    )?)
}
