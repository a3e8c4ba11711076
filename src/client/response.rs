//! What a client needs to know of a response.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::url::Shown;

/// How much of a content type is kept, for the report.
const KEPT_CONTENT_TYPE: usize = 127;

/// How much of a `Location` is looked at; a longer one leads nowhere.
const MAX_LOCATION: usize = 8 << 10;

/// The head of a response: its status and three headers.
///
/// # Examples
///
/// ```
/// use sse_proto::client::Response;
///
/// // With the `http` crate's types: `|name| headers.get(name).map(|value| value.as_bytes())`.
/// let headers = [("content-type", "Text/Event-Stream; charset=utf-8")];
/// let response = Response::from_headers(200, |name| {
///     headers.iter().find(|header| header.0 == name).map(|header| header.1.as_bytes())
/// });
/// assert!(response.is_event_stream());
/// assert_eq!(response, Response::new(200).with_content_type(b"Text/Event-Stream; charset=utf-8"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub(super) status: u16,
    pub(super) content_type: Option<Box<str>>,
    is_event_stream: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<Box<str>>,
    pub(super) url: Option<Box<str>>,
}

impl Response {
    /// Makes a response with a status and no headers.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            is_event_stream: false,
            retry_after: None,
            location: None,
            url: None,
        }
    }

    /// Makes a response from its headers: `header` is asked for `content-type`, `retry-after` and `location`, in lower
    /// case.
    pub fn from_headers<'a>(
        status: u16,
        mut header: impl FnMut(&'static str) -> Option<&'a [u8]>,
    ) -> Self {
        let mut response = Self::new(status);
        if let Some(value) = header("content-type") {
            response = response.with_content_type(value);
        }
        if let Some(value) = header("retry-after") {
            response = response.with_retry_after(value);
        }
        if let Some(value) = header("location") {
            response = response.with_location(value);
        }
        response
    }

    /// Sets the content type.
    #[must_use]
    pub fn with_content_type(mut self, value: &[u8]) -> Self {
        // The essence alone: what follows a semicolon are parameters.
        let essence = value.split(|&byte| byte == b';').next();
        let essence = essence.unwrap_or_default().trim_ascii();
        self.is_event_stream = essence.eq_ignore_ascii_case(b"text/event-stream");
        let kept = &value[..value.len().min(KEPT_CONTENT_TYPE)];
        self.content_type = Some(String::from_utf8_lossy(kept).into());
        self
    }

    /// Sets the Retry-After, as a number of seconds. A date is passed over, since there is no clock here that knows one;
    /// a number of more than 64 bits saturates.
    #[must_use]
    pub fn with_retry_after(mut self, value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        self.retry_after = is_number.then(|| {
            let seconds = value.iter().fold(0_u64, |seconds, digit| {
                seconds
                    .saturating_mul(10)
                    .saturating_add(u64::from(digit - b'0'))
            });
            Duration::from_secs(seconds)
        });
        self
    }

    /// Sets where a redirect leads: an absolute or a relative URL. An empty one leads nowhere, rather than in a circle.
    #[must_use]
    pub fn with_location(mut self, value: &[u8]) -> Self {
        let text = core::str::from_utf8(value).ok();
        self.location = text
            .map(str::trim_ascii)
            .filter(|text| !text.is_empty() && text.len() <= MAX_LOCATION)
            .map(Box::from);
        self
    }

    /// Sets the final URL, for an HTTP client that follows redirects by itself and so decides by itself where credentials
    /// go. Not needed where its redirects are turned off; see [`Request`](super::Request).
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Returns whether this is what opens an event stream: status 200, and the type `text/event-stream` in any case, with
    /// any parameters.
    // > if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail the connection.
    pub const fn is_event_stream(&self) -> bool {
        self.status == 200 && self.is_event_stream
    }

    pub(super) const fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// Whether a redirect turns another method into GET.
    pub(super) const fn turns_to_get(&self) -> bool {
        matches!(self.status, 301..=303)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("retry_after", &self.retry_after)
            .field("location", &self.location.as_deref().map(Shown))
            .field("url", &self.url.as_deref().map(Shown))
            .finish_non_exhaustive()
    }
}
