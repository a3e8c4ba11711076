//! `Event`, the value that a server sends.

use alloc::borrow::Cow;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::encode::{BufferTooSmall, Fields};
use super::field::{EventId, EventType};

/// An event, or a block of fields that dispatches no event.
///
/// An event can borrow its parts: building and encoding an event from `&str` allocates nothing.
/// [`into_owned`](Self::into_owned) copies the borrowed parts.
///
/// An event has data, which may be empty, so a client always dispatches it. To send a reconnection
/// time, an id or a comment without an event, start with [`block`](Self::block). Data can be
/// replaced but not removed.
///
/// Data and comments hold any text. The client receives CR and CRLF in data as LF, and cannot tell
/// the type `message` from no type. A reconnection time is rounded up to whole milliseconds, at
/// most [`u64::MAX`] of them. Nothing else changes.
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, event_type};
///
/// let event = Event::new(event_type!("tick"), "12:00\n12:01").with_id(7);
/// assert_eq!(event.to_bytes(), "event: tick\nid: 7\ndata: 12:00\ndata: 12:01\n\n");
/// ```
#[doc(alias = "sse")]
#[derive(Clone, PartialEq)]
pub struct Event<'a> {
    event_type: Option<EventType<'a>>,
    id: Option<EventId<'a>>,
    reconnection_time: Option<Duration>,
    comment: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    cancelable: bool,
    blank_line: bool,
}

