//! Sends comments while nothing else is sent.

use alloc::boxed::Box;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::alarm::Alarm;
use super::ext::EventStreamExt;
use super::inner::{Sealed, StreamItem, is_empty, pass};
use crate::timer::Timer;
use crate::wire::event::Event;
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

/// The recommended interval: 15 seconds, as the standard advises
/// ([HTML, section 9.2.7](https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes)).
///
/// A stream is then silent for at most 22.5 seconds. The page `guide::mounting` lists the limits of
/// known proxies.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The default comment, `keep-alive comment`, shared by all streams; with a blank line.
static COMMENT: Bytes = Bytes::from_static(b": keep-alive comment\n\n");

/// How often the alarm of half an interval rings until a comment is due, if no byte is sent.
const RINGS: u8 = 2;

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
        // Rings each half of the interval, from the first poll that finds nothing to send.
        #[pin]
        alarm: Alarm<T>,
        // How often it rings until the comment is due. To send a byte costs one store here and does
        // not touch the alarm.
        rings: u8,
        tail: Tail,
        // The comment with a blank line, or a frame; None for the default. A stream with the default
        // takes no room for it.
        comment: Option<Box<Bytes>>,
        is_frame: bool,
        blank_line: bool,
    }
}

impl<S: Stream<Item: StreamItem>, T: Timer> KeepAlive<S, T> {
    pub(super) fn new(inner: S, interval: Duration, timer: T) -> Self {
        Self {
            inner,
            // Rounded up: half of a nanosecond does not turn it off.
            alarm: Alarm::new(interval.saturating_sub(interval / 2), timer),
            rings: RINGS,
            tail: Tail::new(),
            comment: None,
            is_frame: false,
            blank_line: false,
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
    /// assert_eq!(first.unwrap(), ": still\n: here\n");
    /// ```
    pub fn with_comment(mut self, text: &str) -> Self {
        let comment = Event::block().with_comment(text);
        self.comment = Some(Box::new(comment.with_blank_line(true).to_bytes()));
        self.is_frame = false;
        self
    }

    /// Sets whether the comment ends with a blank line; the default is `false`. The method
    /// [`Event::with_blank_line`] tells which clients need which form. A
    /// [frame](Self::with_frame) is sent as it is.
    pub fn with_blank_line(mut self, blank_line: bool) -> Self {
        self.blank_line = blank_line;
        self
    }

    /// Sends a frame instead of the comment. Any number of streams can share the frame.
    ///
    /// Scripts in a browser do not see comments, so a page that watches for silence needs an event.
    /// Give the event no id: a client that reconnects would send that id.
    pub fn with_frame(mut self, frame: Frame) -> Self {
        self.comment = Some(Box::new(frame.into_bytes()));
        self.is_frame = true;
        self
    }
}

impl<S: EventStreamExt, T: Timer> KeepAlive<S, T> {
    #[inline]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        // Within a block, only the rest of that block may be sent.
        if !this.tail.is_between_blocks() {
            return Poll::Pending;
        }
        if !this.alarm.is_set() {
            *this.rings = RINGS;
        }
        while this.alarm.as_mut().poll(cx).is_ready() {
            *this.rings -= 1;
            if *this.rings == 0 {
                if let Some(place) = this.inner.place(Sealed) {
                    return Poll::Ready(Some(S::Item::from_result(Ok(place), Sealed)));
                }
                let is_whole = *this.is_frame || *this.blank_line;
                let comment = this.comment.as_deref().unwrap_or(&COMMENT);
                let comment = comment.slice(..comment.len() - usize::from(!is_whole));
                return Poll::Ready(Some(S::Item::from_result(Ok(comment), Sealed)));
            }
        }
        Poll::Pending
    }
}

impl<S: EventStreamExt, T: Timer> Stream for KeepAlive<S, T> {
    type Item = S::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.as_mut().project();
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                // An empty chunk sends no byte, so the silence goes on.
                if !is_empty(&item) {
                    pass(this.tail, &item);
                    // The rest of the current half does not count.
                    *this.rings = RINGS + 1;
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

debug! {
    impl(S: fmt::Debug, T: Timer) KeepAlive<S, T>, self =>
    inner: self.inner,
    interval: self.alarm.duration().saturating_mul(2),
    waits: self.alarm.is_set(),
}

#[cfg(test)]
mod tests {
    use super::{COMMENT, Event};

    #[test]
    fn the_shared_comment_is_what_the_encoder_makes_of_its_text() {
        let comment = Event::block().with_comment("keep-alive comment");
        assert_eq!(COMMENT, comment.with_blank_line(true).to_bytes());
    }
}
