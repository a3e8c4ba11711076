//! What a decoder hands out, borrowed.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::owned::{MESSAGE, OwnedItem, OwnedMessageEvent};
use crate::wire::utf8;

/// One thing that an event stream said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A block with data was complete: the standard's "dispatch the event".
    Event(MessageEvent<'a>),
    /// A `retry` field set the reconnection time. Comes at its own line, whatever becomes of its block. A number too
    /// large for 64 bits of milliseconds saturates.
    ReconnectionTime(Duration),
    /// A comment, without its colon and one leading space. Only with [`Decoder::with_comments`](super::Decoder::with_comments).
    Comment(Text<'a>),
    /// A block without data set the last event ID. Only with
    /// [`Decoder::with_last_event_ids`](super::Decoder::with_last_event_ids).
    LastEventId(Text<'a>),
}

impl<'a> Item<'a> {
    /// Returns whether this is an event.
    pub const fn is_event(&self) -> bool {
        matches!(self, Self::Event(_))
    }

    /// Returns the event, if this is one.
    pub const fn event(self) -> Option<MessageEvent<'a>> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }

    /// Copies the item, with U+FFFD for what is not UTF-8.
    pub fn to_owned(self) -> OwnedItem {
        match self {
            Self::Event(event) => OwnedItem::Event(event.to_owned()),
            Self::ReconnectionTime(time) => OwnedItem::ReconnectionTime(time),
            Self::Comment(text) => OwnedItem::Comment(text.to_str().into_owned()),
            Self::LastEventId(text) => OwnedItem::LastEventId(text.to_str().into_owned()),
        }
    }
}

/// A received event, borrowed from the input where it lies whole in it and else from the decoder.
///
/// As with the standard's `MessageEvent`, the type is `message` when the stream named none. Text is read on demand:
/// borrowed where it is UTF-8, else with U+FFFD for each maximal subpart that is not.
///
/// # Examples
///
/// ```
/// use sse_proto::{Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut input: &[u8] = b"event: add\nid: 7\ndata: a\xffb\n\n";
/// let Some(Item::Event(event)) = decoder.decode(&mut input)? else { panic!() };
/// assert_eq!(event.event_type(), "add");
/// assert_eq!(event.data(), "a\u{FFFD}b");
/// assert_eq!(event.data_bytes(), b"a\xffb");
/// assert_eq!(event.last_event_id(), "7");
/// assert!(event.has_own_id());
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
///
/// Two events are equal when all that they tell is: an explicit type `message` is no type.
#[derive(Clone, Copy)]
pub struct MessageEvent<'a> {
    /// Empty for `message`.
    pub(super) event_type: Text<'a>,
    pub(super) data: Text<'a>,
    pub(super) last_event_id: Text<'a>,
    pub(super) own_id: bool,
}

impl<'a> MessageEvent<'a> {
    /// Returns the event type: `message` if the block named none or an empty one.
    // > Initialize event's type attribute to "message"
    // > If the event type buffer has a value other than the empty string, change the type of the newly created event to
    // > equal the value of the event type buffer.
    #[inline]
    pub fn event_type(&self) -> Cow<'a, str> {
        if self.event_type.as_bytes().is_empty() {
            Cow::Borrowed(MESSAGE)
        } else {
            self.event_type.to_str()
        }
    }

    /// Returns the event type as it came.
    #[inline]
    pub fn event_type_bytes(&self) -> &'a [u8] {
        if self.event_type.as_bytes().is_empty() {
            MESSAGE.as_bytes()
        } else {
            self.event_type.as_bytes()
        }
    }

    /// Returns the data, its lines joined by LF.
    #[inline]
    pub fn data(&self) -> Cow<'a, str> {
        self.data.to_str()
    }

    /// Returns the data as it came, its lines joined by LF.
    #[inline]
    pub fn data_bytes(&self) -> &'a [u8] {
        self.data.as_bytes()
    }

    /// Returns the last event ID at the dispatch: this event's own, or the one that an earlier block or connection set.
    #[inline]
    pub fn last_event_id(&self) -> Cow<'a, str> {
        self.last_event_id.to_str()
    }

    /// Returns the last event ID as it came.
    #[inline]
    pub fn last_event_id_bytes(&self) -> &'a [u8] {
        self.last_event_id.as_bytes()
    }

    /// Returns whether the block had an id of its own.
    #[inline]
    pub const fn has_own_id(&self) -> bool {
        self.own_id
    }

    /// Copies the event in one allocation, with U+FFFD for what is not UTF-8.
    pub fn to_owned(&self) -> OwnedMessageEvent {
        OwnedMessageEvent::new(
            &self.data(),
            &self.event_type.to_str(),
            &self.last_event_id(),
            self.own_id,
        )
    }

    /// Deserializes the data as JSON. Its UTF-8 is checked once in all.
    ///
    /// # Errors
    ///
    /// What `serde_json` finds wrong, invalid UTF-8 included.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::{Decoder, Item};
    ///
    /// let mut decoder = Decoder::new();
    /// let mut input: &[u8] = b"data: [1,\ndata: 2]\n\n";
    /// let Some(Item::Event(event)) = decoder.decode(&mut input).unwrap() else { panic!() };
    /// assert_eq!(event.json::<Vec<u8>>()?, [1, 2]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        match self.data.0 {
            Repr::Checked(text) => serde_json::from_str(text),
            Repr::Raw(bytes) => serde_json::from_slice(bytes),
        }
    }
}

impl PartialEq for MessageEvent<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.event_type_bytes() == other.event_type_bytes()
            && self.data == other.data
            && self.last_event_id == other.last_event_id
            && self.own_id == other.own_id
    }
}

impl Eq for MessageEvent<'_> {}

impl fmt::Debug for MessageEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEvent")
            .field("event_type", &self.event_type())
            .field("data_len", &self.data_bytes().len())
            .field("last_event_id", &self.last_event_id)
            .field("has_own_id", &self.own_id)
            .finish_non_exhaustive()
    }
}

/// Bytes that are read as UTF-8 text. Two of them are equal when their bytes are.
#[derive(Clone, Copy)]
pub struct Text<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Checked(&'a str),
    Raw(&'a [u8]),
}

impl<'a> Text<'a> {
    #[inline]
    pub(super) const fn checked(text: &'a str) -> Self {
        Self(Repr::Checked(text))
    }

    #[inline]
    pub(super) const fn raw(bytes: &'a [u8]) -> Self {
        Self(Repr::Raw(bytes))
    }

    /// Returns the text: borrowed where it is UTF-8, else a copy with U+FFFD for each maximal subpart that is not.
    #[inline]
    pub fn to_str(&self) -> Cow<'a, str> {
        match self.0 {
            Repr::Checked(text) => Cow::Borrowed(text),
            // The check alone is several times faster than the search for what to replace.
            Repr::Raw(bytes) => match utf8::check(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => replace_malformed(bytes),
            },
        }
    }

    /// Returns the bytes as they came.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        match self.0 {
            Repr::Checked(text) => text.as_bytes(),
            Repr::Raw(bytes) => bytes,
        }
    }

    #[inline]
    pub(super) fn without_last_line_feed(self) -> Self {
        match self.0 {
            Repr::Checked(text) => Self::checked(text.strip_suffix('\n').unwrap_or(text)),
            Repr::Raw(bytes) => Self::raw(bytes.strip_suffix(b"\n").unwrap_or(bytes)),
        }
    }
}

#[cold]
fn replace_malformed(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str(), f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_str(), f)
    }
}
