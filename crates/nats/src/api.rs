//! The JSON of the JetStream API, as far as it is needed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sse_proto_relay::{Facts, Place, Record};

use crate::error::Error;
use crate::fields;

// The numbers of errors.
pub(crate) const STREAM_NOT_FOUND: u16 = 10059;
pub(crate) const STREAM_MISMATCH: u16 = 10060;
pub(crate) const STREAM_NAME_IN_USE: u16 = 10058;
const NO_MESSAGE: u16 = 10037;
pub(crate) const DUPLICATE_IN_PROCESS: u16 = 10158;

/// What the leader says before it proposes a message to the other replicas: the request, JetStream, the
/// last sequence or the last id are not as expected, the message or its headers are too large, the
/// stream is sealed.
pub(crate) const NEVER_PROPOSED: [u16; 8] =
    [10003, 10039, 10054, 10070, 10071, 10076, 10097, 10109];

/// Temporarily unavailable, not the leader, offline.
pub(crate) const NOT_NOW: [u16; 3] = [10008, 10009, 10118];

/// An answer: an error, or what was asked for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer<T> {
    Failed { error: Failure },
    Given(T),
}

impl<T> Answer<T> {
    pub(crate) fn into_result(self) -> Result<T, Failure> {
        match self {
            Self::Failed { error } => Err(error),
            Self::Given(given) => Ok(given),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: u16,
    #[serde(default)]
    pub(crate) err_code: u16,
    #[serde(default)]
    pub(crate) description: Box<str>,
}

/// The acknowledgement of a publication.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack {
    pub(crate) seq: u64,
}

/// The answer of `STREAM.MSG.GET`. Not an [`Answer`], which costs a second pass.
#[derive(Debug, Deserialize)]
pub(crate) struct Got<'a> {
    error: Option<Failure>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    seq: u64,
    time: &'a str,
    // The headers are never read: those of others may be anything.
    #[serde(default)]
    data: &'a str,
}

impl Got<'_> {
    /// Returns the record, if it is there.
    pub(crate) fn into_record(self) -> Result<Option<Record>, Error> {
        match self.error {
            Some(failure) if failure.err_code == NO_MESSAGE => return Ok(None),
            Some(failure) => return Err(failure.into()),
            None => {}
        }
        let Message { seq, time, data } = self.message.ok_or(Error::Unexpected)?;
        let ms = milliseconds(time).ok_or(Error::Unexpected)?;
        let payload = STANDARD.decode(data).map_err(|_| Error::Unexpected)?;
        Ok(Some(Record {
            place: Place::new(ms, seq),
            fields: fields::decode(&payload),
        }))
    }
}

/// Reads the answer of `DIRECT.GET`: the message itself, with headers.
pub(crate) fn direct(message: &async_nats::Message, seq: u64) -> Option<Record> {
    let time = message.headers.as_ref()?.get("Nats-Time-Stamp")?;
    Some(Record {
        place: Place::new(milliseconds(time.as_str())?, seq),
        fields: fields::decode(&message.payload),
    })
}

/// The answer of `STREAM.INFO`.
#[derive(Debug, Deserialize)]
pub(crate) struct Info {
    pub(crate) created: Box<str>,
    pub(crate) config: Config,
    state: State,
}

#[derive(Debug, Deserialize)]
struct State {
    messages: u64,
    first_seq: u64,
    first_ts: Box<str>,
    last_seq: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) description: Box<str>,
    #[serde(default)]
    pub(crate) subjects: Vec<Box<str>>,
    pub(crate) retention: Box<str>,
    pub(crate) discard: Box<str>,
    pub(crate) storage: Box<str>,
    #[serde(default)]
    pub(crate) max_msgs: i64,
    #[serde(default)]
    pub(crate) max_bytes: i64,
    /// Nanoseconds.
    #[serde(default)]
    pub(crate) max_age: u64,
    #[serde(default)]
    pub(crate) max_msgs_per_subject: i64,
    #[serde(default)]
    pub(crate) max_msg_size: i64,
    /// Nanoseconds.
    #[serde(default)]
    pub(crate) duplicate_window: u64,
    #[serde(default)]
    pub(crate) no_ack: bool,
    #[serde(default)]
    pub(crate) allow_direct: bool,
    #[serde(default)]
    pub(crate) sealed: bool,
    #[serde(default)]
    pub(crate) allow_msg_ttl: bool,
    pub(crate) num_replicas: usize,
    pub(crate) mirror: Option<serde::de::IgnoredAny>,
    pub(crate) sources: Option<Vec<serde::de::IgnoredAny>>,
}

