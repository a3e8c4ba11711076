//! The first bytes of a stream.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::iter;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::fuse::Fuse;
use crate::wire::event::Event;
use crate::wire::field::EventId;

/// What a stream says before its first event: one block, which dispatches nothing at the client.
///
/// Sent at once, it makes the connection open for the client and for every proxy on the way, which
/// otherwise may wait for a first byte.
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
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Preamble<'a> {
    id: Option<EventId<'a>>,
    reconnection_time: Option<Duration>,
    jitter: Duration,
    comment: Option<Cow<'a, str>>,
    padding: u16,
}

impl<'a> Preamble<'a> {
    /// Makes a preamble without anything in it, which is no bytes.
    pub const fn new() -> Self {
        Self {
            id: None,
            reconnection_time: None,
            jitter: Duration::ZERO,
            comment: None,
            padding: 0,
        }
    }

    /// Sets the last event ID, or leaves it as the client has it: where it resumes if it is cut before
    /// its first event.
    ///
    /// Without one it would come back as a new client then, and what was published meanwhile would be
    /// lost in silence. For a subscription to a broadcast, it is the id that `Subscription::last_event_id`
    /// gives.
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
    pub const fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = Some(time);
        self
    }

    /// Makes the reconnection time longer, by a part of `most`: none of it for the smallest
    /// `random` number, nearly all for the largest.
    ///
    /// Drawn for each stream anew, it keeps the clients of a server that restarts from coming back
    /// in the same instant. Without effect where there is no reconnection time.
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
        // Less than 2^94 nanoseconds times less than 2^32.
        let nanos = (most.as_nanos() * u128::from(random)) >> 32;
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        let below = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
        self.jitter = Duration::new(seconds, below);
        self
    }

    /// Sets the comment. Every line of it travels as a comment of its own.
    pub fn with_comment(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// Adds a comment of so many spaces, for proxies and old browsers that hold a response back
    /// until they have some kilobytes of it: 2048 is what the known ones need.
    pub const fn with_padding(mut self, spaces: u16) -> Self {
        self.padding = spaces;
        self
    }

    /// Encodes it.
    pub fn to_bytes(&self) -> Bytes {
        let mut block = Event::block();
        if let Some(id) = &self.id {
            block = block.with_id(id.clone());
        }
        if let Some(time) = self.reconnection_time {
            block = block.with_reconnection_time(time.saturating_add(self.jitter));
        }
        if let Some(comment) = self.whole_comment() {
            block = block.with_comment(comment);
        }
        if block == Event::block() {
            return Bytes::new();
        }
        block.to_bytes()
    }

    /// The comment and the padding.
    fn whole_comment(&self) -> Option<Cow<'_, str>> {
        let comment = self.comment.as_deref();
        if self.padding == 0 {
            return comment.map(Cow::Borrowed);
        }
        let mut text = String::new();
        text.extend(comment);
        text.extend(comment.map(|_| '\n'));
        text.extend(iter::repeat_n(' ', usize::from(self.padding)));
        Some(Cow::Owned(text))
    }
}

/// Shows of the comment only its length, as an [`Event`] does.
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
    /// Sends some bytes before those of a stream. Made by
    /// [`preamble`](super::EventStreamExt::preamble).
    #[must_use = "streams do nothing unless polled"]
    pub struct WithPreamble<S> {
        #[pin]
        inner: Fuse<S>,
        // Empty once it is sent.
        preamble: Bytes,
    }
}

impl<S: Stream<Item = Bytes>> WithPreamble<S> {
    pub(super) fn new(stream: S, preamble: &Preamble<'_>) -> Self {
        Self {
            inner: Fuse::new(stream),
            preamble: preamble.to_bytes(),
        }
    }
}

impl<S: Stream<Item = Bytes>> Stream for WithPreamble<S> {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.project();
        if this.preamble.is_empty() {
            this.inner.poll_next(cx)
        } else {
            Poll::Ready(Some(mem::take(this.preamble)))
        }
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

impl<S: Stream<Item = Bytes>> FusedStream for WithPreamble<S> {
    fn is_terminated(&self) -> bool {
        self.preamble.is_empty() && self.inner.has_ended()
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
