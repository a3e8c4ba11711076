//! The stream: what a server polls.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::sharing::{Local, Sharing, over_sharing};
use crate::server::now::NOW;
use crate::server::state::CloseReason;
#[cfg(feature = "std")]
use crate::sync::Ordering;

over_sharing! {
    /// The bytes of one event stream, for the body of a response.
    ///
    /// One poll takes all that is queued, up to the limit of a chunk, as one [`Bytes`], without a copy.
    /// (Shared frames above 4 KiB, and what is queued beyond 64 KiB, are chunks of their own.) Dropping the
    /// stream before its end tells the target that the client is gone.
    ///
    /// The end of the stream ends the response, not the connection: a server that is stuck in a write
    /// to a client that reads nothing polls no stream. To cut such a client, drop its connection, from
    /// a close listener for example.
    pub struct EventStream {
        core: S::Strong,
    }
}

/// The stream of a target that stays on one thread.
pub type LocalEventStream = EventStream<Local>;

impl<S: Sharing> EventStream<S> {
    /// Ends the stream because what carries it failed: the close listeners run, then the error
    /// listeners. (A client that goes away is no failure: drop the stream.)
    pub fn fail(self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let error = error.into();
        self.core.end(|target| target.begin_failure(error));
    }

    /// Closes the target for the reason [`CloseReason::Shutdown`]; returns whether it was open.
    pub(crate) fn shut_down(&self) -> bool {
        self.core.close(CloseReason::Shutdown)
    }
}

/// What a merge needs.
#[cfg(feature = "std")]
impl<S: Sharing> EventStream<S> {
    pub(crate) fn refuse_ids(&self) {
        let _locked = self.core.lock();
        self.core.refuses_ids.store(true, Ordering::Relaxed);
    }

    /// Returns whether it was open.
    pub(crate) fn close(&self, reason: CloseReason) -> bool {
        self.core.close(reason)
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.core.lock().target.close_reason()
    }

    /// Whether it ended, and what was queued was dropped or would have been.
    pub(crate) fn is_cut(&self) -> bool {
        let inner = self.core.lock();
        let reason = inner.target.close_reason();
        reason.is_some_and(|reason| !reason.delivers_queue())
            || (inner.target.is_ended() && !inner.target.is_drained())
    }
}

impl<S: Sharing> Stream for EventStream<S> {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // Who asks only for what is there now, and asks again in any case, is not kept.
        let reader = (!NOW.will_wake(cx.waker())).then_some(cx.waker());
        if reader.is_none() && !self.core.is_ready() {
            return Poll::Pending;
        }
        self.poll_reader(reader)
    }

    /// Says when it is over, as soon as the last chunk was taken: a response can end along with it.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_terminated().then_some(0))
    }
}

impl<S: Sharing> EventStream<S> {
    /// Takes a chunk, or remembers whom to wake. Not inlined, so that what stands before it is.
    #[inline(never)]
    fn poll_reader(&self, reader: Option<&Waker>) -> Poll<Option<Bytes>> {
        // Cloning a waker runs code of the executor's, so it is done without the lock: before, where
        // it is likely to be needed, or else between two looks.
        let mut own = reader.filter(|_| self.core.lacks_reader()).cloned();
        loop {
            let mut inner = self.core.begin_poll();
            if let Some(chunk) = inner.target.next_chunk() {
                self.core.end_poll(inner);
                return Poll::Ready(Some(chunk));
            }
            if inner.target.is_closed() {
                return Poll::Ready(None);
            }
            if let Some(own) = own {
                self.core.keep_reader(inner, own);
                return Poll::Pending;
            }
            let known = |reader: &&Waker| {
                let kept = inner.reader.as_ref();
                kept.is_some_and(|kept| kept.will_wake(reader))
            };
            let Some(reader) = reader.filter(|reader| !known(reader)) else {
                return Poll::Pending;
            };
            drop(inner);
            own = Some(reader.clone());
        }
    }
}

impl<S: Sharing> FusedStream for EventStream<S> {
    fn is_terminated(&self) -> bool {
        self.core.lock().target.is_ended()
    }
}

impl<S: Sharing> Drop for EventStream<S> {
    fn drop(&mut self) {
        self.core.close(CloseReason::ClientGone);
    }
}

impl<S: Sharing> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("is_terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}
