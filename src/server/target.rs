//! `Target`, which takes the events of one stream.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::future::Future;

use super::channel::{self, Channel, Handle};
use super::dispatch::{Dispatch, DispatchError, Dispatched};
use super::listeners::{Listener, ListenerId, Occasion, On};
use super::outbox::{Limits, Outgoing};
#[cfg(feature = "std")]
use super::sharing::Shared;
use super::sharing::{Local, Primitives, Sharing};
use super::state::CloseReason;
use super::stream::{EventStream, LocalEventStream};
use super::wait::{self, Permit};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// Opens an event stream: a target, which takes events, and a stream of the bytes that a server
/// sends.
///
/// The stream ends when the last target is dropped, so keep one as long as there may be events.
///
/// # Memory
///
/// On a 64-bit machine, a target and its stream together take 328 bytes before the first event.
/// They take 4592 bytes once all events are delivered, including a buffer of 4096 bytes that is
/// kept for the next event. (For [`local_channel`]: 336 and 4600.) Queued events add to that, up to
/// the [limits](Limits::with_max_bytes). The bench `memory` of the package `alloc-tests` prints
/// these figures.
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
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// # })?;
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
#[cfg(feature = "std")]
#[doc(alias = "sender")]
#[doc(alias = "sse")]
pub fn channel() -> (Target, EventStream) {
    channel_with(Limits::new())
}

/// Opens an event stream with the given limits for the queue.
#[cfg(feature = "std")]
pub fn channel_with(limits: Limits) -> (Target, EventStream) {
    open(limits)
}

/// Opens an event stream that stays on one thread: no lock, and listeners need not be `Send`.
///
/// Otherwise it is the same as `channel`. It needs no `std`.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use sse_proto::target::On;
/// use sse_proto::local_channel;
///
/// let (target, stream) = local_channel();
/// let heard = Rc::new(Cell::new(0));
/// let count = Rc::clone(&heard);
/// target.listen(On::message(), move |_| count.set(count.get() + 1));
/// target.dispatch_message("hello")?;
/// assert_eq!(heard.get(), 1);
/// # drop(stream);
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
pub fn local_channel() -> (LocalTarget, LocalEventStream) {
    local_channel_with(Limits::new())
}

/// Opens an event stream that stays on one thread, with the given limits for the queue.
pub fn local_channel_with(limits: Limits) -> (LocalTarget, LocalEventStream) {
    open(limits)
}

fn open<S: Sharing>(limits: Limits) -> (Target<S>, EventStream<S>) {
    let (handle, reader) = channel::open(limits);
    (Target { handle }, EventStream::new(reader))
}

/// Takes the events of one stream. Every clone is a handle of the same target.
///
/// When the last handle is dropped, the stream delivers what is queued and ends. A listener that
/// captures a handle of its own target keeps the target open until it is closed explicitly. Capture
/// a [`WeakTarget`] to avoid that.
#[doc(alias = "sender")]
pub struct Target<
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    handle: Handle<S::Means>,
}

/// Refers to a target without keeping it open.
pub struct WeakTarget<
    #[cfg(feature = "std")] S: Sharing = Shared,
    #[cfg(not(feature = "std"))] S: Sharing,
> {
    channel: <S::Means as Primitives>::Weak<Channel<S::Means>>,
}

/// The target of a stream that stays on one thread.
pub type LocalTarget = Target<Local>;

impl<S: Sharing> Target<S> {
    /// Dispatches an event: runs its local listeners, in order, and queues it for the client unless
    /// one of them cancels it.
    ///
    /// A listener may use this target: it runs without a lock. An event that a listener dispatches
    /// is sent before the outer event. Dispatches may be nested up to 16 deep. Listeners do not run
    /// for a [block](Event::block) without data.
    ///
    /// If a listener panics, the panic goes to the caller of this method, and nothing is sent.
    ///
    /// # Errors
    ///
    /// Before any listener runs:
    ///
    /// - [`DispatchError::Closed`] if the stream has ended;
    /// - [`DispatchError::Full`] if the queue is full, unless [`Overflow`](crate::target::Overflow)
    ///   is set to drop frames or to disconnect;
    /// - [`DispatchError::TooLarge`] if the event is larger than the whole queue;
    /// - [`DispatchError::TooDeep`] if dispatches are already nested 16 deep;
    /// - [`DispatchError::HasId`] if the event has an id and the stream is merged into a broadcast.
    ///
    /// After the listeners have run, [`DispatchError::Closed`] if the stream was closed meanwhile.
    #[doc(alias = "emit")]
    #[doc(alias = "fire")]
    #[doc(alias = "push")]
    pub fn dispatch(&self, event: &Event<'_>) -> Result<Dispatched, DispatchError> {
        self.handle
            .channel
            .dispatch(Outgoing::Event(event, None), None)
    }

