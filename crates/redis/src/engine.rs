//! `Redis`, the engine: the calls of a relay and a publisher.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, LazyLock};

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Script, Value};
use sse_proto_relay::{
    Anchor, AppendError, Batch, Engine, Follower, Id, MeanLen, Page, PageLimit, Place, Write,
};

use crate::connections::Connections;
use crate::error::Error;
use crate::reply;
use crate::stream::{Limits, MEMORY, Names, Warning};

const APPEND: &str = include_str!("append.lua");

const READ: &str = include_str!("read.lua");

static APPEND_HASH: LazyLock<String> = LazyLock::new(|| Script::new(APPEND).get_hash().to_owned());

/// The most entries that the reader takes at once, and about the most bytes.
const BATCH: PageLimit = PageLimit {
    records: 1000,
    bytes: 1 << 20,
};

/// A stream that is open. Made by [`Stream::engine`](crate::Stream::engine), for a
/// [`Relay`](crate::Relay) or a [`Publisher`](crate::Publisher).
#[derive(Clone)]
pub struct Redis {
    connections: Connections,
    /// Those of publications: apart if they wait for replicas, since `WAIT` holds up what follows it
    /// on its connection.
    writers: Connections,
    limits: Limits,
    warnings: Vec<Warning>,
    replicas: Option<(u64, Duration)>,
    mean_len: MeanLen,
}

impl Redis {
    pub(crate) fn new(
        connections: Connections,
        limits: Limits,
        warnings: Vec<Warning>,
        replicas: Option<(u64, Duration)>,
    ) -> Self {
        let writers = match replicas {
            Some(_) => connections.apart(),
            None => connections.clone(),
        };
        Self {
            connections,
            writers,
            limits,
            warnings,
            replicas,
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
        connection: &mut MultiplexedConnection,
        write: &Write,
    ) -> Result<Id, Error> {
        let names = &self.connections.names;
        let call = |command: &str, script: &str| {
            let mut call = redis::cmd(command);
            call.arg(script).arg(3);
            call.arg(&names.stream)
                .arg(&names.limits)
                .arg(names.key(&write.key));
            call.arg(write.tag).arg(MEMORY.as_millis().to_string());
            for (name, value) in &write.fields {
                call.arg(name).arg(value);
            }
            call
        };
        let by_hash = call("EVALSHA", &APPEND_HASH);
        let written: String = match by_hash.query_async(connection).await {
            // Nothing was written. After this Redis knows the script.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                call("EVAL", APPEND).query_async(connection).await?
            }
            answer => answer?,
        };
        if let Some((replicas, within)) = self.replicas {
            let mut wait = redis::cmd("WAIT");
            wait.arg(replicas).arg(within.as_millis().to_string());
            let count: u64 = wait.query_async(connection).await?;
            if count < replicas {
                return Err(Error::TooFewReplicas(count));
            }
        }
        let parsed = written.split_once(' ').and_then(|(id, tag)| {
            let (place, tag) = (reply::parse_place(id)?, tag.parse().ok()?);
            Some(Id { place, tag })
        });
        parsed.ok_or_else(reply::unexpected)
    }
}

impl Engine for Redis {
    type Error = Error;
    type Follower = RedisFollower;

    async fn append(&self, write: &Write) -> Result<Id, AppendError<Error>> {
        // Nothing was sent yet.
        let connection = self.writers.get().await;
        let mut shared = connection.map_err(AppendError::NotWritten)?;
        match self.try_append(&mut shared.connection, write).await {
            Ok(written) => Ok(written),
            Err(error) => {
                self.writers.note(&shared, &error).await;
                Err(error.of_append())
            }
        }
    }

    fn remembers_keys(&self) -> Duration {
        MEMORY
    }

    fn max_entry_len(&self) -> usize {
        self.limits.max_entry_len
    }

    async fn read(&self, from: Place, limit: PageLimit) -> Result<Page, Error> {
        let mut shared = self.connections.get().await?;
        let range = Range::from(from);
        let page = range
            .read(
                &mut shared.connection,
                &self.connections.names,
                limit,
                &self.mean_len,
            )
            .await;
        if let Err(error) = &page {
            self.connections.note(&shared, error).await;
        }
        page
    }

