//! The adapters as methods, and `until`, which ends the stream that it wraps.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::Stream;
use pin_project_lite::pin_project;

use super::coalesce::Coalesce;
#[cfg(doc)]
use super::inner::from_stream;
use super::inner::{Encode, FromStream, Sealed, StreamItem, pass};
use super::keep_alive::{KEEP_ALIVE_INTERVAL, KeepAlive};
use super::or_error::OrError;
use super::preamble::{Preamble, WithPreamble};
#[cfg(feature = "std")]
use crate::server::broadcast::{Merged, Subscription};
use crate::server::machine::Failure;
use crate::server::sharing::Sharing;
use crate::server::state::CloseReason;
use crate::server::stream::EventStream;
use crate::timer::Timer;
use crate::wire::field::EventId;
use crate::wire::frame::Frame;
use crate::wire::line::Tail;

/// A stream of this crate, with the [adapters](crate::adapt) as methods.
///
/// It is implemented for [`EventStream`](crate::EventStream), `Subscription`, `Merged`, and
/// everything that its methods return. Wrap any other stream with [`from_stream`]; no other type
/// can implement this trait. A `Pin<Box<S>>` of such a stream has the methods too, as does a
/// `Pin<Box<dyn EventStreamExt<Item = Bytes>>>`.
///
/// No method has the name of a method of `StreamExt` in futures or tokio-stream, so the traits can
/// be imported together.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream of this crate, so it has no adapters",
    label = "wrap it in `adapt::from_stream`, or put the adapters inside"
)]
pub trait EventStreamExt: Stream<Item: StreamItem> {
    /// Ends the stream after its queue; returns whether this call ended it.
    #[doc(hidden)]
    fn shut_down(self: Pin<&mut Self>, _: Sealed) -> bool;

    /// Returns the event that tells the client its place in the log, if one is due.
    #[doc(hidden)]
    fn place(self: Pin<&mut Self>, _: Sealed) -> Option<Bytes> {
        None
    }

