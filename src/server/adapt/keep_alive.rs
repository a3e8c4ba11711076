//! Comments while nothing else is sent.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::alarm::Alarm;
use super::fuse::Fuse;
use crate::timer::Timer;
use crate::wire::event::Event;
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

/// How long to wait before a comment, unless there is a reason for another time: 30 s.
///
/// Common proxies cut a connection that was silent for 60 s.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// The comment of a stream that was given no other: `keep-alive comment`, shared by all of them.
const COMMENT: Bytes = Bytes::from_static(b": keep-alive comment\n\n");

pin_project! {
    /// Sends a comment whenever nothing was sent for a while. Made by
    /// [`keep_alive`](super::EventStreamExt::keep_alive).
    ///
    /// Its type is named, in a return type or in a field, with the timer as a function pointer:
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// # mod tokio { pub mod time {
    /// #     pub type Sleep = std::future::Pending<()>;
    /// #     pub fn sleep(_: std::time::Duration) -> Sleep { std::future::pending() }
    /// # } }
    /// use std::time::Duration;
    ///
    /// use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, KeepAlive};
    /// use sse_proto::{EventStream, EventStreamExt, channel};
    /// use tokio::time::{Sleep, sleep};
    ///
    /// fn kept_alive(stream: EventStream) -> KeepAlive<EventStream, fn(Duration) -> Sleep> {
    ///     stream.keep_alive(KEEP_ALIVE_INTERVAL, sleep)
    /// }
    /// let (target, stream) = channel();
    /// drop(kept_alive(stream));
    /// assert!(target.is_closed());
    /// # }
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct KeepAlive<S, T: Timer> {
        #[pin]
        inner: Fuse<S>,
        // Set from the first poll that finds nothing to send to the next byte.
        #[pin]
        alarm: Alarm<T>,
        comment: Bytes,
        tail: Tail,
    }
}

impl<S: Stream<Item = Bytes>, T: Timer> KeepAlive<S, T> {
    pub(super) fn new(stream: S, interval: Duration, timer: T) -> Self {
        Self {
            inner: Fuse::new(stream),
            alarm: Alarm::new(interval, timer),
            comment: COMMENT,
            tail: Tail::new(),
        }
    }

    /// Sets the text of the comment. Every line of it travels as a comment of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::ready, pin::pin, task::{Context, Poll, Waker}, time::Duration};
    /// # use futures::{Stream, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::EventStreamExt;
    /// # let at_once = |_: Duration| ready(());
    /// let mut stream = pin!(
    ///     stream::pending::<Bytes>()
    ///         .keep_alive(Duration::from_secs(15), at_once)
    ///         .with_comment("still\nhere")
    /// );
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(
    ///     stream.as_mut().poll_next(&mut cx),
    ///     Poll::Ready(Some(Bytes::from(": still\n: here\n\n")))
    /// );
    /// ```
    pub fn with_comment(mut self, text: &str) -> Self {
        self.comment = Event::block().with_comment(text).to_bytes();
        self
    }

    /// Sends a frame in the place of the comment, which any number of streams may share.
    ///
    /// Scripts in a browser do not see comments; an event is for those that watch for silence. It
    /// should have no id: the client would come back with it.
    pub fn with_frame(mut self, frame: Frame) -> Self {
        self.comment = frame.into_bytes();
        self
    }

    #[inline(never)]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.project();
        // Within a block nothing can be put in, and what moves that on are bytes.
        if this.tail.is_block_end() && this.alarm.poll(cx).is_ready() {
            Poll::Ready(Some(this.comment.clone()))
        } else {
            Poll::Pending
        }
    }
}

impl<S: Stream<Item = Bytes>, T: Timer> Stream for KeepAlive<S, T> {
    type Item = Bytes;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.as_mut().project();
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(chunk)) => {
                // A chunk without a byte keeps nothing alive.
                if !chunk.is_empty() {
                    this.tail.pass(&chunk);
                    this.alarm.disarm();
                }
                Poll::Ready(Some(chunk))
            }
            Poll::Ready(None) => {
                this.alarm.end();
                Poll::Ready(None)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Comments have no number; but none follows the end, which is the next thing that is polled.
        let (least, most) = self.inner.size_hint();
        (least, most.filter(|&most| most == 0))
    }
}

impl<S: Stream<Item = Bytes>, T: Timer> FusedStream for KeepAlive<S, T> {
    fn is_terminated(&self) -> bool {
        self.inner.has_ended()
    }
}

impl<S: fmt::Debug, T: Timer> fmt::Debug for KeepAlive<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepAlive")
            .field("inner", &self.inner)
            .field("interval", &self.alarm.duration())
            .field("waits", &self.alarm.is_set())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMENT, Event};

    #[test]
    fn the_shared_comment_is_what_the_encoder_makes_of_its_text() {
        let block = Event::block().with_comment("keep-alive comment");
        assert_eq!(COMMENT, block.to_bytes());
    }
}
