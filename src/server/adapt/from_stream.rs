//! How a stream that is not from this crate enters a stack of adapters.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::ext::ShutDown;
use super::item::{Sealed, StreamItem};

/// How many bytes are still delivered after the stream was shut down: 1 MiB. A stream that is
/// always ready would not end.
const MAX_AFTER: usize = 1024 * 1024;

/// Lets the [adapters](crate::EventStreamExt) take a stream that is not from this crate.
///
/// Such a stream has no target that could be closed, so [`until`](crate::EventStreamExt::until) drops it:
/// after all items that are ready, up to the first time that none is, and after 1 MiB at the
/// latest. The last chunk is not cut, so it may pass that limit. An empty chunk counts as a byte.
///
/// # Examples
///
/// ```
/// use std::future::ready;
/// use futures::{StreamExt, executor::block_on, stream};
/// use sse_proto::adapt::from_stream;
/// use sse_proto::EventStreamExt;
/// use sse_proto::deps::bytes::Bytes;
///
/// // One block is ready, and no other ever.
/// let endless = stream::iter([Bytes::from("data: 1\n\n")]).chain(stream::pending());
/// let ended = from_stream(endless).until(ready("it is over"));
/// assert_eq!(block_on(ended.collect::<Vec<_>>()), ["data: 1\n\n"]);
/// ```
pub fn from_stream<S: Stream<Item: StreamItem>>(stream: S) -> FromStream<S> {
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
        // How many bytes may still come, once it was shut down.
        left: Option<usize>,
    }
}

impl<S: Stream<Item: StreamItem>> Stream for FromStream<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if *this.left == Some(0) {
            this.stream.set(None);
        }
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match stream.poll_next(cx) {
            Poll::Ready(Some(item)) => {
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

impl<S: Stream<Item: StreamItem>> FusedStream for FromStream<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

#[doc(hidden)]
impl<S: Stream<Item: StreamItem>> ShutDown for FromStream<S> {
    fn shut_down(self: Pin<&mut Self>, _: Sealed) -> bool {
        let this = self.project();
        let runs = this.stream.is_some() && this.left.is_none();
        if runs {
            *this.left = Some(MAX_AFTER);
        }
        runs
    }
}

impl<S: fmt::Debug> fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromStream")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