impl Info {
    /// Returns the mark that was drawn when the stream was made, and the version of who made it.
    pub(crate) fn made(&self) -> Option<(u64, &str)> {
        let mut words = self.config.description.split(' ');
        let (name, version) = (words.next()?, words.next()?.parse().ok()?);
        let mark = words.next().filter(|mark| !mark.is_empty())?;
        (name == MADE_BY).then_some((version, mark))
    }

    pub(crate) fn facts(&self) -> Result<Facts, Error> {
        let (_, mark) = self.made().ok_or(Error::NoStream)?;
        let State {
            messages,
            first_seq,
            last_seq,
            ..
        } = self.state;
        let first_ms = milliseconds(&self.state.first_ts);
        Ok(Facts {
            // Somebody may have made a stream again with the configuration of an older one.
            mark: format!("{mark} {}", self.created).into(),
            first: (messages > 0).then(|| Place::new(first_ms.unwrap_or(0), first_seq)),
            // The time of a message that is gone is not known.
            last: Place::new(0, last_seq),
            is_whole: messages == last_seq,
            // The log begins after the newest message that is missing.
            deleted: Place::START,
        })
    }
}

/// The first word of the description of a stream that this crate made.
pub(crate) const MADE_BY: &str = "sse-proto";

/// Returns the milliseconds since 1970 of a time as `2024-02-29T23:59:59.123456789Z`.
fn milliseconds(time: &str) -> Option<u64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    let digits = fraction.bytes().chain(*b"000").take(3);
    let ms = digits.fold(0, |ms, digit| ms * 10 + u64::from(digit.wrapping_sub(b'0')));
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The year begins with March, so that the day of a leap year is its last.
    let (year, month) = (year - u64::from(month < 3), (month + 9) % 12);
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let seconds = ((days - 719_468) * 24 + hour) * 3600 + minute * 60 + second;
    Some(seconds * 1000 + ms)
}

/// Returns the place in the subject to which a consumer's message may be acknowledged:
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<seq>.<consumer seq>.<ns>.<pending>`,
/// with a last token if the domain is there.
pub(crate) fn place(reply: &str) -> Option<Place> {
    let tokens: Vec<_> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    let at = if tokens.len() == 7 { 3 } else { 5 };
    let number = |at: usize| tokens.get(at)?.parse::<u64>().ok();
    Some(Place::new(number(at + 2)? / 1_000_000, number(at)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_since_1970() {
        for (time, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:34:56.7Z", Some(951_827_696_700)),
            ("2024-02-29T23:59:59.123999999Z", Some(1_709_251_199_123)),
            ("2100-03-01T00:00:00.001Z", Some(4_107_542_400_001)),
            // An empty stream.
            ("0001-01-01T00:00:00Z", None),
            ("2024-02-29", None),
        ] {
            assert_eq!(milliseconds(time), ms, "{time}");
        }
    }

    #[test]
    fn a_place_is_in_both_forms_of_the_reply() {
        let place = |reply| super::place(reply);
        let expected = Some(Place::new(1_700_000_000_123, 7));
        assert_eq!(place("$JS.ACK.s.c.1.7.9.1700000000123456789.0"), expected);
        let long = "$JS.ACK._.hash.s.c.1.7.9.1700000000123456789.0.token";
        assert_eq!(place(long), expected);
        assert_eq!(place("$JS.ACK.s.c.1"), None);
        assert_eq!(place("_INBOX.x"), None);
    }
}
