//! A request that a client wants to be sent.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::error::Error;
use core::fmt;

use super::url::Shown;

/// The longest last event ID that is sent.
const MAX_ID_LEN: usize = 4 << 10;

/// A request to send: the caller's own (body, credentials), with [`method`](Self::method), at [`url`](Self::url), with
/// [`headers`](Self::headers).
///
/// Send it with the HTTP client's own redirects turned off, and hand over a redirect as any other response: the machine
/// follows it, with a request whose [`may_have_credentials`](Self::may_have_credentials) tells whether the way there
/// stayed within the first URL's origin.
///
/// Its `Debug` shows the URL without user information and without the value of a query, since both may be secret.
#[derive(Clone, PartialEq, Eq)]
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

    /// Returns the last event ID to send, if there is one and it [can be sent](UnsendableId).
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
    /// use sse_proto::client::{Options, Output};
    /// use sse_proto::EventSource;
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

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("url", &Shown(&self.url))
            .field("last_event_id", &self.last_event_id)
            .field("left_out", &self.left_out)
            .field("attempt", &self.attempt)
            .field("may_have_credentials", &self.same_origin)
            .field("is_get", &self.as_get)
            .finish()
    }
}

/// A last event ID that can't be sent in an HTTP header as it is. It is left out, and events go on to carry it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use sse_proto::client::{Options, Output, UnsendableId};
/// use sse_proto::{EventId, EventSource};
///
/// let mut source = EventSource::new("http://localhost/", Options::standard(), 0)
///     .with_last_event_id(&EventId::new("4\u{1}2")?);
/// source.start(Duration::ZERO);
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// assert_eq!(request.last_event_id(), None);
/// let left_out = UnsendableId::Character { character: '\u{1}', offset: 1 };
/// assert_eq!(request.left_out(), Some(left_out));
/// # Ok::<(), sse_proto::event::InvalidField>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsendableId {
    /// It has a character that a header can't hold: a control, or a space or a tab at one of its ends, which does not arrive.
    Character {
        /// The first of these characters.
        character: char,
        /// Where it is, in bytes from the start of the id.
        offset: usize,
    },
    /// It is longer than 4 KiB: many servers would refuse the whole request, again and again.
    TooLong {
        /// How many bytes it has.
        len: usize,
    },
}

impl fmt::Display for UnsendableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Character { character, offset } => write!(
                f,
                "U+{:04X} at byte {offset} of the last event ID can't be part of a header",
                u32::from(character),
            ),
            Self::TooLong { len } => write!(
                f,
                "the last event ID has {len} bytes, and up to {MAX_ID_LEN} are sent"
            ),
        }
    }
}

impl Error for UnsendableId {}

/// Sorts a last event ID: nothing to send, what to send, or why it can't be sent.
///
/// > If the EventSource object's last event ID string is not the empty string, then: Let lastEventIDValue be the
/// > EventSource object's last event ID string, encoded as UTF-8.
pub(super) fn sendable(id: Cow<'_, str>) -> Result<Option<Cow<'_, str>>, UnsendableId> {
    if id.is_empty() {
        return Ok(None);
    }
    if id.len() > MAX_ID_LEN {
        return Err(UnsendableId::TooLong { len: id.len() });
    }
    // RFC 9110, 5.5: all but controls, of which a tab may stand within a value. What is blank at its ends is no part of it.
    let last = id.len() - 1;
    let is_refused = |&(offset, character): &(usize, char)| match character {
        ' ' | '\t' => offset == 0 || offset == last,
        _ => character.is_ascii_control(),
    };
    match id.char_indices().find(is_refused) {
        Some((offset, character)) => Err(UnsendableId::Character { character, offset }),
        None => Ok(Some(id)),
    }
}
