//! Sends comments while nothing else is sent.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::alarm::Alarm;
use super::inner::{Sealed, StreamItem, is_empty, pass};
use crate::timer::Timer;
use crate::wire::event::Event;
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

/// The recommended interval: 30 seconds.
///
/// Common proxies close a connection after 60 seconds of silence.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// The default comment, `keep-alive comment`, shared by all streams.
const COMMENT: Bytes = Bytes::from_static(b": keep-alive comment\n\n");

pin_project! {
    /// Sends a comment when nothing has been sent for a while. Made by
    /// [`keep_alive`](crate::EventStreamExt::keep_alive).
    ///
    /// To name the type in a return type or a field, use a function pointer as the timer:
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
        pub(super) inner: S,
        // Set from the first poll that finds nothing to send until the next byte.
        #[pin]
        alarm: Alarm<T>,
        comment: Bytes,
        tail: Tail,
    }
}

impl<S: Stream<Item: StreamItem>, T: Timer> KeepAlive<S, T> {
    pub(super) fn new(inner: S, interval: Duration, timer: T) -> Self {
        Self {
            inner,
            alarm: Alarm::new(interval, timer),
            comment: COMMENT,
            tail: Tail::new(),
        }
    }

    /// Sets the text of the comment. Each line of it is sent as a comment of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use std::time::Duration;
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::EventStreamExt;
    ///
    /// # let (_target, stream) = sse_proto::local_channel();
    /// // A timer that fires at once.
    /// let timer = |_: Duration| ready(());
    /// let mut stream = stream
    ///     .keep_alive(Duration::from_secs(15), timer)
    ///     .with_comment("still\nhere");
    /// let first = stream.next().now_or_never().flatten();
    /// assert_eq!(first.unwrap(), ": still\n: here\n\n");
    /// ```
    pub fn with_comment(mut self, text: &str) -> Self {
        self.comment = Event::block().with_comment(text).to_bytes();
        self
    }

    /// Sends a frame instead of the comment. Any number of streams can share the frame.
    ///
    /// Scripts in a browser do not see comments, so a page that watches for silence needs an event.
    /// Give the event no id: a client that reconnects would send that id.
    pub fn with_frame(mut self, frame: Frame) -> Self {
        self.comment = frame.into_bytes();
        self
    }

    #[inline(never)]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        // Within a block, only the rest of that block may be sent.
        if this.tail.is_block_end() && this.alarm.poll(cx).is_ready() {
            let comment = this.comment.clone();
            Poll::Ready(Some(S::Item::from_result(Ok(comment), Sealed)))
        } else {
            Poll::Pending
        }
    }
}

impl<S: Stream<Item: StreamItem>, T: Timer> Stream for KeepAlive<S, T> {
    type Item = S::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.as_mut().project();
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                // An empty chunk sends no byte, so the silence goes on.
                if !is_empty(&item) {
                    pass(this.tail, &item);
                    this.alarm.disarm();
                }
                Poll::Ready(Some(item))
            }
            Poll::Ready(None) => {
                this.alarm.end();
                Poll::Ready(None)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Any number of comments may come, unless the next poll finds the end.
        let (least, most) = self.inner.size_hint();
        (least, most.filter(|&most| most == 0))
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
