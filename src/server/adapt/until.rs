//! The end of a stream when something else happens.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::inner::{Sealed, ShutDown, StreamItem, pass};
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

pin_project! {
    /// Ends a stream when a future resolves. Made by [`until`](crate::EventStreamExt::until).
    #[must_use = "streams do nothing unless polled"]
    pub struct Until<S, F> {
        #[pin]
        inner: S,
        // None once it is no longer polled.
        #[pin]
        future: Option<F>,
        // The future has resolved, or the stream has ended.
        resolved: bool,
        farewell: Option<Bytes>,
        tail: Tail,
    }
}

impl<S: ShutDown, F: Future> Until<S, F> {
    pub(super) fn new(inner: S, future: F) -> Self {
        Self {
            inner,
            future: Some(future),
            resolved: false,
            farewell: None,
            tail: Tail::new(),
        }
    }

    /// Sets the last frame, which is sent when the future has ended the stream.
    ///
    /// It is not sent if the stream has ended before, or if its target was closed before for
    /// another reason. Nor is it sent within a block, which a client would drop. If several `until`
    /// are in a stack, the first one whose future resolves sends its farewell.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::{Event, EventStreamExt, EventType, Frame, local_channel};
    ///
    /// let (target, stream) = local_channel();
    /// let bye = Frame::new(&Event::new(EventType::from_static("bye"), "the server restarts"));
    /// let stream = stream.until(ready(())).with_farewell(bye);
    /// target.dispatch_message("hello")?;
    /// let chunks = block_on(stream.collect::<Vec<_>>());
    /// assert_eq!(chunks, ["data: hello\n\n", "event: bye\ndata: the server restarts\n\n"]);
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn with_farewell(mut self, frame: Frame) -> Self {
        self.farewell = Some(frame.into_bytes());
        self
    }

    /// Polls the stream before the future has resolved.
    #[inline]
    fn poll_running(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                // Only a farewell needs to know where the last block ends.
                if this.farewell.is_some() {
                    pass(this.tail, &item);
                }
                Poll::Ready(Some(item))
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

    /// Polls the stream after the future has resolved, or the stream has ended.
    #[inline(never)]
    fn poll_ending(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if this.future.is_some() {
            this.future.set(None);
        }
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                pass(this.tail, &item);
                Poll::Ready(Some(item))
            }
            Poll::Ready(None) => {
                let farewell = this.farewell.take().filter(|_| this.tail.is_block_end());
                Poll::Ready(farewell.map(|bytes| S::Item::from_result(Ok(bytes), Sealed)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: ShutDown, F: Future> Stream for Until<S, F> {
    type Item = S::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.as_mut().project();
        if !*this.resolved {
            let future = this.future.as_mut().as_pin_mut();
            if future.is_some_and(|future| future.poll(cx).is_pending()) {
                return self.poll_running(cx);
            }
            // First, since a close listener may panic, and so may the drop of the future.
            *this.resolved = true;
            if !this.inner.shut_down(Sealed) {
                *this.farewell = None;
            }
        }
        self.poll_ending(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (_, most) = self.inner.size_hint();
        let last = usize::from(self.farewell.is_some());
        (0, most.and_then(|most| most.checked_add(last)))
    }
}

impl<S: ShutDown, F: Future> FusedStream for Until<S, F> {
    fn is_terminated(&self) -> bool {
        // A farewell comes only after the future has resolved.
        self.inner.is_terminated() && (!self.resolved || self.farewell.is_none())
    }
}

#[doc(hidden)]
impl<S: ShutDown, F: Future> ShutDown for Until<S, F> {
    fn shut_down(self: Pin<&mut Self>, sealed: Sealed) -> bool {
        self.project().inner.shut_down(sealed)
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
