//! What a client does beyond the standard.

use core::time::Duration;

use crate::wire::decode::DecodeLimits;

/// How an [`EventSource`](super::EventSource) reconnects, what it waits for, and what it takes.
///
/// Two presets to start from:
///
/// | | [`standard`](Self::standard) | [`resilient`](Self::resilient) |
/// |---|---|---|
/// | reconnection time, until the server sets one | 3 s | 1 s |
/// | delay | the reconnection time | doubles with each failure in a row up to 30 s, minus up to half of it at random |
/// | bounds of any delay | 0.5 s to 1 day | 0.5 s to 1 hour |
/// | status 408, 425, 429 and 5xx | closes | retried; Retry-After is honoured |
/// | connect timeout | none | 60 s |
/// | idle timeout | none | 5 min |
/// | failures are forgotten | at an event or a new id, or after 60 s open | the same |
/// | retries in a row, and time for them | no limit | no limit |
/// | redirects | 20 | 20 |
/// | the request is sent again | if its method is idempotent, or there is an id to resume by | the same |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::client::{Options, Repeat};
/// use sse_proto::EventSource;
///
/// // A POST that only looks something up: it may be sent again, as a GET may.
/// let options = Options::resilient()
///     .with_repeat(Repeat::Always)
///     .with_max_retries(Some(5))
///     .with_idle_timeout(Some(Duration::from_secs(30)));
/// let source = EventSource::for_method("POST", "https://example.org/search", options, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub(super) reconnection_time: Duration,
    pub(super) max_backoff: Option<Duration>,
    pub(super) shortest_delay: Duration,
    pub(super) longest_delay: Duration,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stable_after: Duration,
    pub(super) max_elapsed: Option<Duration>,
    pub(super) max_retries: Option<u32>,
    pub(super) jitter_percent: u8,
    pub(super) max_redirects: u8,
    pub(super) retries_statuses: bool,
    pub(super) repeat: Option<Repeat>,
    pub(super) comments: bool,
    pub(super) limits: DecodeLimits,
}

impl Options {
    /// What the standard asks for, and no more: a fixed delay, no timeouts, any status but 200 closes. Only that a delay
    /// has bounds is ours, since `retry: 0` would else make clients storm their server.
    pub const fn standard() -> Self {
        Self {
            reconnection_time: Duration::from_secs(3),
            max_backoff: None,
            shortest_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(24 * 60 * 60),
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
            limits: DecodeLimits::new(),
        }
    }

    /// For clients that nobody watches: backoff with jitter, timeouts, and another try where the server is only busy.
    pub const fn resilient() -> Self {
        let mut options = Self::standard();
        options.reconnection_time = Duration::from_secs(1);
        options.max_backoff = Some(Duration::from_secs(30));
        options.longest_delay = Duration::from_secs(60 * 60);
        options.connect_timeout = Some(Duration::from_secs(60));
        options.idle_timeout = Some(Duration::from_secs(5 * 60));
        options.jitter_percent = 50;
        options.retries_statuses = true;
        options
    }

    /// Sets the reconnection time that counts until the server sets one.
    #[must_use]
    pub const fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = time;
        self
    }

    /// Sets up to where the delay doubles with each failure in a row; `None` keeps it as it is. A reconnection time that
    /// is longer, as the server wants it, stays.
    #[must_use]
    pub const fn with_max_backoff(mut self, most: Option<Duration>) -> Self {
        self.max_backoff = most;
        self
    }

    /// Sets the shortest and the longest delay, whatever the server says; the shortest wins where they cross.
    #[must_use]
    pub const fn with_delay_bounds(mut self, shortest: Duration, longest: Duration) -> Self {
        self.shortest_delay = shortest;
        self.longest_delay = longest;
        self
    }

    /// Sets how much of a delay may be taken off at random, in percent; above 100 is 100. At the shortest delay, and behind
    /// a Retry-After, as much is put on top instead.
    #[must_use]
    pub const fn with_jitter(mut self, percent: u8) -> Self {
        self.jitter_percent = if percent > 100 { 100 } else { percent };
        self
    }

    /// Sets how many retries in a row may pass without progress: an event, a new id, or a
    /// [stable while](Self::with_stable_after). `None` is no limit, 0 never reconnects.
    #[must_use]
    pub const fn with_max_retries(mut self, retries: Option<u32>) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets how much time may pass without progress, from the start or the first loss on: after it no request is sent,
    /// and one that waits for its response is given up.
    #[must_use]
    pub const fn with_max_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets how long a stream must have been open that its loss counts as the first, even if it brought no event.
    #[must_use]
    pub const fn with_stable_after(mut self, duration: Duration) -> Self {
        self.stable_after = duration;
        self
    }

    /// Sets how long a request may wait for its response, redirects included.
    #[must_use]
    pub const fn with_connect_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long an open stream may bring no byte; those of comments count too.
    #[must_use]
    pub const fn with_idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets whether 408, 425, 429 and 5xx are retried.
    #[must_use]
    pub const fn with_status_retries(mut self, retried: bool) -> Self {
        self.retries_statuses = retried;
        self
    }

    /// Sets how many redirects one connection may follow; 0 rejects them.
    #[must_use]
    pub const fn with_max_redirects(mut self, redirects: u8) -> Self {
        self.max_redirects = redirects;
        self
    }

    /// Sets whether the request may be sent again, whatever its method is. Without it the method
    /// [decides](Repeat::for_method).
    #[must_use]
    pub const fn with_repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = Some(repeat);
        self
    }

    /// Sets whether comments are handed out.
    #[must_use]
    pub const fn with_comments(mut self, comments: bool) -> Self {
        self.comments = comments;
        self
    }

    /// Sets how much the server may make the client hold.
    #[must_use]
    pub const fn with_limits(mut self, limits: DecodeLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(super) fn clamp(&self, delay: Duration) -> Duration {
        delay.min(self.longest_delay).max(self.shortest_delay)
    }

    pub(super) const fn retries(&self, status: u16) -> bool {
        self.retries_statuses && matches!(status, 408 | 425 | 429 | 500..=599)
    }
}

impl Default for Options {
    /// [`Options::standard`].
    fn default() -> Self {
        Self::standard()
    }
}

/// Whether the request may be sent again once it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repeat {
    /// It may: a GET, or a request that the caller knows to be harmless twice.
    Always,
    /// Only once there is a last event ID to send along, by which the server resumes and does not begin anew.
    OnceResumable,
}

impl Repeat {
    /// Returns what is safe for a method, by RFC 9110, 9.2.2: idempotent ones may always be repeated.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::client::Repeat;
    ///
    /// assert_eq!(Repeat::for_method("GET"), Repeat::Always);
    /// assert_eq!(Repeat::for_method("POST"), Repeat::OnceResumable);
    /// ```
    pub fn for_method(method: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" => Self::Always,
            _ => Self::OnceResumable,
        }
    }
}
