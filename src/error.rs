//! What can go wrong, one small type for each.

use core::error::Error;
use core::fmt;

/// A field of an event that its syntax can't hold.
///
/// Returned by the constructors of [`EventType`](crate::EventType) and
/// [`EventId`](crate::EventId).
///
/// # Examples
///
/// ```
/// let error = sse_proto::EventId::new("12\n34").unwrap_err();
/// assert_eq!((error.field(), error.character(), error.offset()), ("id", Some('\n'), 2));
/// assert_eq!(error.to_string(), "LF (U+000A) at byte 2 can't be part of an id");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidField {
    pub(crate) field: Field,
    pub(crate) character: Option<char>,
    pub(crate) offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    EventType,
    Id,
}

impl InvalidField {
    /// Returns the name of the field on the wire: `event` or `id`.
    pub fn field(&self) -> &'static str {
        match self.field {
            Field::EventType => "event",
            Field::Id => "id",
        }
    }

    /// Returns the character that is refused; `None` if the value is empty.
    pub fn character(&self) -> Option<char> {
        self.character
    }

    /// Returns where the character is, in bytes from the start of the value.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.field {
            Field::EventType => "an event type",
            Field::Id => "an id",
        };
        match self.character {
            None => write!(f, "{noun} can't be empty"),
            Some(c) => write!(
                f,
                "{} (U+{:04X}) at byte {} can't be part of {noun}",
                control_name(c),
                u32::from(c),
                self.offset
            ),
        }
    }
}

impl Error for InvalidField {}

/// A buffer that an event does not fit into. Nothing was written.
///
/// Returned by [`Event::encode_to_slice`](crate::Event::encode_to_slice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall {
    pub(crate) needed: usize,
    pub(crate) available: usize,
}

impl BufferTooSmall {
    /// Returns the bytes that the event needs.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Returns the bytes that the buffer has.
    pub fn available(&self) -> usize {
        self.available
    }
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the event needs {} bytes and the buffer has {}",
            self.needed, self.available
        )
    }
}

impl Error for BufferTooSmall {}

/// Why an [`EventWriter`](crate::EventWriter) can't finish its event. All that it wrote is taken
/// back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The event would take more than `limit` bytes on the wire.
    TooLarge {
        /// The limit that the writer was given.
        limit: usize,
    },
    /// The bytes written are no UTF-8.
    InvalidUtf8 {
        /// Where, in bytes from the start of what was written as data.
        offset: usize,
    },
    /// What made the data failed between its pieces, such as a serializer.
    Aborted,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the event takes more than {limit} bytes"),
            Self::InvalidUtf8 { offset } => write!(f, "the data is not UTF-8 at byte {offset}"),
            Self::Aborted => f.write_str("what makes the data failed"),
        }
    }
}

impl Error for WriteError {}

fn control_name(c: char) -> &'static str {
    match c {
        '\n' => "LF",
        '\r' => "CR",
        _ => "NUL",
    }
}
