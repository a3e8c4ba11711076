//! The handle: commands and getters.

use crate::sync::Ordering;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use super::sharing::{Local, Sharing, over_sharing};
use crate::server::closed::Closed;
use crate::server::dispatch::{DispatchError, Dispatched};
use crate::server::listeners::ListenerId;
use crate::server::state::CloseReason;
#[cfg(doc)]
use crate::server::target::Target;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

over_sharing! {
    /// Takes the events of one stream. Every clone is the same target.
    ///
    /// When the last clone is dropped, the stream delivers what is queued and ends. A listener that
    /// captures a clone of its own target's handle keeps it open until it is closed: capture a
    /// [`WeakTargetHandle`] to avoid that.
    pub struct TargetHandle {
        core: S::Strong,
    }
}

over_sharing! {
    /// Refers to a target without keeping it open.
    pub struct WeakTargetHandle {
        core: S::Weak,
    }
}

/// The handle of a target that stays on one thread.
pub type LocalTargetHandle = TargetHandle<Local>;

impl<S: Sharing> TargetHandle<S> {
    /// Dispatches an event: runs its local listeners, in order, and queues it for the client
    /// unless one of them cancels it. See [`Target::dispatch`].
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the event is larger than the queue: before
    /// any listener runs. When listeners dispatch within each other more than
    /// [`MAX_DISPATCH_DEPTH`](crate::MAX_DISPATCH_DEPTH) deep.
    pub fn dispatch(&self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        self.core.dispatch(event)
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
        self.dispatch(&Event::block().with_comment(text))
            .map(|_| ())
    }

    /// Queues a frame, without encoding it again. Local listeners do not see it.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the frame is larger than the queue.
    pub fn dispatch_frame(&self, frame: &Frame) -> Result<(), DispatchError> {
        self.core.dispatch_frame(frame)
    }

    /// Closes the stream. What is queued is still delivered. The close listeners run at once.
    pub fn close(&self) {
        self.end(CloseReason::Closed);
    }

    /// Closes the stream and drops what is queued.
    pub fn abort(&self) {
        self.end(CloseReason::Aborted);
    }

    /// Closes the stream for a reason of the caller's choice, such as [`CloseReason::Overflow`] where
    /// a full queue is to disconnect. (A failure has an error: call [`fail`](Self::fail) for it.)
    pub fn end(&self, reason: CloseReason) {
        self.core.close(reason);
    }

    /// Closes the stream because of an error: the close listeners run, then the error listeners
    /// with the error. What is queued is still delivered.
    pub fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let error = error.into();
        self.core.end(|target| target.begin_failure(error));
    }

    /// Returns whether the stream takes nothing any more: true from the call that closed it, or
    /// from the drop of the [`EventStream`](crate::EventStream).
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

    /// Returns how many frames are queued.
    pub fn queued_frames(&self) -> usize {
        self.core.lock().target.queued_frames()
    }

    /// Returns how many bytes are queued.
    pub fn queued_bytes(&self) -> usize {
        self.core.lock().target.queued_bytes()
    }

    /// Returns how many frames were dropped to make room for newer ones. See
    /// [`Overflow`](crate::target::Overflow).
    pub fn dropped_frames(&self) -> usize {
        self.core.lock().target.dropped_frames()
    }

    /// Sets the frame that goes out where frames were dropped. See [`Target::set_gap_marker`].
    ///
    /// # Errors
    ///
    /// When it has an id, and the stream is merged into that of a broadcast
    /// ([`DispatchError::HasId`]). The marker before stays.
    pub fn set_gap_marker(&self, marker: Option<Frame>) -> Result<(), DispatchError> {
        let mut inner = self.core.lock();
        let has_id = marker.as_ref().is_some_and(|marker| marker.id().is_some());
        let refuses = self.core.refuses_ids.load(Ordering::Relaxed);
        if has_id && refuses && !inner.target.is_closed() {
            return Err(DispatchError::HasId);
        }
        inner.target.set_gap_marker(marker);
        Ok(())
    }

    /// Returns a future that resolves with the reason once the stream is closed.
    ///
    /// Costs nothing to who does not call it; dropped before the end, it leaves nothing behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::target::CloseReason;
    /// use sse_proto::channel;
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
        if let Some(reason) = inner.target.close_reason() {
            return Closed::already(reason);
        }
        let (closed, gone) = inner.waiters.wait();
        drop(inner);
        drop(gone);
        closed
    }

    /// Removes a listener; returns whether there was one. One that is removed during a dispatch
    /// does not run any more in it.
    pub fn remove_listener(&self, id: ListenerId) -> bool {
        // Two statements: what is removed is dropped after the lock is released.
        let removed = self.core.lock().target.remove_listener(id);
        removed.is_some()
    }

    /// Returns a handle that does not keep the target open.
    pub fn downgrade(&self) -> WeakTargetHandle<S> {
        WeakTargetHandle {
            core: S::downgrade(&self.core),
        }
    }
}

impl<S: Sharing> Clone for TargetHandle<S> {
    fn clone(&self) -> Self {
        self.core.handles.fetch_add(1, Ordering::Relaxed);
        Self {
            core: self.core.clone(),
        }
    }
}

impl<S: Sharing> Clone for WeakTargetHandle<S> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
        }
    }
}

impl<S: Sharing> Drop for TargetHandle<S> {
    fn drop(&mut self) {
        // Release and acquire: what other handles did happens before the end.
        if self.core.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.core.close(CloseReason::HandlesDropped);
        }
    }
}

impl<S: Sharing> WeakTargetHandle<S> {
    /// Returns a handle, unless the last one was dropped.
    pub fn upgrade(&self) -> Option<TargetHandle<S>> {
        let core = S::upgrade(&self.core)?;
        let more = |handles: usize| (handles > 0).then(|| handles + 1);
        core.handles
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(TargetHandle { core })
    }
}

impl<S: Sharing> fmt::Debug for TargetHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetHandle")
            .field("close_reason", &self.close_reason())
            .field("queued_frames", &self.queued_frames())
            .field("queued_bytes", &self.queued_bytes())
            .finish()
    }
}

impl<S: Sharing> fmt::Debug for WeakTargetHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakTargetHandle").finish_non_exhaustive()
    }
}
