//! Entries: what the log of an engine holds of an event.

use core::error::Error;
use core::fmt;

use sse_proto::broadcast::Publication;
use sse_proto::{Event, EventType, Frame};

use crate::id::{Id, Place, tag};

/// The version of the entries that this crate writes, and the newest that it reads.
const VERSION: u64 = 1;

/// The longest name of a topic, in bytes: that of `Broadcast`.
const MAX_TOPIC: usize = 256;

/// The longest key of a publication, in bytes.
const MAX_KEY: usize = 128;

/// An event to publish into the log: its type, its data, a topic, and a key.
///
/// # Examples
///
/// ```
/// use sse_proto::Event;
/// use sse_proto_relay::{Entry, EntryError};
///
/// let entry = Entry::new(&Event::message("hello"))?.with_topic("news")?;
/// # drop(entry);
/// let with_id = Event::message("hello").with_id(7_u32);
/// assert_eq!(Entry::new(&with_id).unwrap_err(), EntryError::HasId);
/// # Ok::<(), EntryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    event_type: Option<EventType<'static>>,
    data: Option<Box<str>>,
    topic: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl Entry {
    /// Takes the type and the data of an event. A comment is left out.
    ///
    /// # Errors
    ///
    /// If the event has an id, which the engine assigns, or a reconnection time, which is for one
    /// client and not for the log.
    pub fn new(event: &Event<'_>) -> Result<Self, EntryError> {
        if event.id().is_some() {
            return Err(EntryError::HasId);
        }
        if event.reconnection_time().is_some() {
            return Err(EntryError::HasReconnectionTime);
        }
        Ok(Self {
            event_type: event.event_type().map(|one| one.clone().into_owned()),
            data: event.data().map(Into::into),
            topic: None,
            key: None,
        })
    }

    /// Sets the topic. Without one, the event is for all.
    ///
    /// # Errors
    ///
    /// If the name takes more than 256 bytes.
    pub fn with_topic(mut self, topic: impl Into<Box<str>>) -> Result<Self, EntryError> {
        let topic = topic.into();
        if topic.len() > MAX_TOPIC {
            return Err(EntryError::TopicTooLong(topic.len()));
        }
        self.topic = Some(topic);
        Ok(self)
    }

    /// Sets the key of the publication: the id of a row in an outbox, for example. While the engine
    /// remembers the key, an entry with the same key is not written again. Without one, each
    /// publication draws a key.
    ///
    /// # Errors
    ///
    /// If the key is empty, has more than 128 bytes, or characters other than visible ASCII.
    pub fn with_key(mut self, key: impl Into<Box<str>>) -> Result<Self, EntryError> {
        let key = key.into();
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EntryError::InvalidKey);
        }
        self.key = Some(key);
        Ok(self)
    }

    /// Returns the key, if one was set.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the fields that an engine stores: those of the event, the key of the publication, and
    /// a number that each try draws anew.
    ///
    /// The number tells two tries apart: if the engine loses the entry of the first and writes that
    /// of the second at the same place of another log, a client that knows the first must not take
    /// the second for it.
    pub(crate) fn to_fields(&self, key: &str, draw: u32) -> Fields {
        let mut fields = vec![field(VERSION_FIELD, VERSION.to_string())];
        fields.extend(
            self.event_type
                .as_ref()
                .map(|one| field(TYPE, one.as_str())),
        );
        fields.extend(self.data.as_deref().map(|data| field(DATA, data)));
        fields.extend(self.topic.as_deref().map(|topic| field(TOPIC, topic)));
        fields.push(field(KEY, key));
        fields.push(field(DRAW, format!("{draw:x}")));
        fields
    }

    /// Returns the most bytes that the fields take.
    pub(crate) fn len(&self, key: &str) -> usize {
        let fields = self.to_fields(key, u32::MAX);
        fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }
}

/// The fields of an entry: names and values.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const VERSION_FIELD: &[u8] = b"v";
const TYPE: &[u8] = b"type";
const DATA: &[u8] = b"data";
const TOPIC: &[u8] = b"topic";
const KEY: &[u8] = b"key";
const DRAW: &[u8] = b"draw";

/// Returns the mark of an entry.
pub(crate) fn tag_of(fields: &Fields) -> u32 {
    tag(fields.iter().map(|(name, value)| (&**name, &**value)))
}

fn field(name: &[u8], value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.to_vec(), value.as_ref().to_vec())
}

/// An entry as an engine returns it: its place and its fields, read by nobody yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The place that the engine assigned.
    pub place: Place,
    /// The fields, in any order.
    pub fields: Fields,
}

/// A record as the log of a `Broadcast` and a page of history hold it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: Id,
    pub(crate) form: Form,
}

