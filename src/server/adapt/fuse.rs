//! A stream that is dropped at its end.

use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use crate::server::foreign::NO_WAKE;

/// How many chunks without a byte are passed over in one poll.
pub(super) const MOST_EMPTY: usize = 128;

pin_project! {
    /// The stream within an adapter. Once it has ended it is gone, and is never polled again.
    #[derive(Debug)]
    pub(in crate::server) struct Fuse<S> {
        #[pin]
        stream: Option<S>,
    }
}

impl<S> Fuse<S> {
    /// One that is over from the start.
    #[cfg(feature = "http")]
    pub(in crate::server) fn ended() -> Self {
        Self { stream: None }
    }

    pub(in crate::server) fn has_ended(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S: Stream<Item = Bytes>> Fuse<S> {
    pub(in crate::server) fn new(stream: S) -> Self {
        Self {
            stream: Some(stream),
        }
    }

    #[inline]
    pub(in crate::server) fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Bytes>> {
        let mut stream = self.project().stream;
        let Some(running) = stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match running.poll_next(cx) {
            // Taken apart and put together, here and in the adapters: so the compiler copies the four
            // words of the chunk as they were written right before. Two of them and the tag as one
            // would wait for the writes, which is most of what a layer then costs.
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(chunk)),
            Poll::Ready(None) => {
                stream.set(None);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// As [`poll_next`](Self::poll_next), without the chunks that have no byte. There may be any
    /// number of them, so after some of them others have their turn.
    #[inline]
    pub(in crate::server) fn poll_bytes(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Bytes>> {
        for _ in 0..MOST_EMPTY {
            match self.as_mut().poll_next(cx) {
                Poll::Ready(Some(chunk)) if chunk.is_empty() => {}
                Poll::Ready(Some(chunk)) => return Poll::Ready(Some(chunk)),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns what is there now. Only for who has something to return already: the caller will ask
    /// again, so that there is no more need wake nobody.
    #[inline]
    pub(in crate::server) fn poll_now(self: Pin<&mut Self>) -> Option<Bytes> {
        match self.poll_next(&mut Context::from_waker(NO_WAKE)) {
            Poll::Ready(Some(chunk)) => Some(chunk),
            Poll::Ready(None) | Poll::Pending => None,
        }
    }

    /// Ends it here and now.
    pub(in crate::server) fn end(self: Pin<&mut Self>) {
        self.project().stream.set(None);
    }

    pub(in crate::server) fn get(&self) -> Option<&S> {
        self.stream.as_ref()
    }

    pub(in crate::server) fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.as_ref().map_or((0, Some(0)), S::size_hint)
    }
}
