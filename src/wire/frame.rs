//! One encoded event as bytes that many streams share.

use core::ops::Range;

use bytes::Bytes;

use super::encode::FieldRanges;
use super::event::Event;

/// An encoded event: its bytes, its event type and its id.
///
/// It is encoded once and can be sent to any number of targets. A clone shares the bytes and costs
/// one atomic increment. To make a frame of data that comes in pieces, use
/// [`EventWriter`](crate::EventWriter).
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, Frame};
///
/// let frame = Frame::new(&Event::message("hi").with_id(7_u32));
/// assert_eq!(frame.as_bytes(), b"id: 7\ndata: hi\n\n");
/// assert_eq!(frame.id(), Some("7"));
/// assert_eq!(frame.event_type(), None);
/// ```
#[derive(Clone)]
pub struct Frame {
    bytes: Bytes,
    // Ranges instead of texts, so that a clone copies nothing.
    ranges: FieldRanges,
}

impl Frame {
    /// Encodes an event, in one exact allocation.
    pub fn new(event: &Event<'_>) -> Self {
        Self::of_encoded(event.to_bytes(), FieldRanges::of(&event.fields()))
    }

    pub(crate) fn of_encoded(bytes: Bytes, ranges: FieldRanges) -> Self {
        Self { bytes, ranges }
    }

    /// Returns the bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes on the wire, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Returns the event type; `None` stands for `message`.
    #[doc(alias = "name")]
    pub fn event_type(&self) -> Option<&str> {
        self.text(self.ranges.event_type.as_ref())
    }

    /// Returns the id.
    #[doc(alias = "cursor")]
    pub fn id(&self) -> Option<&str> {
        self.text(self.ranges.id.as_ref())
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[cfg(feature = "std")]
    pub(crate) fn ranges(&self) -> &FieldRanges {
        &self.ranges
    }

    fn text(&self, range: Option<&Range<usize>>) -> Option<&str> {
        core::str::from_utf8(self.bytes.get(range?.clone())?).ok()
    }
}

impl From<Event<'_>> for Frame {
    fn from(event: Event<'_>) -> Self {
        Self::new(&event)
    }
}

// Shows the event type, the id and the length, but not the data.
debug! {
    impl() Frame, self =>
    event_type: self.event_type(),
    id: self.id(),
    len: self.as_bytes().len(),
}
