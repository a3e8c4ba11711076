//! The options of a client.

use core::time::Duration;

use crate::wire::decode::DecodeLimits;

/// Sets how an [`EventSource`](crate::EventSource) reconnects, and its timeouts and limits.
///
/// Start from one of two presets:
///
/// | | [`standard`](Self::standard) | [`resilient`](Self::resilient) |
/// |---|---|---|
/// | reconnection time, until the server sets one | 3 s | 1 s |
/// | delay | the reconnection time | doubles with each failure in a row up to 30 s, minus up to half of it at random |
/// | bounds of any delay | 0.5 s to 1 day | 0.5 s to 1 hour |
/// | status 408, 425, 429 and 5xx | closes the client | retried, not before the time in `Retry-After` |
/// | connect timeout | none | 60 s |
/// | idle timeout | none | 5 min |
/// | the count of failures is reset | at an event or a new id, or after 60 s open | the same |
/// | retries in a row, and time for them | no limit | no limit |
/// | redirects | 20 | 20 |
/// | the request is sent again | if its method is idempotent, or there is an id to resume from | the same |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::EventSource;
/// use sse_proto::client::Options;
///
/// // A POST that only reads data may be repeated, like a GET.
/// let options = Options::resilient()
///     .with_repeat(true)
///     .with_max_retries(Some(5))
///     .with_idle_timeout(Some(Duration::from_secs(30)));
/// let source = EventSource::for_method("POST", "https://example.org/search", options, 4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub(super) reconnection_time: Duration,
    pub(super) max_backoff: Option<Duration>,
    min_delay: Duration,
    max_delay: Duration,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stable_after: Duration,
    pub(super) max_elapsed: Option<Duration>,
    pub(super) max_retries: Option<u32>,
    pub(super) jitter_percent: u8,
    pub(super) max_redirects: u8,
    retries_statuses: bool,
    repeat: Option<bool>,
    pub(super) comments: bool,
    pub(super) decode_limits: DecodeLimits,
}

impl Options {
    /// Returns the options of the standard: a fixed delay, no timeouts, and any status other than
    /// 200 or a redirect closes the client. The only additions are the bounds of the delay: without
    /// them, clients would flood a server that sends `retry: 0`.
    pub const fn standard() -> Self {
        Self {
            reconnection_time: Duration::from_secs(3),
            max_backoff: None,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(24 * 60 * 60),
            connect_timeout: None,
            idle_timeout: None,
            stable_after: Duration::from_secs(60),
            max_elapsed: None,
            max_retries: None,
            jitter_percent: 0,
            max_redirects: 20,
            retries_statuses: false,
            repeat: None,
            comments: false,
            decode_limits: DecodeLimits::new(),
        }
    }

    /// Returns options for unattended clients: backoff with jitter, timeouts, and retries if the
    /// server is busy.
    pub const fn resilient() -> Self {
        let mut options = Self::standard();
        options.reconnection_time = Duration::from_secs(1);
        options.max_backoff = Some(Duration::from_secs(30));
        options.max_delay = Duration::from_secs(60 * 60);
        options.connect_timeout = Some(Duration::from_secs(60));
        options.idle_timeout = Some(Duration::from_secs(5 * 60));
        options.jitter_percent = 50;
        options.retries_statuses = true;
        options
    }

    /// Sets the reconnection time that applies until the server sets one.
    #[doc(alias = "retry")]
    #[must_use]
    pub const fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = time;
        self
    }

    /// Sets the maximum of the growing delay: each failure in a row doubles the delay, up to this
    /// maximum. With `None`, the delay does not grow. A longer reconnection time is not reduced.
    #[must_use]
    pub const fn with_max_backoff(mut self, delay: Option<Duration>) -> Self {
        self.max_backoff = delay;
        self
    }

    /// Sets the shortest and the longest delay. They also bound the times that the server sets. If
    /// `min` is above `max`, `min` applies.
    #[must_use]
    pub const fn with_delay_bounds(mut self, min: Duration, max: Duration) -> Self {
        self.min_delay = min;
        self.max_delay = max;
        self
    }

    /// Sets the maximum random reduction of a delay, in percent; more than 100 counts as 100. Where
    /// this would make a delay shorter than the shortest delay or a `Retry-After`, the random part
    /// is added instead.
    #[must_use]
    pub const fn with_jitter(mut self, percent: u8) -> Self {
        self.jitter_percent = if percent > 100 { 100 } else { percent };
        self
    }

    /// Sets how many retries in a row may fail without progress. Progress is an event, a new id, or
    /// a [stable](Self::with_stable_after) connection. `None` means no limit. With 0, the client
    /// closes at the first loss, unless the network was lost.
    #[must_use]
    pub const fn with_max_retries(mut self, retries: Option<u32>) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets how much time may pass without progress. The time counts from the start of the client
    /// or from the first loss after progress. When it is over, no request is sent, and a request
    /// that waits for its response is dropped. `None` means no limit.
    #[must_use]
    pub const fn with_max_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets how long a stream must stay open to reset the count of failures, even without an event.
    #[must_use]
    pub const fn with_stable_after(mut self, duration: Duration) -> Self {
        self.stable_after = duration;
        self
    }

    /// Sets how long a request may wait for its response, including redirects. `None` means no
    /// limit.
    #[must_use]
    pub const fn with_connect_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long an open stream may be silent. Any byte restarts the timeout, also in a
    /// comment. `None` means no limit.
    #[must_use]
    pub const fn with_idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets whether the statuses 408, 425, 429 and 5xx are retried.
    #[must_use]
    pub const fn with_status_retries(mut self, is_retried: bool) -> Self {
        self.retries_statuses = is_retried;
        self
    }

    /// Sets how many redirects one connection may follow; 0 rejects them.
    #[must_use]
    pub const fn with_max_redirects(mut self, redirects: u8) -> Self {
        self.max_redirects = redirects;
        self
    }

    /// Sets whether the request may be repeated without a last event ID to resume from. By default
    /// this is so if the method is idempotent by RFC 9110 (9.2.2), such as GET and PUT.
    #[must_use]
    pub const fn with_repeat(mut self, is_repeatable: bool) -> Self {
        self.repeat = Some(is_repeatable);
        self
    }

    /// Sets whether comments are returned.
    #[must_use]
    pub const fn with_comments(mut self, comments: bool) -> Self {
        self.comments = comments;
        self
    }

    /// Sets the limits of the client's decoder.
    #[must_use]
    pub const fn with_decode_limits(mut self, limits: DecodeLimits) -> Self {
        self.decode_limits = limits;
        self
    }

    pub(super) fn clamp(&self, delay: Duration) -> Duration {
        delay.min(self.max_delay).max(self.min_delay)
    }

    pub(super) const fn retries(&self, status: u16) -> bool {
        self.retries_statuses && matches!(status, 408 | 425 | 429 | 500..=599)
    }

    /// Returns whether a request with this method may be repeated without an id. `None` means GET.
    pub(super) fn repeats(&self, method: Option<&str>) -> bool {
        let is_idempotent = matches!(
            method.unwrap_or("GET"),
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
        );
        self.repeat.unwrap_or(is_idempotent)
    }
}
