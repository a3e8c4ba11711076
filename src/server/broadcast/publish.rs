//! Publishing: the checks, and the encoding with or without the lock.

use ::core::error::Error;
use ::core::fmt;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::Bytes;

use super::handle::TopicTooLong;
use super::hub::Hub;
use super::ids::Ids;
use super::segments::Segments;
use super::shared::BroadcastShared;
use super::topics::NOBODY;
use crate::sync::MutexGuard;
use crate::wire::encode::{FieldRanges, Fields, Measured};
use crate::wire::event::Event;
use crate::wire::field::{EventId, InvalidField, TextOrNumber};
use crate::wire::frame::Frame;

/// Why an event was not published. Nothing has changed.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum PublishError {
    /// The broadcast is closed.
    Closed,
    /// The event takes more bytes than the log [keeps](crate::broadcast::Retention::new).
    TooLarge {
        /// The number of bytes that the event takes on the wire.
        len: usize,
        /// The largest number of bytes kept.
        limit: usize,
    },
    /// The name of the topic takes more than 256 bytes.
    TopicTooLong,
    /// The broadcast assigns ids. It takes no event that has an id, and no frame, which cannot be
    /// given one.
    AssignsIds,
    /// No client could [come back](crate::Broadcast#ids) with the id: it has more than 1024 bytes, a
    /// space or a tab at an end, or a control character.
    InvalidId(InvalidField),
    /// The id has no [key](crate::broadcast::Key).
    NoKey,
    /// The key of the id is not larger than that of the last id.
    OutOfOrder,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the broadcast is closed"),
            Self::TooLarge { len, limit } => {
                write!(f, "the event takes {len} bytes and the log retains {limit}")
            }
            Self::TopicTooLong => f.write_str("the name of the topic takes more than 256 bytes"),
            Self::AssignsIds => {
                f.write_str("the broadcast assigns ids, so it takes only events without an id")
            }
            Self::InvalidId(error) => error.fmt(f),
            Self::NoKey => f.write_str("the id has no key, so it has no place in the order"),
            Self::OutOfOrder => f.write_str("the id is not after the last id"),
        }
    }
}

impl Error for PublishError {}

impl From<TopicTooLong> for PublishError {
    fn from(_: TopicTooLong) -> Self {
        Self::TopicTooLong
    }
}

/// A frame to publish with [`Broadcast::publish_all`](crate::Broadcast::publish_all), or a place in
/// its stead.
///
/// # Examples
///
/// ```
/// use sse_proto::broadcast::Publication;
/// use sse_proto::{Event, EventId, Frame};
///
/// let frame = Frame::new(&Event::message("hi").with_id(7_u32));
/// let all = [
///     Publication::new(frame).with_topic("ann"),
///     Publication::place(EventId::from(8_u32)),
/// ];
/// # drop(all);
/// ```
#[derive(Clone, Debug)]
pub struct Publication<'a> {
    frame: Frame,
    topic: Option<Cow<'a, str>>,
    is_place: bool,
}

impl<'a> Publication<'a> {
    /// Takes a frame for all.
    pub fn new(frame: Frame) -> Self {
        Self {
            frame,
            topic: None,
            is_place: false,
        }
    }

