//! The parts of a response that a client uses.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::route::Shown;

/// The maximum length of a content type that is kept for reports.
const MAX_CONTENT_TYPE: usize = 127;

/// The maximum length of a `Location`. The client does not follow a longer one.
const MAX_LOCATION: usize = 8 << 10;

/// The head of a response: its status, and the headers that a client uses.
///
/// # Examples
///
/// ```
/// use sse_proto::client::Response;
///
/// // With the types of the crate `http`: `Response::from_headers(status.as_u16(),
/// // response.headers())`.
/// let headers = [("Content-Type", "Text/HTML; charset=utf-8"), ("Server", "x")];
/// let response = Response::from_headers(200, headers);
/// assert_eq!(response.content_type(), Some("Text/HTML; charset=utf-8"));
/// assert_eq!(Response::new(204).content_type(), None);
/// ```
pub struct Response {
    status: u16,
    is_event_stream: bool,
    content_type: Option<Box<str>>,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<Box<str>>,
    pub(super) url: Option<Box<str>>,
}

impl Response {
    /// Makes a response with a status and no headers.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            is_event_stream: false,
            content_type: None,
            retry_after: None,
            location: None,
            url: None,
        }
    }

    /// Makes a response with a status and the headers `content-type`, `retry-after` and `location`,
    /// in any case. Other headers are ignored. If a name occurs several times, the first valid
    /// value is used.
    ///
    /// A `retry-after` in seconds is used; a number that is too large saturates. A date is ignored,
    /// because the client has no calendar to compare it with. A `location` that is empty, or longer
    /// than 8 KiB, is ignored.
    pub fn from_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        status: u16,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut response = Self::new(status);
        for (name, value) in headers {
            response.take(name.as_ref(), value.as_ref());
        }
        response
    }

    fn take(&mut self, name: &str, value: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let text = core::str::from_utf8(value).unwrap_or_default().trim_ascii();
        if is("content-type") && self.content_type.is_none() {
            let essence = value.split(|&byte| byte == b';').next();
            let essence = essence.unwrap_or_default().trim_ascii();
            self.is_event_stream = essence.eq_ignore_ascii_case(b"text/event-stream");
            let kept = &value[..value.len().min(MAX_CONTENT_TYPE)];
            self.content_type = Some(String::from_utf8_lossy(kept).into());
        } else if is("retry-after") && self.retry_after.is_none() {
            self.retry_after = seconds(text);
        } else if is("location") && self.location.is_none() {
            let is_readable = !text.is_empty() && text.len() <= MAX_LOCATION;
            self.location = is_readable.then(|| text.into());
        }
    }

    /// Sets the final URL, for an HTTP client that follows redirects by itself. Such a client also
    /// decides where it sends credentials. This is not needed if its redirects are turned off, as
    /// [`Request`](super::Request) recommends.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Returns the status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the first 127 bytes of the content type, if the response has one. Malformed UTF-8 is
    /// replaced by U+FFFD.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    // > if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then
    // > fail the connection.
    pub(super) const fn is_event_stream(&self) -> bool {
        self.status == 200 && self.is_event_stream
    }

    /// Returns whether the request that follows this redirect is always a GET.
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

/// Returns whether a response with this status is a redirect.
pub(super) const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Parses a whole number of seconds.
fn seconds(digits: &str) -> Option<Duration> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Digits fail to parse only if their number is too large.
    is_number.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}
