//! The wakers that run once the lock is released: they are code of the executor.

use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use super::handle::HandleState;
use super::topics::Line;
use super::work;
use crate::server::state::CloseReason;

#[derive(Default)]
pub(super) struct Wakes {
    /// The line of a publication for all.
    line: Vec<Option<Waker>>,
    /// Most publications to a topic wake one, for which no list is needed.
    first: Option<Waker>,
    rest: Vec<Waker>,
    /// Is dropped and not woken.
    unused: Option<Waker>,
}

/// The largest line whose memory is kept for the next one. A larger one costs an allocation for more
/// than a thousand wakes, and would be a part of the memory of idle subscribers.
const MOST_KEPT: usize = 1024;

impl Wakes {
    /// Takes a line, and leaves an empty list in its place.
    #[inline]
    pub(super) fn take_line(&mut self, line: &mut Line, spare: &mut Vec<Option<Waker>>) {
        let taken = line.take(mem::take(spare));
        work::wake(|| taken.iter().flatten().count());
        if self.line.is_empty() {
            self.line = taken;
        } else {
            self.extend(taken.into_iter().flatten());
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

    /// Wakes all. Returns the list of the line, if it is worth keeping.
    #[inline]
    pub(super) fn run(mut self) -> Option<Vec<Option<Waker>>> {
        if let Some(waker) = self.first.take() {
            waker.wake();
        }
        if self.rest.is_empty() && self.line.capacity() == 0 {
            return None;
        }
        for waker in mem::take(&mut self.rest) {
            waker.wake();
        }
        for waker in self.line.drain(..).flatten() {
            waker.wake();
        }
        let capacity = self.line.capacity();
        (1..=MOST_KEPT).contains(&capacity).then_some(self.line)
    }
}
