//! A cloneable handle and a stream of bytes over one [`Target`].
//!
//! The lock is held for the target's own work alone. Listeners, wakers, and the drop of whatever
//! captured something of the user's wait until it is released.

mod handle;
mod nesting;
mod stream;

use alloc::sync::Arc;
use core::mem;
use core::sync::atomic::AtomicUsize;
use core::task::{Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use self::handle::{TargetHandle, WeakTargetHandle};
pub use self::stream::EventStream;
use super::closed::Waiters;
use super::dispatch::DispatchError;
use super::ending::Ending;
use super::holders::SharedListener;
use super::outbox::Limits;
use super::panics::Panics;
use super::state::CloseReason;
use super::target::Target;

/// Opens an event stream: a handle that takes events, and the bytes that a server sends.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use sse_proto::{Event, channel};
///
/// # futures::executor::block_on(async {
/// let (target, mut stream) = channel();
/// target.dispatch_message("hello")?;
/// target.dispatch_message("world")?;
/// target.close();
/// assert_eq!(stream.next().await.unwrap(), "data: hello\n\ndata: world\n\n");
/// assert!(stream.next().await.is_none());
/// # Ok::<(), sse_proto::DispatchError>(())
/// # })?;
/// # Ok::<(), sse_proto::DispatchError>(())
/// ```
pub fn channel() -> (TargetHandle, EventStream) {
    channel_with(Limits::new())
}

/// Opens an event stream whose queue has limits of the caller's.
pub fn channel_with(limits: Limits) -> (TargetHandle, EventStream) {
    let core = Arc::new(Core {
        handles: AtomicUsize::new(1),
        inner: Mutex::new(Inner {
            target: Target::with_limits(limits),
            reader: None,
            waiters: Waiters::default(),
        }),
    });
    let stream = EventStream {
        core: Arc::clone(&core),
    };
    (TargetHandle { core }, stream)
}

struct Core {
    handles: AtomicUsize,
    inner: Mutex<Inner>,
}

struct Inner {
    target: Target<SharedListener>,
    reader: Option<Waker>,
    waiters: Waiters,
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing of the user's runs under the lock, so a panic can't have left half a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tells this target from all others that live.
    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Does something that may queue bytes, and wakes the reader if there are any.
    fn sent<T>(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        work: impl FnOnce(&mut Target<SharedListener>) -> Result<T, DispatchError>,
    ) -> Result<T, DispatchError> {
        let result = work(&mut inner.target);
        if result.is_err() {
            if let Some(ending) = inner.target.take_ending() {
                Self::tell(inner, Some(ending));
                return result;
            }
        }
        let reader = if inner.target.queued_frames() > 0 {
            inner.reader.take()
        } else {
            None
        };
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
        result
    }

    /// Does something that may close the target, and tells everybody if it did: the reader, the
    /// tasks that wait, the listeners. Each is told, whatever another one does.
    fn end<T>(
        &self,
        work: impl FnOnce(&mut Target<SharedListener>) -> Result<Ending<SharedListener>, T>,
    ) {
        let mut inner = self.lock();
        // Where the target was closed before, what it was to be closed with is dropped without the
        // lock.
        let (ending, _late) = match work(&mut inner.target) {
            Ok(ending) => (Some(ending), None),
            Err(late) => (None, Some(late)),
        };
        Self::tell(inner, ending);
    }

    fn tell(mut inner: MutexGuard<'_, Inner>, ending: Option<Ending<SharedListener>>) {
        let reader = if ending.is_some() || inner.target.is_ended() {
            inner.reader.take()
        } else {
            None
        };
        let waiters = mem::take(&mut inner.waiters);
        let reason = inner.target.close_reason();
        drop(inner);

        let mut panics = Panics::default();
        if let Some(reader) = reader {
            panics.catch(|| reader.wake());
        }
        if let Some(reason) = reason {
            waiters.tell(reason, &mut panics);
        }
        if let Some(ending) = ending {
            ending.run_all(&mut panics);
        }
        panics.go_on();
    }

    fn close(&self, reason: CloseReason) {
        self.end(|target| target.begin_close(reason).ok_or(()));
    }
}

impl Inner {
    /// What a poll gives, before it registers who polls.
    fn poll_chunk(&mut self) -> Poll<Option<Bytes>> {
        let chunk = self.target.next_chunk();
        if chunk.is_some() || self.target.is_ended() {
            Poll::Ready(chunk)
        } else {
            Poll::Pending
        }
    }
}
