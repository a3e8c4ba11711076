//! A little latency for far fewer writes.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::alarm::Alarm;
use super::batch::Batch;
use super::fuse::Fuse;
use crate::timer::Timer;

pin_project! {
    /// Joins chunks, and waits a while for more of them. Made by
    /// [`Coalesce::linger`](super::Coalesce::linger).
    #[must_use = "streams do nothing unless polled"]
    pub struct Linger<S, T: Timer> {
        #[pin]
        inner: Fuse<S>,
        batch: Batch,
        // Set while there is a batch.
        #[pin]
        alarm: Alarm<T>,
    }
}

impl<S: Stream<Item = Bytes>, T: Timer> Linger<S, T> {
    pub(super) fn new(inner: Fuse<S>, batch: Batch, duration: Duration, timer: T) -> Self {
        Self {
            inner,
            batch,
            alarm: Alarm::new(duration, timer),
        }
    }

    /// Puts in what is ready, while the alarm has not rung.
    #[inline(never)]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.project();
        while !this.batch.is_full() {
            match this.inner.as_mut().poll_bytes(cx) {
                Poll::Ready(Some(chunk)) => this.batch.push(chunk),
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

impl<S: Stream<Item = Bytes>, T: Timer> Stream for Linger<S, T> {
    type Item = Bytes;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.as_mut().project();
        if this.batch.is_empty() {
            let first = match this.inner.as_mut().poll_bytes(cx) {
                Poll::Ready(Some(first)) => first,
                Poll::Ready(None) => {
                    this.alarm.end();
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
            };
            if this.batch.would_be_full(&first) {
                return Poll::Ready(Some(first));
            }
            if this.alarm.is_off() || this.alarm.poll(cx).is_ready() {
                return match this.inner.as_mut().poll_now() {
                    None => Poll::Ready(Some(first)),
                    Some(second) => {
                        Poll::Ready(Some(this.batch.join_ready(first, second, this.inner)))
                    }
                };
            }
            this.batch.push(first);
        } else if !this.batch.is_full()
            && (this.inner.has_ended()
                || this.alarm.is_off()
                || this.alarm.as_mut().poll(cx).is_ready())
        {
            this.batch.fill(this.inner);
            return Poll::Ready(Some(this.batch.take()));
        }
        self.wait(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batch.size_hint(self.inner.size_hint())
    }
}

impl<S: Stream<Item = Bytes>, T: Timer> FusedStream for Linger<S, T> {
    fn is_terminated(&self) -> bool {
        self.inner.has_ended() && self.batch.is_empty()
    }
}

impl<S: fmt::Debug, T: Timer> fmt::Debug for Linger<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linger")
            .field("inner", &self.inner)
            .field("batch", &self.batch)
            .field("duration", &self.alarm.duration())
            .field("waits", &self.alarm.is_set())
            .finish_non_exhaustive()
    }
}