    /// Dispatches an event without a type.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_message(&self, data: &str) -> Result<Dispatched, DispatchError> {
        self.dispatch(&Event::message(data))
    }

    /// Queues a comment, which clients ignore. Local listeners do not see it.
    ///
    /// It goes out without a blank line, unless [one is asked for](Self::set_blank_line).
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch). A comment drops no frame of a full queue.
    #[doc(alias = "ping")]
    #[doc(alias = "heartbeat")]
    pub fn dispatch_comment(&self, text: &str) -> Result<(), DispatchError> {
        let comment = Event::block().with_comment(text);
        let sent = self.dispatch(&comment.with_blank_line(self.handle.channel.blank_line()));
        sent.map(|_| ())
    }

    /// Sets whether later comments of this target end with a blank line; the default is `false`.
    /// The method [`Event::with_blank_line`] tells which clients need which form, and sets it for
    /// a single event.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Poll;
    /// use sse_proto::local_channel;
    ///
    /// let (target, mut stream) = local_channel();
    /// target.set_blank_line(true);
    /// target.dispatch_comment("still here")?;
    /// assert_eq!(stream.try_next(), Poll::Ready(Some(": still here\n\n".into())));
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn set_blank_line(&self, blank_line: bool) {
        self.handle.channel.set_blank_line(blank_line);
    }

    /// Queues a frame, without encoding it again. Local listeners do not see it.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_frame(&self, frame: &Frame) -> Result<(), DispatchError> {
        let sent = self.handle.channel.dispatch(Outgoing::Frame(frame), None);
        sent.map(|_| ())
    }

    /// Waits for room in the queue, then dispatches an event.
    ///
    /// With [`Overflow::Refuse`](crate::target::Overflow::Refuse), this waits while the queue is
    /// full. With the other policies, an event waits only while room is reserved for others or an
    /// earlier task waits.
    ///
    /// Waiting tasks get room in the order of their first polls. While a task waits,
    /// [`dispatch`](Self::dispatch) returns [`DispatchError::Full`]. The listeners run once, after
    /// the room is found. If one of them cancels the event, the room goes to the next task. If an
    /// event is expensive to make, call [`reserve`](Self::reserve) first.
    ///
    /// # Shutdown
    ///
    /// While the client reads nothing, no room appears, and a server does not poll the stream. So
    /// [`until`](crate::EventStreamExt::until) cannot end the stream, and the task keeps waiting.
    /// At a shutdown, also call [`close`](Self::close): it wakes the task at once.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch), but never [`DispatchError::Full`]. If the stream is closed
    /// during the wait, the future resolves with [`DispatchError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::target::{Dispatched, Limits, channel_with};
    /// use sse_proto::Event;
    ///
    /// # futures::executor::block_on(async {
    /// let (target, mut stream) = channel_with(Limits::new().with_max_frames(1));
    /// target.dispatch_message("first")?;
    ///
    /// let second = Event::message("second");
    /// let mut send = target.send(&second);
    /// assert!((&mut send).now_or_never().is_none(), "the queue is full");
    /// assert_eq!(stream.next().await.unwrap(), "data: first\n\n");
    /// assert_eq!(send.await?, Dispatched::Sent);
    /// assert_eq!(stream.next().await.unwrap(), "data: second\n\n");
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// # })?;
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    #[doc(alias = "backpressure")]
    pub fn send<'a>(
        &'a self,
        event: &'a Event<'a>,
    ) -> impl Future<Output = Result<Dispatched, DispatchError>> + Unpin + use<'a, S> {
        wait::send(&self.handle, event)
    }

    /// Waits until there is room for a frame of `len` bytes, and holds that room.
    ///
    /// Use it if an event is expensive to make: the [permit](crate::target::Permit) guarantees room
    /// for the event. [`encoded_len`](Event::encoded_len) returns the exact length of an event. A
    /// permit also takes a smaller event.
    ///
    /// This waits under every [`Overflow`](crate::target::Overflow) policy. Its waiting tasks share
    /// one line with those of [`send`](Self::send). If the future is dropped, its room goes to the
    /// next task. If the future is polled again after it has resolved, it waits for the same amount
    /// of room again.
    ///
    /// # Errors
    ///
    /// The future resolves with [`DispatchError::TooLarge`] at once if the queue can never hold
    /// that much, and with [`DispatchError::Closed`] when the stream is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::target::{Limits, channel_with};
    /// use sse_proto::Event;
    ///
    /// # futures::executor::block_on(async {
    /// let (target, mut stream) = channel_with(Limits::new().with_max_frames(1));
    /// target.dispatch_message("first")?;
    ///
    /// let second = Event::message("second");
    /// let mut reserve = target.reserve(second.encoded_len());
    /// assert!((&mut reserve).now_or_never().is_none(), "the queue is full");
    /// assert_eq!(stream.next().await.unwrap(), "data: first\n\n");
    /// reserve.await?.dispatch(&second)?;
    /// assert_eq!(stream.next().await.unwrap(), "data: second\n\n");
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// # })?;
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    #[doc(alias = "room")]
    #[doc(alias = "backpressure")]
    pub fn reserve(
        &self,
        len: usize,
    ) -> impl Future<Output = Result<Permit<S>, DispatchError>> + Unpin + use<S> {
        wait::reserve(self.handle.clone(), len)
    }

    /// Closes the stream. Queued frames are still delivered. The close listeners run in this call,
    /// and no event listener runs after it. Does nothing if the stream is already closed.
    pub fn close(&self) {
        self.handle.channel.close(CloseReason::Closed);
    }

    /// Closes the stream and drops its queue, even if the stream is already closed and still
    /// delivers the queue. The close listeners run as with [`close`](Self::close).
    pub fn abort(&self) {
        self.handle.channel.close(CloseReason::Aborted);
    }

    /// Closes the stream because of an error: the close listeners run, then the error listeners
    /// with the error. Queued frames are still delivered.
    ///
    /// The client does not see the error: its response ends as usual, and a browser reconnects.
    /// With [`or_error`](crate::EventStreamExt::or_error) the response breaks off instead. To tell
    /// the client, dispatch an event first.
    pub fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.handle.channel.fail(error.into());
    }

    /// Returns whether the stream has ended: true as soon as a call closes it or the
    /// [`EventStream`] is dropped.
    pub fn is_closed(&self) -> bool {
        self.close_reason().is_some()
    }

    /// Returns the reason for the end, or `None` for an open stream.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.handle.channel.with(|machine| machine.close_reason())
    }

    /// Returns the error that the stream failed with.
    pub fn error(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.handle.channel.with(|machine| machine.failure())
    }

    /// Returns whether the stream has ended and all frames queued at its end have been taken.
    pub fn is_drained(&self) -> bool {
        self.handle.channel.with(|machine| machine.is_drained())
    }

    /// Returns how many frames are queued.
    pub fn queued_frames(&self) -> usize {
        self.handle
            .channel
            .with(|machine| machine.outbox().frames())
    }

    /// Returns how many bytes are queued.
    pub fn queued_bytes(&self) -> usize {
        self.handle.channel.with(|machine| machine.outbox().bytes())
    }

    /// Returns how many frames were dropped to make room for newer ones. See
    /// [`Overflow`](crate::target::Overflow).
    pub fn dropped_frames(&self) -> usize {
        self.handle
            .channel
            .with(|machine| machine.outbox().dropped())
    }

    /// Sets the frame that is sent in place of dropped frames, before the next remaining frame. It
    /// is sent once per gap, however many frames were dropped since the last chunk. `None`, the
    /// default, sends nothing.
    ///
    /// The marker is not queued, so it counts toward no limit. It must have no id, because the
    /// client would store that id as its last event ID. See [`Overflow`](crate::target::Overflow).
    ///
    /// # Errors
    ///
    /// [`DispatchError::HasId`] if the marker has an id and the stream is merged into a broadcast.
    /// The earlier marker stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use sse_proto::target::{Limits, Overflow, channel_with};
    /// use sse_proto::{Event, EventType, Frame};
    ///
    /// # futures::executor::block_on(async {
    /// let limits = Limits::new().with_max_frames(1).with_overflow(Overflow::DropOldest);
    /// let (target, mut stream) = channel_with(limits);
    /// let gap = Event::new(EventType::from_static("gap"), "");
    /// target.set_gap_marker(Some(Frame::new(&gap)))?;
    /// for data in ["1", "2", "3"] {
    ///     target.dispatch_message(data)?;
    /// }
    /// assert_eq!(stream.next().await.unwrap(), "event: gap\ndata: \n\n");
    /// assert_eq!(stream.next().await.unwrap(), "data: 3\n\n");
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// # })?;
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn set_gap_marker(&self, marker: Option<Frame>) -> Result<(), DispatchError> {
        let channel = &self.handle.channel;
        channel.with(|machine| machine.set_gap_marker(marker))
    }

    /// Returns a future that resolves with the reason once the stream is closed.
    ///
    /// Free unless called. Dropping the future early leaks nothing. A future that is polled again
    /// after it has resolved returns the same reason.
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
    pub fn closed(&self) -> impl Future<Output = CloseReason> + Unpin + use<S> {
        wait::closed::<S::Means>(self.handle.channel.clone())
    }

    /// Removes a listener, and returns whether there was one. A dispatch that has begun does not
    /// run it either.
    ///
    /// # Complexity
    ///
    /// Logarithmic in the number of listeners, on the average of many removals. The first removal
    /// during a dispatch copies their list.
    pub fn remove_listener(&self, id: ListenerId) -> bool {
        let channel = &self.handle.channel;
        channel
            .with(|machine| machine.remove_listener(id))
            .is_some()
    }

    /// Returns a reference that does not keep the target open.
    pub fn downgrade(&self) -> WeakTarget<S> {
        let channel = <S::Means as Primitives>::downgrade(&self.handle.channel);
        WeakTarget { channel }
    }

    /// Adds a listener. After the end, a close listener is called at once; an error listener is
    /// called at once if the stream failed.
    fn add(
        &self,
        listener: Arc<Listener<<S::Means as Primitives>::Listener>>,
        missed: impl FnOnce(&Listener<<S::Means as Primitives>::Listener>),
    ) -> ListenerId {
        let id = listener.id();
        let channel = &self.handle.channel;
        if let Some(late) = channel.with(|machine| machine.add_listener(listener)) {
            missed(&late);
        }
        id
    }
}

