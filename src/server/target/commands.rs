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
    /// any listener runs. What a full queue does, [`Overflow`](crate::target::Overflow) says.
    pub fn dispatch(&mut self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        let outcome = if self.asks_listeners(event) {
            self.begin(event)
                .and_then(|pending| self.commit(&mut pending.run_listeners()))
        } else {
            self.send(event)
        };
        self.told(outcome)
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
        let outcome = self.send(&Event::block().with_comment(text));
        self.told(outcome).map(|_| ())
    }

    /// Queues a frame, without encoding it again. Local listeners do not see it: there is no
    /// [`Event`] to show them.
    ///
    /// # Errors
    ///
    /// When the stream is closed, its queue is full, or the frame is larger than the queue.
    pub fn dispatch_frame(&mut self, frame: &Frame) -> Result<(), DispatchError> {
        let outcome = self.queue_frame(frame);
        self.told(outcome)
    }

    /// Sets the frame that goes out where frames were dropped, before the next one that is left:
    /// once, however many were dropped since the last [chunk](Self::next_chunk). `None`, as at the
    /// start, for nothing.
    ///
    /// It is queued nowhere, so it counts towards no limit. Give it no id: the client would take it
    /// as its last event ID. See [`Overflow`](crate::target::Overflow).
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::target::{Limits, Overflow};
    /// use sse_proto::{Event, EventType, Frame, LocalListener, Target};
    ///
    /// let limits = Limits::new().with_frames(1).with_overflow(Overflow::DropOldest);
    /// let mut target = Target::<LocalListener>::with_limits(limits);
    /// let gap = Event::new(EventType::from_static("gap"), "");
    /// target.set_gap_marker(Some(Frame::new(&gap)));
    /// for data in ["1", "2", "3"] {
    ///     target.dispatch_message(data)?;
    /// }
    /// assert_eq!(target.next_chunk().unwrap(), "event: gap\ndata: \n\n");
    /// assert_eq!(target.next_chunk().unwrap(), "data: 3\n\n");
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn set_gap_marker(&mut self, marker: Option<Frame>) {
        self.outbox.set_marker(marker.map(Frame::into_bytes));
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

    /// Tells the listeners of the end, if that is what a dispatch came to.
    fn told<T>(&mut self, outcome: Result<T, DispatchError>) -> Result<T, DispatchError> {
        match outcome {
            Ok(done) => Ok(done),
            Err(error) => {
                if let Some(ending) = self.take_ending() {
                    ending.run();
                }
                Err(error)
            }
        }
    }
}
