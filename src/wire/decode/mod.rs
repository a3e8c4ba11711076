//! From bytes to events, by the rules of WHATWG HTML [9.2.5] and [9.2.6].
//!
//! [`Decoder`] takes bytes from the front of a slice and lends the first item that they complete. All else is a thin
//! layer on it: owned events, `Stream` over chunks, `Iterator` over a reader.
//!
//! [9.2.5]: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
//! [9.2.6]: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

mod block;
mod chunk;
mod connection;
mod cut_line;
mod data_lines;
mod field;
mod gather;
mod gathered;
mod item;
mod limits;
mod machine;
mod marks;
mod memory;
mod owned;
mod place;
#[cfg(feature = "std")]
mod read;
mod step;
mod stream;
mod text_buffer;
#[cfg(test)]
mod work;
#[cfg(test)]
pub(crate) use work::{count_checked, count_copied, count_moved, count_scanned};

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

pub use chunk::Chunk;
pub use item::{Item, MessageEvent, Text};
pub use limits::{AfterLimit, DecodeError, DecodeLimits};
pub use owned::{OwnedItem, OwnedMessageEvent};
#[cfg(feature = "std")]
pub use read::DecodeRead;
pub use stream::{DecodeStream, ReceiveError};

use block::Block;
use cut_line::Line;
use field::{Digits, Field, Name};
use gathered::Gathered;
use place::Lent;
use step::Step;

use crate::wire::line;

/// Decodes an event stream, one item at a time.
///
/// Feed it the stream in pieces of any size: each call to [`decode`](Self::decode) takes bytes from the front of the
/// piece, up to and with the first item that they complete, and `None` says that all is taken and more is needed. Any
/// chunking gives the same items. Malformed input is no error, since the standard says what to make of every byte; the
/// one [error](DecodeError) is a limit of your own.
///
/// A block that the stream's end cuts off is discarded, as the standard demands: at the end, just drop the decoder, or
/// [`reconnect`](Self::reconnect) it.
///
/// # Which call
///
/// All give the same items, and may be mixed from one piece to the next:
///
/// - [`decode`](Self::decode) lends items of a slice; for those who want bytes, or JSON, which checks its UTF-8 itself.
/// - [`decode_chunk`](Self::decode_chunk) lends items of a [`Chunk`]; the fastest for those who read text.
/// - [`decode_owned`](Self::decode_owned) gives items that may be kept or sent elsewhere.
/// - [`DecodeStream`] is a `Stream` of owned items over a `Stream` of chunks, and `DecodeRead` (feature `std`) an
///   `Iterator` of them over a `std::io::Read`.
///
/// # Complexity
///
/// Linear in the input for any chunking: each byte is searched once and copied at most once, in chunks of fewer than 64
/// bytes twice, and an event that lies whole in the input with one data line is not copied at all. Owned items are one
/// copy more. Calls on a plain slice search up to 64 bytes anew for each item, which a [`Chunk`] does not. No allocation
/// in the steady state.
///
/// # Examples
///
/// ```
/// use sse_proto::{Decoder, Item};
/// use std::time::Duration;
///
/// let mut decoder = Decoder::new();
/// let mut seen = Vec::new();
/// for piece in ["retry: 2000\nevent: tick\nda", "ta: 1\r", "\n\r\ndata: 2\n\n"] {
///     let mut input = piece.as_bytes();
///     while let Some(item) = decoder.decode(&mut input)? {
///         match item {
///             Item::Event(event) => seen.push(format!("{}={}", event.event_type(), event.data())),
///             Item::ReconnectionTime(time) => assert_eq!(time, Duration::from_secs(2)),
///             _ => {}
///         }
///     }
/// }
/// assert_eq!(seen, ["tick=1", "message=2"]);
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
#[expect(
    clippy::struct_excessive_bools,
    reason = "two are settings, the others are orthogonal facts about the input"
)]
pub struct Decoder {
    line: Line,
    field: Field,
    name: Name,
    /// The next call takes up what the last one left: a line, an LF, or buffers to shrink.
    resumes: bool,
    /// The last byte taken was a CR.
    late_line_feed: bool,
    /// The last item has left buffers larger than what is kept.
    has_large_buffers: bool,
    /// The `id` line in the making has a NULL.
    null_in_id: bool,
    comments: bool,
    last_event_ids: bool,
    /// How many bytes the next line of the open block may have by the limit of an event.
    left: usize,
    /// Bytes of the line that the input cut.
    line_taken: usize,
    /// The `retry` line in the making.
    digits: Digits,
    lent: Lent,
    /// What is gathered of tiny chunks.
    gathered: Option<Box<Gathered>>,
    limits: DecodeLimits,
    block: Block,
}

impl Decoder {
    /// Makes a decoder for a new stream, with the default [limits](DecodeLimits) and no last event ID.
    pub const fn new() -> Self {
        let limits = DecodeLimits::new();
        Self {
            line: Line::StreamStart,
            field: Field::Data,
            name: Name::EMPTY,
            resumes: true,
            late_line_feed: false,
            has_large_buffers: false,
            null_in_id: false,
            comments: false,
            last_event_ids: false,
            left: limits.event(),
            line_taken: 0,
            digits: Digits::NONE,
            lent: Lent::NOTHING,
            gathered: None,
            limits,
            block: Block::new(limits.event()),
        }
    }

    /// Sets how much the peer may make the decoder hold. Set it before the first byte.
    #[must_use]
    pub fn with_limits(mut self, limits: DecodeLimits) -> Self {
        self.limits = limits;
        self.left = limits.event();
        self.bound_memory();
        self
    }

