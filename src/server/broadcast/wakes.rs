//! The wakers that run once the lock is released: they are code of the executor.

use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use super::topics::Line;
use super::work;

/// Filled under the lock; [`take`](Self::take) takes what is to be woken without it.
#[derive(Default)]
pub(super) struct Wakes {
    /// Most publications to a topic wake one, for which no list is needed.
    first: Option<Waker>,
    /// Empty once it is taken. Keeps its memory for the next line.
    rest: Vec<Option<Waker>>,
}

/// The largest list whose memory is kept for the next one. A larger one costs an allocation for more
/// than a thousand wakes, and would be a part of the memory of idle subscribers.
const MOST_KEPT: usize = 1024;

impl Wakes {
    /// Takes the wakers of a line, and leaves an empty list in its place.
    #[inline]
    pub(super) fn take_line(&mut self, line: &mut Line) {
        work::wake(|| line.wakers().flatten().count());
        if self.rest.is_empty() {
            line.exchange(&mut self.rest);
        } else {
            let mut taken = Vec::new();
            line.exchange(&mut taken);
            self.rest.append(&mut taken);
        }
    }

    #[inline]
    pub(super) fn add(&mut self, waker: Waker) {
        match &self.first {
            None => self.first = Some(waker),
            Some(_) => self.rest.push(Some(waker)),
        }
    }

    pub(super) fn extend(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.rest.extend(wakers.into_iter().map(Some));
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    /// Takes all, to be woken.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        let rest = if self.rest.is_empty() {
            Vec::new()
        } else {
            mem::take(&mut self.rest)
        };
        let first = self.first.take();
        Self { first, rest }
    }

    /// Wakes all. Returns the empty list, if it is worth keeping.
    #[inline]
    pub(super) fn run(self) -> Option<Vec<Option<Waker>>> {
        let Self { first, mut rest } = self;
        if let Some(waker) = first {
            waker.wake();
        }
        if rest.is_empty() {
            return None;
        }
        for waker in rest.drain(..).flatten() {
            waker.wake();
        }
        (rest.capacity() <= MOST_KEPT).then_some(rest)
    }

    /// Keeps the memory of a list for the next line.
    pub(super) fn keep(&mut self, list: Vec<Option<Waker>>) {
        if self.rest.capacity() == 0 {
            self.rest = list;
        }
    }
}
