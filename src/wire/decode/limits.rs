//! How much a peer may make the decoder hold, and what happens past that.

use core::fmt;

use super::field::Field;

/// How much of a line, of an `id` line and of an event the decoder takes before it reports a [`DecodeError`].
///
/// All limits count wire bytes without the ends of lines: field name, colon, space and value. Lines that leave nothing
/// behind (comments that nobody asked for, unknown fields) never count, however long they are. A limit bites at the
/// first byte past it, in the middle of a line if need be, and at the same byte for any chunking.
///
/// # Memory
///
/// Whatever the peer sends, the decoder holds at most the event limit, the last event ID (itself an `id` line within
/// its limit), with [comments](super::Decoder::with_comments) the line limit, and 128 KiB. After a large event the next
/// call gives memory back, also if it brings no bytes: then the last event ID and 128 KiB. So call until `None`, and an
/// idle connection holds no more than that. Where an allocator cannot grow memory in place, old and new stand side by
/// side while the bytes are moved.
///
/// # Examples
///
/// ```
/// use sse_proto::decode::{AfterLimit, DecodeError, DecodeLimits};
/// use sse_proto::Decoder;
///
/// let limits = DecodeLimits::default().with_event(32).with_after(AfterLimit::SkipBlock);
/// let mut decoder = Decoder::new().with_limits(limits);
/// let mut input: &[u8] = b"data: this event is longer than the limit above\n\ndata: short\n\n";
/// assert_eq!(decoder.decode(&mut input).unwrap_err(), DecodeError::EventTooLong { limit: 32 });
/// assert!(decoder.decode(&mut input)?.is_some_and(|item| item.is_event()));
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    pub(super) line: usize,
    pub(super) id: usize,
    pub(super) event: usize,
    pub(super) after: AfterLimit,
}

impl DecodeLimits {
    /// The default limit of a line and of an event: 16 MiB, so that images and tool results of language models pass.
    pub const DEFAULT_BYTES: usize = 16 << 20;

    /// The default limit of an `id` line: 8 KiB. Few servers take a longer header, and an id that can't be sent back is
    /// none. It is a limit of its own since the last event ID is told with every event behind it: a few bytes of input
    /// cost an owned event that much.
    pub const DEFAULT_ID_BYTES: usize = 8 << 10;

    /// The default: 16 MiB for a line and for an event, 8 KiB for an `id` line; past a limit the block is skipped.
    pub const fn new() -> Self {
        Self {
            line: Self::DEFAULT_BYTES,
            id: Self::DEFAULT_ID_BYTES,
            event: Self::DEFAULT_BYTES,
            after: AfterLimit::SkipBlock,
        }
    }

    /// No limits. Only for peers that are trusted as much as this process is.
    pub const fn unlimited() -> Self {
        Self {
            line: usize::MAX,
            id: usize::MAX,
            event: usize::MAX,
            after: AfterLimit::SkipBlock,
        }
    }

    /// Sets how many bytes one line may have, without its end.
    #[must_use]
    pub const fn with_line(mut self, bytes: usize) -> Self {
        self.line = bytes;
        self
    }

    /// Sets how many bytes an `id` line may have, without its end.
    #[must_use]
    pub const fn with_id(mut self, bytes: usize) -> Self {
        self.id = bytes;
        self
    }

    /// Sets how many bytes the lines of one block may have in sum, without their ends.
    #[must_use]
    pub const fn with_event(mut self, bytes: usize) -> Self {
        self.event = bytes;
        self
    }

    /// Sets what follows the error. Skipping the block is the default.
    #[must_use]
    pub const fn with_after(mut self, after: AfterLimit) -> Self {
        self.after = after;
        self
    }

    /// Returns how many bytes one line may have.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Returns how many bytes an `id` line may have.
    pub const fn id(&self) -> usize {
        self.id
    }

    /// Returns how many bytes one event may have.
    pub const fn event(&self) -> usize {
        self.event
    }

    /// Returns what follows the error.
    pub const fn after(&self) -> AfterLimit {
        self.after
    }

    /// How long a line may get when its block may take `left` more bytes.
    #[inline]
    pub(super) fn room(&self, field: Field, left: usize) -> usize {
        match field {
            // Handed out at once and no part of the block.
            Field::Comment => self.line,
            Field::Id => self.id.min(self.line).min(left),
            Field::Data | Field::Event | Field::Retry => self.line.min(left),
        }
    }

    pub(super) const fn line_error(&self) -> DecodeError {
        DecodeError::LineTooLong { limit: self.line }
    }

    pub(super) const fn id_error(&self) -> DecodeError {
        DecodeError::IdTooLong { limit: self.id }
    }

    pub(super) const fn event_error(&self) -> DecodeError {
        DecodeError::EventTooLong { limit: self.event }
    }
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What the decoder does once it has reported a [`DecodeError`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterLimit {
    /// Drops the block and goes on behind the next blank line. Its id does not count, the earlier one stands; fields and
    /// comments in the rest of it are passed over.
    #[default]
    SkipBlock,
    /// Takes no further part in the stream: all later input is passed over.
    End,
}

/// A line or an event that is longer than the decoder's own limit. The only error of a decoder: malformed input is
/// none, since the standard says what to make of every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// A line has more bytes than [`DecodeLimits::with_line`] allows.
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// An `id` line has more bytes than [`DecodeLimits::with_id`] allows.
    IdTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The lines of one block have more bytes than [`DecodeLimits::with_event`] allows.
    EventTooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { limit } => {
                write!(f, "line is longer than the limit of {limit} bytes")
            }
            Self::IdTooLong { limit } => {
                write!(f, "id line is longer than the limit of {limit} bytes")
            }
            Self::EventTooLong { limit } => {
                write!(f, "event is longer than the limit of {limit} bytes")
            }
        }
    }
}

impl core::error::Error for DecodeError {}
