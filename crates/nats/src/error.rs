//! Errors.

use core::fmt;

use sse_proto_relay::AppendError;

use crate::api;

/// Why a call to NATS failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The name of the stream is empty, longer than 200 bytes, or has a character other than letters
    /// and digits of ASCII, `-` and `_`.
    InvalidName,
    /// The address of a server cannot be read.
    InvalidAddress,
    /// The stream is there already, so it was not created.
    Exists,
    /// The stream is not there, or was not made by [`Stream::create`](crate::Stream::create).
    NoStream,
    /// The stream keeps its entries for less than 30 s, or less than two of them.
    LimitsTooLow,
    /// A setting of the stream cannot hold the promise.
    Unfit(Setting),
    /// A newer version of this crate made the stream.
    Newer,
    /// The server is older than 2.9.
    TooOld,
    /// No server could be connected to, or the connection was lost.
    Disconnected,
    /// No answer came within two seconds, or the stream has no leader.
    Late,
    /// The entry takes more bytes than the server takes now.
    TooLarge,
    /// The entry of an acknowledged publication is not in the log.
    Lost,
    /// A message did not follow the one before it, or did not come.
    Broken,
    /// The server refused, with this error of the JetStream API.
    Refused {
        /// The status, as in HTTP.
        code: u16,
        /// The number of the error.
        err_code: u16,
        /// What the server says.
        description: Box<str>,
    },
    /// An answer has another form.
    Unexpected,
}

/// A setting of a stream that cannot hold the promise.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// `retention` is not `limits`: entries go when somebody has acknowledged them.
    Retention,
    /// `mirror` or `sources`: another stream decides what is written.
    Copied,
    /// `subjects` is not one subject without wildcards.
    Subjects,
    /// `max_msgs_per_subject`: entries go although others of their age stay.
    PerSubject,
    /// `allow_msg_ttl`: entries go although older ones stay.
    PerMessage,
    /// `max_msg_size` leaves less than 1 KiB for an entry.
    MessageSize,
    /// `discard` is `new`: a full stream takes no entry, instead of trimming the oldest.
    DiscardsNew,
    /// `sealed`: the stream takes no entry.
    Sealed,
    /// `no_ack`: nobody learns whether an entry was written.
    NoAck,
    /// `duplicate_window` is below 30 s: a late try might write an entry a second time.
    DuplicateWindow,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "the name of the stream is not letters, digits, `-` and `_`",
            Self::InvalidAddress => "the address of a server cannot be read",
            Self::Exists => "the stream is there already",
            Self::NoStream => "the stream is not there, or was not created by this crate",
            Self::LimitsTooLow => "the stream keeps less than 30 s or fewer than two entries",
            Self::Unfit(setting) => {
                return write!(f, "the stream cannot hold the promise: {setting}");
            }
            Self::Newer => "a newer version of this crate made the stream",
            Self::TooOld => "the server is older than 2.9",
            Self::Disconnected => "no server can be reached",
            Self::Late => "no answer came in time",
            Self::TooLarge => "the entry takes more bytes than the server takes",
            Self::Lost => "the entry that was acknowledged is not in the log",
            Self::Broken => "a message of the stream is missing or did not come",
            Self::Refused { description, .. } => description,
            Self::Unexpected => "an answer has another form",
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retention => "its retention is not by limits",
            Self::Copied => "it has a mirror or sources",
            Self::Subjects => "it does not have one subject without wildcards",
            Self::PerSubject => "it has a limit of messages per subject",
            Self::PerMessage => "its messages may have ages of their own",
            Self::MessageSize => "its messages have less than 1 KiB for an entry",
            Self::DiscardsNew => "it discards new messages",
            Self::Sealed => "it is sealed",
            Self::NoAck => "it does not acknowledge messages",
            Self::DuplicateWindow => "its duplicate window is below 30 s",
        })
    }
}

impl core::error::Error for Error {}

impl From<async_nats::RequestError> for Error {
    fn from(error: async_nats::RequestError) -> Self {
        use async_nats::RequestErrorKind as Kind;

        match error.kind() {
            Kind::MaxPayloadExceeded => Self::TooLarge,
            Kind::Other => Self::Disconnected,
            Kind::TimedOut | Kind::NoResponders | Kind::InvalidSubject => Self::Late,
        }
    }
}

impl From<api::Failure> for Error {
    fn from(failure: api::Failure) -> Self {
        match failure.err_code {
            api::STREAM_NOT_FOUND | api::STREAM_MISMATCH => Self::NoStream,
            api::STREAM_NAME_IN_USE => Self::Exists,
            err_code => Self::Refused {
                code: failure.code,
                err_code,
                description: failure.description,
            },
        }
    }
}

impl Error {
    /// Returns whether another connection is needed.
    pub(crate) const fn is_of_connection(&self) -> bool {
        matches!(self, Self::Disconnected | Self::Late)
    }

    /// Sorts an error of a publication that was sent. With several replicas, one whose store fails
    /// answers with an error although the others may have stored the message.
    pub(crate) fn of_append(self, replicas: usize) -> AppendError<Self> {
        match &self {
            Self::NoStream | Self::TooLarge => AppendError::Refused(self),
            // Without a number it is what the consensus of the servers said to the leader.
            Self::Refused { code, err_code, .. }
                if api::NOT_NOW.contains(err_code) || (*code, *err_code) == (503, 0) =>
            {
                AppendError::NotWritten(self)
            }
            Self::Refused { err_code, .. } if *err_code == api::DUPLICATE_IN_PROCESS => {
                AppendError::Unknown(self)
            }
            Self::Refused { err_code, .. }
                if replicas <= 1 || api::NEVER_PROPOSED.contains(err_code) =>
            {
                AppendError::Refused(self)
            }
            _ => AppendError::Unknown(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_replica_says_of_its_store_does_not_refuse_what_others_may_have() {
        let sort = |err_code, replicas| {
            let failure = Error::Refused {
                code: 503,
                err_code,
                description: "".into(),
            };
            failure.of_append(replicas)
        };
        // The store failed; the resources of the server are used up; the message is too large.
        for (err_code, is_refused) in [(10077, false), (10023, false), (10054, true)] {
            let refused = matches!(sort(err_code, 3), AppendError::Refused(_));
            assert_eq!(refused, is_refused, "{err_code}");
            assert!(matches!(sort(err_code, 1), AppendError::Refused(_)));
        }
        assert!(matches!(sort(10008, 3), AppendError::NotWritten(_)));
        assert!(matches!(sort(10158, 1), AppendError::Unknown(_)));
    }
}
