//! `LastEventId`, what a request says about the last event of its client.

use super::field::EventId;

/// The last event ID of a request: where its client resumes.
///
/// [`last_event_id`](crate::http::last_event_id) reads it, and `Broadcast::subscribe` takes it.
/// Reading never fails. An id that no server of this crate can have sent is
/// [`Invalid`](Self::Invalid), and a broadcast answers it like any other id that it does not know.
/// So a client with such an id gets a stream, and with its first event another id. After a 400 it
/// would never reconnect.
///
/// An [`EventId`], what converts into one, and an `Option<EventId>` convert into it.
///
/// # Examples
///
/// ```
/// use sse_proto::EventId;
/// use sse_proto::event::LastEventId;
/// use sse_proto::http::last_event_id;
///
/// let text = |header: &[u8]| match last_event_id([header], None, "") {
///     LastEventId::None => "begin at the next event".to_owned(),
///     LastEventId::Id(id) => format!("resume after {id}"),
///     LastEventId::Invalid => "begin at the oldest event".to_owned(),
/// };
/// assert_eq!(text(b""), "begin at the next event");
/// assert_eq!(text(b"42"), "resume after 42");
/// assert_eq!(text(b"\xFF"), "begin at the oldest event");
///
/// assert_eq!(LastEventId::from(None), LastEventId::None);
/// assert_eq!(LastEventId::from(42), LastEventId::Id(EventId::from(42)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum LastEventId<'a> {
    /// The request has no id, or an empty one: its client is new, or an event has reset its last
    /// event ID.
    None,
    /// The id of the last event that the client received.
    Id(EventId<'a>),
    /// An id that no `Broadcast` publishes: it has more than 1024 bytes, a space or a tab at an end
    /// or a control character (other than a tab), or it is not UTF-8.
    Invalid,
}

impl LastEventId<'_> {
    /// Copies the text of the id into memory of its own, if it is borrowed.
    pub fn into_owned(self) -> LastEventId<'static> {
        match self {
            Self::None => LastEventId::None,
            Self::Id(id) => LastEventId::Id(id.into_owned()),
            Self::Invalid => LastEventId::Invalid,
        }
    }
}

impl<'a, T: Into<EventId<'a>>> From<T> for LastEventId<'a> {
    fn from(id: T) -> Self {
        let id = id.into();
        if id == "" { Self::None } else { Self::Id(id) }
    }
}

impl<'a> From<Option<EventId<'a>>> for LastEventId<'a> {
    fn from(id: Option<EventId<'a>>) -> Self {
        id.map_or(Self::None, Self::from)
    }
}
