//! `Stream`, the name of a log in Redis, and how to reach it.

use core::fmt;
use core::future::Future;
use core::hash::BuildHasher;
use core::pin::Pin;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Script};

use crate::connections::{Connections, TIMEOUT};
use crate::engine::Redis;
use crate::error::Error;
use crate::reply;

/// The version of what is written beside a stream.
const VERSION: &str = "1";

/// How long Redis remembers the key of a publication.
pub(crate) const MEMORY: Duration = Duration::from_secs(30);

/// A stream in Redis: its name, and how to connect.
///
/// One stream is for one [`Relay`](crate::Relay) of each node. Several streams are several logs.
#[derive(Clone)]
pub struct Stream {
    pub(crate) connect: Arc<Connect>,
    pub(crate) names: Arc<Names>,
    replicas: Option<(u64, Duration)>,
}

pub(crate) type Connect = dyn Fn(AsyncConnectionConfig) -> Connecting + Send + Sync;

type Connecting = Pin<Box<dyn Future<Output = RedisResult<MultiplexedConnection>> + Send>>;

/// The keys of a stream, all with one hash tag.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) stream: String,
    pub(crate) limits: String,
}

impl Names {
    fn new(stream: &str) -> Result<Self, Error> {
        let tag = match stream.split_once('{').map(|(_, rest)| rest.split_once('}')) {
            Some(Some((tag, _))) if !tag.is_empty() => tag,
            None if !stream.is_empty() && !stream.contains('}') => stream,
            _ => return Err(Error::InvalidName),
        };
        Ok(Self {
            limits: format!("{{{tag}}}:sse:{stream}"),
            stream: stream.to_owned(),
        })
    }

    /// Returns the name under which Redis remembers the key of a publication.
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}:{key}", self.limits)
    }
}

impl Stream {
    /// Names a stream of the master that a client connects to. The client sets TLS, the password and
    /// the database.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`]: the keys beside the stream must have its hash tag.
    pub fn new(client: Client, name: &str) -> Result<Self, Error> {
        Self::with_connect(name, move |config| {
            let client = client.clone();
            async move {
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
            }
        })
    }

    /// Names a stream of the master that a function connects to: one that asks Sentinel, for
    /// example. Use the configuration that it is given, whose timeouts matter.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_connect<F>(
        name: &str,
        connect: impl Fn(AsyncConnectionConfig) -> F + Send + Sync + 'static,
    ) -> Result<Self, Error>
    where
        F: Future<Output = RedisResult<MultiplexedConnection>> + Send + 'static,
    {
        Ok(Self {
            connect: Arc::new(move |config| Box::pin(connect(config))),
            names: Arc::new(Names::new(name)?),
            replicas: None,
        })
    }

    /// Lets each publication wait until a number of replicas has it (`WAIT`). Fewer within the time
    /// are [`Unconfirmed`](crate::PublishError::Unconfirmed). The time is below 2 s, the time for an
    /// answer of Redis: [`engine`](Self::engine) refuses a longer one.
    pub fn with_replicas(mut self, replicas: u64, within: Duration) -> Self {
        self.replicas = Some((replicas, within));
        self
    }

    /// Makes an empty stream, and writes its limits beside it.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`]: nothing has changed. [`Error::LimitsTooLow`].
    pub async fn create(&self, limits: &Limits) -> Result<(), Error> {
        limits.check()?;
        let draw = || RandomState::new().hash_one(&self.names.stream);
        let mark = format!("{:016x}{:016x}", draw(), draw());
        let mut connection = Connections::new(self).get().await?.connection;
        let script = Script::new(include_str!("create.lua"));
        let mut call = script.prepare_invoke();
        call.key(&self.names.stream).key(&self.names.limits);
        call.arg("v").arg(VERSION).arg("mark").arg(mark);
        call.arg("entries").arg(number(limits.max_entries));
        call.arg("age").arg(number(limits.max_age.as_millis()));
        call.arg("bytes").arg(number(limits.max_entry_len));
        let () = call.invoke_async(&mut connection).await?;
        Ok(())
    }

    /// Opens the stream, and checks that it can hold the promise.
    ///
    /// # Errors
    ///
    /// [`Error::NoStream`], [`Error::LimitsTooLow`], [`Error::Newer`], [`Error::NotMaster`],
    /// [`Error::TooOld`], [`Error::WaitTooLong`], or what Redis says.
    pub async fn engine(&self) -> Result<Redis, Error> {
        if self.replicas.is_some_and(|(_, within)| within >= TIMEOUT) {
            return Err(Error::WaitTooLong);
        }
        let connections = Connections::new(self);
        let mut connection = connections.get().await?.connection;
        let role = redis::cmd("ROLE").query_async(&mut connection).await?;
        reply::check_master(&role)?;
        let mut ask = redis::pipe();
        ask.cmd("HMGET").arg(&self.names.limits);
        ask.arg("v")
            .arg("mark")
            .arg("entries")
            .arg("age")
            .arg("bytes");
        ask.cmd("XINFO").arg("STREAM").arg(&self.names.stream);
        let (limits, info): (Vec<Option<String>>, redis::Value) =
            ask.query_async(&mut connection).await?;
        reply::facts(&info, "")?;
        let Ok(
            [
                Some(version),
                Some(_),
                Some(entries),
                Some(age),
                Some(bytes),
            ],
        ) = <[_; 5]>::try_from(limits)
        else {
            return Err(Error::NoStream);
        };
        if version != VERSION {
            return Err(Error::Newer);
        }
        let number = |text: String| text.parse().unwrap_or(0);
        let limits = Limits {
            max_entries: number(entries) as usize,
            max_age: Duration::from_millis(number(age)),
            max_entry_len: number(bytes) as usize,
        };
        limits.check()?;
        // Where `CONFIG` is forbidden, nothing is known.
        let policy: RedisResult<Vec<String>> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("maxmemory-policy")
            .query_async(&mut connection)
            .await;
        let policy = policy.ok().and_then(|mut answer| answer.pop());
        let evicts = policy.filter(|policy| policy != "noeviction");
        let warnings = evicts.into_iter().map(Warning::Evicts).collect();
        Ok(Redis::new(connections, limits, warnings, self.replicas))
    }
}

/// Returns a number as Redis takes it: what is larger is no limit.
fn number(limit: impl TryInto<i64>) -> i64 {
    limit.try_into().unwrap_or(i64::MAX)
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("name", &self.names.stream)
            .finish_non_exhaustive()
    }
}

/// The limits of a stream, by which publishers trim it. Written beside it by [`Stream::create`].
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub(crate) max_entries: usize,
    pub(crate) max_age: Duration,
    pub(crate) max_entry_len: usize,
}

impl Limits {
    /// Keeps about this many entries, at least two, and for about this time, at least 30 s, by the
    /// clock of Redis; `usize::MAX` and `Duration::MAX` are no limits. Entries of up to 1 MiB.
    pub const fn new(max_entries: usize, max_age: Duration) -> Self {
        Self {
            max_entries,
            max_age,
            max_entry_len: 1 << 20,
        }
    }

    /// Sets how many bytes the fields of an entry may take.
    pub const fn with_max_entry_len(mut self, len: usize) -> Self {
        self.max_entry_len = len;
        self
    }

    fn check(&self) -> Result<(), Error> {
        match self.max_entries < 2 || self.max_age < MEMORY {
            true => Err(Error::LimitsTooLow),
            false => Ok(()),
        }
    }
}

/// What may break the promise, though the stream was opened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Redis may drop the stream, or the memory of keys, when its memory is full: its
    /// `maxmemory-policy` is this one, and not `noeviction`.
    Evicts(String),
}
