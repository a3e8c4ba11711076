//! Joins small chunks into larger ones.

use core::fmt;
use core::future::Pending;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::alarm::Alarm;
use super::inner::{MAX_EMPTY, Sealed, StreamItem, is_empty, poll_filled, poll_now};
use crate::timer::Timer;

pin_project! {
    /// Joins chunks that are ready into one. Made by [`coalesce`](crate::EventStreamExt::coalesce).
    ///
    /// [`linger`](Coalesce::linger) sets the timer `T`; without `linger` there is no timer.
    #[must_use = "streams do nothing unless polled"]
    pub struct Coalesce<S: Stream, T: Timer = fn(Duration) -> Pending<()>> {
        #[pin]
        pub(super) inner: S,
        // Holds chunks between two polls only while the alarm is set.
        batch: Batch<S::Item>,
        #[pin]
        pub(super) alarm: Alarm<T>,
    }
}

impl<S: Stream<Item: StreamItem>> Coalesce<S> {
    pub(super) fn new(inner: S, max_bytes: usize) -> Self {
        Self {
            inner,
            batch: Batch::new(max_bytes),
            alarm: Alarm::off(),
        }
    }

    /// Holds chunks back to join more: until `duration` has passed since the first one, `max_bytes`
    /// are held, or an error or the end comes.
    ///
    /// This adds latency and saves writes. With a duration of zero nothing is held back. The timer
    /// runs only while chunks are held.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::ready, time::Duration};
    /// use futures::{StreamExt, executor::block_on, stream};
    /// use sse_proto::adapt::from_stream;
    /// use sse_proto::EventStreamExt;
    /// use sse_proto::deps::bytes::Bytes;
    ///
    /// // `tokio::time::sleep`, for example.
    /// let timer = |_: Duration| ready(());
    ///
    /// let blocks = from_stream(stream::iter(["data: 1\n\n", "data: 2\n\n"].map(Bytes::from)));
    /// let stream = blocks.coalesce(16 * 1024).linger(Duration::from_millis(5), timer);
    /// assert_eq!(block_on(stream.collect::<Vec<_>>()), ["data: 1\n\ndata: 2\n\n"]);
    /// ```
    pub fn linger<T: Timer>(self, duration: Duration, timer: T) -> Coalesce<S, T> {
        Coalesce {
            inner: self.inner,
            batch: self.batch,
            alarm: Alarm::new(duration, timer),
        }
    }
}

impl<S: Stream<Item: StreamItem>, T: Timer> Coalesce<S, T> {
    /// Polls while the batch waits for more chunks.
    #[inline(never)]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if this.alarm.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(this.batch.take_with_ready(this.inner)));
        }
        while !this.batch.is_full() {
            match poll_filled(this.inner.as_mut(), cx) {
                Poll::Ready(Some(item)) => this.batch.push(item),
                Poll::Ready(None) => {
                    this.alarm.as_mut().end();
                    break;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        this.alarm.disarm();
        Poll::Ready(Some(this.batch.take()))
    }
}

impl<S: Stream<Item: StreamItem>, T: Timer> Stream for Coalesce<S, T> {
    type Item = S::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.as_mut().project();
        if this.batch.is_empty() {
            let first = match this.batch.after.take() {
                Some(first) => first,
                None => match poll_filled(this.inner.as_mut(), cx) {
                    Poll::Ready(Some(first)) => first,
                    Poll::Ready(None) => {
                        this.alarm.end();
                        return Poll::Ready(None);
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            if !this.batch.has_room_after(&first) {
                return Poll::Ready(Some(first));
            }
            if this.alarm.is_off() {
                return Poll::Ready(Some(match poll_now(this.inner.as_mut()) {
                    None => first,
                    Some(second) => {
                        this.batch.push(first);
                        this.batch.push(second);
                        this.batch.take_with_ready(this.inner)
                    }
                }));
            }
            // Stored before the timer is polled: a panic there must not lose it.
            this.batch.push(first);
        }
        self.wait(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Chunks of the inner stream may be empty, or be joined with those that are held.
        let held = usize::from(!self.batch.is_empty()) + usize::from(self.batch.after.is_some());
        let (_, most) = self.inner.size_hint();
        (held, most.and_then(|most| most.checked_add(held)))
    }
}

debug! {
    impl(S: Stream<Item: StreamItem> + fmt::Debug, T: Timer) Coalesce<S, T>, self =>
    inner: self.inner,
    max_bytes: self.batch.max_bytes,
    held_bytes: self.batch.len(),
    linger: self.alarm.duration(),
    waits: self.alarm.is_set(),
}

/// Chunks that are joined into one, and the item that comes after them.
struct Batch<I> {
    max_bytes: usize,
    /// The first chunk, while it is the only one: it is passed on without a copy.
    one: Bytes,
    /// All chunks, if there are several.
    joined: BytesMut,
    /// A chunk that does not fit, or an error.
    after: Option<I>,
}

impl<I: StreamItem> Batch<I> {
    /// The largest batch whose buffer is kept for the next batch: 4 KiB.
    const MAX_KEPT: usize = 4 * 1024;

    fn new(max_bytes: usize) -> Self {
        Self {
            // With zero, an empty batch would be full.
            max_bytes: max_bytes.max(1),
            one: Bytes::new(),
            joined: BytesMut::new(),
            after: None,
        }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.one.is_empty() && self.joined.is_empty()
    }

    fn len(&self) -> usize {
        self.one.len() + self.joined.len()
    }

    fn is_full(&self) -> bool {
        self.len() >= self.max_bytes || self.after.is_some()
    }

    /// Returns whether `first` is a chunk that does not fill a batch alone.
    #[inline]
    fn has_room_after(&self, first: &I) -> bool {
        let chunk = first.bytes(Sealed);
        chunk.is_some_and(|chunk| chunk.len() < self.max_bytes)
    }

    /// Adds an item. The batch must not be full.
    #[inline]
    fn push(&mut self, item: I) {
        match item.into_result(Sealed) {
            Ok(chunk) if self.is_empty() => self.one = chunk,
            result => self.join(result),
        }
    }

    #[inline(never)]
    fn join(&mut self, result: Result<Bytes, I::Error>) {
        let len = self.len();
        match result {
            Ok(chunk) if chunk.is_empty() => {}
            Ok(chunk) if chunk.len() <= self.max_bytes - len => {
                if self.joined.is_empty() {
                    self.joined.reserve(len + chunk.len());
                    self.joined.extend_from_slice(&mem::take(&mut self.one));
                }
                self.joined.extend_from_slice(&chunk);
            }
            result => self.after = Some(I::from_result(result, Sealed)),
        }
    }

    /// Adds all items that are ready, and takes the batch.
    #[inline(never)]
    fn take_with_ready(&mut self, mut stream: Pin<&mut impl Stream<Item = I>>) -> I {
        let mut empty = 0;
        while !self.is_full() && empty < MAX_EMPTY {
            let Some(next) = poll_now(stream.as_mut()) else {
                break;
            };
            empty += usize::from(is_empty(&next));
            self.push(next);
        }
        self.take()
    }

    fn take(&mut self) -> I {
        let chunk = if self.joined.is_empty() {
            mem::take(&mut self.one)
        } else if self.joined.len() > Self::MAX_KEPT {
            mem::take(&mut self.joined).freeze()
        } else {
            // The buffer is used again after the consumer has dropped this part.
            self.joined.split().freeze()
        };
        I::from_result(Ok(chunk), Sealed)
    }
}
