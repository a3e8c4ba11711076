//! `NatsFollower`, the reader of a relay.

use core::fmt;
use core::time::Duration;

use async_nats::jetstream::consumer::pull;
use futures_util::{FutureExt, StreamExt};
use sse_proto_relay::{Anchor, Batch, Follower, MeanLen, Page, PageLimit, Place, Record};
use tokio::time::timeout;

use crate::connection::{Connection, Connections};
use crate::consumer;
use crate::error::Error;
use crate::range::Range;

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
    connections: Connections,
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
    pub(crate) fn new(connection: Connection, connections: Connections, mean_len: MeanLen) -> Self {
        Self {
            connection,
            connections,
            feed: None,
            mean_len,
        }
    }

    async fn read_range(&self, range: Range, limit: PageLimit) -> Result<Page, Error> {
        let page = range.read(&self.connection, &self.connections, limit, &self.mean_len);
        page.await
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
            // A consumer is of one stream, and ends with it. Looked up after the consumer was made, the
            // last entry shows that it is of this one.
            return Ok(Batch {
                records: Vec::new(),
                anchor: Anchor::Record(connection.in_time(connection.get(after.seq)).await??),
            });
        };
        let mut records = feed.take(after, wait).await?;
        if records.is_empty() {
            // No message is no proof. The newest message of the stream is.
            let last = connection.in_time(connection.last()).await??;
            if last.as_ref().is_none_or(|last| last.place.seq <= after.seq) {
                return Ok(Batch {
                    records,
                    anchor: Anchor::Record(last),
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
        self.read_range(Range::from(from), limit).await
    }

    async fn read_back(&mut self, from: Option<Place>, limit: PageLimit) -> Result<Page, Error> {
        self.read_range(Range::Back(from.map(|place| place.seq)), limit)
            .await
    }
}

impl Feed {
    async fn open(connection: &Connection, next: u64, mean_len: &MeanLen) -> Result<Self, Error> {
        let consumer = consumer::open(connection, next, FORGOTTEN_AFTER).await?;
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
            let record = consumer::record(one)?;
            if record.place.seq != self.next {
                return Err(Error::Broken);
            }
            self.next += 1;
            // The reader may have read it in another way.
            if record.place.seq > after.seq {
                len += record.len();
                records.push(record);
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
