//! Streams that are not from this crate, and the items of all streams.

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use crate::server::foreign::NO_WAKE;
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

/// An item of the streams that [`from_stream`] and `http::response` take.
///
/// - what converts into a [`Frame`]: an [`Event`](crate::Event), a frame, or a type of yours that
///   has `impl From<Token> for Frame`;
/// - [`Bytes`], which are sent as they are;
/// - a `Result` of one of these.
///
/// No other type can implement this trait.
#[diagnostic::on_unimplemented(
    message = "a stream of `{Self}` is no stream of events",
    note = "its items are events, frames or `Bytes`, what has `impl From<_> for Frame`, or `Result`s of these"
)]
pub trait Encode: Sized {
    /// The error of the stream; [`Infallible`] if the item is no `Result`.
    type Error;

    #[doc(hidden)]
    type Chunk: StreamItem + Encode<Error = Self::Error>;

    #[doc(hidden)]
    fn encode(self, _: Sealed) -> Self::Chunk;
}

#[doc(hidden)]
impl<T: Into<Frame>> Encode for T {
    type Error = Infallible;
    type Chunk = Bytes;

    #[inline]
    fn encode(self, _: Sealed) -> Bytes {
        self.into().into_bytes()
    }
}

#[doc(hidden)]
impl Encode for Bytes {
    type Error = Infallible;
    type Chunk = Self;

    #[inline]
    fn encode(self, _: Sealed) -> Self {
        self
    }
}

#[doc(hidden)]
impl<T: Encode<Chunk = Bytes>, E> Encode for Result<T, E> {
    type Error = E;
    type Chunk = Result<Bytes, E>;

    #[inline]
    fn encode(self, sealed: Sealed) -> Result<Bytes, E> {
        self.map(|item| item.encode(sealed))
    }
}

/// The item of a stream of bytes: [`Bytes`], or `Result<Bytes, E>` if the stream can fail.
///
/// No other type can implement this trait.
pub trait StreamItem: Encode<Chunk = Self> {
    #[doc(hidden)]
    fn from_result(result: Result<Bytes, Self::Error>, _: Sealed) -> Self;

    #[doc(hidden)]
    fn into_result(self, _: Sealed) -> Result<Bytes, Self::Error>;

    /// The bytes; `None` for an error.
    #[doc(hidden)]
    fn bytes(&self, _: Sealed) -> Option<&Bytes>;
}

/// An argument that only this crate can give: a trait whose methods take it is sealed.
#[derive(Debug)]
pub struct Sealed;

#[doc(hidden)]
impl StreamItem for Bytes {
    #[inline]
    fn from_result(result: Result<Bytes, Infallible>, _: Sealed) -> Self {
        let Ok(bytes) = result;
        bytes
    }

    #[inline]
    fn into_result(self, _: Sealed) -> Result<Bytes, Infallible> {
        Ok(self)
    }

    #[inline]
    fn bytes(&self, _: Sealed) -> Option<&Bytes> {
        Some(self)
    }
}

#[doc(hidden)]
impl<E> StreamItem for Result<Bytes, E> {
    #[inline]
    fn from_result(result: Self, _: Sealed) -> Self {
        result
    }

    #[inline]
    fn into_result(self, _: Sealed) -> Self {
        self
    }

    #[inline]
    fn bytes(&self, _: Sealed) -> Option<&Bytes> {
        self.as_ref().ok()
    }
}

/// The number of bytes that are still delivered after the stream was shut down: 1 MiB. Without a
/// limit, a stream that is always ready would not end.
const MAX_AFTER: usize = 1024 * 1024;

