//! What a decoder hands out, owned.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// The event type of an event that names none.
pub(super) const MESSAGE: &str = "message";

/// An [`Item`](super::Item) that borrows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnedItem {
    /// A block with data was complete.
    Event(OwnedMessageEvent),
    /// A `retry` field set the reconnection time.
    ReconnectionTime(Duration),
    /// A comment, if the decoder was asked for them.
    Comment(String),
    /// A block without data set the last event ID, if the decoder was asked to tell.
    LastEventId(String),
}

impl OwnedItem {
    /// Returns the event, if this is one.
    pub fn event(self) -> Option<OwnedMessageEvent> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }
}

/// A received event that borrows nothing: data, type and last event ID in one allocation.
///
/// Its capacity is at most a small multiple of their length. What was not UTF-8 is U+FFFD here.
///
/// # Examples
///
/// ```
/// use sse_proto::decode::OwnedItem;
/// use sse_proto::Decoder;
///
/// let mut decoder = Decoder::new();
/// let mut input: &[u8] = b"id: 1\ndata: hello\n\n";
/// let Some(OwnedItem::Event(event)) = decoder.decode_owned(&mut input)? else { panic!() };
/// assert_eq!((event.event_type(), event.data(), event.last_event_id()), ("message", "hello", "1"));
/// assert_eq!(event.into_data(), "hello");
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
///
/// Two events are equal when all that they tell is: an explicit type `message` is no type.
#[derive(Clone)]
pub struct OwnedMessageEvent {
    /// Data, then event type, then last event ID: data comes first so that a decoder's buffer becomes the event.
    text: String,
    data_len: usize,
    event_type_len: usize,
    own_id: bool,
}

impl OwnedMessageEvent {
    /// Copies what is given; an empty event type stands for `message`.
    #[inline]
    pub(super) fn new(data: &str, event_type: &str, last_event_id: &str, own_id: bool) -> Self {
        let mut text = String::with_capacity(data.len() + event_type.len() + last_event_id.len());
        #[cfg(test)]
        super::count_copied(data.len());
        text.push_str(data);
        Self::from_data(text, event_type, last_event_id, own_id)
    }

    /// Goes on with the allocation of the data.
    #[inline]
    pub(super) fn from_data(
        mut text: String,
        event_type: &str,
        last_event_id: &str,
        own_id: bool,
    ) -> Self {
        let data_len = text.len();
        let event_type_len = event_type.len();
        if event_type_len + last_event_id.len() > 0 {
            #[cfg(test)]
            super::count_copied(event_type_len + last_event_id.len());
            #[cfg(test)]
            if text.capacity() - data_len < event_type_len + last_event_id.len() {
                super::count_moved(data_len);
            }
            text.reserve_exact(event_type_len + last_event_id.len());
            text.push_str(event_type);
            text.push_str(last_event_id);
        }
        Self {
            text,
            data_len,
            event_type_len,
            own_id,
        }
    }

    /// Returns the event type: `message` if the block named none or an empty one.
    pub fn event_type(&self) -> &str {
        if self.event_type_len == 0 {
            MESSAGE
        } else {
            &self.text[self.data_len..self.data_len + self.event_type_len]
        }
    }

    /// Returns the data, its lines joined by LF.
    pub fn data(&self) -> &str {
        &self.text[..self.data_len]
    }

    /// Returns the last event ID at the dispatch.
    pub fn last_event_id(&self) -> &str {
        &self.text[self.data_len + self.event_type_len..]
    }

    /// Returns whether the block had an id of its own.
    pub const fn has_own_id(&self) -> bool {
        self.own_id
    }

    /// Returns the data, without a copy unless most of the event was something else.
    pub fn into_data(mut self) -> String {
        let rest = self.text.len() - self.data_len;
        self.text.truncate(self.data_len);
        if rest > self.data_len {
            self.text.shrink_to_fit();
        }
        self.text
    }

    /// Returns how many bytes the event has allocated.
    pub fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Deserializes the data as JSON. What came as malformed UTF-8 is U+FFFD here; a borrowed
    /// event's [`json`](super::MessageEvent::json) refuses it.
    ///
    /// # Errors
    ///
    /// What `serde_json` finds wrong.
    #[cfg(feature = "json")]
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data())
    }
}

impl PartialEq for OwnedMessageEvent {
    fn eq(&self, other: &Self) -> bool {
        self.event_type() == other.event_type()
            && self.data() == other.data()
            && self.last_event_id() == other.last_event_id()
            && self.own_id == other.own_id
    }
}

impl Eq for OwnedMessageEvent {}

impl fmt::Debug for OwnedMessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedMessageEvent")
            .field("event_type", &self.event_type())
            .field("data_len", &self.data_len)
            .field("last_event_id", &self.last_event_id())
            .field("has_own_id", &self.own_id)
            .finish_non_exhaustive()
    }
}
