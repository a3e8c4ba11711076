//! The options of a client.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;

use super::response::Response;
use crate::wire::decode::DecodeLimits;

/// Sets how an [`EventSource`](crate::EventSource) reconnects, and its timeouts and limits.
///
/// Start from one of two presets:
///
/// | | [`standard`](Self::standard) | [`resilient`](Self::resilient) |
/// |---|---|---|
/// | reconnection time, until the server sets one | 3 s | 1 s |
/// | delay | the reconnection time | doubles with each failure and each redirect in a row up to 30 s, plus up to half of it at random |
/// | bounds of any delay | 0.5 s to 1 hour | the same |
/// | status 408, 425, 429 and 5xx | closes | retried; `Retry-After` is honoured |
/// | connect timeout | none | 60 s |
/// | idle timeout | none | 5 min |
/// | failures are forgotten | at an event or a new id, or after 60 s open | after 60 s open, or at a whole answer that brought an event and a new id |
/// | retries in a row, and time for them | no limit | no limit |
/// | redirects | 5 | 5 |
/// | the request is sent again | if its method is idempotent | the same |
/// | encodings of the body | `identity` | the same |
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
/// let source = EventSource::new("https://example.org/search", options).with_method("POST");
/// ```
#[derive(Clone, Debug)]
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
    pub(super) jitter: u8,
    pub(super) max_redirects: u8,
    /// An event or a new id is progress at once.
    pub(super) forgets_at_events: bool,
    repeat: Option<bool>,
    pub(super) get_resume: bool,
    pub(super) comments: bool,
    retry_if: RetryIf,
    pub(super) accept_encoding: &'static str,
    pub(super) decode_limits: DecodeLimits,
}

impl Options {
    /// Returns the options of the standard: a fixed delay, no timeouts, and any status other than
    /// 200 or a redirect closes the client. The only additions are the bounds of the delay: without
    /// them, clients would flood a server that sends `retry: 0`.
    pub const fn standard() -> Self {
        Self::that_retry(RetryIf::Preset(|_| false))
    }

    const fn that_retry(retry_if: RetryIf) -> Self {
        Self {
            reconnection_time: Duration::from_secs(3),
            max_backoff: None,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(60 * 60),
            connect_timeout: None,
            idle_timeout: None,
            stable_after: Duration::from_secs(60),
            max_elapsed: None,
            max_retries: None,
            jitter: 0,
            max_redirects: 5,
            forgets_at_events: true,
            repeat: None,
            get_resume: false,
            comments: false,
            retry_if,
            accept_encoding: "identity",
            decode_limits: DecodeLimits::new(),
        }
    }

    /// Returns options for unattended clients: backoff with jitter, timeouts, and retries if the
    /// server is busy.
    pub const fn resilient() -> Self {
        let mut options = Self::that_retry(RetryIf::Preset(Response::is_transient));
        options.reconnection_time = Duration::from_secs(1);
        options.max_backoff = Some(Duration::from_secs(30));
        options.connect_timeout = Some(Duration::from_secs(60));
        options.idle_timeout = Some(Duration::from_secs(5 * 60));
        options.jitter = 50;
        options.forgets_at_events = false;
        options
    }

