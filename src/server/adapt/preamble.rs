//! The first bytes of a stream.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::inner::{Sealed, StreamItem};
use crate::timer::scale;
use crate::wire::event::Event;
use crate::wire::field::{EventId, EventType, START};
use crate::wire::last_event_id::LastEventId;

/// The first bytes of a stream: comments, a reconnection time, and the id that the stream starts at.
///
/// They go out at once, so that the client and the proxies on the way see an open connection. Some
/// of them wait for a first byte. Only an [id](Self::with_id) dispatches an event at the client.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use sse_proto::adapt::Preamble;
///
/// let preamble = Preamble::new()
///     .with_comment("welcome")
///     .with_reconnection_time(Duration::from_secs(2));
/// assert_eq!(preamble.to_bytes(), ": welcome\nretry: 2000\n");
/// ```
pub struct Preamble<'a> {
    id: Option<EventId<'a>>,
    start_type: EventType<'a>,
    start_data: Cow<'a, str>,
    reconnection_time: Option<Duration>,
    jitter: Duration,
    comment: Option<Cow<'a, str>>,
    padding: u16,
    blank_line: bool,
}

impl<'a> Preamble<'a> {
    /// Makes an empty preamble, which sends no bytes.
    pub const fn new() -> Self {
        Self {
            id: None,
            start_type: START,
            start_data: Cow::Borrowed("{}"),
            reconnection_time: None,
            jitter: Duration::ZERO,
            comment: None,
            padding: 0,
            blank_line: false,
        }
    }

    /// Starts the stream with an event that has this id: an [`EventId`], a number, or an
    /// `Option<EventId>`. With `None` or an empty id, there is no such event.
    ///
    /// A client that loses its connection before its first event resumes after this id. Without an
    /// id it would reconnect as a new client and silently miss the events published in between. For
    /// a subscription, use `Subscription::last_event_id`, or
    /// [`with_defaults`](crate::EventStreamExt::with_defaults), which does all of this.
    ///
    /// Set it for a new client. A client that was resumed has an id already. The event that tells a
    /// client of a gap has an id, too. A stream without ids needs none.
    ///
    /// It is an event because browsers and several libraries take an id only from one. Its type is
    /// [`START`](crate::event::START) and its data is `{}`, unless [`with_start`](Self::with_start)
    /// sets others. So no listener of `message` sees it.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::adapt::Preamble;
    /// use sse_proto::broadcast::{Retention, Subscribed};
    /// use sse_proto::event::LastEventId;
    /// use sse_proto::{Broadcast, EventId};
    ///
    /// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    /// let start = |last: LastEventId<'_>| match broadcast.subscribe(last) {
    ///     Subscribed::Live(subscription) => subscription.last_event_id(),
    ///     _ => None,
    /// };
    /// let first = Preamble::new().with_id(start(LastEventId::None));
    /// assert_eq!(first.to_bytes(), "event: stream-start\nid: 7-0\ndata: {}\n\n");
    ///
    /// let resumed = Preamble::new().with_id(start(EventId::from_static("7-0").into()));
    /// assert_eq!(resumed.to_bytes(), "");
    /// ```
    pub fn with_id(mut self, id: impl Into<LastEventId<'a>>) -> Self {
        self.id = match id.into() {
            LastEventId::Id(id) => Some(id),
            LastEventId::None | LastEventId::Invalid => None,
        };
        self
    }

    /// Sets the type and the data of the event that an [id](Self::with_id) is sent in.
    ///
    /// Some SDKs parse the data of each event as JSON. The types `open`, `error` and `message` count
    /// as [`START`](crate::event::START), because an `EventSource` has events of these types itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::adapt::Preamble;
    /// use sse_proto::event_type;
    ///
    /// let start = Preamble::new().with_id(7).with_start(event_type!("hello"), "[]");
    /// assert_eq!(start.to_bytes(), "event: hello\nid: 7\ndata: []\n\n");
    /// ```
    pub fn with_start(mut self, event_type: EventType<'a>, data: impl Into<Cow<'a, str>>) -> Self {
        self.start_type = match event_type.as_str() {
            "open" | "error" | "message" => START,
            _ => event_type,
        };
        self.start_data = data.into();
        self
    }

