//! What is told to a target.

use alloc::boxed::Box;
use core::error::Error;

use super::Target;
use crate::server::dispatch::{DispatchError, Dispatched};
use crate::server::ending::{Held, RemovedListener};
use crate::server::listeners::{Listener, ListenerId};
use crate::server::state::CloseReason;
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// Commands.
impl<P: Listener> Target<P> {
    /// Dispatches an event: runs its local listeners, in order, and queues it for the client
    /// unless one of them cancels it.
    ///
    /// A [block](Event::block) without data is queued without asking the listeners.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the event is larger than the queue: before
    /// any listener runs.
    pub fn dispatch(&mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        if !self.asks_listeners(event) {
            return self.send(event);
        }
        let mut decided = self.begin(event)?.run_listeners();
        self.commit(&mut decided)
    }

    /// Dispatches an event without a type.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_message(&mut self, data: &str) -> Result<Dispatched, DispatchError> {
        self.dispatch(&Event::message(data))
    }

    /// Queues a comment, which clients ignore.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the comment is larger than the queue.
    pub fn dispatch_comment(&mut self, text: &str) -> Result<(), DispatchError> {
        self.send(&Event::block().with_comment(text)).map(|_| ())
    }

    /// Queues a frame, without encoding it again. Local listeners do not see it: there is no
    /// [`Event`] to show them.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the frame is larger than the queue.
    pub fn dispatch_frame(&mut self, frame: &Frame) -> Result<(), DispatchError> {
        self.check(frame.len())?;
        self.outbox.push_bytes(frame.bytes());
        Ok(())
    }

    /// Closes the stream. What is queued is still delivered. The close listeners run at once, and
    /// no listener of events runs any more. Without effect on a closed stream.
    pub fn close(&mut self) {
        self.end(CloseReason::Closed);
    }

    /// Closes the stream and drops what is queued.
    pub fn abort(&mut self) {
        self.end(CloseReason::Aborted);
    }

    /// Closes the stream because the client went away, and drops what is queued. The error
    /// listeners do not run: a client may go when it likes.
    pub fn client_gone(&mut self) {
        self.end(CloseReason::ClientGone);
    }

    /// Closes the stream because of an error: the close listeners run, then the error listeners
    /// with the error. What is queued is still delivered.
    pub fn fail(&mut self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        if let Ok(ending) = self.begin_failure(error) {
            ending.run();
        }
    }

    /// Closes the stream for a reason. [`close`](Self::close), [`abort`](Self::abort) and
    /// [`client_gone`](Self::client_gone) are short for it.
    pub fn end(&mut self, reason: CloseReason) {
        if let Some(ending) = self.begin_close(reason) {
            ending.run();
        }
    }

    /// Removes a listener. One that is removed during a dispatch does not run any more in it.
    ///
    /// What is returned holds the listener: drop it where the drop of what the listener captured
    /// may use the target. `None` if there is no such listener.
    ///
    /// # Complexity
    ///
    /// Grows with the number of listeners: the list is copied, for the dispatches that hold it.
    pub fn remove_listener(&mut self, id: ListenerId) -> Option<RemovedListener<P>> {
        let removed = self.listeners.remove(id)?;
        Some(RemovedListener(Held::Removed(removed)))
    }
}
