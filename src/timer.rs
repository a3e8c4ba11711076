//! How a caller's clock reaches an adapter or a client.

use core::future::Future;
use core::time::Duration;

/// Makes futures that resolve after a while.
///
/// Nothing in this crate reads a clock. What needs to wait takes a timer, which any closure from a
/// [`Duration`] to a future is, so that it is one expression on every runtime: `tokio::time::sleep`,
/// `async_io::Timer::after`. The page on the life of a stream (`guide::life`) has it for the
/// others.
///
/// What the future gives is not looked at. It is polled where the adapter is polled, so a runtime
/// whose timers need its context, as tokio's do, needs nothing more. A future that was dropped
/// before its time must not wake anybody; those above do not.
///
/// # Examples
///
/// ```
/// use std::future::{Ready, ready};
/// use std::time::Duration;
/// use sse_proto::Timer;
///
/// /// A timer with a state of its own: it counts what it was asked for.
/// struct Counting(u32);
///
/// impl Timer for Counting {
///     type Sleep = Ready<()>;
///
///     fn sleep(&mut self, _duration: Duration) -> Ready<()> {
///         self.0 += 1;
///         ready(())
///     }
/// }
///
/// let mut timer = Counting(0);
/// timer.sleep(Duration::from_secs(1));
/// assert_eq!(timer.0, 1);
///
/// let mut closure = |_: Duration| ready(());
/// closure.sleep(Duration::from_secs(1));
/// ```
pub trait Timer {
    /// Resolves once the duration is over.
    type Sleep: Future;

    /// Returns a future that resolves after `duration`, which counts from this call.
    fn sleep(&mut self, duration: Duration) -> Self::Sleep;
}

impl<F, S> Timer for F
where
    F: FnMut(Duration) -> S,
    S: Future,
{
    type Sleep = S;

    fn sleep(&mut self, duration: Duration) -> S {
        self(duration)
    }
}
