//! `Nats`, the engine: the calls of a relay and a publisher.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sse_proto_relay::{AppendError, Engine, Id, MeanLen, Page, PageLimit, Place, Record, Write};
use tokio::time::{Instant, timeout};

use crate::api::Config;
use crate::connection::{Connection, Connections};
use crate::error::Error;
use crate::fields;
use crate::follower::NatsFollower;
use crate::range::Range;
use crate::stream::{Limits, Warning};

/// A stream that is open. Made by [`Stream::engine`](crate::Stream::engine), for a
/// [`Relay`](crate::Relay) or a [`Publisher`](crate::Publisher).
#[derive(Clone)]
pub struct Nats {
    connections: Connections,
    subject: Arc<str>,
    limits: Limits,
    warnings: Vec<Warning>,
    duplicate_window: Duration,
    anywhere: Anywhere,
    mean_len: MeanLen,
}

/// How long any server may take to answer.
const ANYWHERE: Duration = Duration::from_millis(500);

/// How long only the leader is asked after that.
const LEADER_FOR: Duration = Duration::from_secs(60);

/// From when on any server that has the stream is asked for an entry. `None` is never.
#[derive(Clone)]
struct Anywhere(Arc<Mutex<Option<Instant>>>);

impl Anywhere {
    fn new(is_allowed: bool) -> Self {
        Self(Arc::new(Mutex::new(is_allowed.then(Instant::now))))
    }

    fn is_asked(&self) -> bool {
        self.from().is_some_and(|from| from <= Instant::now())
    }

    /// Enters that no answer came: the settings or the permissions were changed, or a server is slow.
    fn was_late(&self) {
        *self.from() = Some(Instant::now() + LEADER_FOR);
    }

    fn from(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nats {
    pub(crate) fn new(
        connections: Connections,
        limits: Limits,
        warnings: Vec<Warning>,
        config: &Config,
    ) -> Self {
        Self {
            connections,
            subject: Arc::from(&*config.subjects[0]),
            limits,
            warnings,
            duplicate_window: Duration::from_nanos(config.duplicate_window),
            anywhere: Anywhere::new(config.allow_direct),
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
    ) -> Result<Id, AppendError<Error>> {
        let payload = fields::encode(&write.fields);
        let replicas = self.limits.replicas;
        let publish = connection.publish(&self.subject, &write.key, payload, replicas);
        let seq = publish.await?;
        // The acknowledgement has neither the time of the entry nor, if an earlier try was written,
        // the tag of that try. Any replica may tell, since the key proves what it tells.
        let written = |record: Option<Record>| record?.written_as(&write.key);
        if let Some(written) = written(self.get_anywhere(connection, seq).await) {
            return Ok(written);
        }
        let record = connection.get(seq).await.map_err(AppendError::Unknown)?;
        written(record).ok_or(AppendError::Unknown(Error::Lost))
    }

    async fn get_anywhere(&self, connection: &Connection, seq: u64) -> Option<Record> {
        if !self.anywhere.is_asked() {
            return None;
        }
        let record = timeout(ANYWHERE, connection.get_anywhere(seq)).await;
        if record.is_err() {
            self.anywhere.was_late();
        }
        record.ok()?.ok()?
    }
}

impl Engine for Nats {
    type Error = Error;
    type Follower = NatsFollower;

    fn order(place: Place) -> u128 {
        place.seq.into()
    }

    async fn append(&self, write: &Write) -> Result<Id, AppendError<Error>> {
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
        let range = Range::from(from);
        let page = range.read(&connection, &self.connections, limit, &self.mean_len);
        let page = page.await;
        if let Err(error) = &page {
            self.connections.note(&connection, error).await;
        }
        page
    }

    async fn follow(&self) -> Result<NatsFollower, Error> {
        let connection = self.connections.open().await?;
        let (connections, mean_len) = (self.connections.clone(), self.mean_len.clone());
        Ok(NatsFollower::new(connection, connections, mean_len))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_late_answer_the_leader_is_asked_for_a_minute() {
        let anywhere = Anywhere::new(true);
        assert!(anywhere.is_asked());
        anywhere.was_late();
        tokio::time::advance(LEADER_FOR / 2).await;
        assert!(!anywhere.is_asked());
        tokio::time::advance(LEADER_FOR / 2).await;
        assert!(anywhere.is_asked());
        assert!(!Anywhere::new(false).is_asked());
    }

    #[test]
    fn the_sequence_alone_is_the_order() {
        // A clock may go back.
        assert!(Nats::order(Place::new(5, 2)) > Nats::order(Place::new(9, 1)));
        assert!(Nats::order(Place::new(5, 1)) > Nats::order(Place::START));
    }
}
