//! The future that resolves when a stream is closed.

use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_channel::oneshot;

use super::state::CloseReason;

/// Resolves with the reason once the stream is closed. Made by
/// [`Target::closed`](crate::Target::closed).
///
/// Dropping it early leaks nothing: later calls of `closed`, or the end of the stream, free its rest.
/// Polled again after it resolved, it resolves with the same reason.
#[must_use = "a future does nothing unless it is polled"]
pub struct Closed(Promise);

enum Promise {
    Kept(CloseReason),
    Made(oneshot::Receiver<CloseReason>),
}

impl Closed {
    pub(crate) fn already(reason: CloseReason) -> Self {
        Self(Promise::Kept(reason))
    }
}

impl Future for Closed {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let reason = match &mut self.0 {
            Promise::Kept(reason) => return Poll::Ready(*reason),
            Promise::Made(receiver) => match Pin::new(receiver).poll(cx) {
                Poll::Pending => return Poll::Pending,
                // A channel closes before it is dropped, so a canceled sender can't be seen here.
                Poll::Ready(sent) => sent.unwrap_or(CloseReason::HandlesDropped),
            },
        };
        self.0 = Promise::Kept(reason);
        Poll::Ready(reason)
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

/// The senders of the [`Closed`] futures of one stream.
#[derive(Debug, Default)]
pub(crate) struct CloseSenders(Vec<oneshot::Sender<CloseReason>>);

impl CloseSenders {
    /// Adds a future. Also returns senders whose future is gone: drop them without the lock, because
    /// the drop of one can run a waker.
    pub(crate) fn add(&mut self) -> (Closed, CloseSenders) {
        let mut gone = Vec::new();
        // A `select` loop makes and drops one future after the other, so the last ones go at once.
        // All others go before the list grows.
        while self.0.last().is_some_and(oneshot::Sender::is_canceled) {
            gone.extend(self.0.pop());
        }
        if self.0.len() == self.0.capacity() {
            let (canceled, waiting) = mem::take(&mut self.0)
                .into_iter()
                .partition(oneshot::Sender::is_canceled);
            gone.extend::<Vec<_>>(canceled);
            self.0 = waiting;
            // Room for as many again, so the calls between two sweeps pay for the second one.
            self.0.reserve_exact(self.0.len().max(4));
        }
        if self.0.capacity() > 4 * (self.0.len() + 4) {
            self.0.shrink_to(2 * self.0.len() + 4);
        }
        let (sender, receiver) = oneshot::channel();
        self.0.push(sender);
        (Closed(Promise::Made(receiver)), Self(gone))
    }

    /// Resolves all futures.
    pub(crate) fn send(self, reason: CloseReason) {
        for sender in self.0 {
            // An error says that the future is gone.
            let _ = sender.send(reason);
        }
    }
}
