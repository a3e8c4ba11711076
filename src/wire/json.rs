//! JSON as data, serialized when the event is made.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::event::Event;

impl Event<'static> {
    /// Makes an event whose data is `value` as compact JSON.
    ///
    /// Give it a type with [`with_event_type`](Self::with_event_type). For JSON that is too large
    /// to be held twice there is [`EventWriter::json`](crate::EventWriter::json).
    ///
    /// # Errors
    ///
    /// What the serializer of `value` returns; there is no event then.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Event;
    ///
    /// let event = Event::json(&[1, 2, 3])?;
    /// assert_eq!(event.data(), Some("[1,2,3]"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Self::json_with(value, CompactFormatter)
    }

    /// Makes an event whose data is `value` as JSON in a layout of the caller's.
    ///
    /// Each line of the JSON travels in a `data` field of its own, its indentation kept.
    ///
    /// # Errors
    ///
    /// What the serializer of `value` returns; there is no event then.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::ser::PrettyFormatter;
    /// use sse_proto::Event;
    ///
    /// let event = Event::json_with(&[1], PrettyFormatter::with_indent(b"  "))?;
    /// assert_eq!(event.to_bytes(), "data: [\ndata:   1\ndata: ]\n\n");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn json_with<T, F>(value: &T, formatter: F) -> Result<Self, serde_json::Error>
    where
        T: Serialize + ?Sized,
        F: Formatter,
    {
        let mut json = Vec::with_capacity(128);
        value.serialize(&mut Serializer::with_formatter(&mut json, formatter))?;
        // A formatter of the caller's may write any bytes, and an event holds text.
        let data = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self::message(data))
    }
}
