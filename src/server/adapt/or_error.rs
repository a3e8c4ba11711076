//! The end of a failed target as an error.

use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::Stream;

use crate::server::sharing::Sharing;
use crate::server::state::CloseReason;
use crate::server::stream::EventStream;

/// An [`EventStream`] that ends with an error if its target [failed](crate::Target::fail). Made by
/// [`EventStream::or_error`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct OrError<S: Sharing> {
    inner: EventStream<S>,
    is_told: bool,
}

/// The error of a stream whose target failed. The error listeners of the target get the cause.
#[derive(Debug, PartialEq)]
pub struct StreamFailed;

impl fmt::Display for StreamFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event stream failed")
    }
}

impl Error for StreamFailed {}

impl<S: Sharing> EventStream<S> {
    /// Ends the stream with an error if its target [failed](crate::Target::fail), after the queued
    /// frames. So the response breaks off, and the client can tell a failure from an end.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::adapt::StreamFailed;
    ///
    /// let (target, stream) = sse_proto::local_channel();
    /// target.dispatch_message("half of the answer")?;
    /// target.fail("the model is gone");
    /// let chunks = block_on(stream.or_error().collect::<Vec<_>>());
    /// assert_eq!(chunks, [Ok("data: half of the answer\n\n".into()), Err(StreamFailed)]);
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn or_error(self) -> OrError<S> {
        OrError {
            inner: self,
            is_told: false,
        }
    }
}

impl<S: Sharing> OrError<S> {
    pub(super) fn shut_down(&self) -> bool {
        self.inner.close(CloseReason::Shutdown)
    }

    fn is_due(&self) -> bool {
        !self.is_told && self.inner.close_reason() == Some(CloseReason::Failed)
    }
}

impl<S: Sharing> Stream for OrError<S> {
    type Item = Result<Bytes, StreamFailed>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(Some(bytes)) => Poll::Ready(Some(Ok(bytes))),
            Poll::Ready(None) if self.is_due() => {
                self.is_told = true;
                Poll::Ready(Some(Err(StreamFailed)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (_, most) = self.inner.size_hint();
        (0, most.map(|most| most + usize::from(self.is_due())))
    }
}