impl<'a> Event<'a> {
    /// Makes an event without a type, which arrives as `message`.
    #[inline]
    pub fn message(data: impl Into<Cow<'a, str>>) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::block()
        }
    }

    /// Makes an event with a type. The client dispatches it even if the data is empty.
    #[inline]
    pub fn new(event_type: EventType<'a>, data: impl Into<Cow<'a, str>>) -> Self {
        Self {
            event_type: Some(event_type),
            ..Self::message(data)
        }
    }

    /// Makes a block without data, for which the client dispatches no event.
    ///
    /// A client applies its reconnection time. A comment keeps the connection alive; a type has no
    /// effect. Some clients, browsers among them, take an id only from an event. Local listeners do
    /// not see a block.
    ///
    /// A comment and a reconnection time end without a blank line, unless
    /// [`with_blank_line`](Self::with_blank_line) asks for one; a type or an id ends with one. An
    /// empty block is a single blank line.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::Event;
    ///
    /// let block = Event::block().with_reconnection_time(Duration::from_secs(3));
    /// assert_eq!(block.to_bytes(), "retry: 3000\n");
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
            blank_line: false,
        }
    }

    /// Makes an event whose data is `value` as compact JSON.
    ///
    /// [`with_event_type`](Self::with_event_type) sets its type. For JSON that is too large to be
    /// in memory twice, use [`EventWriter::json`](crate::EventWriter::json).
    ///
    /// # Errors
    ///
    /// If the serializer of `value` fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Event;
    ///
    /// let event = Event::json(&[1, 2, 3])?;
    /// assert_eq!(event.data(), Some("[1,2,3]"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Self::json_with(value, serde_json::ser::CompactFormatter)
    }

    /// Makes an event whose data is `value` as JSON in a layout of your choice.
    ///
    /// Each line of the JSON is sent in a `data` field of its own, with its indentation.
    ///
    /// # Errors
    ///
    /// If the serializer of `value` fails, or the formatter writes bytes that are not UTF-8.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::ser::PrettyFormatter;
    /// use sse_proto::Event;
    ///
    /// let event = Event::json_with(&[1], PrettyFormatter::with_indent(b"  "))?;
    /// assert_eq!(event.to_bytes(), "data: [\ndata:   1\ndata: ]\n\n");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json_with<T, F>(value: &T, formatter: F) -> Result<Self, serde_json::Error>
    where
        T: serde::Serialize + ?Sized,
        F: serde_json::ser::Formatter,
    {
        let mut json = alloc::vec::Vec::with_capacity(128);
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, formatter);
        value.serialize(&mut serializer)?;
        let data = alloc::string::String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self::message(data))
    }

    /// Makes an event of one that was received.
    pub(crate) fn relay(event_type: Cow<'a, str>, data: Cow<'a, str>) -> Self {
        Self {
            event_type: EventType::received(event_type),
            ..Self::message(data)
        }
    }

    setters! {
        /// Sets the event type.
        #[doc(alias = "name")]
        #[doc(alias = "kind")]
        fn with_event_type(event_type: EventType<'a>) = Some(event_type);

        /// Sets the id. A client sends it back as `Last-Event-ID` when it reconnects.
        #[doc(alias = "cursor")]
        #[doc(alias = "offset")]
        fn with_id(id: impl Into<EventId<'a>>) = Some(id.into());

        /// Sets the id of an event that was received, for a server that passes events on.
        ///
        /// This is the last event ID at that event, even if an earlier block has set it. So the
        /// readers of the sent events have the same ID as the reader of the received ones. If there
        /// is no ID, none is set.
        ///
        /// Takes a `&MessageEvent` or a `&OwnedMessageEvent`, which convert into an event without
        /// an id.
        ///
        /// # Examples
        ///
        /// ```
        /// use sse_proto::{Event, decode};
        ///
        /// let upstream = "event: error\nid: 7\ndata: busy\n\n";
        /// let received = &decode::events(upstream)?[0];
        /// assert_eq!(Event::from(received).to_bytes(), "event: error\ndata: busy\n\n");
        /// assert_eq!(Event::from(received).with_id_of(received).to_bytes(), upstream);
        /// # Ok::<(), sse_proto::decode::ReceiveError<std::convert::Infallible>>(())
        /// ```
        fn with_id_of(id: impl Into<Option<EventId<'a>>>) = id.into();

        /// Sets how long the client waits before it reconnects. The time applies until another
        /// block sets one.
        ///
        /// The time is sent in whole milliseconds, rounded up, at most [`u64::MAX`] of them.
        /// Browsers use a 32-bit timer for it, so stay below 24 days.
        #[doc(alias = "retry")]
        fn with_reconnection_time(reconnection_time: Duration) = Some(reconnection_time);

        /// Sets the comment, which is sent before the fields. Clients ignore it. Each of its lines
        /// is sent as a comment of its own.
        #[doc(alias = "ping")]
        #[doc(alias = "heartbeat")]
        fn with_comment(comment: impl Into<Cow<'a, str>>) = Some(comment.into());

        /// Sets the data. This turns a block into an event.
        #[doc(alias = "payload")]
        #[doc(alias = "body")]
        fn with_data(data: impl Into<Cow<'a, str>>) = Some(data.into());

        /// Sets whether a local listener may cancel the event; the default is `true`.
        fn with_cancelable(cancelable: bool) = cancelable;

        /// Sets whether comments and a reconnection time that go out alone end with a blank line;
        /// the default is `false`. Everything else ends with one in any case.
        ///
        /// A client that follows the standard reads both forms alike. Others lose something in one
        /// of them:
        ///
        /// - Without the blank line, a reader that splits the stream at blank lines and looks only
        ///   at the first bytes of a block (many pages do, with `fetch`) loses the event that
        ///   follows.
        /// - With it, deployed libraries (httpx-sse, fetch-event-source, openai for Python) make an
        ///   empty message of each.
        ///
        /// A few accept nothing but `data` lines, in either form, such as google-genai for Python.
        /// Send them events without type and id, and a keep-alive that is
        /// [an event](crate::adapt::KeepAlive::with_frame).
        ///
        /// So keep the default for clients that you do not know. Set it for a stream without ids
        /// that only your own pages read.
        ///
        /// # Examples
        ///
        /// ```
        /// use sse_proto::Event;
        ///
        /// let comment = Event::block().with_comment("still here");
        /// assert_eq!(comment.to_bytes(), ": still here\n");
        /// assert_eq!(comment.with_blank_line(true).to_bytes(), ": still here\n\n");
        /// ```
        fn with_blank_line(blank_line: bool) = blank_line;
    }

    /// Returns the event type; `None` stands for `message`.
    #[doc(alias = "name")]
    #[doc(alias = "kind")]
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
    #[doc(alias = "retry")]
    #[inline]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// Returns the comment.
    #[inline]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// Returns the data; `None` for a [`block`](Self::block).
    #[doc(alias = "payload")]
    #[doc(alias = "body")]
    #[inline]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// Returns whether a local listener may cancel the event.
    #[inline]
    pub fn is_cancelable(&self) -> bool {
        self.cancelable
    }

    /// Copies all borrowed parts, so that the event outlives them.
    pub fn into_owned(self) -> Event<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Event {
            event_type: self.event_type.map(EventType::into_owned),
            id: self.id.map(EventId::into_owned),
            reconnection_time: self.reconnection_time,
            comment: self.comment.map(owned),
            data: self.data.map(owned),
            cancelable: self.cancelable,
            blank_line: self.blank_line,
        }
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
        let fields = self.fields();
        fields.write_to_bytes(fields.measure())
    }

    /// Appends the event's bytes to a buffer. Allocates nothing if the buffer has enough room.
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
        self.fields().append(out);
    }

    /// Writes the event's bytes to the front of a slice and returns their number. Allocates
    /// nothing.
    ///
    /// # Errors
    ///
    /// If the slice is too short. In this case nothing is written, and the error has the length
    /// that is needed.
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
        self.fields().write_to_slice(out)
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
        self.fields().measure().len
    }

    #[inline]
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields {
            comment: self.comment(),
            event_type: self.event_type.as_ref().map(EventType::as_str),
            id: self.id.as_ref().map(|id| id.text().map(str::as_bytes)),
            reconnection_time: self.reconnection_time,
            data: self.data(),
            blank_line: self.blank_line,
        }
    }
}

// Shows the fields. Data and comment may be large or secret, so only their lengths are shown, in
// bytes.
debug! {
    impl() Event<'_>, self =>
    event_type: self.event_type,
    id: self.id,
    reconnection_time: self.reconnection_time,
    comment_len: self.comment().map(str::len),
    data_len: self.data().map(str::len),
    cancelable: self.cancelable,
    blank_line: self.blank_line,
}
