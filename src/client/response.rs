//! The parts of a response that a client uses.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::time::Duration;

use super::date;
use super::media_type::is_event_stream;
use super::route::Shown;

/// The maximum length of a content type and of content encodings that are kept.
const MAX_KEPT: usize = 127;

/// The maximum length of a `Location`. The client does not follow a longer one.
const MAX_LOCATION: usize = 8 << 10;

/// The head of a response: its status, and the headers that a client uses.
///
/// # Examples
///
/// ```
/// use sse_proto::client::Response;
///
/// // With the feature `http`: `Response::from(&response)`.
/// let headers = [("Content-Type", "Text/HTML; charset=utf-8"), ("Server", "x")];
/// let response = Response::from_headers(200, headers);
/// assert_eq!(response.content_type(), Some("Text/HTML; charset=utf-8"));
/// assert_eq!(Response::new(204).content_type(), None);
/// ```
pub struct Response {
    status: u16,
    is_event_stream: bool,
    content_type: Option<Box<str>>,
    content_encoding: Option<Box<str>>,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<Box<str>>,
    pub(super) url: Option<Box<str>>,
    attachment: Option<AssertUnwindSafe<Box<dyn Any + Send + Sync>>>,
}

impl Response {
    /// Makes a response with a status and no headers.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            is_event_stream: false,
            content_type: None,
            content_encoding: None,
            retry_after: None,
            location: None,
            url: None,
            attachment: None,
        }
    }

    /// Makes a response with a status and headers. Pass all lines, in order, also those with one
    /// name. Names are read in any case. These headers count; others are ignored:
    ///
    /// | header | of several lines or values |
    /// |---|---|
    /// | `content-type` | the last media type that can be read, as in [Fetch] |
    /// | `content-encoding` | all, without `identity` and empty ones |
    /// | `retry-after` | the longest delay |
    /// | `date` | none, unless all lines are equal |
    /// | `location` | none, unless all lines are equal: another reader could follow another one |
    ///
    /// A `retry-after` is a number of seconds, which saturates, or a date. A date is read against
    /// the `date` of the response, since no clock runs here; without one, it is ignored. An empty
    /// `location` leads nowhere.
    ///
    /// [Fetch]: https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
    pub fn from_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        status: u16,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut response = Self::new(status);
        let mut content_types: Option<Vec<u8>> = None;
        let mut encodings = String::new();
        let (mut until, mut date, mut location) = (None, None, None);
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let text = core::str::from_utf8(value).unwrap_or_default().trim_ascii();
            if is("content-type") {
                if let Some(lines) = &mut content_types {
                    lines.extend(b", ");
                    lines.extend(value);
                } else {
                    content_types = Some(value.into());
                }
            } else if is("content-encoding") {
                value.split(|&byte| byte == b',').for_each(|encoding| {
                    add_encoding(&mut encodings, encoding.trim_ascii());
                });
            } else if is("retry-after") {
                let all = text.split(',').map(|one| seconds(one.trim_ascii()));
                response.retry_after = response.retry_after.max(all.max().flatten());
                until = until.max(date::parse(text));
            } else if is("date") {
                add_sole(&mut date, date::parse(text));
            } else if is("location") {
                let is_kept = !text.is_empty() && text.len() <= MAX_LOCATION;
                add_sole(&mut location, is_kept.then(|| Box::from(text)));
            }
        }
        if let (Some(until), Some(date)) = (until, date.flatten()) {
            let delay = Duration::from_secs(until.saturating_sub(date));
            response.retry_after = response.retry_after.max(Some(delay));
        }
        if let Some(lines) = content_types {
            response.is_event_stream = is_event_stream(&lines);
            let kept = &lines[..lines.len().min(MAX_KEPT)];
            response.content_type = Some(String::from_utf8_lossy(kept).into());
        }
        response.content_encoding = (!encodings.is_empty()).then(|| encodings.into());
        response.location = location.flatten();
        response
    }

    /// Sets the final URL, for an HTTP client that follows redirects by itself. Such a client also
    /// decides where it sends credentials. This is not needed if its redirects are turned off, as
    /// [`Request`](super::Request) recommends.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Attaches a value, such as the body or the headers of a refusal. It comes back in
    /// [`Loss::response`](super::Loss::response) if the response is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::EventSource;
    /// use sse_proto::client::{Options, Output, Response};
    ///
    /// let mut source = EventSource::new("http://localhost/", Options::standard());
    /// source.start(Duration::ZERO);
    /// assert!(matches!(source.poll_output(), Some(Output::Request(_))));
    ///
    /// let mut head = Response::from_headers(403, [("content-type", "application/json")]);
    /// if !head.is_event_stream() {
    ///     // In production, read the body up to a limit.
    ///     head = head.with_attachment(String::from("{\"error\":\"quota\"}"));
    /// }
    /// source.handle_response(Duration::ZERO, head);
    /// assert!(matches!(source.poll_output(), Some(Output::Abort)));
    /// let Some(Output::Closed(loss)) = source.poll_output() else { panic!() };
    /// let refused = loss.response.expect("a refusal has its response");
    /// assert_eq!(refused.status(), 403);
    /// assert_eq!(refused.attachment::<String>().unwrap(), "{\"error\":\"quota\"}");
    /// ```
    #[must_use]
    pub fn with_attachment<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.attachment = Some(AssertUnwindSafe(Box::new(value)));
        self
    }

    /// Returns the value that the driver attached, if it has this type.
    pub fn attachment<T: Any>(&self) -> Option<&T> {
        self.attachment.as_ref()?.downcast_ref()
    }

    /// Returns the status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the content type, if the response has one: its first 127 bytes, several lines joined
    /// with a comma. Malformed UTF-8 becomes U+FFFD.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the content encodings, joined with a comma, without `identity` and empty ones.
    /// `None` if nothing is left. More than 127 bytes end in `...`.
    pub fn content_encoding(&self) -> Option<&str> {
        self.content_encoding.as_deref()
    }

    /// Returns whether the status is 200 and the content type is `text/event-stream`.
    // > if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then
    // > fail the connection.
    pub const fn is_event_stream(&self) -> bool {
        self.status == 200 && self.is_event_stream
    }

    /// Returns whether the status is one of 408, 425, 429 and 5xx, after which a later request may
    /// succeed. [`Options::resilient`](super::Options::resilient) retries these.
    pub const fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..=599)
    }

    /// Returns whether the body has an encoding that is not in the list, which is the value of an
    /// `accept-encoding`.
    pub(super) fn is_encoded(&self, accepted: &str) -> bool {
        // > A recipient SHOULD consider "x-gzip" to be equivalent to "gzip". (RFC 9110, 8.4.1.3)
        fn name(encoding: &str) -> &str {
            let name = encoding.trim_ascii();
            let is_old = name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"));
            if is_old { &name[2..] } else { name }
        }
        let is_accepted = |encoding: &str| {
            accepted.split(',').any(|accepted| {
                let (accepted, weight) = accepted.split_once(';').unwrap_or((accepted, ""));
                // A weight of 0 stands for "not acceptable".
                let weight = weight.trim_ascii().get(2..).unwrap_or("1");
                let is_zero = weight.bytes().all(|byte| matches!(byte, b'0' | b'.'));
                !is_zero && name(accepted).eq_ignore_ascii_case(name(encoding))
            })
        };
        let mut encodings = self
            .content_encoding()
            .into_iter()
            .flat_map(|all| all.split(','));
        !encodings.all(is_accepted)
    }

    /// Returns whether a redirect turns a request with this method into a GET.
    // > if internalResponse's status is 301 or 302 and request's method is `POST`, or
    // > internalResponse's status is 303 and request's method is not `GET` or `HEAD` (Fetch, 4.4)
    pub(super) fn turns_to_get(&self, method: &str) -> bool {
        match self.status {
            301 | 302 => method.eq_ignore_ascii_case("POST"),
            status => status == 303 && !method.eq_ignore_ascii_case("HEAD"),
        }
    }
}

