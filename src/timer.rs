//! `Timer`, the source of delays for adapters and clients.

use core::future::Future;
use core::time::Duration;

/// Makes futures that resolve after a duration.
///
/// Nothing in this crate reads a clock. An adapter or client that waits takes a timer: any closure
/// from a [`Duration`] to a future. On most runtimes this is a single path, such as
/// `tokio::time::sleep` or `async_io::Timer::after`. The page `guide::life` lists others.
///
/// The output of the future is ignored. The adapter or client makes and polls the future within its
/// own polls, so a timer such as tokio's finds its runtime. If the future is dropped early, it
/// should not wake its task later; the futures of the timers above do not. The future must wake its
/// task, even in a main loop that polls all the time, because an adapter polls the future again
/// only after its wake.
///
/// # Examples
///
/// ```
/// use std::future::{Ready, ready};
/// use std::time::Duration;
/// use sse_proto::Timer;
///
/// /// A timer that counts its calls.
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
    /// The future, which resolves once the duration has elapsed.
    type Sleep: Future;

    /// Returns a future that resolves `duration` after this call.
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

/// Returns `whole * count / of`, where `count` is at most `of`.
pub(crate) fn scale(whole: Duration, count: u32, of: u64) -> Duration {
    // Less than 2^94 nanoseconds, times less than 2^32: the product does not overflow.
    let nanos = whole.as_nanos() * u128::from(count) / u128::from(of);
    Duration::new(
        u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX),
        u32::try_from(nanos % 1_000_000_000).unwrap_or_default(),
    )
}
