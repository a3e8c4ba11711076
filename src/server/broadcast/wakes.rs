//! The wakers that run once the lock is released: they are code of the executor.

use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use super::handle::HandleState;
use crate::server::state::CloseReason;

/// The largest list that is kept for the next publication. A larger one costs one allocation for
/// more than a thousand wakes, and would be a part of the memory of idle subscribers.
const MOST_KEPT: usize = 1024;

#[derive(Default)]
pub(super) struct Wakes {
    /// Most publications to a topic wake one, for which no list is needed.
    first: Option<Waker>,
    rest: Vec<Waker>,
    /// Is dropped and not woken.
    unused: Option<Waker>,
}

impl Wakes {
    /// Makes room for some wakers, in a list that was used before.
    #[inline]
    pub(super) fn expect(&mut self, wakers: usize, spare: &mut Vec<Waker>) {
        if wakers > 1 {
            if self.rest.capacity() == 0 {
                self.rest = mem::take(spare);
            }
            self.rest.reserve(wakers);
        }
    }

    #[inline]
    pub(super) fn add(&mut self, waker: Waker) {
        match &self.first {
            None => self.first = Some(waker),
            Some(_) => self.rest.push(waker),
        }
    }

    pub(super) fn extend(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.rest.extend(wakers);
    }

    /// Sets the reason for the end of a subscription.
    pub(super) fn set(&mut self, handle: &HandleState, reason: CloseReason) {
        self.extend(handle.ended.set(reason));
    }

    pub(super) fn drop_later(&mut self, waker: Option<Waker>) {
        self.unused = waker;
    }

    /// Wakes all. Returns the list, if it is worth keeping.
    #[inline]
    pub(super) fn run(mut self) -> Option<Vec<Waker>> {
        if let Some(waker) = self.first.take() {
            waker.wake();
        }
        if self.rest.capacity() == 0 {
            return None;
        }
        for waker in self.rest.drain(..) {
            waker.wake();
        }
        (self.rest.capacity() <= MOST_KEPT).then_some(self.rest)
    }
}
