//! The value that is sent.

use alloc::borrow::Cow;
use core::fmt;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::encode::{self, Parts};
use super::field::{EventId, EventType};
use crate::error::BufferTooSmall;

/// An event, or a block of fields that is none.
///
/// Borrows what it is made of: building and encoding an event from `&str` allocates nothing.
/// [`into_owned`](Self::into_owned) gives one that outlives its parts.
///
/// An event has data, by default empty, so it is always dispatched at the client. Blocks that are not to be dispatched
/// (only a reconnection time, only an id, only a comment) begin with [`block`](Self::block).
///
/// Data and comments hold any text. What changes on the way to the client is this and nothing else:
/// CR and CRLF in data arrive as LF, an explicit type `message` arrives as no type would, and a
/// reconnection time arrives in whole milliseconds, rounded up, [`u64::MAX`] of them at most.
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, EventType};
///
/// let event = Event::new(EventType::from_static("tick"), "12:00\n12:01").with_id(7_u32);
/// assert_eq!(event.to_bytes(), "event: tick\nid: 7\ndata: 12:00\ndata: 12:01\n\n");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Event<'a> {
    event_type: Option<EventType<'a>>,
    id: Option<EventId<'a>>,
    reconnection_time: Option<Duration>,
    comment: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    cancelable: bool,
}

impl<'a> Event<'a> {
    /// Makes an event without a type: it arrives as `message`.
    #[inline]
    pub fn message(data: impl Into<Cow<'a, str>>) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::block()
        }
    }

    /// Makes an event with a type. Its data may be empty; it is dispatched all the same.
    #[inline]
    pub fn new(event_type: EventType<'a>, data: impl Into<Cow<'a, str>>) -> Self {
        Self {
            event_type: Some(event_type),
            ..Self::message(data)
        }
    }

    /// Makes a block without data, which dispatches nothing at the client.
    ///
    /// Its id and its reconnection time count there all the same; a comment keeps the connection
    /// busy; a type has no effect. Local listeners do not see it. A block with nothing in it is a
    /// single blank line.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::Event;
    ///
    /// let block = Event::block().with_reconnection_time(Duration::from_secs(3));
    /// assert_eq!(block.to_bytes(), "retry: 3000\n\n");
    /// ```
    #[inline]
    pub const fn block() -> Self {
        Self {
            event_type: None,
            id: None,
            reconnection_time: None,
            comment: None,
            data: None,
            cancelable: true,
        }
    }

    /// Sets the event type.
    #[inline]
    pub fn with_event_type(mut self, event_type: EventType<'a>) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Sets the id: what the client sends back as `Last-Event-ID` when it reconnects.
    #[inline]
    pub fn with_id(mut self, id: impl Into<EventId<'a>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets how long the client waits before it reconnects, from this block on.
    ///
    /// Travels as whole milliseconds, rounded up, [`u64::MAX`] of them at most. Browsers keep it in
    /// a timer of 32 bits: stay below 24 days.
    #[inline]
    pub fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = Some(time);
        self
    }

    /// Sets the comment, which stands before the fields. Clients ignore it; every line of it
    /// travels as a comment of its own.
    #[inline]
    pub fn with_comment(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// Sets the data. A block becomes an event.
    #[inline]
    pub fn with_data(mut self, data: impl Into<Cow<'a, str>>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Sets whether a local listener may cancel the event; without a call, it may.
    #[inline]
    pub fn with_cancelable(mut self, cancelable: bool) -> Self {
        self.cancelable = cancelable;
        self
    }

    /// Returns the event type; `None` stands for `message`.
    #[inline]
    pub fn event_type(&self) -> Option<&EventType<'a>> {
        self.event_type.as_ref()
    }

    /// Returns the id.
    #[inline]
    pub fn id(&self) -> Option<&EventId<'a>> {
        self.id.as_ref()
    }

    /// Returns the reconnection time, as it was set.
    #[inline]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// Returns the comment.
    #[inline]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// Returns the data; `None` for a [`block`](Self::block), which dispatches nothing.
    #[inline]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// Returns whether a local listener may cancel the event.
    #[inline]
    pub fn is_cancelable(&self) -> bool {
        self.cancelable
    }

    /// Returns the event's bytes on the wire, in one exact allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Event;
    ///
    /// assert_eq!(Event::message("hi").to_bytes(), "data: hi\n\n");
    /// ```
    #[inline]
    pub fn to_bytes(&self) -> Bytes {
        let parts = Parts::of(self);
        encode::parts_to_bytes(&parts, parts.measure())
    }

    /// Appends the event's bytes to a buffer. Allocates nothing if the buffer has the room.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use sse_proto::Event;
    ///
    /// let mut out = BytesMut::new();
    /// Event::message("first").encode(&mut out);
    /// Event::message("second\r\nline").encode(&mut out);
    /// assert_eq!(out, "data: first\n\ndata: second\ndata: line\n\n");
    /// ```
    #[inline]
    pub fn encode(&self, out: &mut BytesMut) {
        encode::append(&Parts::of(self), out);
    }

    /// Writes the event's bytes to the front of a slice and returns how many there are. Allocates
    /// nothing.
    ///
    /// # Errors
    ///
    /// If the slice is too short. Nothing is written then, and the error has the length needed.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Event;
    ///
    /// let event = Event::message("hi");
    /// let mut buffer = [0; 32];
    /// let len = event.encode_to_slice(&mut buffer)?;
    /// assert_eq!(&buffer[..len], b"data: hi\n\n");
    ///
    /// let error = event.encode_to_slice(&mut buffer[..4]).unwrap_err();
    /// assert_eq!(error.needed(), 10);
    /// # Ok::<(), sse_proto::event::BufferTooSmall>(())
    /// ```
    #[inline]
    pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        encode::write_slice(&Parts::of(self), out)
    }

    /// Returns the exact number of bytes that the event takes on the wire.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Event;
    ///
    /// assert_eq!(Event::message("a\nb").encoded_len(), "data: a\ndata: b\n\n".len());
    /// ```
    #[inline]
    pub fn encoded_len(&self) -> usize {
        Parts::of(self).measure().len
    }

    /// Takes all parts into memory of the event's own, unless they are there already.
    pub fn into_owned(self) -> Event<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Event {
            event_type: self.event_type.map(EventType::into_owned),
            id: self.id.map(EventId::into_owned),
            reconnection_time: self.reconnection_time,
            comment: self.comment.map(owned),
            data: self.data.map(owned),
            cancelable: self.cancelable,
        }
    }
}

/// Shows the fields, and of data and comment only their lengths in bytes: they may be large or
/// secret.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_type", &self.event_type)
            .field("id", &self.id)
            .field("reconnection_time", &self.reconnection_time)
            .field("comment_len", &self.comment().map(str::len))
            .field("data_len", &self.data().map(str::len))
            .field("cancelable", &self.cancelable)
            .finish()
    }
}
