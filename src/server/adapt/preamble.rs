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
use crate::wire::event::Event;
use crate::wire::field::EventId;

/// The first block of a stream, which dispatches no event at the client.
///
/// It goes out at once, so that the client and the proxies on the way see an open connection. Some
/// of them wait for a first byte.
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
/// assert_eq!(preamble.to_bytes(), ": welcome\nretry: 2000\n\n");
/// ```
#[derive(Default)]
pub struct Preamble<'a> {
    id: Option<EventId<'a>>,
    reconnection_time: Option<Duration>,
    jitter: Duration,
    comment: Option<Cow<'a, str>>,
    padding: u16,
}

impl<'a> Preamble<'a> {
    /// Makes an empty preamble, which sends no bytes.
    pub const fn new() -> Self {
        Self {
            id: None,
            reconnection_time: None,
            jitter: Duration::ZERO,
            comment: None,
            padding: 0,
        }
    }

    /// Sets the last event ID; with `None`, the client keeps the one that it has.
    ///
    /// A client that loses its connection before its first event resumes after this id. Without an
    /// id it would reconnect as a new client and silently miss the events published in between. For
    /// a subscription, use `Subscription::last_event_id`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::adapt::Preamble;
    /// use sse_proto::broadcast::Retention;
    /// use sse_proto::{Broadcast, Event, EventId};
    ///
    /// let broadcast = Broadcast::assigning_ids(Retention::new(), 7);
    /// let subscription = broadcast.subscribe(None).or_live();
    /// let preamble = Preamble::new().with_id(subscription.last_event_id());
    /// assert_eq!(preamble.to_bytes(), "id: 7-0~\n\n");
    /// ```
    pub fn with_id(mut self, id: impl Into<Option<EventId<'a>>>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets how long the client waits before it reconnects.
    #[doc(alias = "retry")]
    pub const fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = Some(time);
        self
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
    /// assert_eq!(retry(0), "retry: 1000\n\n");
    /// assert_eq!(retry(u32::MAX / 2), "retry: 2000\n\n");
    /// assert_eq!(retry(u32::MAX), "retry: 3000\n\n");
    /// ```
    pub fn with_jitter(mut self, most: Duration, random: u32) -> Self {
        // Cannot overflow: less than 2^94 nanoseconds times less than 2^32.
        let nanos = (most.as_nanos() * u128::from(random)) >> 32;
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        let below = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
        self.jitter = Duration::new(seconds, below);
        self
    }

    /// Sets the comment. Each line of it is sent as a comment of its own.
    pub fn with_comment(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// Adds a comment of this many spaces.
    ///
    /// Some proxies and old browsers hold a response back until it has some kilobytes. For the
    /// known ones, 2048 is enough.
    pub const fn with_padding(mut self, spaces: u16) -> Self {
        self.padding = spaces;
        self
    }

    /// Encodes the block.
    pub fn to_bytes(&self) -> Bytes {
        let mut block = Event::block();
        if let Some(id) = &self.id {
            block = block.with_id(id.clone());
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
        block.to_bytes()
    }
}

/// Shows the length of the comment, not its text.
impl fmt::Debug for Preamble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preamble")
            .field("id", &self.id)
            .field("reconnection_time", &self.reconnection_time)
            .field("jitter", &self.jitter)
            .field("comment_len", &self.comment.as_deref().map(str::len))
            .field("padding", &self.padding)
            .finish()
    }
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

impl<S: fmt::Debug> fmt::Debug for WithPreamble<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithPreamble")
            .field("inner", &self.inner)
            .field("sent", &self.preamble.is_empty())
            .finish_non_exhaustive()
    }
}
