//! A request that a client wants to be sent.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::error::Error;
use core::fmt;

/// A request to send: the caller's own (body, credentials), with [`method`](Self::method), at [`url`](Self::url), with
/// [`headers`](Self::headers).
///
/// Send it with the HTTP client's own redirects turned off, and hand over a redirect as any other response: the machine
/// follows it, with a request whose [`may_have_credentials`](Self::may_have_credentials) tells whether the way there
/// stayed within the first URL's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET if there is none.
    pub(super) method: Option<Box<str>>,
    pub(super) url: String,
    pub(super) last_event_id: Option<String>,
    pub(super) left_out: Option<UnsendableId>,
    pub(super) attempt: u32,
    pub(super) same_origin: bool,
    pub(super) as_get: bool,
}

impl Request {
    /// Returns the method: GET, or what [`EventSource::for_method`](super::EventSource::for_method) was told; GET too
    /// where a redirect [says so](Self::is_get).
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// Returns where to send it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the last event ID to send, if there is one and a header can hold it.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// Returns why the last event ID is left out, if it is: the server will not resume.
    pub const fn left_out(&self) -> Option<UnsendableId> {
        self.left_out
    }

    /// Returns how many connections were lost in a row before this request: 0 for the first.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns whether credentials (`Authorization`, cookies, keys in headers, a client certificate) may go along.
    ///
    /// False once a redirect has led to another scheme, host or port, and for all redirects behind that one. The next
    /// connection begins at the first URL, where they may.
    pub const fn may_have_credentials(&self) -> bool {
        self.same_origin
    }

    /// Returns whether to send a GET without a body, whatever the caller's method is: behind a redirect with 301, 302 or
    /// 303, as browsers do with a POST.
    pub const fn is_get(&self) -> bool {
        self.as_get
    }

    /// Returns the headers that the standard asks for: `accept`, `cache-control`, and `last-event-id` if there is one to
    /// send. Its value is UTF-8, as the standard wants it, not ASCII alone: give it to the HTTP client as bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use sse_proto::client::{EventSource, Options, Output};
    ///
    /// let mut source = EventSource::new("http://localhost/", Options::standard(), 0)
    ///     .with_last_event_id(&7_u32.into());
    /// source.start(Duration::ZERO);
    /// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
    /// assert!(request.headers().any(|header| header == ("last-event-id", "7")));
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let last_event_id = self.last_event_id().map(|id| ("last-event-id", id));
        // > User agents must set (`Accept`, `text/event-stream`) in request's header list.
        // > Set request's cache mode to "no-store". (Of which Fetch makes this header.)
        [
            ("accept", "text/event-stream"),
            ("cache-control", "no-cache"),
        ]
        .into_iter()
        .chain(last_event_id)
    }
}

/// A last event ID that no HTTP header can hold. It is not sent, and events go on to carry it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use sse_proto::EventId;
/// use sse_proto::client::{EventSource, Options, Output};
///
/// let mut source = EventSource::new("http://localhost/", Options::standard(), 0)
///     .with_last_event_id(&EventId::new("4\u{1}2")?);
/// source.start(Duration::ZERO);
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// assert_eq!(request.last_event_id(), None);
/// let left_out = request.left_out().unwrap();
/// assert_eq!((left_out.character(), left_out.offset()), ('\u{1}', 1));
/// # Ok::<(), sse_proto::InvalidField>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsendableId {
    character: char,
    offset: usize,
}

impl UnsendableId {
    /// Returns the first character that a header can't hold.
    pub const fn character(&self) -> char {
        self.character
    }

    /// Returns where it is, in bytes from the start of the id.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for UnsendableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "U+{:04X} at byte {} of the last event ID can't be part of a header",
            u32::from(self.character),
            self.offset
        )
    }
}

impl Error for UnsendableId {}

/// Sorts a last event ID: nothing to send, what to send, or why it can't be sent.
///
/// > If the EventSource object's last event ID string is not the empty string, then: Let lastEventIDValue be the
/// > EventSource object's last event ID string, encoded as UTF-8.
pub(super) fn sendable(id: Cow<'_, str>) -> Result<Option<Cow<'_, str>>, UnsendableId> {
    // RFC 9110, 5.5: all but controls, of which a tab may stand in a value.
    let is_refused =
        |&(_, character): &(usize, char)| character.is_ascii_control() && character != '\t';
    match id.char_indices().find(is_refused) {
        Some((offset, character)) => Err(UnsendableId { character, offset }),
        None if id.is_empty() => Ok(None),
        None => Ok(Some(id)),
    }
}
