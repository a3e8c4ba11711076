//! `NatsFollower`, the reader of a relay.

use core::fmt;
use core::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::{FutureExt, StreamExt};
use sse_proto_relay::{Anchor, Batch, Follower, Page, PageLimit, Place, Record};
use tokio::time::timeout;

use crate::api;
use crate::connection::Connection;
use crate::engine::{MeanLen, Range};
use crate::error::Error;
use crate::fields;

/// The most entries that the reader takes at once, and about the most bytes.
const BATCH: PageLimit = PageLimit {
    records: 1000,
    bytes: 1 << 20,
};

/// How often an idle consumer shows that it is there.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// How long a request for messages lasts.
const EXPIRES: Duration = Duration::from_secs(10);

/// The time after which the server forgets the consumer of a reader that is gone.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5);

/// The reader of a relay, on a connection of its own.
pub struct NatsFollower {
    connection: Connection,
    feed: Option<Feed>,
    mean_len: MeanLen,
}

/// The messages of a consumer, in order.
struct Feed {
    messages: pull::Stream,
    /// The sequence number of the next message.
    next: u64,
}

impl NatsFollower {
    pub(crate) fn new(connection: Connection, mean_len: MeanLen) -> Self {
        Self {
            connection,
            feed: None,
            mean_len,
        }
    }
}

impl Follower for NatsFollower {
    type Error = Error;

    async fn next(&mut self, after: Place, wait: Duration) -> Result<Batch, Error> {
        let Self {
            connection, feed, ..
        } = self;
        let is_before = |feed: &&mut Feed| feed.next <= after.seq + 1;
        let Some(feed) = feed.as_mut().filter(is_before) else {
            let open = Feed::open(connection, after.seq + 1, &self.mean_len);
            *feed = Some(connection.in_time(open).await??);
            // The consumer ends with the stream, so that this one is the stream of the last entry.
            return Ok(Batch {
                records: Vec::new(),
                anchor: anchor(connection.in_time(connection.get(after.seq)).await??),
            });
        };
        let mut records = feed.take(after, wait).await?;
        if records.is_empty() {
            // No message is no proof. The newest message of the stream is.
            let last = connection.in_time(connection.last()).await??;
            if last.as_ref().is_none_or(|last| last.place.seq <= after.seq) {
                return Ok(Batch {
                    records,
                    anchor: anchor(last),
                });
            }
            records = feed.take(after, HEARTBEAT).await?;
            if records.is_empty() {
                return Err(Error::Broken);
            }
        }
        self.mean_len.measure(&records);
        Ok(Batch {
            records,
            anchor: Anchor::Unbroken,
        })
    }

    async fn read(&mut self, from: Place, limit: PageLimit) -> Result<Page, Error> {
        let range = Range::from(from);
        range.read(&self.connection, limit, &self.mean_len).await
    }

    async fn read_back(&mut self, from: Option<Place>, limit: PageLimit) -> Result<Page, Error> {
        let range = Range::Back(from.map(|place| place.seq));
        range.read(&self.connection, limit, &self.mean_len).await
    }
}

fn anchor(record: Option<Record>) -> Anchor {
    Anchor::Record(record)
}

impl Feed {
    async fn open(connection: &Connection, next: u64, mean_len: &MeanLen) -> Result<Self, Error> {
        let context = async_nats::jetstream::new(connection.client.clone());
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: next,
            },
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let name = connection.name();
        let consumer = context.create_consumer_on_stream(config, name).await;
        let consumer = consumer.map_err(|_| Error::Broken)?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(mean_len.count(BATCH))
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages();
        let messages = messages.await.map_err(|_| Error::Broken)?;
        Ok(Self { messages, next })
    }

    /// Takes the messages after a place that have come, or waits for the first.
    async fn take(&mut self, after: Place, wait: Duration) -> Result<Vec<Record>, Error> {
        let (mut records, mut len) = (Vec::new(), 0);
        let Ok(mut message) = timeout(wait, self.messages.next()).await else {
            return Ok(records);
        };
        loop {
            let Some(Ok(one)) = &message else {
                return Err(Error::Broken);
            };
            let place = one.reply.as_deref().and_then(api::place);
            let place = place
                .filter(|place| place.seq == self.next)
                .ok_or(Error::Broken)?;
            self.next += 1;
            // The reader may have read it in another way.
            if place.seq > after.seq {
                len += one.payload.len();
                records.push(Record {
                    place,
                    fields: fields::decode(&one.payload),
                });
            }
            if records.len() >= BATCH.records || len >= BATCH.bytes {
                return Ok(records);
            }
            match self.messages.next().now_or_never() {
                Some(next) => message = next,
                None => return Ok(records),
            }
        }
    }
}

impl fmt::Debug for NatsFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsFollower").finish_non_exhaustive()
    }
}