/// The methods that take closures. They exist once for each way to share, because the bounds
/// differ.
macro_rules! listen {
    ($sharing:ident $(, $bound:ident)*) => {
        /// Listeners.
        impl Target<$sharing> {
            /// Adds a local listener for events.
            ///
            /// Listeners run in the order in which they were added. A listener that is added during
            /// a dispatch does not run in that dispatch. A listener that is added after the end
            /// never runs.
            pub fn listen(
                &self,
                on: On,
                listener: impl Fn(&Dispatch<'_>) $(+ $bound)* + 'static,
            ) -> ListenerId {
                let listener = Listener::new(on, move |occasion: &Occasion<'_>| {
                    if let Occasion::Event(dispatch) = occasion {
                        listener(dispatch);
                    }
                });
                self.add(listener, |_| {})
            }

            /// Adds a listener that runs once, when the stream is closed, whatever the reason.
            ///
            /// It runs inside the call that closes the stream, or inside the drop of the
            /// [`EventStream`]. If the stream is closed already, it runs now.
            ///
            /// If a listener panics, the others still run, and then the panic continues in the
            /// caller that closed the stream.
            pub fn on_close(
                &self,
                listener: impl Fn(CloseReason) $(+ $bound)* + 'static,
            ) -> ListenerId {
                let listener = Listener::new(On::close(), move |occasion: &Occasion<'_>| {
                    if let Occasion::Close(reason) = occasion {
                        listener(*reason);
                    }
                });
                self.add(listener, |late| {
                    if let Some(reason) = self.close_reason() {
                        late.call(&Occasion::Close(reason));
                    }
                })
            }

            /// Adds a listener that runs once, when the stream fails, after the close listeners. If
            /// the stream has failed already, it runs now.
            pub fn on_error(
                &self,
                listener: impl Fn(&(dyn Error + Send + Sync + 'static)) $(+ $bound)* + 'static,
            ) -> ListenerId {
                let listener = Listener::new(On::error(), move |occasion: &Occasion<'_>| {
                    if let Occasion::Error(error) = occasion {
                        listener(*error);
                    }
                });
                self.add(listener, |late| {
                    if let Some(error) = self.error() {
                        late.call(&Occasion::Error(&*error));
                    }
                })
            }
        }
    };
}

listen!(Local);
#[cfg(feature = "std")]
listen!(Shared, Send, Sync);

impl<S: Sharing> WeakTarget<S> {
    /// Returns a handle, unless the last one was dropped.
    pub fn upgrade(&self) -> Option<Target<S>> {
        let handle = Handle::upgrade(&self.channel)?;
        Some(Target { handle })
    }
}

impl<S: Sharing> Clone for Target<S> {
    fn clone(&self) -> Self {
        let handle = self.handle.clone();
        Self { handle }
    }
}

impl<S: Sharing> Clone for WeakTarget<S> {
    fn clone(&self) -> Self {
        let channel = self.channel.clone();
        Self { channel }
    }
}

impl<S: Sharing> fmt::Debug for Target<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("close_reason", &self.close_reason())
            .field("queued_frames", &self.queued_frames())
            .field("queued_bytes", &self.queued_bytes())
            .finish()
    }
}

impl<S: Sharing> fmt::Debug for WeakTarget<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakTarget").finish_non_exhaustive()
    }
}
