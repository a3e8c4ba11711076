//! The end of a stream when something else happens.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::fuse::Fuse;
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

/// After so many bytes that are ready nothing more is asked for: 1 MiB. A stream that is always
/// ready would not end.
const MOST_AFTER: usize = 1024 * 1024;

pin_project! {
    /// Ends a stream once a future resolves. Made by
    /// [`EventStreamExt::until`](super::EventStreamExt::until), and by `EventStream::until`, which
    /// also ends the target.
    #[must_use = "streams do nothing unless polled"]
    pub struct Until<S, F> {
        #[pin]
        inner: Fuse<S>,
        // Gone once it is not polled any more.
        #[pin]
        future: Option<F>,
        // The future has resolved, or the stream has ended.
        resolved: bool,
        // Tells the stream itself, which then ends by itself; gives whether that is what ends it.
        tell: Option<fn(&S) -> bool>,
        // How many bytes are still asked for once the future has resolved.
        left: usize,
        farewell: Option<Bytes>,
        tail: Tail,
    }
}

impl<S: Stream<Item = Bytes>, F: Future> Until<S, F> {
    pub(super) fn new(stream: S, future: F) -> Self {
        Self {
            inner: Fuse::new(stream),
            future: Some(future),
            resolved: false,
            tell: None,
            left: MOST_AFTER,
            farewell: None,
            tail: Tail::new(),
        }
    }

    /// As [`new`](Self::new), for a stream that ends by itself once it is told: all of it is
    /// delivered.
    pub(crate) fn telling(stream: S, future: F, tell: fn(&S) -> bool) -> Self {
        Self {
            tell: Some(tell),
            left: usize::MAX,
            ..Self::new(stream, future)
        }
    }

    /// Sets the last frame, which is sent when the future has ended the stream.
    ///
    /// Not sent when the stream ends by itself before, or its target was closed before, nor behind a block that is not complete,
    /// which a client drops.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::future::ready;
    /// # use futures::{StreamExt, executor::block_on, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::{Event, EventStreamExt, EventType, Frame};
    /// let bye = Frame::new(&Event::new(EventType::from_static("bye"), "the server restarts"));
    /// let stream = stream::pending::<Bytes>().until(ready(())).with_farewell(bye);
    /// assert_eq!(
    ///     block_on(stream.collect::<Vec<_>>()),
    ///     ["event: bye\ndata: the server restarts\n\n"]
    /// );
    /// ```
    pub fn with_farewell(mut self, frame: Frame) -> Self {
        self.farewell = Some(frame.into_bytes());
        self
    }

    /// Polls while the future has not resolved.
    #[inline]
    fn go_on(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.project();
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(chunk)) => {
                // Nobody asks where it ends if there is no farewell.
                if this.farewell.is_some() {
                    this.tail.pass(&chunk);
                }
                Poll::Ready(Some(chunk))
            }
            Poll::Ready(None) => {
                *this.resolved = true;
                *this.farewell = None;
                this.future.set(None);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Polls once the future has resolved, or the stream has ended.
    #[inline(never)]
    fn finish(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.project();
        if this.future.is_some() {
            this.future.set(None);
        }
        if *this.left > 0 {
            match this.inner.as_mut().poll_next(cx) {
                Poll::Ready(Some(chunk)) => {
                    // A chunk without a byte counts too: there must not be any number of them.
                    *this.left = this.left.saturating_sub(chunk.len().max(1));
                    this.tail.pass(&chunk);
                    return Poll::Ready(Some(chunk));
                }
                // It was told, and says itself when it has ended.
                Poll::Pending if this.tell.is_some() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        this.inner.end();
        let at_block_end = this.tail.is_block_end();
        Poll::Ready(this.farewell.take().filter(|_| at_block_end))
    }
}

impl<S: Stream<Item = Bytes>, F: Future> Stream for Until<S, F> {
    type Item = Bytes;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.as_mut().project();
        if !*this.resolved {
            let future = this.future.as_mut().as_pin_mut();
            if future.is_some_and(|future| future.poll(cx).is_pending()) {
                return self.go_on(cx);
            }
            // First, since what follows may run code of the user's, as may the drop of the future.
            *this.resolved = true;
            if let (Some(tell), Some(stream)) = (this.tell, this.inner.get()) {
                if !tell(stream) {
                    // Closed before, for another reason: nothing follows that.
                    *this.farewell = None;
                }
            }
        }
        self.finish(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (_, most) = self.inner.size_hint();
        let last = usize::from(self.farewell.is_some());
        (0, most.and_then(|most| most.checked_add(last)))
    }
}

impl<S: Stream<Item = Bytes>, F: Future> FusedStream for Until<S, F> {
    fn is_terminated(&self) -> bool {
        self.inner.has_ended() && self.resolved && self.farewell.is_none()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Until<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until")
            .field("inner", &self.inner)
            .field("resolved", &self.resolved)
            .finish_non_exhaustive()
    }
}
