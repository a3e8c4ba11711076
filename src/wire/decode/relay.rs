//! Relaying: a received event becomes one that can be sent.

use alloc::borrow::Cow;

use super::item::{MessageEvent, OwnedMessageEvent};
use super::text::Text;
use crate::wire::event::Event;
use crate::wire::field::{EventId, EventType};

/// Borrows all parts, without a copy.
impl<'a> From<&'a OwnedMessageEvent> for MessageEvent<'a> {
    fn from(event: &'a OwnedMessageEvent) -> Self {
        Self {
            event_type: Text::Checked(event.own_type()),
            data: Text::Checked(event.data()),
            last_event_id: event.last_event_id(),
            own_id: event.has_own_id(),
        }
    }
}

impl<'a> From<&MessageEvent<'a>> for MessageEvent<'a> {
    fn from(event: &MessageEvent<'a>) -> Self {
        *event
    }
}

/// Makes an event of a received one: its type and its data. Cannot fail, because every type that is
/// received can be sent.
///
/// An event without a type stays one. The id is left out, since it is a place in the log of the server
/// that sent it; [`with_id_of`](Event::with_id_of) keeps it.
///
/// # Examples
///
/// ```
/// use sse_proto::Event;
/// use sse_proto::decode::events;
///
/// let received = events(b"event: error\nid: 7\ndata: overloaded\n\n")?;
/// let event = Event::from(&received[0]);
/// assert_eq!(event.to_bytes(), "event: error\ndata: overloaded\n\n");
/// let event = event.with_id_of(&received[0]);
/// assert_eq!(event.to_bytes(), "event: error\nid: 7\ndata: overloaded\n\n");
/// # Ok::<(), sse_proto::decode::ReceiveError<std::convert::Infallible>>(())
/// ```
impl<'a> From<&'a OwnedMessageEvent> for Event<'a> {
    fn from(event: &'a OwnedMessageEvent) -> Self {
        Self::from(&MessageEvent::from(event))
    }
}

/// Makes an event of a received one, as for an [`OwnedMessageEvent`].
impl<'a> From<&MessageEvent<'a>> for Event<'a> {
    fn from(event: &MessageEvent<'a>) -> Self {
        let message = Self::message(event.data());
        match event.event_type() {
            Cow::Borrowed("message") => message,
            event_type => message.with_event_type(EventType::of_received(event_type)),
        }
    }
}

impl<'a> Event<'a> {
    /// Takes the id over from a received event, if that event had one of its own.
    pub fn with_id_of(self, received: impl Into<MessageEvent<'a>>) -> Self {
        let received = received.into();
        if received.has_own_id() {
            self.with_id(EventId::of_received(Cow::Borrowed(
                received.last_event_id(),
            )))
        } else {
            self
        }
    }
}
