//! The limits of a decoder, and its behavior after a limit.

use core::fmt;

/// The default limit of a line and of an event.
const EVENT_BYTES: usize = 16 << 20;

/// The default limit of an `id` line. Few servers accept a longer header. Every later event has a
/// copy of the last event ID, so without this limit, many small owned events could take the memory
/// of as many huge IDs.
const ID_BYTES: usize = 8 << 10;

/// Sets how many bytes of a line, of an `id` line and of an event the decoder accepts before it
/// returns a [`DecodeError`].
///
/// The defaults are 16 MiB for a line and for an event, which is enough for images and tool results
/// of language models, and 8 KiB for an `id` line. The rest of a block that exceeds a limit is
/// skipped.
///
/// All limits count bytes on the wire without the ends of lines: field name, colon, space and
/// value. Ignored lines (unknown fields, and comments unless they are returned) never count,
/// however long they are. The error is returned at the first byte beyond a limit, even in the
/// middle of a line. It does not depend on how the stream is split into chunks.
///
/// # Memory
///
/// The memory of the decoder is at most the sum of the limit of an event, the last event ID (within
/// the limit of an `id` line, or three times that if it is not UTF-8) and 128 KiB. With [comments](super::Decoder::with_comments), the
/// limit of a line is added. The next call after a large event frees memory, even if it feeds no
/// bytes: then the decoder holds at most the last event ID and 128 KiB. If an allocator cannot grow
/// memory in place, the old and the new memory exist side by side while bytes are moved.
///
/// # Examples
///
/// ```
/// use sse_proto::decode::{DecodeError, DecodeLimits};
/// use sse_proto::{Decoder, Item};
///
/// let limits = DecodeLimits::new().with_max_event_bytes(32);
/// let mut decoder = Decoder::new().with_limits(limits);
/// let mut items = decoder.feed(b"data: this event is longer than the limit above\n\ndata: short\n\n");
/// assert_eq!(items.next().unwrap_err(), DecodeError::EventTooLong { limit: 32 });
/// assert!(matches!(items.next()?, Some(Item::Event(_))));
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DecodeLimits {
    pub(super) line: usize,
    pub(super) id: usize,
    pub(super) event: usize,
    pub(crate) end_at_limit: bool,
}

impl DecodeLimits {
    /// Creates the default limits.
    pub const fn new() -> Self {
        Self {
            line: EVENT_BYTES,
            id: ID_BYTES,
            event: EVENT_BYTES,
            end_at_limit: false,
        }
    }

    /// Creates limits that accept everything. Use this only for a peer that you trust as much as
    /// your own process.
    pub const fn unlimited() -> Self {
        Self {
            line: usize::MAX,
            id: usize::MAX,
            event: usize::MAX,
            end_at_limit: false,
        }
    }

    setters! {
        /// Sets how many bytes one line may have, without its end.
        const fn with_max_line_bytes(line: usize);

        /// Sets how many bytes an `id` line may have, without its end.
        const fn with_max_id_bytes(id: usize);

        /// Sets how many bytes the lines of one block may have in total, without their ends.
        const fn with_max_event_bytes(event: usize);

        /// Sets whether the first error ends the stream. If so, the decoder skips all later input.
        ///
        /// By default the decoder discards the block, skips the rest of it, and continues after the
        /// next blank line. An id in the discarded block does not change the last event ID.
        const fn with_end_at_limit(end_at_limit: bool);
    }
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The error for a line or an event that is longer than a limit that the caller set.
///
/// It is the only error of a decoder. Malformed input is not an error, because the standard defines
/// the meaning of every byte.
///
/// The error names the limit that was exceeded first. If the same byte exceeds several limits, the
/// error names that of a line before that of an event, and that of an event before that of an `id`
/// line.
///
/// # Examples
///
/// The decoder skips the block and continues, so log the error and take the next item:
///
/// ```
/// use sse_proto::decode::DecodeLimits;
/// use sse_proto::{Decoder, Item};
///
/// let limits = DecodeLimits::new().with_max_event_bytes(16);
/// let mut decoder = Decoder::new().with_limits(limits);
/// let mut seen = Vec::new();
/// let mut items = decoder.feed(b"data: much longer than the limit\n\ndata: short\n\n");
/// loop {
///     match items.next() {
///         Ok(Some(Item::Event(event))) => seen.push(event.into_owned().into_data()),
///         Ok(Some(_)) => {}
///         Ok(None) => break,
///         Err(error) => seen.push(error.to_string()),
///     }
/// }
/// assert_eq!(seen, ["event is longer than the limit of 16 bytes", "short"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A line has more bytes than [`DecodeLimits::with_max_line_bytes`] allows.
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// An `id` line has more bytes than [`DecodeLimits::with_max_id_bytes`] allows.
    IdTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The lines of one block have more bytes than [`DecodeLimits::with_max_event_bytes`] allows.
    EventTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The events together take more memory than [`events`](super::events) allows. A decoder never
    /// returns this error.
    EventsTooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, limit) = match self {
            Self::LineTooLong { limit } => ("line", limit),
            Self::IdTooLong { limit } => ("id line", limit),
            Self::EventTooLong { limit } => ("event", limit),
            Self::EventsTooLong { limit } => {
                return write!(f, "all events are longer than the limit of {limit} bytes");
            }
        };
        write!(f, "{what} is longer than the limit of {limit} bytes")
    }
}

impl core::error::Error for DecodeError {}