    /// Returns the id at which the stream of a new client starts.
    #[doc(hidden)]
    fn start(&self, _: Sealed) -> Option<EventId<'static>> {
        None
    }

    /// Returns the error that the target failed with.
    #[doc(hidden)]
    fn failure(&self, _: Sealed) -> Option<Failure> {
        None
    }

    /// Adds what most streams want: a [`Preamble`] and a [`keep_alive`](Self::keep_alive).
    ///
    /// The preamble sets a reconnection time of 3 seconds. If the stream is that of a new client of
    /// a broadcast, it also [has the id](Preamble::with_id) at which the stream starts. A comment
    /// goes out after each [`KEEP_ALIVE_INTERVAL`] of silence. For other values, call the two
    /// methods instead.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// use std::future::ready;
    /// use std::time::Duration;
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::broadcast::Retention;
    /// use sse_proto::{Broadcast, EventStreamExt};
    ///
    /// // A timer that fires at once. In a server, `tokio::time::sleep`, for example.
    /// let timer = |_: Duration| ready(());
    ///
    /// let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    /// let stream = broadcast.subscribe(None).or_live_untold().with_defaults(timer);
    /// assert_eq!(
    ///     block_on(stream.take(2).collect::<Vec<_>>()),
    ///     ["event: stream-start\nid: 7-0\nretry: 3000\ndata: {}\n\n", ": keep-alive comment\n"]
    /// );
    /// # }
    /// ```
    fn with_defaults<T: Timer>(self, timer: T) -> KeepAlive<WithPreamble<Self>, T>
    where
        Self: Sized,
    {
        let start = Preamble::new()
            .with_id(self.start(Sealed))
            .with_reconnection_time(Duration::from_secs(3));
        self.preamble(&start).keep_alive(KEEP_ALIVE_INTERVAL, timer)
    }

    /// Sends a comment when no byte has been sent for `interval`.
    ///
    /// The comment keeps proxies from closing the connection, and shows the server that a client is
    /// gone. It comes after a silence of at least one interval and at most one and a half: the
    /// timer runs for half an interval at a time, and sending an event does not touch it. Nothing
    /// is sent within a block, after a CR whose LF may follow, or if the interval is zero.
    ///
    /// The text is `keep-alive comment`, unless
    /// [`with_comment`](KeepAlive::with_comment) sets another.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use std::time::Duration;
    /// use futures::{FutureExt, StreamExt};
    /// use sse_proto::adapt::KEEP_ALIVE_INTERVAL;
    /// use sse_proto::EventStreamExt;
    ///
    /// # let (_target, stream) = sse_proto::local_channel();
    /// // A timer that fires at once. In a server, `tokio::time::sleep`, for example.
    /// let timer = |_: Duration| ready(());
    ///
    /// let mut silent = stream.keep_alive(KEEP_ALIVE_INTERVAL, timer);
    /// let first = silent.next().now_or_never().flatten();
    /// assert_eq!(first.unwrap(), ": keep-alive comment\n");
    /// ```
    #[doc(alias("ping", "heartbeat"))]
    fn keep_alive<T: Timer>(self, interval: Duration, timer: T) -> KeepAlive<Self, T>
    where
        Self: Sized,
    {
        KeepAlive::new(self, interval, timer)
    }

    /// Sends a [`Preamble`] at once, before the stream is polled.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::adapt::Preamble;
    /// use sse_proto::EventStreamExt;
    ///
    /// let (target, stream) = sse_proto::local_channel();
    /// let stream = stream.preamble(&Preamble::new().with_comment("welcome"));
    /// target.dispatch_message("1")?;
    /// target.close();
    /// assert_eq!(block_on(stream.collect::<Vec<_>>()), [": welcome\n", "data: 1\n\n"]);
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    fn preamble(self, preamble: &Preamble<'_>) -> WithPreamble<Self>
    where
        Self: Sized,
    {
        WithPreamble::new(self, preamble)
    }

    /// Ends the stream when a future resolves: a shutdown, or the end of a session.
    ///
    /// The target is closed for the reason
    /// [`CloseReason::Shutdown`](crate::target::CloseReason::Shutdown). Everything that is queued
    /// at that time is delivered, including the chunks that other adapters hold. The
    /// [farewell](Until::with_farewell) comes last. This holds anywhere in a stack of adapters.
    ///
    /// - A subscription delivers all frames that were published before.
    /// - A merged stream delivers those frames too, and closes its target.
    /// - A stream that is not from this crate is dropped; see [`from_stream`].
    ///
    /// The future is polled with the stream, so it takes effect only while the client reads. A
    /// producer that waits in [`send`](crate::Target::send) for a client that reads nothing keeps
    /// waiting: at a shutdown, also call [`close`](crate::Target::close) on the target.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use sse_proto::target::CloseReason;
    /// use sse_proto::{Event, EventStreamExt, Frame, local_channel};
    ///
    /// # futures::executor::block_on(async {
    /// let (target, stream) = local_channel();
    /// let (shut_down, signal) = futures::channel::oneshot::channel();
    /// let bye = Frame::new(&Event::message("bye"));
    /// let mut stream = stream.until(signal).with_farewell(bye);
    ///
    /// target.dispatch_message("hello")?;
    /// shut_down.send("now");
    /// assert_eq!(stream.next().await.unwrap(), "data: hello\n\n");
    /// assert_eq!(stream.next().await.unwrap(), "data: bye\n\n");
    /// assert!(stream.next().await.is_none());
    ///
    /// assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
    /// assert!(target.is_drained());
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// # })?;
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    fn until<F: Future>(self, future: F) -> Until<Self, F>
    where
        Self: Sized,
    {
        Until {
            inner: self,
            future: Some(future),
            resolved: false,
            farewell: None,
            tail: Tail::new(),
        }
    }

    /// Ends the stream with the error that its target [failed](crate::Target::fail) with, after
    /// everything that was queued.
    ///
    /// As the body of a response, such a stream breaks the response off, so that the client does
    /// not take it for whole. Without this method, the response of a target that fails ends as
    /// usual. It may be called before or after the other adapters.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::{EventStreamExt, local_channel};
    ///
    /// let (target, stream) = local_channel();
    /// let mut stream = stream.or_error();
    /// target.dispatch_message("half of the answer")?;
    /// target.fail("the model is gone");
    /// let chunk = block_on(stream.next()).unwrap();
    /// assert_eq!(chunk.unwrap(), "data: half of the answer\n\n");
    /// let error = block_on(stream.next()).unwrap().unwrap_err();
    /// assert_eq!(error.to_string(), "the model is gone");
    /// assert!(block_on(stream.next()).is_none());
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    fn or_error(self) -> OrError<Self>
    where
        Self: Sized + Stream<Item = Bytes>,
    {
        OrError::new(self)
    }

    /// Joins chunks that are ready into one chunk of at most `max_bytes`, to save writes.
    ///
    /// No chunk is cut: a larger one is passed on alone. No chunk waits for others, unless
    /// [`linger`](Coalesce::linger) is called on the result. A single chunk is passed on without a
    /// copy, and empty chunks are left out. The adapter holds at most `max_bytes` and one chunk,
    /// and keeps a buffer of at most 8 KiB for small batches.
    ///
    /// An `EventStream` already yields its whole queue as one chunk, except for large frames. Use
    /// this adapter for other streams, and for chunks that adapters add.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{StreamExt, executor::block_on, stream};
    /// use sse_proto::adapt::from_stream;
    /// use sse_proto::EventStreamExt;
    /// use sse_proto::deps::bytes::Bytes;
    ///
    /// let blocks = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].map(Bytes::from);
    /// let stream = from_stream(stream::iter(blocks)).coalesce(20);
    /// assert_eq!(
    ///     block_on(stream.collect::<Vec<_>>()),
    ///     ["data: 1\n\ndata: 2\n\n", "data: 3\n\n"]
    /// );
    /// ```
    fn coalesce(self, max_bytes: usize) -> Coalesce<Self>
    where
        Self: Sized,
    {
        Coalesce::new(self, max_bytes)
    }
}

