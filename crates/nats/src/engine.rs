//! `Nats`, the engine: the calls of a relay and a publisher.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use sse_proto_relay::{AppendError, Engine, Page, PageLimit, Place, Record, Write, Written};

use crate::connection::{Connection, Connections};
use crate::error::Error;
use crate::fields;
use crate::follower::NatsFollower;
use crate::stream::{Limits, Warning};

/// The most messages of a page that are asked for at once.
const AT_ONCE: usize = 256;

/// A stream that is open. Made by [`Stream::engine`](crate::Stream::engine), for a
/// [`Relay`](crate::Relay) or a [`Publisher`](crate::Publisher).
#[derive(Clone)]
pub struct Nats {
    connections: Connections,
    subject: Arc<str>,
    limits: Limits,
    warnings: Vec<Warning>,
    duplicate_window: Duration,
    mean_len: MeanLen,
}

impl Nats {
    pub(crate) fn new(
        connections: Connections,
        subject: &str,
        limits: Limits,
        warnings: Vec<Warning>,
        duplicate_window: Duration,
    ) -> Self {
        Self {
            connections,
            subject: subject.into(),
            limits,
            warnings,
            duplicate_window,
            mean_len: MeanLen::default(),
        }
    }

    /// Returns what may break the promise.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns the limits of the stream.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn try_append(
        &self,
        connection: &Connection,
        write: &Write,
    ) -> Result<Written, AppendError<Error>> {
        let payload = fields::encode(&write.fields);
        let publish = connection.publish(&self.subject, &write.key, payload);
        let seq = publish.await?;
        // The acknowledgement has neither the time of the entry nor, if an earlier try was written,
        // the draw of that try.
        let record = connection.get(seq).await.map_err(AppendError::Unknown)?;
        let written = record.and_then(|record| record.written_as(&write.key));
        written.ok_or(AppendError::Unknown(Error::Lost))
    }
}

impl Engine for Nats {
    type Error = Error;
    type Follower = NatsFollower;

    fn order(place: Place) -> u128 {
        place.seq.into()
    }

    async fn append(&self, write: &Write) -> Result<Written, AppendError<Error>> {
        let connection = self.connections.get().await;
        // Nothing was sent yet.
        let connection = connection.map_err(AppendError::NotWritten)?;
        let append = connection.in_time(self.try_append(&connection, write));
        let written = append.await;
        let written = written.unwrap_or_else(|error| Err(AppendError::Unknown(error)));
        if let Err(
            AppendError::Refused(error)
            | AppendError::NotWritten(error)
            | AppendError::Unknown(error),
        ) = &written
        {
            self.connections.note(&connection, error).await;
        }
        written
    }

    fn remembers_keys(&self) -> Duration {
        self.duplicate_window
    }

    fn max_entry_len(&self) -> usize {
        self.limits.max_entry_len
    }

    async fn read(&self, from: Place, limit: PageLimit) -> Result<Page, Error> {
        let connection = self.connections.get().await?;
        let page = Range::from(from)
            .read(&connection, limit, &self.mean_len)
            .await;
        if let Err(error) = &page {
            self.connections.note(&connection, error).await;
        }
        page
    }

    async fn follow(&self) -> Result<NatsFollower, Error> {
        let connection = self.connections.open().await?;
        Ok(NatsFollower::new(connection, self.mean_len.clone()))
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("subject", &self.subject)
            .field("limits", &self.limits)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

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

    pub(crate) async fn read(
        &self,
        connection: &Connection,
        limit: PageLimit,
        mean_len: &MeanLen,
    ) -> Result<Page, Error> {
        connection
            .in_time(self.read_all(connection, limit, mean_len))
            .await?
    }

    async fn read_all(
        &self,
        connection: &Connection,
        limit: PageLimit,
        mean_len: &MeanLen,
    ) -> Result<Page, Error> {
        let count = mean_len.count(limit) as u64;
        let last = connection
            .last()
            .await?
            .map_or(0, |record| record.place.seq);
        let (records, missing) = match *self {
            Self::From(from) => {
                let to = last.min(from.saturating_add(count - 1));
                run(connection, from..=to, limit, true).await?
            }
            Self::Back(from) => {
                let from = from.unwrap_or(last);
                let to = from.saturating_sub(count - 1).max(1);
                run(connection, (to..=from).rev(), limit, false).await?
            }
        };
        mean_len.measure(&records);
        // Read after the records: if nothing was removed until now, nothing was until then.
        let mut facts = connection.info().await?.facts()?;
        if let Some(missing) = missing {
            let oldest = match self {
                Self::From(_) => records.first(),
                Self::Back(_) => records.last(),
            };
            let first = oldest.map_or(Place::new(0, missing + 1), |record| record.place);
            facts.first = Some(first);
        }
        Ok(Page { records, facts })
    }
}

/// Reads the messages of sequence numbers, and returns those after the newest that is missing, and
/// its number. Forwards, this one may be the last; backwards, the first ends the run.
async fn run(
    connection: &Connection,
    sequence_numbers: impl Iterator<Item = u64>,
    limit: PageLimit,
    is_forward: bool,
) -> Result<(Vec<Record>, Option<u64>), Error> {
    let get = |seq| async move { Ok::<_, Error>((seq, connection.get(seq).await?)) };
    let mut answers = stream::iter(sequence_numbers).map(get).buffered(AT_ONCE);
    let (mut records, mut len, mut missing) = (Vec::<Record>::new(), 0, None);
    while let Some((seq, record)) = answers.try_next().await? {
        if let Some(record) = record {
            len += record.len();
            if records.len() >= 2 && len > limit.bytes {
                break;
            }
            records.push(record);
        } else {
            missing = Some(seq);
            if !is_forward {
                break;
            }
            (records, len) = (Vec::new(), 0);
        }
    }
    Ok((records, missing))
}

/// The mean length of an entry, by which pages are bounded in bytes before they are read.
#[derive(Clone)]
pub(crate) struct MeanLen(Arc<AtomicUsize>);

impl Default for MeanLen {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(256)))
    }
}

impl MeanLen {
    /// Returns how many entries to ask for.
    pub(crate) fn count(&self, limit: PageLimit) -> usize {
        let mean_len = self.0.load(Ordering::Relaxed).max(1);
        (limit.bytes / mean_len).clamp(2, limit.records.max(2))
    }

    /// Notes the mean length of entries; a larger one counts at once.
    pub(crate) fn measure(&self, records: &[Record]) {
        if records.is_empty() {
            return;
        }
        let mean = records.iter().map(Record::len).sum::<usize>() / records.len();
        let was = self.0.load(Ordering::Relaxed);
        self.0
            .store(mean.max((was * 7 + mean) / 8), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_alone_is_the_order() {
        // A clock may go back.
        assert!(Nats::order(Place::new(5, 2)) > Nats::order(Place::new(9, 1)));
        assert!(Nats::order(Place::new(5, 1)) > Nats::order(Place::START));
    }
}
