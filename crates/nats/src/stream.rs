//! `Stream`, the name of a log in JetStream, and how to reach it.

use core::fmt;
use core::hash::BuildHasher;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;

use async_nats::{ConnectOptions, ServerAddr, ToServerAddrs};
use serde_json::json;

use crate::api::{self, Info};
use crate::connection::{Connection, Connections, TIMEOUT};
use crate::engine::Nats;
use crate::error::{Error, Setting};
use crate::fields::OVERHEAD;

/// The version of what is written beside a stream.
const VERSION: u64 = 1;

/// How long JetStream remembers the key of a publication at least.
const MEMORY: Duration = Duration::from_secs(30);

/// The least time for a connection to one server.
const MIN_TIMEOUT: Duration = Duration::from_millis(500);

/// The least room for the fields of an entry.
const MIN_ENTRY_LEN: usize = 1024;

/// A stream in JetStream: its name, and how to connect.
///
/// One stream is for one [`Relay`](crate::Relay) of each node. Several streams are several logs.
#[derive(Clone)]
pub struct Stream {
    options: ConnectOptions,
    servers: Arc<[ServerAddr]>,
    pub(crate) name: Arc<str>,
}

impl Stream {
    /// Names a stream, and the servers of the cluster that has it. The options set TLS, users and
    /// passwords; timeouts and reconnections are this crate's own. Leave `retry_on_initial_connect` out.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`], [`Error::InvalidAddress`].
    pub fn new(
        options: ConnectOptions,
        servers: impl ToServerAddrs,
        name: &str,
    ) -> Result<Self, Error> {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 200 || !name.bytes().all(is_valid) {
            return Err(Error::InvalidName);
        }
        let servers = servers.to_server_addrs();
        let servers: Arc<[_]> = servers.map_err(|_| Error::InvalidAddress)?.collect();
        if servers.is_empty() {
            return Err(Error::InvalidAddress);
        }
        // So that one server that does not answer leaves time for another.
        let share = TIMEOUT / u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let options = options
            .connection_timeout(share.max(MIN_TIMEOUT))
            .request_timeout(Some(TIMEOUT))
            // Each server is tried once. A connection that is lost is not used again.
            .max_reconnects(servers.len());
        Ok(Self {
            options,
            servers,
            name: name.into(),
        })
    }

    /// Makes an empty stream of one subject, which has the name of the stream. What this crate has to
    /// know of it is in its description, which goes with it wherever it is copied or restored to.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`]: nothing has changed. [`Error::LimitsTooLow`], or what the server says.
    pub async fn create(&self, limits: &Limits) -> Result<(), Error> {
        limits.check()?;
        let draw = || RandomState::new().hash_one(&self.name);
        let mark = format!("{:016x}{:016x}", draw(), draw());
        let config = json!({
            "name": &*self.name,
            "description": format!("{} {VERSION} {mark}", api::MADE_BY),
            "subjects": [&*self.name],
            "retention": "limits",
            "discard": "old",
            "storage": "file",
            "num_replicas": limits.replicas,
            "allow_direct": true,
            "max_consumers": -1,
            "max_msgs": number(limits.max_entries).unwrap_or(-1),
            "max_bytes": limits.max_bytes.and_then(number).unwrap_or(-1),
            "max_age": number(limits.max_age.as_nanos()).unwrap_or(0),
            "max_msg_size": limits.max_entry_len.saturating_add(OVERHEAD),
            "duplicate_window": MEMORY.as_nanos() as u64,
        });
        let connection = Connections::new(self).get().await?;
        connection.in_time(connection.create(&config)).await?
    }

    /// Opens the stream, and checks that it can hold the promise.
    ///
    /// # Errors
    ///
    /// [`Error::NoStream`], [`Error::LimitsTooLow`], [`Error::Unfit`], [`Error::Newer`],
    /// [`Error::TooOld`], or what the server says.
    pub async fn engine(&self) -> Result<Nats, Error> {
        let connections = Connections::new(self);
        let connection = connections.get().await?;
        if !connection.client.is_server_compatible(2, 9, 0) {
            return Err(Error::TooOld);
        }
        let info = connection.in_time(connection.info()).await??;
        let (version, _) = info.made().ok_or(Error::NoStream)?;
        if version > VERSION {
            return Err(Error::Newer);
        }
        let limits = Limits::of(&info, connection.client.max_payload())?;
        let mut warnings = Vec::new();
        if &*info.config.storage != "file" {
            warnings.push(Warning::Memory);
        }
        if !connection.client.is_server_compatible(2, 10, 23) {
            warnings.push(Warning::LosesAtCrash);
        }
        Ok(Nats::new(connections, limits, warnings, &info.config))
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let client = self.options.clone().connect(&*self.servers).await;
        let client = client.map_err(|_| Error::Disconnected)?;
        Ok(Connection::new(client, &self.name))
    }
}

