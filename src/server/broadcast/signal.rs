//! A value that is set once, and the tasks that wait for it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Its lock is taken last, and no foreign code runs under it.
pub(super) struct Signal<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<T>,
    /// The tasks that wait, by their tickets.
    waiting: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

impl<T: Copy> Signal<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            value: None,
            waiting: BTreeMap::new(),
            next_ticket: 0,
        })))
    }

    pub(super) fn get(&self) -> Option<T> {
        self.lock().value
    }

    /// Sets the value, unless it is set. Returns the wakers of the tasks that waited.
    pub(super) fn set(&self, value: T) -> impl Iterator<Item = Waker> + use<T> {
        let mut state = self.lock();
        state.value.get_or_insert(value);
        mem::take(&mut state.waiting).into_values()
    }

    /// Waits for the value.
    pub(super) fn wait(self: &Arc<Self>) -> Wait<T> {
        Wait {
            signal: Arc::clone(self),
            ticket: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the value of a [`Signal`]. Its drop takes its waker out.
pub(super) struct Wait<T: Copy> {
    signal: Arc<Signal<T>>,
    ticket: Option<u64>,
}

impl<T: Copy> Future for Wait<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Cloning and dropping a waker runs executor code, so both happen without the lock.
        let waker = cx.waker().clone();
        let signal = Arc::clone(&self.signal);
        let mut state = signal.lock();
        if let Some(value) = state.value {
            drop(state);
            return Poll::Ready(value);
        }
        let ticket = *self.ticket.get_or_insert(state.next_ticket);
        state.next_ticket = state.next_ticket.max(ticket + 1);
        let before = state.waiting.insert(ticket, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<T: Copy> Drop for Wait<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let _waker = self.signal.lock().waiting.remove(&ticket);
        }
    }
}