impl<S: Sharing> EventStreamExt for EventStream<S> {
    fn shut_down(self: Pin<&mut Self>, _: Sealed) -> bool {
        self.close(CloseReason::Shutdown)
    }

    fn failure(&self, _: Sealed) -> Option<Failure> {
        EventStream::failure(self)
    }
}

#[doc(hidden)]
#[cfg(feature = "std")]
impl EventStreamExt for Subscription {
    fn shut_down(self: Pin<&mut Self>, _: Sealed) -> bool {
        Subscription::shut_down(self.get_mut())
    }

    fn place(self: Pin<&mut Self>, _: Sealed) -> Option<Bytes> {
        Subscription::place(self.get_mut())
    }

    fn start(&self, _: Sealed) -> Option<EventId<'static>> {
        Subscription::start(self)
    }
}

#[doc(hidden)]
#[cfg(feature = "std")]
impl<S: Sharing> EventStreamExt for Merged<S> {
    fn shut_down(self: Pin<&mut Self>, _: Sealed) -> bool {
        Merged::shut_down(&self)
    }

    fn place(self: Pin<&mut Self>, _: Sealed) -> Option<Bytes> {
        Merged::place(self.get_mut())
    }

    fn start(&self, _: Sealed) -> Option<EventId<'static>> {
        Merged::start(self)
    }

    fn failure(&self, _: Sealed) -> Option<Failure> {
        Merged::failure(self)
    }
}

#[doc(hidden)]
impl<S: Stream<Item: Encode>> EventStreamExt for FromStream<S> {
    fn shut_down(self: Pin<&mut Self>, _: Sealed) -> bool {
        self.end()
    }
}

/// The methods of an adapter that passes each call on to the stream that it wraps.
macro_rules! ask_inner {
    () => {
        fn shut_down(self: Pin<&mut Self>, sealed: Sealed) -> bool {
            self.project().inner.shut_down(sealed)
        }

        fn start(&self, sealed: Sealed) -> Option<EventId<'static>> {
            self.inner.start(sealed)
        }

        fn failure(&self, sealed: Sealed) -> Option<Failure> {
            self.inner.failure(sealed)
        }
    };
    (and place) => {
        ask_inner!();

        fn place(self: Pin<&mut Self>, sealed: Sealed) -> Option<Bytes> {
            self.project().inner.place(sealed)
        }
    };
}

#[doc(hidden)]
impl<S: EventStreamExt, T: Timer> EventStreamExt for KeepAlive<S, T> {
    ask_inner!(and place);
}

#[doc(hidden)]
impl<S: EventStreamExt> EventStreamExt for WithPreamble<S> {
    ask_inner!(and place);
}