/// Returns a number as the server takes it. Above that there is no limit.
fn number(limit: impl TryInto<i64>) -> Option<i64> {
    limit.try_into().ok()
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The limits of a stream, by which JetStream trims it. They are in its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    max_entries: u64,
    max_age: Duration,
    pub(crate) max_entry_len: usize,
    max_bytes: Option<u64>,
    pub(crate) replicas: usize,
}

impl Limits {
    /// Keeps this many entries, at least two, and for this time, at least 30 s, by the clock of the
    /// server; `u64::MAX` and `Duration::MAX` are no limits. Entries of up to 512 KiB, on one server.
    pub const fn new(max_entries: u64, max_age: Duration) -> Self {
        Self {
            max_entries,
            max_age,
            max_entry_len: 512 << 10,
            max_bytes: None,
            replicas: 1,
        }
    }

    /// Sets how many bytes the fields of an entry may take, at least 1 KiB. They and 768 bytes more
    /// must fit into the `max_payload` of the servers, 1 MiB by default.
    pub const fn with_max_entry_len(mut self, len: usize) -> Self {
        self.max_entry_len = len;
        self
    }

    /// Sets how many bytes the stream takes, at least those of two of the largest entries.
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets on how many servers of a cluster the stream is: 1, 3 or 5. A publication is acknowledged
    /// once most of them have it.
    pub const fn with_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    fn of(info: &Info, max_payload: usize) -> Result<Self, Error> {
        let config = &info.config;
        let [subject] = &*config.subjects else {
            return Err(Error::Unfit(Setting::Subjects));
        };
        let copies = config.sources.as_ref().is_some_and(|all| !all.is_empty());
        let max_message = match config.max_msg_size {
            ..=0 => max_payload,
            most => max_payload.min(most as usize),
        };
        let max_entry_len = max_message.saturating_sub(OVERHEAD);
        for (is_unfit, setting) in [
            (config.sealed, Setting::Sealed),
            (&*config.retention != "limits", Setting::Retention),
            (config.mirror.is_some() || copies, Setting::Copied),
            (subject.contains(['*', '>']), Setting::Subjects),
            (config.max_msgs_per_subject > 0, Setting::PerSubject),
            (config.allow_msg_ttl, Setting::PerMessage),
            (max_entry_len < MIN_ENTRY_LEN, Setting::MessageSize),
            (&*config.discard != "old", Setting::DiscardsNew),
            (config.no_ack, Setting::NoAck),
            (
                Duration::from_nanos(config.duplicate_window) < MEMORY,
                Setting::DuplicateWindow,
            ),
        ] {
            if is_unfit {
                return Err(Error::Unfit(setting));
            }
        }
        let limits = Self {
            max_entries: u64::try_from(config.max_msgs)
                .ok()
                .filter(|most| *most > 0)
                .unwrap_or(u64::MAX),
            max_age: match config.max_age {
                0 => Duration::MAX,
                age => Duration::from_nanos(age),
            },
            max_entry_len,
            max_bytes: u64::try_from(config.max_bytes)
                .ok()
                .filter(|most| *most > 0),
            replicas: config.num_replicas,
        };
        limits.check()?;
        Ok(limits)
    }

    fn check(&self) -> Result<(), Error> {
        let two = (self.max_entry_len.saturating_add(OVERHEAD) as u64).saturating_mul(2);
        let is_too_low = self.max_entries < 2
            || self.max_age < MEMORY
            || self.max_entry_len < MIN_ENTRY_LEN
            || self.max_bytes.is_some_and(|most| most < two);
        match is_too_low {
            true => Err(Error::LimitsTooLow),
            false => Ok(()),
        }
    }
}

/// What may break the promise, though the stream was opened.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The stream is in memory: its entries are lost when its servers stop.
    Memory,
    /// The server is older than 2.10.23. Such servers have lost acknowledged entries in crashes.
    LosesAtCrash,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Returns what `STREAM.INFO` says, with one setting changed.
    fn info(setting: &str, value: Value) -> Info {
        let mut info = json!({
            "created": "2024-02-29T23:59:59Z",
            "config": {
                "subjects": ["s"], "retention": "limits", "discard": "old", "storage": "file",
                "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1, "num_replicas": 1,
                "duplicate_window": 30_000_000_000_u64,
            },
            "state": { "messages": 0, "first_seq": 0, "first_ts": "", "last_seq": 0 },
        });
        info["config"][setting] = value;
        serde_json::from_value(info).unwrap()
    }

    #[test]
    fn a_stream_without_limits_keeps_everything() {
        let limits = Limits::of(&info("max_age", json!(0)), 1 << 20).unwrap();
        assert_eq!(
            (limits.max_entries, limits.max_age),
            (u64::MAX, Duration::MAX)
        );
        assert_eq!(limits.max_entry_len, (1 << 20) - OVERHEAD);
    }

    /// What servers of newer versions can do; the others are tested on a server.
    #[test]
    fn ages_of_single_messages_are_refused() {
        let refused = Limits::of(&info("allow_msg_ttl", json!(true)), 1 << 20);
        assert_eq!(refused, Err(Error::Unfit(Setting::PerMessage)));
    }
}