    async fn follow(&self) -> Result<RedisFollower, Error> {
        let connection = self.connections.open().await?;
        Ok(RedisFollower {
            connection,
            names: Arc::clone(&self.connections.names),
            mean_len: self.mean_len.clone(),
        })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("stream", &self.connections.names.stream)
            .field("limits", &self.limits)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// The reader of a relay, on a connection of its own.
pub struct RedisFollower {
    connection: MultiplexedConnection,
    names: Arc<Names>,
    mean_len: MeanLen,
}

impl Follower for RedisFollower {
    type Error = Error;

    async fn next(&mut self, after: Place, wait: Duration) -> Result<Batch, Error> {
        let after = id(after);
        let mut ask = redis::pipe();
        let wait = wait.as_millis().max(1).to_string();
        // Redis does not bound a reply in bytes.
        let (count, asking) = self.mean_len.ask(BATCH);
        ask.cmd("XREAD").arg("COUNT").arg(count);
        ask.arg("BLOCK")
            .arg(wait)
            .arg("STREAMS")
            .arg(&self.names.stream)
            .arg(&after);
        // Redis runs this after the first, so it sees what was trimmed before the entries.
        ask.cmd("XRANGE")
            .arg(&self.names.stream)
            .arg(&after)
            .arg(&after);
        let (records, anchor): (Value, Value) = ask.query_async(&mut self.connection).await?;
        let records = reply::read(records)?;
        asking.came(&records);
        Ok(Batch {
            records,
            anchor: Anchor::Record(reply::records(anchor)?.pop()),
        })
    }

    async fn read(&mut self, from: Place, limit: PageLimit) -> Result<Page, Error> {
        let range = Range::from(from);
        range
            .read(&mut self.connection, &self.names, limit, &self.mean_len)
            .await
    }

    async fn read_back(&mut self, from: Option<Place>, limit: PageLimit) -> Result<Page, Error> {
        let range = Range {
            command: "XREVRANGE",
            from: from.map_or_else(|| "+".to_owned(), id),
            to: "-",
        };
        range
            .read(&mut self.connection, &self.names, limit, &self.mean_len)
            .await
    }
}

impl fmt::Debug for RedisFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFollower")
            .field("stream", &self.names.stream)
            .finish_non_exhaustive()
    }
}

/// A part of the stream.
struct Range {
    command: &'static str,
    from: String,
    to: &'static str,
}

impl Range {
    /// Returns everything from a place on and including it.
    fn from(place: Place) -> Self {
        Self {
            command: "XRANGE",
            from: id(place),
            to: "+",
        }
    }

    /// Reads the entries and the facts in one moment, and then makes sure that a master has answered.
    async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        names: &Names,
        limit: PageLimit,
        mean_len: &MeanLen,
    ) -> Result<Page, Error> {
        let (count, asking) = mean_len.ask(limit);
        let mut ask = redis::pipe();
        ask.atomic();
        ask.cmd(self.command).arg(&names.stream);
        ask.arg(&self.from).arg(self.to).arg("COUNT").arg(count);
        ask.cmd("XINFO").arg("STREAM").arg(&names.stream);
        ask.cmd("HGET").arg(&names.limits).arg("mark");
        ask.cmd("ROLE");
        let answer: RedisResult<(Value, Value, Option<String>, Value)> =
            ask.query_async(connection).await;
        let (records, info, mark, role) = match answer {
            // While its memory is full, Redis refuses transactions, but not scripts that only read.
            // These cost it several times as much.
            Err(error) if is_of_memory(&error) => {
                let mut ask = redis::pipe();
                ask.cmd("EVAL_RO").arg(READ).arg(2);
                ask.arg(&names.stream).arg(&names.limits);
                ask.arg(self.command).arg(&self.from).arg(self.to);
                ask.arg(count).cmd("ROLE");
                let ((records, info, mark), role) = ask.query_async(connection).await?;
                (records, info, mark, role)
            }
            answer => answer?,
        };
        reply::check_master(&role)?;
        let mut records = reply::records(records)?;
        asking.came(&records);
        let mut len = 0;
        let fits = records.iter().take_while(|record| {
            len += record.len();
            len <= limit.bytes
        });
        let fits = fits.count().max(2);
        records.truncate(fits);
        Ok(Page {
            records,
            facts: reply::facts(&info, &mark.ok_or(Error::NoStream)?)?,
        })
    }
}

fn id(place: Place) -> String {
    format!("{}-{}", place.ms, place.seq)
}

fn is_of_memory(error: &RedisError) -> bool {
    matches!(error.code(), Some("OOM" | "EXECABORT"))
}
