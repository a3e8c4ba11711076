//! `Handle`, which closes and reconnects a client from another task.

use alloc::sync::Arc;
use core::fmt;
use core::task::Waker;

use crate::sync::{Mutex, PoisonError};

/// The request of a handle. The later one in this order wins.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Command {
    Reconnect,
    Close,
}

#[derive(Default)]
struct State {
    command: Option<Command>,
    /// The task that polls the stream.
    waker: Option<Waker>,
}

/// Closes and reconnects an [`EventSourceStream`](super::EventSourceStream) from any task or
/// thread. Its clones are the same handle; once the stream is gone, they do nothing.
#[derive(Clone)]
pub struct Handle(Arc<Mutex<State>>);

impl Handle {
    /// Closes the client for good, as [`EventSource::close`](crate::EventSource::close) does, and
    /// wakes the stream.
    pub fn close(&self) {
        self.command(Command::Close);
    }

    /// Reconnects now, as [`EventSource::reconnect`](crate::EventSource::reconnect) does, and wakes
    /// the stream.
    pub fn reconnect(&self) {
        self.command(Command::Reconnect);
    }

    fn command(&self, command: Command) {
        let waker = with(&self.0, |state| {
            if state.command < Some(command) {
                state.command = Some(command);
            }
            state.waker.take()
        });
        // Outside of the lock, since a waker is foreign code.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The stream's end of its handles.
#[derive(Default)]
pub(super) struct Commands(Arc<Mutex<State>>);

impl Commands {
    pub(super) fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.0))
    }

    /// Takes what a handle has asked for. The next command wakes this task.
    pub(super) fn take(&self, waker: &Waker) -> Option<Command> {
        let is_kept = |state: &mut State| {
            state
                .waker
                .as_ref()
                .is_some_and(|kept| kept.will_wake(waker))
        };
        if !with(&self.0, is_kept) {
            // Foreign code runs only outside of the lock. The waker is kept before the command is
            // taken, so that no command comes between.
            let waker = waker.clone();
            drop(with(&self.0, |state| state.waker.replace(waker)));
        }
        with(&self.0, |state| state.command.take())
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        // A handle may live longer, and must not keep the task.
        drop(with(&self.0, |state| state.waker.take()));
    }
}

fn with<T>(state: &Mutex<State>, change: impl FnOnce(&mut State) -> T) -> T {
    change(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
