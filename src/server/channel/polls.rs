//! What the stream does with what it shares with the handles.

use core::mem;
use core::task::Waker;

use super::hub::{Core, wake_all};
use super::sharing::sealed::Share;
use crate::sync::Ordering;

impl<S: Share> Core<S> {
    /// Whether a poll gives anything now.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Whether who asks now is likely to be kept: there is nothing, and nobody is.
    #[inline]
    pub(super) fn lacks_reader(&self) -> bool {
        !self.is_ready() && !self.keeps_reader.load(Ordering::Relaxed)
    }

    /// Keeps whom to wake, who found nothing.
    #[inline]
    pub(super) fn keep_reader(&self, mut inner: S::Guard<'_>, reader: Waker) {
        self.keeps_reader.store(true, Ordering::Relaxed);
        let old = inner.reader.replace(reader);
        drop(inner);
        drop(old);
    }

    /// Takes the lock for a poll.
    #[inline]
    pub(super) fn begin_poll(&self) -> S::Guard<'_> {
        let inner = self.lock();
        if inner.turns.as_ref().is_some_and(|turns| turns.late.any()) {
            drop(inner);
            self.go_on_late();
            return self.lock();
        }
        inner
    }

    /// Ends a poll that took something.
    #[inline]
    pub(super) fn end_poll(&self, inner: S::Guard<'_>) {
        let left = inner.target.is_closed() || inner.target.queued_frames() > 0;
        self.ready.store(left, Ordering::Relaxed);
        if inner.turns.is_some() {
            self.serve_polled(inner);
        }
    }

    /// Gives room that a poll made to those who wait for it. If one of their wakers panics, that
    /// goes on at the next poll: this one has a chunk to return.
    #[cold]
    fn serve_polled(&self, mut inner: S::Guard<'_>) {
        let served = inner.serve();
        drop(inner);
        let panics = wake_all(served);
        if panics.any() {
            if let Some(turns) = &mut self.lock().turns {
                turns.late = panics;
            }
        }
    }

    /// Goes on with what panicked in [`serve_polled`](Self::serve_polled).
    #[cold]
    fn go_on_late(&self) {
        let late = self
            .lock()
            .turns
            .as_mut()
            .map(|turns| mem::take(&mut turns.late));
        late.unwrap_or_default().go_on();
    }
}
