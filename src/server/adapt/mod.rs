//! Adapters around a stream of bytes: keep it alive, begin it, end it, join its chunks.
//!
//! They take any `Stream<Item = Bytes>` that carries `text/event-stream`, this crate's or not, and
//! are such streams again. Import [`EventStreamExt`], and chain what is needed:
//!
//! ```
//! # #[cfg(feature = "std")] {
//! # use std::{future::{pending, ready}, time::Duration};
//! # use futures::{StreamExt, executor::block_on};
//! # let random = 0;
//! use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble};
//! use sse_proto::target::CloseReason;
//! use sse_proto::{Event, EventStreamExt, Frame, channel};
//!
//! // In real life `tokio::time::sleep`, `async_io::Timer::after`, ...
//! let timer = |_: Duration| pending::<()>();
//! // ... and a token or a signal. This one says at once that the server shuts down.
//! let shutdown = ready(());
//!
//! let (target, stream) = channel();
//! let preamble = Preamble::new()
//!     .with_reconnection_time(Duration::from_secs(2))
//!     .with_jitter(Duration::from_secs(3), random);
//! let body = stream
//!     .until(shutdown)
//!     .with_farewell(Frame::new(&Event::message("bye")))
//!     .preamble(&preamble)
//!     .coalesce(16 * 1024)
//!     .keep_alive(KEEP_ALIVE_INTERVAL, timer);
//!
//! target.dispatch_message("hello")?;
//! let chunks = block_on(body.collect::<Vec<_>>());
//! assert_eq!(chunks, ["retry: 2000\n\ndata: hello\n\ndata: bye\n\n"]);
//! assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
//! # }
//! # Ok::<(), sse_proto::target::DispatchError>(())
//! ```
//!
//! # In which order
//!
//! As above. [`until`](EventStreamExt::until) comes first: on the `EventStream` itself it is a
//! method of its own, which records why the stream was closed; around anything else it only drops
//! the stream, which the target takes for a client that is gone. `keep_alive` comes last, where it
//! sees all that goes out and nothing holds its comments back.
//!
//! # What all of them promise
//!
//! - The bytes of the stream within pass unchanged and in order. What an adapter adds is a whole
//!   block, and stands only where a block has ended or nothing was sent yet, however the chunks of
//!   the stream are cut, and whichever of LF, CR and CRLF ends its lines.
//! - An ended stream stays ended. The stream within and its timer are dropped then, not later.
//! - A timer's or a future's own drop may panic; the chunk of that poll is lost then, and no other.
//! - [`Poll::Pending`](core::task::Poll::Pending) is returned only when the stream within, the
//!   timer or the future has the waker.
//! - Nothing is allocated for an event; [`Coalesce`] allocates where it joins several.
//!
//! An adapter is [`Unpin`] if what it holds is: with a timer such as tokio's it is not, so
//! pin it, in a `Box` for example.
//!
//! A stream that begins with a byte order mark must begin with it: put no preamble and no comment
//! in front of that.

mod alarm;
mod batch;
mod coalesce;
pub(in crate::server) mod fuse;
mod keep_alive;
mod linger;
mod preamble;
mod until;

use core::future::Future;
use core::time::Duration;

use bytes::Bytes;
use futures_core::stream::Stream;

use crate::timer::Timer;

pub use self::coalesce::Coalesce;
pub use self::keep_alive::{KEEP_ALIVE_INTERVAL, KeepAlive};
pub use self::linger::Linger;
pub use self::preamble::{Preamble, WithPreamble};
pub use self::until::Until;