/// Returns the most bytes on the wire of an entry whose fields have a length.
pub(crate) const fn max_frame_len(len: usize) -> usize {
    // Each line feed of the data begins a line of its own; the rest is the type and the id.
    len.saturating_mul("data: \n".len()).saturating_add(128)
}

/// What a line is to this node.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Frame(Frame, Option<Box<str>>),
    /// No version can read it: a place without a frame.
    Poison,
    /// A newer version of this crate wrote it, or it is larger than what this node retains.
    Unreadable,
}

impl Line {
    /// Reads a record; a frame has at most `max_len` bytes.
    pub(crate) fn new(record: &Record, max_len: usize) -> Self {
        let id = record.id();
        let form = match record.content() {
            Content::Newer => Form::Unreadable,
            Content::Poison => Form::Poison,
            Content::Event(parts) => {
                let mut event = Event::block().with_id(id.to_event_id());
                if let Some(event_type) = parts.event_type {
                    event = event.with_event_type(event_type);
                }
                if let Some(data) = parts.data {
                    event = event.with_data(data);
                }
                match event.encoded_len() <= max_len {
                    true => Form::Frame(Frame::new(&event), parts.topic.map(Into::into)),
                    false => Form::Unreadable,
                }
            }
        };
        Self { id, form }
    }

    /// Returns what enters the log of a `Broadcast`. `None` if this node cannot read it.
    pub(crate) fn publication(&self) -> Option<Publication<'static>> {
        Some(match &self.form {
            Form::Unreadable => return None,
            Form::Poison => Publication::place(self.id.to_event_id()),
            Form::Frame(frame, None) => Publication::new(frame.clone()),
            Form::Frame(frame, Some(topic)) => {
                Publication::new(frame.clone()).with_topic(topic.to_string())
            }
        })
    }

    /// Returns the bytes that it takes on the wire.
    pub(crate) fn len(&self) -> usize {
        match &self.form {
            Form::Frame(frame, _) => frame.as_bytes().len(),
            Form::Poison | Form::Unreadable => 0,
        }
    }
}

/// The event of a record, borrowed.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) event_type: Option<EventType<'a>>,
    pub(crate) data: Option<&'a str>,
    pub(crate) topic: Option<&'a str>,
}

/// What a record holds, by a rule that no option changes.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    Event(Parts<'a>),
    /// No version can read it.
    Poison,
    Newer,
}

impl Record {
    /// Returns the id: the place, and the tag of the fields.
    pub fn id(&self) -> Id {
        Id {
            place: self.place,
            tag: tag_of(&self.fields),
        }
    }

    /// Returns the bytes of the fields.
    pub fn len(&self) -> usize {
        let fields = self.fields.iter();
        fields.map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Returns whether the record has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the id of what was written under a key, if this is the record of it: for an engine
    /// that remembers only the place of a key.
    pub fn written_as(&self, key: &str) -> Option<Id> {
        (self.text(KEY)? == key).then(|| self.id())
    }

    /// Reads the fields. Unknown names are left out.
    pub(crate) fn content(&self) -> Content<'_> {
        let Some(version) = self.text(VERSION_FIELD).and_then(|v| v.parse::<u64>().ok()) else {
            return Content::Poison;
        };
        if version > VERSION {
            return Content::Newer;
        }
        self.parts().map_or(Content::Poison, Content::Event)
    }

    fn parts(&self) -> Option<Parts<'_>> {
        let is_utf8 = |name| self.value(name).is_none() || self.text(name).is_some();
        if ![TYPE, DATA, TOPIC].into_iter().all(is_utf8) {
            return None;
        }
        let event_type = self.text(TYPE).map(EventType::new).transpose().ok()?;
        let topic = self.text(TOPIC);
        (topic.is_none_or(|name| name.len() <= MAX_TOPIC)).then_some(Parts {
            event_type,
            data: self.text(DATA),
            topic,
        })
    }

    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| &**value)
    }

    fn text(&self, name: &[u8]) -> Option<&str> {
        str::from_utf8(self.value(name)?).ok()
    }
}

/// Why an event is no entry.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EntryError {
    /// The event has an id. The engine assigns ids.
    HasId,
    /// The event has a reconnection time, which is for one client.
    HasReconnectionTime,
    /// The name of the topic takes this number of bytes, more than 256.
    TopicTooLong(usize),
    /// The key is empty, has more than 128 bytes, or characters other than visible ASCII.
    InvalidKey,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HasId => f.write_str("the event has an id, which the engine assigns"),
            Self::HasReconnectionTime => {
                f.write_str("the event has a reconnection time, which is for one client")
            }
            Self::TopicTooLong(len) => {
                write!(
                    f,
                    "the name of the topic takes {len} bytes, more than {MAX_TOPIC}"
                )
            }
            Self::InvalidKey => {
                write!(
                    f,
                    "the key is not 1 to {MAX_KEY} characters of visible ASCII"
                )
            }
        }
    }
}

