//! A value that is set once, and the tasks that wait for it.

use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Its lock is taken last, and no foreign code runs under it.
pub(super) struct Signal<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<T>,
    wakers: Vec<Waker>,
}

impl<T: Copy> Signal<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            value: None,
            wakers: Vec::new(),
        }))
    }

    pub(super) fn get(&self) -> Option<T> {
        self.lock().value
    }

    /// Sets the value, unless it is set. Returns the wakers of the tasks that waited.
    #[must_use]
    pub(super) fn set(&self, value: T) -> Vec<Waker> {
        let mut state = self.lock();
        state.value.get_or_insert(value);
        core::mem::take(&mut state.wakers)
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if let Some(value) = state.value {
            drop(state);
            return Poll::Ready(value);
        }
        if !state.wakers.iter().any(|kept| kept.will_wake(&waker)) {
            state.wakers.push(waker);
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
