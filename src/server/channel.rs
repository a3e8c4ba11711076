//! A cloneable handle and a stream of bytes over one [`Target`].
//!
//! The lock is held for the target's own work alone. Listeners, wakers, and the drop of whatever
//! captured something of the user's wait until it is released.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::error::Error;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::closed::{Closed, Waiters};
use super::dispatch::{Dispatch, DispatchError, Dispatched};
use super::ending::Ending;
use super::holders::SharedListener;
use super::listeners::{ListenerId, On};
use super::nesting;
use super::outbox::Limits;
use super::state::CloseReason;
use super::target::Target;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

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

/// Takes the events of one stream. Every clone is the same target.
///
/// When the last clone is dropped, the stream delivers what is queued and ends. A listener that
/// captures a clone of its own target's handle keeps it open until it is closed: capture a
/// [`WeakTargetHandle`] to avoid that.
pub struct TargetHandle {
    core: Arc<Core>,
}

/// Refers to a target without keeping it open.
#[derive(Clone)]
pub struct WeakTargetHandle {
    core: Weak<Core>,
}

/// The bytes of one event stream, for the body of a response.
///
/// One poll takes all that is queued, up to the limit of a chunk, as one [`Bytes`]. Dropping the
/// stream before its end tells the target that the client is gone.
pub struct EventStream {
    core: Arc<Core>,
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

impl TargetHandle {
    /// Dispatches an event: runs its local listeners, in order, and queues it for the client
    /// unless one of them cancels it. See [`Target::dispatch`].
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the event is larger than the queue: before
    /// any listener runs. When listeners dispatch within each other more than
    /// [`MAX_DISPATCH_DEPTH`](crate::MAX_DISPATCH_DEPTH) deep.
    pub fn dispatch(&self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        let mut inner = self.core.lock();
        if !inner.target.asks_listeners(event) {
            return Core::sent(inner, |target| target.send(event));
        }
        let depth = nesting::depth(self.core.key());
        let pending = inner.target.begin_at(event, depth)?;
        drop(inner);
        let mut decided = nesting::deeper(self.core.key(), || pending.run_listeners());
        Core::sent(self.core.lock(), |target| target.commit(&mut decided))
    }

    /// Dispatches an event without a type.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_message(&self, data: &str) -> Result<Dispatched, DispatchError> {
        self.dispatch(&Event::message(data))
    }

    /// Queues a comment, which clients ignore.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the comment is larger than the queue.
    pub fn dispatch_comment(&self, text: &str) -> Result<(), DispatchError> {
        Core::sent(self.core.lock(), |target| target.dispatch_comment(text))
    }

    /// Queues a frame, without encoding it again. Local listeners do not see it.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the frame is larger than the queue.
    pub fn dispatch_frame(&self, frame: &Frame) -> Result<(), DispatchError> {
        Core::sent(self.core.lock(), |target| target.dispatch_frame(frame))
    }

    /// Closes the stream. What is queued is still delivered. The close listeners run at once.
    pub fn close(&self) {
        self.end(CloseReason::Closed);
    }

    /// Closes the stream and drops what is queued.
    pub fn abort(&self) {
        self.end(CloseReason::Aborted);
    }

    /// Closes the stream for a reason of the caller's choice.
    pub fn end(&self, reason: CloseReason) {
        self.core.end(|target| target.begin_close(reason));
    }