/// Makes the bytes of a stream that is not from this crate: of events, of what converts into a
/// [`Frame`], of [`Bytes`], or of `Result`s of these. The result has the
/// [adapters](crate::EventStreamExt).
///
/// Each item is one chunk. The stream is polled for one item when a chunk is asked for, never
/// ahead, so a source runs as fast as its client reads. Dropping the result drops the stream.
///
/// Such a stream has no target to close. So [`until`](crate::EventStreamExt::until) delivers the
/// items that are ready, up to 1 MiB, and then drops the stream. The last chunk is not cut, so it
/// may exceed that limit. An empty chunk counts as one byte.
///
/// # Examples
///
/// ```
/// use futures::{StreamExt, executor::block_on, stream};
/// use sse_proto::adapt::from_stream;
/// use sse_proto::{Event, EventStreamExt};
///
/// let tokens = stream::iter(["Hello", " world"]).map(Event::message);
/// let chunks = block_on(from_stream(tokens).collect::<Vec<_>>());
/// assert_eq!(chunks, ["data: Hello\n\n", "data:  world\n\n"]);
///
/// // A source that can fail. Here one event is ready; no second one ever is.
/// let event = Ok::<_, std::io::Error>(Event::message("1"));
/// let endless = stream::iter([event]).chain(stream::pending());
/// let ended = from_stream(endless).until(std::future::ready("it is over"));
/// assert_eq!(block_on(ended.map(Result::unwrap).collect::<Vec<_>>()), ["data: 1\n\n"]);
/// ```
pub fn from_stream<S: Stream<Item: Encode>>(stream: S) -> FromStream<S> {
    FromStream {
        stream: Some(stream),
        left: None,
    }
}

pin_project! {
    /// A stream that is not from this crate. Made by [`from_stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct FromStream<S> {
        // Dropped at its end.
        #[pin]
        stream: Option<S>,
        // The number of bytes that may still be delivered; `Some` after a shutdown.
        left: Option<usize>,
    }
}

impl<S: Stream<Item: Encode>> Stream for FromStream<S> {
    type Item = <S::Item as Encode>::Chunk;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if *this.left == Some(0) {
            this.stream.set(None);
        }
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match stream.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                let item = item.encode(Sealed);
                if let Some(left) = this.left {
                    let len = item.bytes(Sealed).map_or(0, Bytes::len);
                    *left = left.saturating_sub(len.max(1));
                }
                Poll::Ready(Some(item))
            }
            Poll::Pending if this.left.is_none() => Poll::Pending,
            Poll::Ready(None) | Poll::Pending => {
                this.stream.set(None);
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.stream.as_ref().map_or((0, Some(0)), S::size_hint);
        (self.left.map_or(least, |_| 0), most)
    }
}

impl<S> FromStream<S> {
    /// Ends the stream after the items that are ready. Returns whether this call ends it.
    pub(super) fn end(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let runs = this.stream.is_some() && this.left.is_none();
        if runs {
            *this.left = Some(MAX_AFTER);
        }
        runs
    }
}

debug!(impl(S: fmt::Debug) FromStream<S>, self => stream: self.stream);

/// The maximum number of empty chunks that one poll skips.
pub(super) const MAX_EMPTY: usize = 128;

#[inline]
pub(super) fn is_empty(item: &impl StreamItem) -> bool {
    item.bytes(Sealed).is_some_and(Bytes::is_empty)
}

/// Moves `tail` past an item. Where an error is, bytes may be missing.
#[inline]
pub(super) fn pass(tail: &mut Tail, item: &impl StreamItem) {
    match item.bytes(Sealed) {
        Some(bytes) => tail.pass(bytes),
        None => tail.pass_missing(),
    }
}

/// Polls for an item that is not an empty chunk. After [`MAX_EMPTY`] empty chunks it wakes the task
/// and returns `Pending`, so that other tasks can run.
#[inline]
pub(in crate::server) fn poll_filled<S: Stream<Item: Encode>>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
) -> Poll<Option<<S::Item as Encode>::Chunk>> {
    for _ in 0..MAX_EMPTY {
        match stream.as_mut().poll_next(cx) {
            // Matched and rebuilt, here and in the adapters, so that the compiler copies a chunk
            // word by word. A copy of the whole `Poll`, in two parts, would stall on the earlier
            // writes of the words: most of the cost of an adapter.
            Poll::Ready(Some(item)) => {
                let item = item.encode(Sealed);
                if !is_empty(&item) {
                    return Poll::Ready(Some(item));
                }
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Returns an item that is ready, and keeps no waker. The caller must be polled again in any case.
#[inline]
pub(super) fn poll_now<S: Stream>(stream: Pin<&mut S>) -> Option<S::Item> {
    match stream.poll_next(&mut Context::from_waker(NO_WAKE)) {
        Poll::Ready(Some(item)) => Some(item),
        Poll::Ready(None) | Poll::Pending => None,
    }
}
