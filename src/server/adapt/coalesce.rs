//! Few large chunks for many small ones.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::batch::Batch;
use super::fuse::Fuse;
use super::linger::Linger;
use crate::timer::Timer;

pin_project! {
    /// Joins chunks that are ready into one. Made by
    /// [`coalesce`](super::EventStreamExt::coalesce).
    #[must_use = "streams do nothing unless polled"]
    pub struct Coalesce<S> {
        #[pin]
        inner: Fuse<S>,
        batch: Batch,
    }
}

impl<S: Stream<Item = Bytes>> Coalesce<S> {
    pub(super) fn new(stream: S, max_bytes: usize) -> Self {
        Self {
            inner: Fuse::new(stream),
            batch: Batch::new(max_bytes),
        }
    }

    /// Waits so long for more, from the first chunk on that is ready, unless the maximum of bytes
    /// or the end comes before: a little latency for far fewer writes.
    ///
    /// A duration of zero waits for nothing. The timer is asked only when chunks are there and no
    /// more are ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::ready, time::Duration};
    /// # use futures::{StreamExt, executor::block_on, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::EventStreamExt;
    /// // `tokio::time::sleep`, for example.
    /// let timer = |_: Duration| ready(());
    ///
    /// let blocks = ["data: 1\n\n", "data: 2\n\n"].map(|block| Bytes::from(block));
    /// let stream = stream::iter(blocks).coalesce(16 * 1024).linger(Duration::from_millis(5), timer);
    /// assert_eq!(block_on(stream.collect::<Vec<_>>()), ["data: 1\n\ndata: 2\n\n"]);
    /// ```
    pub fn linger<T: Timer>(self, duration: Duration, timer: T) -> Linger<S, T> {
        Linger::new(self.inner, self.batch, duration, timer)
    }
}

impl<S: Stream<Item = Bytes>> Stream for Coalesce<S> {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.project();
        if !this.batch.is_empty() {
            this.batch.fill(this.inner);
            return Poll::Ready(Some(this.batch.take()));
        }
        let first = match this.inner.as_mut().poll_bytes(cx) {
            Poll::Ready(Some(first)) => first,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        if this.batch.would_be_full(&first) {
            return Poll::Ready(Some(first));
        }
        match this.inner.as_mut().poll_now() {
            None => Poll::Ready(Some(first)),
            Some(second) => Poll::Ready(Some(this.batch.join_ready(first, second, this.inner))),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batch.size_hint(self.inner.size_hint())
    }
}

impl<S: Stream<Item = Bytes>> FusedStream for Coalesce<S> {
    fn is_terminated(&self) -> bool {
        self.inner.has_ended() && self.batch.is_empty()
    }
}

impl<S: fmt::Debug> fmt::Debug for Coalesce<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce")
            .field("inner", &self.inner)
            .field("batch", &self.batch)
            .finish()
    }
}
