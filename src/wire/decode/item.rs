//! The items that a decoder returns, borrowed and owned.

use alloc::borrow::Cow;
use alloc::string::String;
use core::time::Duration;

use super::text::Text;
use crate::wire::event::Event;
use crate::wire::field::{EventId, MESSAGE};

/// One item of an event stream: an event, a reconnection time, a comment or a last event ID.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A block with data is complete: the standard's "dispatch the event".
    Event(MessageEvent<'a>),
    /// A `retry` field set the reconnection time. Returned at the end of its line, even if its
    /// block is never completed. A number of milliseconds that does not fit into 64 bits saturates.
    #[doc(alias = "retry")]
    ReconnectionTime(Duration),
    /// A comment, without its colon and one leading space. Returned only if
    /// [`Decoder::with_comments`](super::Decoder::with_comments) is set.
    Comment(Cow<'a, str>),
    /// A block without data set the last event ID. Returned only if
    /// [`Decoder::with_last_event_ids`](super::Decoder::with_last_event_ids) is set.
    LastEventId(Cow<'a, str>),
}

impl<'a> Item<'a> {
    /// Returns the event, if this is one.
    pub fn into_event(self) -> Option<MessageEvent<'a>> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }

    /// Copies the item. Malformed UTF-8 is replaced by U+FFFD.
    pub fn into_owned(self) -> OwnedItem {
        match self {
            Self::Event(event) => OwnedItem::Event(event.into_owned()),
            Self::ReconnectionTime(time) => OwnedItem::ReconnectionTime(time),
            Self::Comment(text) => OwnedItem::Comment(text.into_owned()),
            Self::LastEventId(text) => OwnedItem::LastEventId(text.into_owned()),
        }
    }
}

/// A received event. It borrows from the fed bytes if it lies entirely in them, otherwise from the
/// decoder.
///
/// As in the standard's `MessageEvent`, the type is `message` if the block has none. Text is
/// borrowed if it is UTF-8; otherwise it is copied, with U+FFFD for each malformed maximal subpart.
///
/// # Examples
///
/// ```
/// use sse_proto::{Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut items = decoder.feed(b"event: add\nid: 7\ndata: a\xffb\n\n");
/// let Some(Item::Event(event)) = items.next()? else { panic!() };
/// assert_eq!(event.event_type(), "add");
/// assert_eq!(event.data(), "a\u{FFFD}b");
/// assert_eq!(event.data_bytes(), b"a\xffb");
/// assert_eq!(event.last_event_id(), "7");
/// assert!(event.has_own_id());
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
pub struct MessageEvent<'a> {
    /// Empty for `message`.
    pub(super) event_type: Text<'a>,
    pub(super) data: Text<'a>,
    pub(super) last_event_id: &'a str,
    pub(super) own_id: bool,
}

impl<'a> MessageEvent<'a> {
    /// Returns the event type: `message` if the block has no type or an empty one.
    #[doc(alias = "name")]
    // > Initialize event's type attribute to "message" If the event type buffer has a value other
    // > than the empty string, change the type of the newly created event to equal the value of the
    // > event type buffer.
    #[inline]
    pub fn event_type(&self) -> Cow<'a, str> {
        if self.event_type.as_bytes().is_empty() {
            Cow::Borrowed(MESSAGE)
        } else {
            self.event_type.to_str()
        }
    }

    /// Returns the data, with its lines joined by LF.
    #[doc(alias("payload", "body"))]
    #[inline]
    pub fn data(&self) -> Cow<'a, str> {
        self.data.to_str()
    }

    /// Returns the received bytes of the data, with its lines joined by LF.
    #[inline]
    pub fn data_bytes(&self) -> &'a [u8] {
        self.data.as_bytes()
    }

    /// Returns the last event ID of the client at this event: the event's own id, or the ID that an
    /// earlier block or connection set.
    #[doc(alias("id", "cursor", "offset"))]
    #[inline]
    pub const fn last_event_id(&self) -> &'a str {
        self.last_event_id
    }

    /// Returns whether the block had an id of its own.
    #[inline]
    pub const fn has_own_id(&self) -> bool {
        self.own_id
    }

    /// Copies the event into one allocation. Malformed UTF-8 is replaced by U+FFFD.
    pub fn into_owned(self) -> OwnedMessageEvent {
        let (data, event_type) = (self.data(), self.event_type.to_str());
        let id = self.last_event_id;
        let mut text = String::with_capacity(data.len() + event_type.len() + id.len());
        text.push_str(&data);
        OwnedMessageEvent::from_data(text, &event_type, id, self.own_id)
    }

    /// Deserializes the data as JSON. Checks the UTF-8 of the data at most once.
    ///
    /// # Errors
    ///
    /// The error of `serde_json`, also if the data is not UTF-8.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::{Decoder, Item};
    ///
    /// let mut decoder = Decoder::new();
    /// let mut items = decoder.feed(b"data: [1,\ndata: 2]\n\n");
    /// let Some(Item::Event(event)) = items.next().unwrap() else { panic!() };
    /// assert_eq!(event.json::<Vec<u8>>()?, [1, 2]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        match self.data {
            Text::Checked(text) => serde_json::from_str(text),
            Text::Raw(bytes) => serde_json::from_slice(bytes),
        }
    }
}