    /// Sets whether comments are handed out; by default they are passed over. Comments that are handed out count
    /// against the limit of a line, and one past it costs the block that it stands in, as any line does.
    /// Changed within a stream, it counts for the lines that begin behind.
    #[must_use]
    pub const fn with_comments(mut self, comments: bool) -> Self {
        self.comments = comments;
        self.bound_memory();
        self
    }

    /// Sets whether a block that sets the last event ID and dispatches nothing is handed out, for those who store the
    /// ID. By default it only changes [`last_event_id`](Self::last_event_id).
    #[must_use]
    pub const fn with_last_event_ids(mut self, last_event_ids: bool) -> Self {
        self.last_event_ids = last_event_ids;
        self
    }

    /// Sets the last event ID that an earlier connection ended with, so that an event without an id does not erase it.
    ///
    /// A text with CR, LF or NUL, which no stream can have set, is ignored, as an `id` field with NUL is.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Decoder;
    ///
    /// let mut decoder = Decoder::new().with_last_event_id("41");
    /// let mut input: &[u8] = b"data: x\n\n";
    /// let event = decoder.decode(&mut input)?.and_then(|item| item.event()).unwrap();
    /// assert_eq!((&*event.last_event_id(), event.has_own_id()), ("41", false));
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    #[must_use]
    pub fn with_last_event_id(mut self, last_event_id: &str) -> Self {
        if line::has_end_or_nul(last_event_id.as_bytes()) {
            return self;
        }
        self.block.last_event_id.clear();
        self.block.last_event_id.push_str(last_event_id);
        self
    }

    /// Returns the last event ID string: what the last complete block that had an id set it to, or what it was seeded
    /// with. An id in a block that is not complete does not count.
    pub fn last_event_id(&self) -> Cow<'_, str> {
        self.block.last_event_id.text().to_str()
    }

    /// Returns the last event ID string as it came.
    pub fn last_event_id_bytes(&self) -> &[u8] {
        self.block.last_event_id.text().as_bytes()
    }

    /// Returns whether a limit ended the stream; see [`AfterLimit::End`].
    pub const fn is_ended(&self) -> bool {
        matches!(self.line, Line::Ended)
    }

    /// Returns how many bytes the decoder has allocated.
    pub fn memory_held(&self) -> usize {
        let gathered = self.gathered.as_ref().map_or(0, |_| size_of::<Gathered>());
        self.block.held() + gathered
    }

    /// Starts a new stream: the open block is discarded, the last event ID and the settings stay. A decoder that a limit
    /// has ended takes part again.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut input: &[u8] = b"id: 7\ndata: one\n\nid: 8\ndata: cut o";
    /// while let Some(_) = decoder.decode(&mut input)? {}
    ///
    /// // The connection broke. The next request says where it did, and its response starts anew.
    /// assert_eq!(decoder.last_event_id(), "7");
    /// decoder.reconnect();
    /// let mut input: &[u8] = b"data: two\n\n";
    /// let event = decoder.decode(&mut input)?.and_then(|item| item.event()).unwrap();
    /// assert_eq!((&*event.data(), &*event.last_event_id()), ("two", "7"));
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    pub fn reconnect(&mut self) {
        self.line = Line::StreamStart;
        self.resumes = true;
        self.late_line_feed = false;
        self.left = self.limits.event();
        if let Some(gathered) = &mut self.gathered {
            gathered.clear();
        }
        self.block.discard();
        self.block.shrink();
    }

    /// Takes bytes from the front of `input`, up to and with the first item that they complete.
    ///
    /// Keep the slice in a variable: it is moved on, and a new one at each call would give the same item for ever.
    ///
    /// `None`: all bytes are taken; call again with the next ones. The item borrows from the input, or from the decoder
    /// where it did not lie whole in the input.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when a line or an event passes a [limit](DecodeLimits), once for each block. The decoder goes on
    /// as its [`AfterLimit`] says: call again.
    #[inline]
    pub fn decode<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Item<'s>>, DecodeError> {
        let Some(mut chunk) = self.offer(input) else {
            *input = &input[input.len()..];
            return Ok(None);
        };
        let step = self.step(&mut chunk);
        *input = chunk.remaining();
        self.view(step, &chunk)
    }

    /// Does what [`decode`](Self::decode) does, on a [`Chunk`], whose UTF-8 is checked once for all its events.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    #[inline]
    pub fn decode_chunk<'s, 'i: 's>(
        &'s mut self,
        chunk: &mut Chunk<'i>,
    ) -> Result<Option<Item<'s>>, DecodeError> {
        if self.offer_chunk(chunk) {
            return Ok(None);
        }
        let step = self.step(chunk);
        self.view(step, chunk)
    }

    /// Does what [`decode`](Self::decode) does and copies the item; a large event that was put together from pieces is
    /// handed over without a copy.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_owned(&mut self, input: &mut &[u8]) -> Result<Option<OwnedItem>, DecodeError> {
        let Some(mut chunk) = self.offer(input) else {
            *input = &input[input.len()..];
            return Ok(None);
        };
        let step = self.step(&mut chunk);
        *input = chunk.remaining();
        if step == Step::Event {
            return Ok(Some(OwnedItem::Event(self.take_event(&mut chunk))));
        }
        if step == Step::GatheredEvent {
            return Ok(Some(OwnedItem::Event(self.take_gathered_event())));
        }
        Ok(self.view(step, &chunk)?.map(Item::to_owned))
    }

    const fn bound_memory(&mut self) {
        let comment = if self.comments { self.limits.line() } else { 0 };
        self.block.most = self.limits.event().saturating_add(comment);
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("last_event_id", &self.last_event_id())
            .field("memory_held", &self.memory_held())
            .finish_non_exhaustive()
    }
}
