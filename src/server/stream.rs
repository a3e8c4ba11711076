//! `EventStream`, the stream that a server polls.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::channel::StreamHandle;
use super::foreign::NO_WAKE;
use super::machine::Failure;
#[cfg(feature = "std")]
use super::machine::StreamMachine;
#[cfg(feature = "std")]
use super::sharing::Shared;
use super::sharing::{Local, Sharing};
use super::state::CloseReason;

/// The bytes of one event stream, for the body of a response.
///
/// One poll takes all queued frames as one [`Bytes`] of up to 64 KiB, without a copy. (A shared
/// frame above 4 KiB is a chunk of its own.) Dropping the stream before its end tells the target
/// that the client is gone.
///
/// The end of the stream ends the response, not the connection. A server that is blocked in a
/// write, because its client reads nothing, does not poll the stream. To cut such a client off,
/// drop its connection, for example from a close listener.
#[doc(alias = "channel")]
#[doc(alias = "receiver")]
#[doc(alias = "sse")]
pub struct EventStream<
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    handle: StreamHandle<S::Means>,
}

/// The stream of a target that stays on one thread.
pub type LocalEventStream = EventStream<Local>;

impl<S: Sharing> EventStream<S> {
    pub(super) fn new(handle: StreamHandle<S::Means>) -> Self {
        Self { handle }
    }

    /// Takes the next chunk, for a caller without an executor.
    ///
    /// `Pending` means that nothing is queued now. No waker is registered, so the caller must
    /// decide when to try again. `None` means that the stream has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Poll;
    /// use sse_proto::local_channel;
    ///
    /// let (target, mut stream) = local_channel();
    /// assert_eq!(stream.try_next(), Poll::Pending);
    /// target.dispatch_message("hello")?;
    /// target.close();
    /// assert_eq!(stream.try_next(), Poll::Ready(Some("data: hello\n\n".into())));
    /// assert_eq!(stream.try_next(), Poll::Ready(None));
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    #[inline]
    pub fn try_next(&mut self) -> Poll<Option<Bytes>> {
        self.handle.channel.try_next()
    }

    /// Ends the stream because its connection failed: the close listeners run, then the error
    /// listeners. If the client goes away, drop the stream instead; that is not a failure.
    pub fn fail(self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.handle.channel.fail(error.into());
    }

    /// Returns the error that the target failed with.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.handle.channel.with(|machine| machine.failure())
    }

    /// Closes the target. Returns whether it was open.
    pub(crate) fn close(&self, reason: CloseReason) -> bool {
        self.handle.channel.close(reason)
    }
}

/// For merging with a broadcast.
#[cfg(feature = "std")]
impl<S: Sharing> EventStream<S> {
    /// Makes the target refuse everything with an id.
    pub(crate) fn refuse_ids(&self) {
        self.handle.channel.with(StreamMachine::refuse_ids);
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.handle.channel.with(|machine| machine.close_reason())
    }

    /// Returns whether the stream ended for a reason that drops the queue, or a later end dropped
    /// frames that were still queued.
    pub(crate) fn is_cut(&self) -> bool {
        self.handle.channel.with(|machine| machine.is_cut())
    }
}

impl<S: Sharing> Stream for EventStream<S> {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if NO_WAKE.will_wake(cx.waker()) {
            return self.handle.channel.try_next();
        }
        self.handle.channel.poll_next(Some(cx.waker()))
    }

    /// Shows the end as soon as the last chunk is taken, so that a server can end the response with
    /// that chunk.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_terminated().then_some(0))
    }
}

impl<S: Sharing> FusedStream for EventStream<S> {
    fn is_terminated(&self) -> bool {
        self.handle.channel.with(|machine| machine.is_ended())
    }
}

impl<S: Sharing> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("is_terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}
