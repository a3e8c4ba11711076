//! `Request`, which a client asks its driver to send.

use alloc::boxed::Box;

use super::route::Shown;

/// The longest last event ID that is sent.
const MAX_ID_LEN: usize = 4 << 10;

/// A request to send. The driver sends it to [`url`](Self::url) with [`method`](Self::method) and
/// [`headers`](Self::headers), and adds its own body and credentials.
///
/// Turn the HTTP client's own redirects off, and pass a redirect to
/// [`EventSource::handle_response`](crate::EventSource::handle_response) like any other response.
/// The `EventSource` follows it with another request.
/// [`may_have_credentials`](Self::may_have_credentials) of that request returns whether all URLs so
/// far have the origin of the first URL.
///
/// `Debug` shows the URL without user information and query, because both may be secret.
pub struct Request {
    pub(super) method: Option<Box<str>>,
    pub(super) url: Box<str>,
    pub(super) last_event_id: Box<str>,
    pub(super) accept_encoding: &'static str,
    pub(super) is_same_origin: bool,
}

impl Request {
    /// Returns the method: GET, or the one that
    /// [`EventSource::with_method`](crate::EventSource::with_method) was given. It turns into GET
    /// as in browsers: after a redirect with 303, or with 301 or 302 if it is POST. Also to resume
    /// [with a GET](super::Options::with_get_resume): send no body then.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// Returns the URL to which the request is sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the last event ID to send, if there is one and a header can hold it.
    pub fn last_event_id(&self) -> Option<&str> {
        header_id(&self.last_event_id)
    }

    /// Returns the last event ID if it cannot be sent in a header. The server then does not resume;
    /// events still have this ID.
    ///
    /// Such an ID has a control character, has a space or a tab at one of its ends, or is longer
    /// than 4 KiB. Many servers would refuse each request with a header of that length.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::{EventId, EventSource};
    /// use sse_proto::client::{Options, Output};
    ///
    /// let mut source = EventSource::new("http://localhost/", Options::standard())
    ///     .with_last_event_id(EventId::new("4\u{1}2")?);
    /// source.start(Duration::ZERO);
    /// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
    /// assert_eq!(request.last_event_id(), None);
    /// assert_eq!(request.unsendable_id(), Some("4\u{1}2"));
    /// # Ok::<(), sse_proto::event::InvalidField>(())
    /// ```
    pub fn unsendable_id(&self) -> Option<&str> {
        let id = &*self.last_event_id;
        (!id.is_empty() && header_id(id).is_none()).then_some(id)
    }

    /// Returns whether credentials (`Authorization`, cookies, keys in headers, a client
    /// certificate) may be sent along.
    ///
    /// Returns false after a redirect to another scheme, host or port, and after all later
    /// redirects of the same connection. The next connection starts at the first URL, where
    /// credentials may be sent again.
    pub const fn may_have_credentials(&self) -> bool {
        self.is_same_origin
    }

    /// Returns the headers that the standard asks for: `accept`, `cache-control`, and
    /// `last-event-id` if there is one to send; and
    /// [`accept-encoding`](super::Options::with_accept_encoding). The value of `last-event-id` is
    /// UTF-8 and may go beyond ASCII, so give it to the HTTP client as bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::EventSource;
    /// use sse_proto::client::{Options, Output};
    ///
    /// let mut source = EventSource::new("http://localhost/", Options::standard())
    ///     .with_last_event_id(7);
    /// source.start(Duration::ZERO);
    /// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
    /// assert!(request.headers().any(|header| header == ("last-event-id", "7")));
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let last_event_id = self.last_event_id().map(|id| ("last-event-id", id));
        let encoding = ("accept-encoding", self.accept_encoding);
        // > User agents must set (`Accept`, `text/event-stream`) in request's header list. Set
        // > request's cache mode to "no-store". (Fetch turns this mode into the header below.)
        [
            ("accept", "text/event-stream"),
            ("cache-control", "no-cache"),
        ]
        .into_iter()
        .chain(Some(encoding).filter(|_| !self.accept_encoding.is_empty()))
        .chain(last_event_id)
    }
}

/// The head of the request. It has no body. Its last event ID may go beyond ASCII.
///
/// # Errors
///
/// If the URL or the method is not one of the crate `http`.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use sse_proto::EventSource;
/// use sse_proto::client::{Options, Output};
/// use sse_proto::deps::http;
///
/// let mut source = EventSource::new("http://localhost/events", Options::standard());
/// source.start(Duration::ZERO);
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// let request = http::Request::try_from(&request)?;
/// assert_eq!(request.uri().path(), "/events");
/// assert_eq!(request.headers()["accept"], "text/event-stream");
/// # Ok::<(), http::Error>(())
/// ```
#[cfg(feature = "http")]
impl TryFrom<&Request> for http::Request<()> {
    type Error = http::Error;

    fn try_from(request: &Request) -> Result<Self, http::Error> {
        let head = Self::builder().method(request.method()).uri(request.url());
        let with = |head: http::request::Builder, (name, value): (&str, &str)| {
            head.header(name, value.as_bytes())
        };
        request.headers().fold(head, with).body(())
    }
}

debug! {
    impl() Request, self =>
    method: self.method(),
    url: Shown(&self.url),
    last_event_id: self.last_event_id,
    accept_encoding: self.accept_encoding,
    may_have_credentials: self.is_same_origin,
}

/// Returns the ID if a header can hold it.
///
/// > If the EventSource object's last event ID string is not the empty string, then: Let
/// > lastEventIDValue be the EventSource object's last event ID string, encoded as UTF-8.
pub(super) fn header_id(id: &str) -> Option<&str> {
    // RFC 9110, 5.5: a field value has no control character except the tab, and no space or tab at
    // its ends.
    let is_refused = |character: char| character.is_ascii_control() && character != '\t';
    let fits = !id.is_empty()
        && id.len() <= MAX_ID_LEN
        && !id.contains(is_refused)
        && id.trim_matches([' ', '\t']) == id;
    fits.then_some(id)
}