impl Error for EntryError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: Fields) -> Record {
        Record {
            place: Place::new(5, 1),
            fields,
        }
    }

    fn entry() -> Entry {
        let event = Event::new(EventType::from_static("tick"), "a\nb");
        Entry::new(&event).unwrap().with_topic("news").unwrap()
    }

    #[test]
    fn an_entry_comes_back_as_the_frame_of_its_event() {
        let record = record(entry().to_fields("k", 7));
        let line = Line::new(&record, 1024);
        let Form::Frame(frame, Some(topic)) = &line.form else {
            panic!("{line:?}")
        };
        let text = format!("event: tick\nid: {}\ndata: a\ndata: b\n\n", record.id());
        assert_eq!((frame.as_bytes(), &**topic), (text.as_bytes(), "news"));
        // What this node does not retain, it cannot read.
        let small = Line::new(&record, text.len() - 1);
        assert!(matches!(small.form, Form::Unreadable) && small.publication().is_none());
    }

    #[test]
    fn a_frame_is_at_most_seven_times_as_long_as_its_fields_and_its_id() {
        for data in ["", "x", &"\n".repeat(1000)] {
            let event = Event::new(EventType::from_static("tick"), data);
            let mut record = record(Entry::new(&event).unwrap().to_fields("k", 7));
            record.place = Place::new(u64::MAX, u64::MAX);
            let len = Line::new(&record, usize::MAX).len();
            assert!(len <= max_frame_len(record.len()), "{len}");
        }
    }

    #[test]
    fn a_tag_tells_entries_apart_by_any_field_and_by_the_key() {
        let base = record(entry().to_fields("k", 7)).id();
        let other_key = record(entry().to_fields("l", 7)).id();
        let other_try = record(entry().to_fields("k", 8)).id();
        assert_ne!(base.tag, other_try.tag);
        let other_topic = record(entry().with_topic("sport").unwrap().to_fields("k", 7)).id();
        assert_ne!(base.tag, other_key.tag);
        assert_ne!(base.tag, other_topic.tag);
        // The text moves from one field to the next.
        let moved = |a: &str, b: &str| record(vec![field(b"a", a), field(b"b", b)]).id().tag;
        assert_ne!(moved("xy", ""), moved("x", "y"));
        // The order of the fields does not count, and the value is pinned for ever.
        let mut turned = entry().to_fields("k", 7);
        turned.reverse();
        assert_eq!(record(turned).id(), base);
        assert_eq!(base.to_string(), "5-1-b1724877");
    }

    #[test]
    fn a_record_tells_its_id_to_who_knows_its_key() {
        let record = record(entry().to_fields("k", 0xBEEF));
        assert_eq!(record.written_as("k"), Some(record.id()));
        assert_eq!(record.written_as("l"), None);
    }

    #[test]
    fn what_no_version_can_read_is_poison_and_a_newer_version_is_not() {
        let content = |fields: &[(&[u8], &[u8])]| {
            let fields = fields.iter().map(|(name, value)| field(name, value));
            match record(fields.collect()).content() {
                Content::Event(_) => "event",
                Content::Poison => "poison",
                Content::Newer => "newer",
            }
        };
        assert_eq!(content(&[(b"v", b"1"), (b"data", b"x")]), "event");
        assert_eq!(content(&[(b"v", b"1"), (b"else", b"x")]), "event");
        assert_eq!(content(&[(b"v", b"2"), (b"data", b"\xFF")]), "newer");
        assert_eq!(content(&[]), "poison");
        assert_eq!(content(&[(b"v", b"one")]), "poison");
        assert_eq!(content(&[(b"v", b"1"), (b"data", b"\xFF")]), "poison");
        assert_eq!(content(&[(b"v", b"1"), (b"type", b"a\nb")]), "poison");
        assert_eq!(content(&[(b"v", b"1"), (b"topic", &[b'x'; 257])]), "poison");
    }

    #[test]
    fn an_entry_refuses_an_id_a_reconnection_time_and_what_is_too_long() {
        let refused = |event: Event<'_>| Entry::new(&event).unwrap_err();
        assert_eq!(
            refused(Event::message("x").with_id(1_u32)),
            EntryError::HasId
        );
        let retry = Event::message("x").with_reconnection_time(core::time::Duration::ZERO);
        assert_eq!(refused(retry), EntryError::HasReconnectionTime);
        let long = entry().with_topic("x".repeat(257)).unwrap_err();
        assert_eq!(long, EntryError::TopicTooLong(257));
        for key in ["", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(entry().with_key(key).unwrap_err(), EntryError::InvalidKey);
        }
    }
}
