//! The future that resolves when a stream is closed.

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use alloc::vec::Vec;
use futures_channel::oneshot;

use super::panics::Panics;
use super::state::CloseReason;

/// Resolves with the reason once the stream is closed. Made by
/// [`TargetHandle::closed`](crate::TargetHandle::closed).
///
/// Dropped before, it leaves nothing behind that would grow: what is left of it goes with the next
/// calls of `closed`, or with the stream.
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
    /// Adds one who waits. What else is returned went away meanwhile: it is to be dropped without
    /// the lock, since that may wake who is just leaving.
    pub(crate) fn wait(&mut self) -> (Closed, Waiters) {
        let mut gone = Vec::new();
        // Futures that were made and dropped leave nothing behind: the last ones go at once, as in
        // a `select` loop, all others before the list grows.
        while self.0.last().is_some_and(oneshot::Sender::is_canceled) {
            gone.extend(self.0.pop());
        }
        if self.0.len() == self.0.capacity() {
            let (left, waiting) = mem::take(&mut self.0)
                .into_iter()
                .partition(oneshot::Sender::is_canceled);
            gone.extend::<Vec<_>>(left);
            self.0 = waiting;
            // Room for as many again, so that a sweep is paid for by the calls between two.
            self.0.reserve_exact(self.0.len().max(4));
        }
        if self.0.capacity() > 4 * (self.0.len() + 4) {
            self.0.shrink_to(2 * self.0.len() + 4);
        }
        let (sender, receiver) = oneshot::channel();
        self.0.push(sender);
        (Closed(State::Waiting(receiver)), Self(gone))
    }

    /// Wakes all of them, whatever one does.
    pub(crate) fn tell(self, reason: CloseReason, panics: &mut Panics) {
        for sender in self.0 {
            // Who went away need not be told.
            panics.catch(|| _ = sender.send(reason));
        }
    }
}
