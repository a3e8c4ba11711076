//! Adapters around a stream of bytes: keep it alive, begin it, end it, join its chunks.
//!
//! They are the methods of [`EventStreamExt`](crate::EventStreamExt), which all streams of this
//! crate implement. Each returns such a stream again, so they can be chained:
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
//! // In a server, `tokio::time::sleep` or `async_io::Timer::after`, for example.
//! let timer = |_: Duration| pending::<()>();
//! // A token or a signal. This one resolves at once.
//! let shutdown = ready(());
//!
//! let (target, stream) = channel();
//! let preamble = Preamble::new()
//!     .with_reconnection_time(Duration::from_secs(2))
//!     .with_jitter(Duration::from_secs(3), random);
//! let body = stream
//!     .preamble(&preamble)
//!     .until(shutdown)
//!     .with_farewell(Frame::new(&Event::message("bye")))
//!     .coalesce(16 * 1024)
//!     .keep_alive(KEEP_ALIVE_INTERVAL, timer);
//!
//! target.dispatch_message("hello")?;
//! let chunks = block_on(body.collect::<Vec<_>>());
//! assert_eq!(chunks, ["retry: 2000\ndata: hello\n\ndata: bye\n\n"]);
//! assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
//! # }
//! # Ok::<(), sse_proto::target::DispatchError>(())
//! ```
//!
//! [`from_stream`] wraps a stream that is not from this crate. A stack can be boxed: a
//! `Pin<Box<S>>` has the methods too, as does a `Pin<Box<dyn EventStreamExt<Item = Bytes>>>`.
//!
//! # The order
//!
//! [`until`](crate::EventStreamExt::until) means the same anywhere in a stack. Call `keep_alive`
//! after `linger`, which would hold its comments back. If a preamble and a comment are both due,
//! the one from the outer adapter comes first.
//!
//! # Guarantees
//!
//! - The bytes of the inner stream pass unchanged and in order, and decode as without the adapters.
//!   An adapter adds only whole lines, at the start, after a block, or after whole comments and
//!   `retry` lines that follow it. So it is for chunks of any size, and for lines that end in LF or
//!   CRLF. After a CR without an LF nothing is added, because the LF may follow.
//! - An error of the inner stream passes unchanged and in order, after the chunks that were held.
//!   The stream goes on if the inner one does, and nothing is added until a block has ended again.
//! - An ended stream stays ended. Timers, futures and a stream in [`from_stream`] are dropped when
//!   the end is returned, not later.
//! - If dropping a timer's or a caller's future panics, the chunk of that poll may be lost, but no
//!   other.
//! - [`Poll::Pending`](core::task::Poll::Pending) is returned only if the inner stream, the timer
//!   or the future has the waker, or the task has already been woken.
//! - Nothing is allocated for an event, except where [`Coalesce`] joins several chunks.
//!
//! An adapter is [`Unpin`] if its stream, its timer's future and its own future are. Those of tokio
//! are not, so pin such a stack, in a `Box` for example.
//!
//! A byte order mark counts only at the start of a stream: do not put a preamble or a comment
//! before one.

mod alarm;
mod coalesce;
pub(crate) mod ext;
pub(in crate::server) mod inner;
mod keep_alive;
mod or_error;
mod preamble;

pub use self::coalesce::Coalesce;
pub use self::ext::Until;
pub use self::inner::{Encode, FromStream, StreamItem, from_stream};
pub use self::keep_alive::{KEEP_ALIVE_INTERVAL, KeepAlive};
pub use self::or_error::OrError;
pub use self::preamble::{Preamble, WithPreamble};
