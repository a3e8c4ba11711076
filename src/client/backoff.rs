//! The delay before the next request, and the limits after which no request is sent.

use core::time::Duration;

use super::options::Options;
use super::output::LossReason;
use crate::timer::scale;

/// The reconnection time, and the failures in a row.
pub(super) struct Backoff {
    /// The server's last `retry` field. Survives reconnects.
    pub(super) reconnection_time: Option<Duration>,
    /// The number of requests and connections that were lost since there was progress.
    failures: u32,
    /// These, and the redirects since: how often the delay doubles.
    steps: u32,
    /// When the first of them began.
    since: Option<Duration>,
    random: u64,
}

impl Backoff {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            reconnection_time: None,
            failures: 0,
            steps: 0,
            since: None,
            random: seed,
        }
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Starts the time without progress, unless it runs already.
    pub(super) fn start(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// Resets the failures and the time without progress.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.steps = 0;
        self.since = None;
    }

    /// Counts a redirect, which costs the servers a request.
    pub(super) fn redirect(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// Counts a failure, and returns how long to wait, or which limit is reached.
    ///
    /// The limit of time counts as reached if the next request would be sent after it. Otherwise
    /// the client would wait for a request that it never sends. Call [`start`](Self::start) first.
    pub(super) fn fail(
        &mut self,
        now: Duration,
        retry_after: Option<Duration>,
        options: &Options,
    ) -> Result<Duration, LossReason> {
        self.failures = self.failures.saturating_add(1);
        self.steps = self.steps.saturating_add(1);
        if options.max_retries.is_some_and(|max| self.failures > max) {
            return Err(LossReason::TooManyRetries);
        }
        let delay = self.delay(retry_after, options);
        match self.end(options) {
            Some(end) if now.saturating_add(delay) > end => Err(self.exhausted(now)),
            _ => Ok(delay),
        }
    }

    /// Returns when the limit of elapsed time is reached.
    pub(super) fn end(&self, options: &Options) -> Option<Duration> {
        Some(self.since?.saturating_add(options.max_elapsed?))
    }

    /// Returns whether the limit of elapsed time has passed. No request is sent after it.
    pub(super) fn is_over(&self, now: Duration, options: &Options) -> bool {
        self.end(options).is_some_and(|end| end < now)
    }

    pub(super) fn exhausted(&self, now: Duration) -> LossReason {
        LossReason::TimeExhausted(now.saturating_sub(self.since.unwrap_or(now)))
    }

    /// Returns the delay before the next request, within its bounds.
    ///
    /// The delay is not shorter than the server or the backoff asks for. Jitter lengthens it at
    /// random, so that clients that were disconnected together reconnect at different times. If the
    /// caller's bound cuts the delay off, jitter shortens the bound instead.
    pub(super) fn delay(&mut self, retry_after: Option<Duration>, options: &Options) -> Duration {
        let (min, max) = options.delay_bounds();
        // The minimum is applied before the delay is doubled, because doubling zero has no effect.
        let base = self.reconnection_time.unwrap_or(options.reconnection_time);
        let grown = grown(base.max(min), self.steps, options.max_backoff);
        let least = grown.max(retry_after.unwrap_or_default());
        let spread = scale(least.min(max), options.jitter.into(), 100);
        let (least, most) = if least > max {
            (max.saturating_sub(spread).max(min), max)
        } else {
            (least, least.saturating_add(spread).min(max))
        };
        least.saturating_add(scale(most.saturating_sub(least), self.draw(), 1 << 32))
    }

    /// Returns the next number of a `SplitMix64` sequence.
    fn draw(&mut self) -> u32 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // The upper half.
        u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default()
    }
}

/// Doubles `base` with each step after the first, up to `max`. A base above `max`, which the
/// server asked for, is not reduced.
fn grown(base: Duration, steps: u32, max: Option<Duration>) -> Duration {
    let Some(max) = max else { return base };
    let factor = 1_u32
        .checked_shl(steps.saturating_sub(1))
        .unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(max).max(base)
}