    setters! {
        /// Sets how long the client waits before it reconnects.
        #[doc(alias = "retry")]
        const fn with_reconnection_time(reconnection_time: Duration) = Some(reconnection_time);

        /// Sets the comment. Each line of it is sent as a comment of its own.
        fn with_comment(comment: impl Into<Cow<'a, str>>) = Some(comment.into());

        /// Adds a comment of this many spaces.
        ///
        /// Some proxies and old browsers hold a response back until it has some kilobytes. For the
        /// known ones, 2048 is enough.
        const fn with_padding(padding: u16);

        /// Sets whether comments and a reconnection time end with a blank line; the default is
        /// `false`. The method [`Event::with_blank_line`] tells which clients need which form.
        const fn with_blank_line(blank_line: bool);
    }

    /// Adds a random part of `most` to the reconnection time: nothing if `random` is 0, nearly all
    /// of `most` if `random` is `u32::MAX`.
    ///
    /// With a new number for each stream, the clients of a server that restarts do not all
    /// reconnect at the same instant. Without a reconnection time it has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::adapt::Preamble;
    ///
    /// let second = Duration::from_secs(1);
    /// let retry = |random| {
    ///     let preamble = Preamble::new().with_reconnection_time(second);
    ///     preamble.with_jitter(2 * second, random).to_bytes()
    /// };
    /// assert_eq!(retry(0), "retry: 1000\n");
    /// assert_eq!(retry(u32::MAX / 2), "retry: 2000\n");
    /// assert_eq!(retry(u32::MAX), "retry: 3000\n");
    /// ```
    pub fn with_jitter(mut self, most: Duration, random: u32) -> Self {
        self.jitter = scale(most, random, 1 << 32);
        self
    }

    /// Encodes the first bytes.
    pub fn to_bytes(&self) -> Bytes {
        let mut block = Event::block();
        if let Some(id) = &self.id {
            block = Event::new(self.start_type.clone(), &*self.start_data).with_id(id.clone());
        }
        if let Some(time) = self.reconnection_time {
            block = block.with_reconnection_time(time.saturating_add(self.jitter));
        }
        let spaces = " ".repeat(usize::from(self.padding));
        let padding = (self.padding > 0).then_some(&*spaces);
        let comments: Vec<&str> = self.comment.as_deref().into_iter().chain(padding).collect();
        if !comments.is_empty() {
            block = block.with_comment(comments.join("\n"));
        }
        if block == Event::block() {
            return Bytes::new();
        }
        block.with_blank_line(self.blank_line).to_bytes()
    }
}

impl Default for Preamble<'_> {
    fn default() -> Self {
        Self::new()
    }
}

// Shows the lengths of comment and data, not their texts.
debug! {
    impl() Preamble<'_>, self =>
    id: self.id,
    start_type: self.start_type,
    start_data_len: self.start_data.len(),
    reconnection_time: self.reconnection_time,
    jitter: self.jitter,
    comment_len: self.comment.as_deref().map(str::len),
    padding: self.padding,
    blank_line: self.blank_line,
}

pin_project! {
    /// Sends a [`Preamble`] before a stream. Made by [`preamble`](crate::EventStreamExt::preamble).
    #[must_use = "streams do nothing unless polled"]
    pub struct WithPreamble<S> {
        #[pin]
        pub(super) inner: S,
        // Empty after it was sent.
        preamble: Bytes,
    }
}

impl<S: Stream<Item: StreamItem>> WithPreamble<S> {
    pub(super) fn new(inner: S, preamble: &Preamble<'_>) -> Self {
        Self {
            inner,
            preamble: preamble.to_bytes(),
        }
    }
}

impl<S: Stream<Item: StreamItem>> Stream for WithPreamble<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if this.preamble.is_empty() {
            return this.inner.poll_next(cx);
        }
        let preamble = mem::take(this.preamble);
        Poll::Ready(Some(S::Item::from_result(Ok(preamble), Sealed)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.inner.size_hint();
        let first = usize::from(!self.preamble.is_empty());
        (
            least.saturating_add(first),
            most.and_then(|most| most.checked_add(first)),
        )
    }
}

debug! {
    impl(S: fmt::Debug) WithPreamble<S>, self =>
    inner: self.inner,
    sent: self.preamble.is_empty(),
}