/// Makes an event to be sent, with the same type and data and without an id. See
/// [`with_id_of`](Event::with_id_of).
impl<'a> From<&MessageEvent<'a>> for Event<'a> {
    fn from(received: &MessageEvent<'a>) -> Self {
        Self::relay(received.event_type.to_str(), received.data())
    }
}

/// The last event ID at the event, unless there is none.
impl<'a> From<&MessageEvent<'a>> for Option<EventId<'a>> {
    fn from(received: &MessageEvent<'a>) -> Self {
        id(received.last_event_id, received.own_id)
    }
}

debug! {
    impl() MessageEvent<'_>, self =>
    event_type: self.event_type(),
    data_len: self.data_bytes().len(),
    last_event_id: self.last_event_id(),
    has_own_id: self.own_id,
}

/// An [`Item`] that borrows nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum OwnedItem {
    /// A block with data is complete.
    Event(OwnedMessageEvent),
    /// A `retry` field set the reconnection time.
    ReconnectionTime(Duration),
    /// A comment. Returned only if [`Decoder::with_comments`](super::Decoder::with_comments) is
    /// set.
    Comment(String),
    /// A block without data set the last event ID. Returned only if
    /// [`Decoder::with_last_event_ids`](super::Decoder::with_last_event_ids) is set.
    LastEventId(String),
}

impl OwnedItem {
    /// Returns the event, if this is one.
    pub fn into_event(self) -> Option<OwnedMessageEvent> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }
}

/// A received event that borrows nothing: data, type and last event ID in one allocation.
///
/// The capacity of this allocation is at most a small multiple of their total length. Malformed
/// UTF-8 has been replaced by U+FFFD.
///
/// # Examples
///
/// ```
/// use sse_proto::decode::OwnedItem;
/// use sse_proto::Decoder;
///
/// let mut decoder = Decoder::new();
/// let mut items = decoder.feed(b"id: 1\ndata: hello\n\n");
/// let Some(OwnedItem::Event(event)) = items.next_owned()? else { panic!() };
/// assert_eq!((event.event_type(), event.data(), event.last_event_id()), ("message", "hello", "1"));
/// assert_eq!(event.into_data(), "hello");
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct OwnedMessageEvent {
    /// Data, then event type, then last event ID. Data comes first, so that a decoder's data buffer
    /// can become this text.
    text: String,
    data_len: usize,
    event_type_len: usize,
    own_id: bool,
}

impl OwnedMessageEvent {
    /// Makes an event in the allocation of the data.
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

    /// Returns the length of data, type and last event ID.
    pub(super) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Returns the event type: `message` if the block has no type or an empty one.
    pub fn event_type(&self) -> &str {
        if self.event_type_len == 0 {
            MESSAGE
        } else {
            &self.text[self.data_len..self.data_len + self.event_type_len]
        }
    }

    /// Returns the data, with its lines joined by LF.
    pub fn data(&self) -> &str {
        &self.text[..self.data_len]
    }

    /// Returns the last event ID of the client at this event, as [`MessageEvent::last_event_id`].
    pub fn last_event_id(&self) -> &str {
        &self.text[self.data_len + self.event_type_len..]
    }

    /// Returns whether the block had an id of its own.
    pub const fn has_own_id(&self) -> bool {
        self.own_id
    }

    /// Returns the data. Copies it only if the type and the last event ID are longer than the data.
    pub fn into_data(mut self) -> String {
        let rest = self.text.len() - self.data_len;
        self.text.truncate(self.data_len);
        if rest > self.data_len {
            self.text.shrink_to_fit();
        }
        self.text
    }

    /// Deserializes the data as JSON. Malformed UTF-8 has been replaced by U+FFFD;
    /// [`MessageEvent::json`] returns an error for it.
    ///
    /// # Errors
    ///
    /// The error of `serde_json`.
    #[cfg(feature = "json")]
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data())
    }
}

/// Makes an event to be sent, with the same type and data and without an id. See
/// [`with_id_of`](Event::with_id_of).
impl<'a> From<&'a OwnedMessageEvent> for Event<'a> {
    fn from(received: &'a OwnedMessageEvent) -> Self {
        Self::relay(received.event_type().into(), received.data().into())
    }
}

/// The last event ID at the event, unless there is none.
impl<'a> From<&'a OwnedMessageEvent> for Option<EventId<'a>> {
    fn from(received: &'a OwnedMessageEvent) -> Self {
        id(received.last_event_id(), received.own_id)
    }
}

/// Returns a last event ID, unless it is the empty one that a stream begins with.
fn id(last_event_id: &str, is_own: bool) -> Option<EventId<'_>> {
    (is_own || !last_event_id.is_empty()).then(|| EventId::received(last_event_id))
}

debug! {
    impl() OwnedMessageEvent, self =>
    event_type: self.event_type(),
    data_len: self.data_len,
    last_event_id: self.last_event_id(),
    has_own_id: self.own_id,
}