    setters! {
        /// Sets the reconnection time that applies until the server sets one.
        #[doc(alias = "retry")]
        const fn with_reconnection_time(reconnection_time: Duration);

        /// Sets the maximum to which repeated failures double the delay. With `None`, the delay
        /// does not grow. Each redirect counts as a failure here. A longer reconnection time from
        /// the server is not reduced.
        const fn with_max_backoff(max_backoff: Option<Duration>);

        /// Sets the maximum random addition to a delay, in percent of it; more than 100 counts as
        /// 100. It is also added to a reconnection time or a `Retry-After` of the server, so the
        /// delay is never shorter than those. If the longest delay is shorter, the random part is
        /// subtracted from it instead.
        const fn with_jitter(jitter: u8) = if jitter > 100 { 100 } else { jitter };

        /// Sets how many retries in a row may fail without progress. Progress is a
        /// [stable](Self::with_stable_after) connection, or a whole body that had an event and
        /// changed the last event ID. For options made by [`standard`](Self::standard), any event
        /// and any new id is progress. `None` means no limit; with 0, the client never reconnects.
        const fn with_max_retries(max_retries: Option<u32>);

        /// Sets how much time may pass without progress. The time counts from the start of the
        /// client or from the first loss after progress. When it is over, no request is sent, and a
        /// request that waits for its response is dropped. `None` means no limit.
        const fn with_max_elapsed(max_elapsed: Option<Duration>);

        /// Sets how long a stream must stay open to reset the count of failures, even without an
        /// event.
        const fn with_stable_after(stable_after: Duration);

        /// Sets how long a request may wait for its response, including redirects. `None` means no
        /// limit.
        const fn with_connect_timeout(connect_timeout: Option<Duration>);

        /// Sets how long an open stream may be silent. Any byte restarts the timeout, also in a
        /// comment. `None` means no limit.
        const fn with_idle_timeout(idle_timeout: Option<Duration>);

        /// Sets how many redirects one connection may follow; 0 rejects them.
        const fn with_max_redirects(max_redirects: u8);

        /// Sets whether the request may be sent again. By default it may if its method is
        /// idempotent by RFC 9110 (9.2.2), such as GET and PUT, or QUERY.
        const fn with_repeat(repeat: bool) = Some(repeat);

        /// Sets whether the client resumes with a GET, whatever its method is, as in the Model
        /// Context Protocol: once a stream has answered its request and it has an ID to resume
        /// from. That request has no body. It follows
        /// each end of the stream, also a whole answer: [close](crate::EventSource::close) the
        /// client once it has all that it waits for.
        const fn with_get_resume(get_resume: bool);

        /// Sets the content encodings that the driver decodes, as the value of `accept-encoding`,
        /// such as `gzip, br`. Requests have this header, unless it is empty. A body with any other
        /// encoding is refused, because its bytes are no event stream.
        ///
        /// An HTTP client that decodes usually removes the response's `content-encoding`.
        const fn with_accept_encoding(accept_encoding: &'static str);

        /// Sets whether comments are returned.
        const fn with_comments(comments: bool);

        /// Sets the limits of the client's decoder.
        const fn with_decode_limits(decode_limits: DecodeLimits);
    }

    /// Sets the shortest and the longest delay, which also bound the times that the server sets,
    /// and what jitter adds. If `min` is above `max`, `min` applies.
    #[must_use]
    pub const fn with_delay_bounds(mut self, min: Duration, max: Duration) -> Self {
        self.min_delay = min;
        self.max_delay = max;
        self
    }

    /// Sets which refused responses are retried, instead of those of the preset. A refusal is any
    /// response that opens no stream and is no redirect to follow.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::client::{Options, Response};
    ///
    /// // Also while the service is being deployed, and behind the login page of a public network.
    /// let options = Options::resilient().with_retry_if(|response: &Response| {
    ///     response.is_transient() || matches!(response.status(), 404 | 200)
    /// });
    /// ```
    #[must_use]
    pub fn with_retry_if(
        mut self,
        is_retried: impl Fn(&Response) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.retry_if = RetryIf::Caller(Arc::new(AssertUnwindSafe(Box::new(is_retried))));
        self
    }

    /// Returns the shortest and the longest delay.
    pub(super) fn delay_bounds(&self) -> (Duration, Duration) {
        (self.min_delay, self.max_delay.max(self.min_delay))
    }

    pub(super) fn retries(&self, refused: &Response) -> bool {
        match &self.retry_if {
            RetryIf::Preset(is_retried) => is_retried(refused),
            RetryIf::Caller(is_retried) => is_retried(refused),
        }
    }

    /// Returns whether a request with this method may be repeated without an id. `None` means GET.
    pub(super) fn repeats(&self, method: Option<&str>) -> bool {
        let is_idempotent = matches!(
            method.unwrap_or("GET"),
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" | "QUERY"
        );
        self.repeat.unwrap_or(is_idempotent)
    }
}

type Predicate = dyn Fn(&Response) -> bool + Send + Sync;

/// Decides which refused responses are retried.
#[derive(Clone)]
enum RetryIf {
    Preset(fn(&Response) -> bool),
    /// If it panics, the response is not taken.
    Caller(Arc<AssertUnwindSafe<Box<Predicate>>>),
}

impl fmt::Debug for RetryIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preset(_) => "Preset",
            Self::Caller(_) => "Caller",
        })
    }
}
