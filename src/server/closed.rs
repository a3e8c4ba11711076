//! The future that resolves when a stream is closed.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use alloc::vec::Vec;
use futures_channel::oneshot;

use super::state::CloseReason;

/// Resolves with the reason once the stream is closed. Made by
/// [`TargetHandle::closed`](crate::TargetHandle::closed).
///
/// Dropping it before leaves nothing behind.
#[must_use = "a future does nothing unless it is polled"]
pub struct Closed(State);

enum State {
    Already(CloseReason),
    Waiting(oneshot::Receiver<CloseReason>),
}

impl Closed {
    pub(crate) fn already(reason: CloseReason) -> Self {
        Self(State::Already(reason))
    }
}

impl Future for Closed {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let reason = match &mut self.0 {
            State::Already(reason) => return Poll::Ready(*reason),
            State::Waiting(receiver) => match Pin::new(receiver).poll(cx) {
                Poll::Pending => return Poll::Pending,
                // The target goes only after the last handle and the stream, each of which closes
                // it; a canceled sender can't be seen from here.
                Poll::Ready(sent) => sent.unwrap_or(CloseReason::HandlesDropped),
            },
        };
        // Polled again, it gives the same.
        self.0 = State::Already(reason);
        Poll::Ready(reason)
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

/// Who waits for the end of one stream.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<oneshot::Sender<CloseReason>>);

impl Waiters {
    pub(crate) fn wait(&mut self) -> Closed {
        // Futures that were made and dropped leave nothing behind: the last ones go at once, as in
        // a `select` loop, all others before the list grows.
        while self.0.last().is_some_and(oneshot::Sender::is_canceled) {
            self.0.pop();
        }
        if self.0.len() == self.0.capacity() {
            self.0.retain(|sender| !sender.is_canceled());
            // Room for as many again, so that a sweep is paid for by the calls between two.
            self.0.reserve(self.0.len().max(4));
        }
        let (sender, receiver) = oneshot::channel();
        self.0.push(sender);
        Closed(State::Waiting(receiver))
    }

    /// Wakes all of them.
    pub(crate) fn tell(self, reason: CloseReason) {
        for sender in self.0 {
            // Who went away need not be told.
            let _ = sender.send(reason);
        }
    }
}
