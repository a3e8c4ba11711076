//! A task, and how often it is to be woken.

use std::sync::Arc;
use std::task::Waker;

use crate::support::fakes::Wakes;

/// A task: its wakes, and those that the model expects.
#[derive(Default)]
pub(crate) struct Task {
    wakes: Arc<Wakes>,
    expected: usize,
    /// It was told to wait, and not woken since.
    pub(crate) waits: bool,
}

impl Task {
    pub(crate) fn waker(&self) -> Waker {
        self.wakes.waker()
    }

    pub(crate) fn wake(&mut self) {
        self.expected += usize::from(std::mem::take(&mut self.waits));
    }

    pub(crate) fn check(&self) {
        assert_eq!(self.wakes.count(), self.expected, "wakes");
    }
}
