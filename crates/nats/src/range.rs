//! `Range`, a part of the stream that is read as a page.

use core::ops::RangeInclusive;
use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use sse_proto_relay::{MeanLen, Page, PageLimit, Place, Record};

use crate::connection::{Connection, Connections};
use crate::consumer;
use crate::error::Error;

/// The most messages that the leader is asked for at once.
const AT_ONCE: usize = 256;

/// Fewer messages are asked for one by one.
const MANY: u64 = 16;

/// A part of the stream.
///
/// JetStream numbers its messages without gaps, so one that is missing was removed. Nobody can go on
/// from before it, and so the log begins after the newest that is missing: what is before it counts as
/// trimmed.
pub(crate) enum Range {
    /// From a sequence number on, and including it.
    From(u64),
    /// Backwards from a sequence number, and including it, or from the newest.
    Back(Option<u64>),
}

impl Range {
    /// Returns everything from a place on and including it.
    pub(crate) fn from(place: Place) -> Self {
        Self::From(place.seq.max(1))
    }

    /// Reads a page. The connection is for the leader, and many messages come on one that nothing else
    /// needs.
    pub(crate) async fn read(
        &self,
        connection: &Connection,
        connections: &Connections,
        limit: PageLimit,
        mean_len: &MeanLen,
    ) -> Result<Page, Error> {
        let page = connection.in_time(self.read_all(connection, connections, limit, mean_len));
        page.await?
    }

    async fn read_all(
        &self,
        connection: &Connection,
        connections: &Connections,
        limit: PageLimit,
        mean_len: &MeanLen,
    ) -> Result<Page, Error> {
        let (count, asking) = mean_len.ask(limit);
        let others = count as u64 - 1;
        let last = connection.last().await?;
        let last = last.map_or(0, |record| record.place.seq);
        let all = match *self {
            Self::From(from) => from..=last.min(from.saturating_add(others)),
            Self::Back(from) => {
                let from = from.unwrap_or(last);
                from.saturating_sub(others).max(1)..=from
            }
        };
        let (mut records, missing) = run(connection, connections, all).await?;
        asking.came(&records);
        // Read after the records: if nothing was removed until now, nothing was until then.
        let mut facts = connection.info().await?.facts()?;
        if let Some(missing) = missing {
            let oldest = records.last().map(|record| record.place);
            facts.first = Some(oldest.unwrap_or(Place::new(0, missing + 1)));
        }
        if let Self::From(_) = self {
            records.reverse();
        }
        let mut len = 0;
        let fits = records.iter().take_while(|record| {
            len += record.len();
            len <= limit.bytes
        });
        let fits = fits.count().max(2);
        records.truncate(fits);
        Ok(Page { records, facts })
    }
}

/// Reads messages, the newest first, down to the first that is missing. Returns that one, too.
async fn run(
    connection: &Connection,
    connections: &Connections,
    all: RangeInclusive<u64>,
) -> Result<(Vec<Record>, Option<u64>), Error> {
    let mut come = HashMap::new();
    if all.end().saturating_sub(*all.start()) >= MANY {
        // A replica may be behind the leader, and headers of others may break the connection: it is
        // the leader who says what is missing.
        come = consumer::take(connections, all.clone())
            .await
            .unwrap_or_default();
    }
    let get = |seq| {
        let record = come.remove(&seq);
        async move {
            let record = match record {
                None => connection.get(seq).await?,
                record => record,
            };
            Ok::<_, Error>((seq, record))
        }
    };
    let mut answers = stream::iter(all.rev()).map(get).buffered(AT_ONCE);
    let mut records = Vec::new();
    while let Some((seq, record)) = answers.try_next().await? {
        match record {
            Some(record) => records.push(record),
            None => return Ok((records, Some(seq))),
        }
    }
    Ok((records, None))
}