/// The adapters as methods of every stream of [`Bytes`].
///
/// The names are none of those of `StreamExt` in futures and in tokio-stream, so that all can be
/// imported together.
pub trait EventStreamExt: Stream<Item = Bytes> + Sized {
    /// Sends a comment whenever no byte was sent for `interval`, so that nobody on the way takes
    /// the connection for dead, and so that a client that is gone is found out.
    ///
    /// The time counts from the last byte that went out, and the timer runs only while there is
    /// nothing to send. Within a block that is not complete nothing is put in. An interval of zero
    /// sends nothing at all.
    ///
    /// The text is `keep-alive comment`, unless
    /// [`with_comment`](KeepAlive::with_comment) sets another.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::ready, pin::pin, task::{Context, Poll, Waker}, time::Duration};
    /// # use futures::{Stream, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::EventStreamExt;
    /// use sse_proto::adapt::KEEP_ALIVE_INTERVAL;
    ///
    /// // A timer whose time has always come. In real life `tokio::time::sleep`, for example.
    /// let timer = |_: Duration| ready(());
    ///
    /// let mut silent = pin!(stream::pending::<Bytes>().keep_alive(KEEP_ALIVE_INTERVAL, timer));
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(
    ///     silent.as_mut().poll_next(&mut cx),
    ///     Poll::Ready(Some(Bytes::from(": keep-alive comment\n\n")))
    /// );
    /// ```
    fn keep_alive<T: Timer>(self, interval: Duration, timer: T) -> KeepAlive<Self, T> {
        KeepAlive::new(self, interval, timer)
    }

    /// Sends a [`Preamble`] at once, before the stream is polled.
    ///
    /// # Examples
    ///
    /// ```
    /// # use futures::{StreamExt, executor::block_on, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::EventStreamExt;
    /// use sse_proto::adapt::Preamble;
    ///
    /// let stream = stream::iter([Bytes::from("data: 1\n\n")])
    ///     .preamble(&Preamble::new().with_comment("welcome"));
    /// assert_eq!(block_on(stream.collect::<Vec<_>>()), [": welcome\n\n", "data: 1\n\n"]);
    /// ```
    fn preamble(self, preamble: &Preamble<'_>) -> WithPreamble<Self> {
        WithPreamble::new(self, preamble)
    }

    /// Ends the stream once a future resolves: a shutdown, the end of a session.
    ///
    /// What is ready then is still delivered: up to the first time that nothing is, and until 1 MiB
    /// has gone out, whichever comes first; the last chunk may pass that, since it is not cut. Then
    /// comes the [farewell](Until::with_farewell), if there is one.
    ///
    /// An `EventStream` has a method of the same name, which a call finds first, and which delivers
    /// all that is queued and records the reason; so has a merged stream of a broadcast. For a
    /// subscription alone, which may pass over many frames that are not for it before the next one
    /// that is, close the broadcast instead: a stream that only goes on later has nothing ready here.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::future::ready;
    /// # use futures::{StreamExt, executor::block_on, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::EventStreamExt;
    /// // One block is ready, and no other ever.
    /// let endless = stream::iter([Bytes::from("data: 1\n\n")]).chain(stream::pending());
    /// let ended = endless.until(ready("it is over"));
    /// assert_eq!(block_on(ended.collect::<Vec<_>>()), ["data: 1\n\n"]);
    /// ```
    fn until<F: Future>(self, future: F) -> Until<Self, F> {
        Until::new(self, future)
    }

    /// Joins the chunks that are ready into one of at most `max_bytes`, so that they are one write.
    ///
    /// No chunk is cut: one that is larger comes alone. Nothing is waited for, unless
    /// [`linger`](Coalesce::linger) is called on what this returns. A chunk that is alone is handed
    /// through without a copy. Holds at most `max_bytes` and one chunk, and of the buffer for small
    /// batches 8 KiB in between; a chunk without a byte is left out.
    ///
    /// An `EventStream` already gives all that is queued as one chunk. This is for what is around it
    /// (a preamble, large frames, which it does not join) and for other streams.
    ///
    /// # Examples
    ///
    /// ```
    /// # use futures::{StreamExt, executor::block_on, stream};
    /// # use sse_proto::deps::bytes::Bytes;
    /// # use sse_proto::EventStreamExt;
    /// let blocks = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].map(Bytes::from);
    /// let stream = stream::iter(blocks).coalesce(20);
    /// assert_eq!(
    ///     block_on(stream.collect::<Vec<_>>()),
    ///     ["data: 1\n\ndata: 2\n\n", "data: 3\n\n"]
    /// );
    /// ```
    fn coalesce(self, max_bytes: usize) -> Coalesce<Self> {
        Coalesce::new(self, max_bytes)
    }
}

impl<S: Stream<Item = Bytes>> EventStreamExt for S {}
