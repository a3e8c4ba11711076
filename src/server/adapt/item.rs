//! What a stream of bytes yields, and how an adapter asks for it.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::Stream;

use crate::server::now::NOW;
use crate::wire::line::Tail;

/// The item of a stream of bytes: [`Bytes`], or `Result<Bytes, E>` if the stream can fail.
///
/// No other type can implement this trait.
pub trait StreamItem: Sized {
    /// The error of the stream; [`Infallible`] for [`Bytes`].
    type Error;

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

impl StreamItem for Bytes {
    type Error = Infallible;

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

impl<E> StreamItem for Result<Bytes, E> {
    type Error = E;

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

/// How many chunks without a byte one poll skips.
pub(super) const MAX_EMPTY: usize = 128;

#[inline]
pub(super) fn is_empty(item: &impl StreamItem) -> bool {
    item.bytes(Sealed).is_some_and(Bytes::is_empty)
}

/// Moves `tail` past an item. An error counts as a byte of a line that has not ended: bytes may be
/// missing there, so nothing says that a block is over until another one ends.
#[inline]
pub(super) fn pass(tail: &mut Tail, item: &impl StreamItem) {
    tail.pass(item.bytes(Sealed).map_or(b"?", |bytes| bytes));
}

/// Polls for an item that is not an empty chunk. After [`MAX_EMPTY`] of those, the task is woken
/// and other tasks have their turn.
#[inline]
pub(in crate::server) fn poll_filled<S: Stream<Item: StreamItem>>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
) -> Poll<Option<S::Item>> {
    for _ in 0..MAX_EMPTY {
        match stream.as_mut().poll_next(cx) {
            Poll::Ready(Some(item)) if is_empty(&item) => {}
            // Matched and built again, here and in the adapters, so that the compiler copies the
            // four words of a chunk as they were written. It would copy the whole `Poll` in two
            // parts, which wait for those writes: most of the cost of an adapter.
            Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Returns an item that is ready. For a caller that returns something in any case and is polled
/// again: no waker is kept.
#[inline]
pub(super) fn poll_now<S: Stream>(stream: Pin<&mut S>) -> Option<S::Item> {
    match stream.poll_next(&mut Context::from_waker(NOW)) {
        Poll::Ready(Some(item)) => Some(item),
        Poll::Ready(None) | Poll::Pending => None,
    }
}
