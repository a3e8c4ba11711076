//! Consumers, which send many messages.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::HashMap;

use async_nats::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use futures_util::StreamExt;
use sse_proto_relay::Record;
use tokio::time::timeout;

use crate::api;
use crate::connection::{Connection, Connections, TIMEOUT};
use crate::error::Error;
use crate::fields;

/// The time after which the server forgets the consumer of a page.
const PAGE: Duration = Duration::from_secs(1);

/// Makes a consumer that begins with a sequence number. The server forgets it when it was not asked for
/// messages for some time.
pub(crate) async fn open(
    connection: &Connection,
    start_sequence: u64,
    forgotten_after: Duration,
) -> Result<Consumer<pull::Config>, Error> {
    let context = async_nats::jetstream::new(connection.client.clone());
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::None,
        inactive_threshold: forgotten_after,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = context.create_consumer_on_stream(config, connection.name());
    consumer.await.map_err(|_| Error::Broken)
}

/// Reads the record of a consumer's message.
pub(crate) fn record(message: &Message) -> Result<Record, Error> {
    let place = message.reply.as_deref().and_then(api::place);
    Ok(Record {
        place: place.ok_or(Error::Unexpected)?,
        fields: fields::decode(&message.payload),
    })
}

/// Takes the messages of sequence numbers, as far as they come, on the connection for many of them.
pub(crate) async fn take(
    connections: &Connections,
    all: RangeInclusive<u64>,
) -> Result<HashMap<u64, Record>, Error> {
    let connection = connections.for_many().await?;
    // In a cluster, a consumer needs two leaders, and the leader of the stream can do without it.
    let take = timeout(TIMEOUT / 2, take_on(&connection, all));
    let taken = connection.in_time(take).await;
    let taken = taken.and_then(|taken| taken.unwrap_or(Err(Error::Late)));
    if taken.is_err() {
        connections.drop_for_many(&connection).await;
    }
    taken
}

async fn take_on(
    connection: &Connection,
    all: RangeInclusive<u64>,
) -> Result<HashMap<u64, Record>, Error> {
    let most = (all.end() - all.start()) as usize + 1;
    let consumer = open(connection, *all.start(), PAGE).await?;
    let fetch = consumer.fetch().max_messages(most).messages();
    let mut messages = fetch.await.map_err(|_| Error::Broken)?;
    let mut records = HashMap::with_capacity(most);
    while let Some(message) = messages.next().await {
        let message = message.map_err(|_| Error::Broken)?;
        let record = record(&message)?;
        records.insert(record.place.seq, record);
    }
    Ok(records)
}
