//! Ends a stream with the error of its target.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::ext::EventStreamExt;
use super::inner::Sealed;
use crate::server::machine::Failure;

pin_project! {
    /// Ends a stream with the error that its target failed with. Made by
    /// [`or_error`](crate::EventStreamExt::or_error).
    #[must_use = "streams do nothing unless polled"]
    pub struct OrError<S> {
        #[pin]
        pub(super) inner: S,
        told: bool,
    }
}

impl<S: EventStreamExt<Item = Bytes>> OrError<S> {
    pub(super) fn new(inner: S) -> Self {
        let told = false;
        Self { inner, told }
    }

    /// Returns the error, until it was returned.
    fn error(&self) -> Option<Failure> {
        (!self.told).then(|| self.inner.failure(Sealed))?
    }
}

impl<S: EventStreamExt<Item = Bytes>> Stream for OrError<S> {
    type Item = Result<Bytes, Failure>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.as_mut().project().inner.poll_next(cx) {
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Poll::Ready(None) => {
                let error = self.error();
                *self.project().told = true;
                Poll::Ready(error.map(Err))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.inner.size_hint();
        // Asked after the hint, so that a target that fails between the two is counted.
        let error = usize::from(self.error().is_some());
        (least, most.and_then(|most| most.checked_add(error)))
    }
}

debug!(impl(S: fmt::Debug) OrError<S>, self => inner: self.inner);
