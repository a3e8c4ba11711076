//! Errors.

use core::fmt;

use redis::RedisError;
use sse_proto_relay::AppendError;

/// Why a call to Redis failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The name of the stream has a brace that makes no hash tag, or is empty.
    InvalidName,
    /// The stream is there already, so it was not created.
    Exists,
    /// The stream is not there, or was not made by [`Stream::create`](crate::Stream::create).
    NoStream,
    /// The stream keeps its entries for less than 30 s, or less than two of them.
    LimitsTooLow,
    /// A newer version of this crate made the stream.
    Newer,
    /// What answers is not a master.
    NotMaster,
    /// Redis is older than 7.0.
    TooOld,
    /// The time for replicas is not below the time for an answer, 2 s.
    WaitTooLong,
    /// Fewer replicas than asked for have the entry.
    TooFewReplicas(u64),
    /// Redis, or the connection, refused.
    Redis(RedisError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "the name of the stream is empty or has a brace without a tag",
            Self::Exists => "the stream is there already",
            Self::NoStream => "the stream is not there, or was not created by this crate",
            Self::LimitsTooLow => "the stream keeps less than 30 s or fewer than two entries",
            Self::Newer => "a newer version of this crate made the stream",
            Self::NotMaster => "what answers is not a master",
            Self::TooOld => "Redis is older than 7.0",
            Self::WaitTooLong => "the time for replicas is not below 2 s",
            Self::TooFewReplicas(count) => {
                return write!(f, "only {count} replicas have the entry");
            }
            Self::Redis(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Redis(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        match error.code() {
            Some("NOSTREAM") => Self::NoStream,
            Some("EXISTS") => Self::Exists,
            // `XINFO` within a transaction has no code of its own.
            _ if text.contains("no such key") => Self::NoStream,
            _ => Self::Redis(error),
        }
    }
}

impl Error {
    /// Returns whether another connection is needed.
    pub(crate) fn is_of_connection(&self) -> bool {
        match self {
            Self::Redis(error) => {
                error.is_io_error()
                    || error.is_connection_dropped()
                    || error.is_unrecoverable_error()
                    || error.code() == Some("READONLY")
            }
            Self::NotMaster => true,
            _ => false,
        }
    }

    /// Sorts an error of the script that writes.
    pub(crate) fn of_append(self) -> AppendError<Self> {
        let Self::Redis(error) = &self else {
            return match self {
                Self::TooFewReplicas(_) => AppendError::Unknown(self),
                _ => AppendError::Refused(self),
            };
        };
        match error.code() {
            // Redis checks these before the first write of a script. `NOPERM` may come after it.
            Some("OOM" | "MISCONF" | "NOAUTH" | "WRONGPASS" | "WRONGTYPE") => {
                AppendError::Refused(self)
            }
            // A failover or a start.
            Some(
                "READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY"
                | "NOREPLICAS" | "MOVED" | "ASK",
            ) => AppendError::NotWritten(self),
            _ => AppendError::Unknown(self),
        }
    }
}