#[doc(hidden)]
impl<S: EventStreamExt<Item = Bytes>> EventStreamExt for OrError<S> {
    ask_inner!(and place);
}

#[doc(hidden)]
impl<S: EventStreamExt, F: Future> EventStreamExt for Until<S, F> {
    ask_inner!(and place);
}

#[doc(hidden)]
impl<S: EventStreamExt, T: Timer> EventStreamExt for Coalesce<S, T> {
    ask_inner!();

    fn place(self: Pin<&mut Self>, sealed: Sealed) -> Option<Bytes> {
        // The chunks that are held back must be sent before a later place.
        let this = self.project();
        (!this.alarm.is_set()).then(|| this.inner.place(sealed))?
    }
}

#[doc(hidden)]
impl<S: EventStreamExt + ?Sized> EventStreamExt for Pin<Box<S>> {
    fn shut_down(self: Pin<&mut Self>, sealed: Sealed) -> bool {
        self.get_mut().as_mut().shut_down(sealed)
    }

    fn place(self: Pin<&mut Self>, sealed: Sealed) -> Option<Bytes> {
        self.get_mut().as_mut().place(sealed)
    }

    fn start(&self, sealed: Sealed) -> Option<EventId<'static>> {
        (**self).start(sealed)
    }

    fn failure(&self, sealed: Sealed) -> Option<Failure> {
        (**self).failure(sealed)
    }
}

pin_project! {
    /// Ends a stream when a future resolves. Made by [`until`](crate::EventStreamExt::until).
    #[must_use = "streams do nothing unless polled"]
    pub struct Until<S, F> {
        #[pin]
        inner: S,
        // None once it is no longer polled.
        #[pin]
        future: Option<F>,
        // The future has resolved, or the stream has ended.
        resolved: bool,
        farewell: Option<Bytes>,
        tail: Tail,
    }
}

impl<S: EventStreamExt, F: Future> Until<S, F> {
    /// Sets the last frame, which is sent when the future has ended the stream.
    ///
    /// It is not sent if the stream has already ended, if its target is already closed for another
    /// reason, within a block that has not ended, or after a CR. If several `until` are in a stack, the one
    /// whose future resolves first sends its farewell.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    /// use futures::{StreamExt, executor::block_on};
    /// use sse_proto::{Event, EventStreamExt, EventType, Frame, local_channel};
    ///
    /// let (target, stream) = local_channel();
    /// let bye = Frame::new(&Event::new(EventType::from_static("bye"), "the server restarts"));
    /// let stream = stream.until(ready(())).with_farewell(bye);
    /// target.dispatch_message("hello")?;
    /// let chunks = block_on(stream.collect::<Vec<_>>());
    /// assert_eq!(chunks, ["data: hello\n\n", "event: bye\ndata: the server restarts\n\n"]);
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    pub fn with_farewell(mut self, frame: Frame) -> Self {
        self.farewell = Some(frame.into_bytes());
        self
    }
}

impl<S: EventStreamExt, F: Future> Stream for Until<S, F> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if let Some(future) = this.future.as_mut().as_pin_mut() {
            if !*this.resolved && future.poll(cx).is_ready() {
                // Set first, because a close listener or the drop of the future may panic.
                *this.resolved = true;
                if !this.inner.as_mut().shut_down(Sealed) {
                    *this.farewell = None;
                }
            }
            if *this.resolved {
                this.future.set(None);
            }
        }
        match this.inner.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                // Only a farewell needs to know where the last block ends.
                if this.farewell.is_some() {
                    pass(this.tail, &item);
                }
                Poll::Ready(Some(item))
            }
            Poll::Ready(None) => {
                let is_due = mem::replace(this.resolved, true) && this.tail.is_between_blocks();
                let farewell = this.farewell.take().filter(|_| is_due);
                this.future.set(None);
                Poll::Ready(farewell.map(|bytes| S::Item::from_result(Ok(bytes), Sealed)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (_, most) = self.inner.size_hint();
        let last = usize::from(self.farewell.is_some());
        (0, most.and_then(|most| most.checked_add(last)))
    }
}

debug!(impl(S: fmt::Debug, F) Until<S, F>, self => inner: self.inner, resolved: self.resolved);