    /// Closes the stream because of an error: the close listeners run, then the error listeners
    /// with the error. What is queued is still delivered.
    pub fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let error = error.into();
        self.core.end(|target| target.begin_failure(error));
    }

    /// Returns whether the stream takes nothing any more: true from the call that closed it, or
    /// from the drop of the [`EventStream`].
    pub fn is_closed(&self) -> bool {
        self.core.lock().target.is_closed()
    }

    /// Returns why the stream was closed.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.core.lock().target.close_reason()
    }

    /// Returns the error that the stream failed with.
    pub fn error(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.core.lock().target.failure()
    }

    /// Returns whether the stream is over and all that was queued was taken.
    pub fn is_drained(&self) -> bool {
        self.core.lock().target.is_drained()
    }

    /// Returns a future that resolves with the reason once the stream is closed.
    ///
    /// Costs nothing to who does not call it; dropped before the end, it leaves nothing behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::{CloseReason, channel};
    ///
    /// # futures::executor::block_on(async {
    /// let (target, stream) = channel();
    /// let closed = target.closed();
    /// drop(stream);
    /// assert_eq!(closed.await, CloseReason::ClientGone);
    /// # });
    /// ```
    pub fn closed(&self) -> Closed {
        let mut inner = self.core.lock();
        match inner.target.close_reason() {
            Some(reason) => Closed::already(reason),
            None => inner.waiters.wait(),
        }
    }

    /// Adds a local listener for events. See [`Target::listen`].
    pub fn listen(
        &self,
        on: On,
        listener: impl Fn(&Dispatch<'_>) + Send + Sync + 'static,
    ) -> ListenerId {
        self.add_listener(on, SharedListener::on_event(listener))
    }

    /// Adds a listener that runs once, when the stream is closed, whatever the reason: inside the
    /// call that closes it, or inside the drop of the [`EventStream`].
    pub fn on_close(&self, listener: impl Fn(CloseReason) + Send + Sync + 'static) -> ListenerId {
        self.add_listener(On::close(), SharedListener::on_close(listener))
    }

    /// Adds a listener that runs when the stream fails, after the close listeners.
    pub fn on_error(
        &self,
        listener: impl Fn(&(dyn Error + Send + Sync + 'static)) + Send + Sync + 'static,
    ) -> ListenerId {
        self.add_listener(On::error(), SharedListener::on_error(listener))
    }

    /// Removes a listener; returns whether there was one. One that is removed during a dispatch
    /// does not run any more in it.
    pub fn remove_listener(&self, id: ListenerId) -> bool {
        // Two statements: what is removed is dropped after the lock is released.
        let removed = self.core.lock().target.remove_listener(id);
        removed.is_some()
    }

    /// Returns a handle that does not keep the target open.
    pub fn downgrade(&self) -> WeakTargetHandle {
        WeakTargetHandle {
            core: Arc::downgrade(&self.core),
        }
    }

    fn add_listener(&self, on: On, listener: SharedListener) -> ListenerId {
        let (id, _unused) = self.core.lock().target.add_listener(on, listener);
        id
    }
}

impl Clone for TargetHandle {
    fn clone(&self) -> Self {
        self.core.handles.fetch_add(1, Ordering::Relaxed);
        Self {
            core: Arc::clone(&self.core),
        }
    }
}

impl Drop for TargetHandle {
    fn drop(&mut self) {
        // Release and acquire: what other handles did happens before the end.
        if self.core.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.core
                .end(|target| target.begin_close(CloseReason::HandlesDropped));
        }
    }
}

impl WeakTargetHandle {
    /// Returns a handle, unless the last one was dropped.
    pub fn upgrade(&self) -> Option<TargetHandle> {
        let core = self.core.upgrade()?;
        let more = |handles: usize| (handles > 0).then(|| handles + 1);
        core.handles
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(TargetHandle { core })
    }
}

impl EventStream {
    /// Ends the stream because what carries it failed: the close listeners run, then the error
    /// listeners. (A client that goes away is no failure: drop the stream.)
    pub fn fail(self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let error = error.into();
        self.core.end(|target| target.begin_failure(error));
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut inner = self.core.lock();
        if let Poll::Ready(ready) = inner.poll_chunk() {
            return Poll::Ready(ready);
        }
        if let Some(reader) = &inner.reader {
            if reader.will_wake(cx.waker()) {
                return Poll::Pending;
            }
        }
        drop(inner);
        // Cloning a waker runs code of the executor's, so it is done without the lock, and what
        // came meanwhile is looked for again.
        let reader = cx.waker().clone();
        let mut inner = self.core.lock();
        if let Poll::Ready(ready) = inner.poll_chunk() {
            return Poll::Ready(ready);
        }
        let old = inner.reader.replace(reader);
        drop(inner);
        drop(old);
        Poll::Pending
    }
}

impl FusedStream for EventStream {
    fn is_terminated(&self) -> bool {
        self.core.lock().target.is_ended()
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.core
            .end(|target| target.begin_close(CloseReason::ClientGone));
    }
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

    /// Does something that may queue bytes, and wakes the reader if it did.
    fn sent<T>(
        mut inner: MutexGuard<'_, Inner>,
        work: impl FnOnce(&mut Target<SharedListener>) -> Result<T, DispatchError>,
    ) -> Result<T, DispatchError> {
        let result = work(&mut inner.target);
        let reader = if result.is_ok() {
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

    /// Does something that may close the target, and tells everybody if it did: first the tasks
    /// that wait, which is cheap and can't fail, then the listeners.
    fn end(
        &self,
        work: impl FnOnce(&mut Target<SharedListener>) -> Option<Ending<SharedListener>>,
    ) {
        let mut inner = self.lock();
        let ending = work(&mut inner.target);
        let reader = if ending.is_some() || inner.target.is_ended() {
            inner.reader.take()
        } else {
            None
        };
        let waiters = mem::take(&mut inner.waiters);
        let reason = inner.target.close_reason();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
        if let Some(reason) = reason {
            waiters.tell(reason);
        }
        if let Some(ending) = ending {
            ending.run();
        }
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

impl fmt::Debug for TargetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetHandle")
            .field("target", &self.core.lock().target)
            .finish()
    }
}

impl fmt::Debug for WeakTargetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakTargetHandle").finish_non_exhaustive()
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("target", &self.core.lock().target)
            .finish()
    }
}
