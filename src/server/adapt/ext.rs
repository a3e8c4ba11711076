//! The adapters as methods.

use core::future::Future;
use core::time::Duration;

use super::coalesce::Coalesce;
use super::inner::ShutDown;
#[cfg(doc)]
use super::inner::from_stream;
use super::keep_alive::KeepAlive;
use super::preamble::{Preamble, WithPreamble};
use super::until::Until;
use crate::timer::Timer;

/// The adapters as methods of every stream that [can be shut down](ShutDown).
///
/// No method has a name that `StreamExt` of futures or tokio-stream has, so that all of them can be
/// imported together.
pub trait EventStreamExt: ShutDown + Sized {
    /// Sends a comment when no byte was sent for `interval`.
    ///
    /// So no proxy takes the connection for dead, and a client that is gone is found out. The
    /// interval starts when there is nothing to send; the timer does not run otherwise. Within a
    /// block nothing is added. With an interval of zero nothing is sent.
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
    /// assert_eq!(first.unwrap(), ": keep-alive comment\n\n");
    /// ```
    #[doc(alias("ping", "heartbeat"))]
    fn keep_alive<T: Timer>(self, interval: Duration, timer: T) -> KeepAlive<Self, T> {
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
    /// assert_eq!(block_on(stream.collect::<Vec<_>>()), [": welcome\n\n", "data: 1\n\n"]);
    /// # Ok::<(), sse_proto::target::DispatchError>(())
    /// ```
    fn preamble(self, preamble: &Preamble<'_>) -> WithPreamble<Self> {
        WithPreamble::new(self, preamble)
    }

    /// Ends the stream when a future resolves: a shutdown, or the end of a session.
    ///
    /// The target is closed for the reason [`CloseReason::Shutdown`](crate::target::CloseReason::Shutdown).
    /// Everything that is queued then is delivered, and so is everything that other adapters hold.
    /// The [farewell](Until::with_farewell) comes last. All of this is the same anywhere in a stack
    /// of adapters.
    ///
    /// - A subscription delivers all frames that were published before.
    /// - A merged stream delivers those frames too, and closes its target.
    /// - A stream from elsewhere is dropped; [`from_stream`] has the rule.
    ///
    /// The future is polled with the stream, so it takes effect only while the client reads.
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
    fn until<F: Future>(self, future: F) -> Until<Self, F> {
        Until::new(self, future)
    }

    /// Joins chunks that are ready into one of at most `max_bytes`, so that they are one write.
    ///
    /// No chunk is cut: a larger one comes by itself, as it is. Nothing waits for more, unless
    /// [`linger`](Coalesce::linger) is called on the result. A single chunk is passed on without a
    /// copy, and empty chunks are left out. At most `max_bytes` and one chunk are held; a buffer of
    /// at most 8 KiB is kept for small batches.
    ///
    /// An `EventStream` already gives all that is queued as one chunk, except for large frames. This
    /// is for other streams, and for what adapters add.
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
    fn coalesce(self, max_bytes: usize) -> Coalesce<Self> {
        Coalesce::new(self, max_bytes)
    }
}

impl<S: ShutDown> EventStreamExt for S {}