    /// Gives the frame a topic.
    pub fn with_topic(mut self, topic: impl Into<Cow<'a, str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Takes an id without a frame: it moves the head of the log, and nobody receives it. A client
    /// that comes back with it is resumed.
    pub fn place(id: EventId<'_>) -> Self {
        Self {
            frame: Frame::new(&Event::block().with_id(id)),
            topic: None,
            is_place: true,
        }
    }
}

/// Publishes an event. Returns the number of its frame.
#[inline]
pub(super) fn event(
    shared: &BroadcastShared,
    event: &Event<'_>,
    topic: Option<&str>,
) -> Result<u64, PublishError> {
    if let Some(name) = topic {
        TopicTooLong::check(name)?;
    }
    let fields = event.fields();
    match (&shared.ids, event.id()) {
        // The text of an assigned id is known under the lock.
        (Ids::Assigned(_), None) => encode(shared, &fields.with_id(&[]), topic, 0),
        (Ids::Assigned(_), Some(_)) => Err(PublishError::AssignsIds),
        (Ids::Users(_), None) => encode(shared, &fields, topic, 0),
        (Ids::Users(_), Some(id)) => encode(shared, &fields, topic, key_of(shared, id.text())?),
    }
}

/// Encodes an event into the log.
#[inline(never)]
fn encode(
    shared: &BroadcastShared,
    fields: &Fields<'_>,
    topic: Option<&str>,
    key: u128,
) -> Result<u64, PublishError> {
    let Measured { mut len, shape } = fields.measure();
    if Segments::is_large(shared.retention.max_bytes(), len) {
        return encode_unlocked(shared, fields, topic, key);
    }
    let mut ranges = FieldRanges::of(fields);
    let mut hub = lock_open(shared)?;
    let id = hub.order.assigned().cloned();
    let mut fields = *fields;
    if let (Some(id), Some(range)) = (&id, &mut ranges.id) {
        fields = fields.with_id(id.as_bytes());
        len += id.as_bytes().len();
        range.end += id.as_bytes().len();
    }
    check_len(shared, len)?;
    check_order(&hub, key)?;
    let at = hub.make_room(len, topic);
    let write = |out: &mut Vec<u8>| fields.write(shape, out);
    let number = hub.append(|segments| segments.append(len, write), &ranges, at, key);
    shared.release(hub);
    Ok(number)
}

/// Encodes a large event without the lock. An assigned id is then written over a guess of its text,
/// under the lock.
#[cold]
fn encode_unlocked(
    shared: &BroadcastShared,
    fields: &Fields<'_>,
    topic: Option<&str>,
    key: u128,
) -> Result<u64, PublishError> {
    loop {
        let guess = shared.lock().order.assigned().cloned();
        let guessed = match &guess {
            Some(id) => fields.with_id(id.as_bytes()),
            None => *fields,
        };
        let measured = guessed.measure();
        check_len(shared, measured.len)?;
        let ranges = FieldRanges::of(&guessed);
        let mut bytes = Vec::with_capacity(measured.len);
        guessed.write(measured.shape, &mut bytes);

        let mut hub = lock_open(shared)?;
        check_order(&hub, key)?;
        if let (Some(id), Some(range)) = (hub.order.assigned(), &ranges.id) {
            let id = id.as_bytes();
            // Tries again if the number has gained a digit, at most 19 times per broadcast.
            if range.len() != id.len() {
                continue;
            }
            bytes[range.clone()].copy_from_slice(id);
        }
        let at = hub.make_room(bytes.len(), topic);
        let bytes = Bytes::from(bytes);
        let number = hub.append(|segments| segments.append_bytes(&bytes), &ranges, at, key);
        shared.release(hub);
        return Ok(number);
    }
}

/// Publishes frames under one lock, with one wake for each subscriber.
pub(super) fn all(
    shared: &BroadcastShared,
    publications: &[Publication<'_>],
) -> Vec<Result<u64, PublishError>> {
    // Keys are the user's code, which runs without the lock.
    let check = |one: &Publication<'_>| {
        if shared.ids.epoch().is_some() {
            return Err(PublishError::AssignsIds);
        }
        one.topic.as_deref().map_or(Ok(()), TopicTooLong::check)?;
        let id = one.frame.id().map(TextOrNumber::Text);
        let key = id.map_or(Ok(0), |id| key_of(shared, id))?;
        check_len(shared, one.frame.as_bytes().len())?;
        Ok(key)
    };
    let keys: Vec<_> = publications.iter().map(check).collect();
    let mut hub = shared.lock_now();
    let mut publish = |one: &Publication<'_>, key: Result<u128, PublishError>| {
        let key = key?;
        if hub.is_closed {
            return Err(PublishError::Closed);
        }
        check_order(&hub, key)?;
        let len = one.frame.as_bytes().len();
        let at = if one.is_place {
            hub.drop_for(len);
            NOBODY
        } else {
            hub.make_room(len, one.topic.as_deref())
        };
        let put = |segments: &mut Segments| segments.append_bytes(one.frame.bytes());
        Ok(hub.append(put, one.frame.ranges(), at, key))
    };
    let answers = publications.iter().zip(keys);
    let answers = answers.map(|(one, key)| publish(one, key)).collect();
    shared.release(hub);
    answers
}

fn check_len(shared: &BroadcastShared, len: usize) -> Result<(), PublishError> {
    let limit = shared.retention.max_bytes();
    if len > limit {
        return Err(PublishError::TooLarge { len, limit });
    }
    Ok(())
}

/// Returns the key of an id that can come back.
#[inline]
pub(super) fn key_of(
    shared: &BroadcastShared,
    id: TextOrNumber<&str>,
) -> Result<u128, PublishError> {
    if let TextOrNumber::Text(text) = id {
        EventId::check_sent_back(text).map_err(PublishError::InvalidId)?;
    }
    let key = id.with_bytes(|id| shared.ids.key(core::str::from_utf8(id).ok()?));
    key.ok_or(PublishError::NoKey)
}

/// Checks that a key, if it is not 0, is after the last.
#[inline]
fn check_order(hub: &Hub, key: u128) -> Result<(), PublishError> {
    match key {
        0 => Ok(()),
        _ if key > hub.order.last_key(&hub.log) => Ok(()),
        _ => Err(PublishError::OutOfOrder),
    }
}

#[inline]
fn lock_open(shared: &BroadcastShared) -> Result<MutexGuard<'_, Hub>, PublishError> {
    let hub = shared.lock_now();
    if hub.is_closed {
        return Err(PublishError::Closed);
    }
    Ok(hub)
}