/// The head of a response of the crate `http`, as [`from_headers`](Response::from_headers) reads it.
///
/// # Examples
///
/// ```
/// use sse_proto::client::Response;
/// use sse_proto::deps::http;
///
/// let response = http::Response::builder().header("content-type", "text/event-stream").body(())?;
/// assert!(Response::from(&response).is_event_stream());
/// # Ok::<(), http::Error>(())
/// ```
#[cfg(feature = "http")]
impl<B> From<&http::Response<B>> for Response {
    fn from(response: &http::Response<B>) -> Self {
        Self::from_headers(response.status().as_u16(), response.headers())
    }
}

debug! {
    impl() Response, self =>
    status: self.status,
    content_type: self.content_type,
    content_encoding: self.content_encoding,
    retry_after: self.retry_after,
    location: self.location.as_deref().map(Shown),
    url: self.url.as_deref().map(Shown),
}

/// Adds a line of a header that may come once. Lines that differ, or can't be read, have no value.
#[expect(
    clippy::option_option,
    reason = "no line, none with a value, one value"
)]
fn add_sole<T: PartialEq>(sole: &mut Option<Option<T>>, line: Option<T>) {
    match sole {
        None => *sole = Some(line),
        Some(value) if *value != line => *value = None,
        Some(_) => {}
    }
}

/// Adds an encoding to a list, unless it changes nothing. A list that is too long ends in `...`,
/// which no driver decodes.
fn add_encoding(list: &mut String, encoding: &[u8]) {
    let is_none = encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity");
    if is_none || list.ends_with("...") {
        return;
    }
    if !list.is_empty() {
        list.push_str(", ");
    }
    let fits = list.len() + encoding.len() <= MAX_KEPT - ", ...".len();
    list.push_str(&String::from_utf8_lossy(if fits {
        encoding
    } else {
        b"..."
    }));
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
