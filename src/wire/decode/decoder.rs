//! The decoder: a line reader, a block, and the caller's settings.

use super::block::{Block, Completed};
use super::input::InputChunk;
use super::item::{Item, OwnedItem, OwnedMessageEvent};
use super::limits::{DecodeError, DecodeLimits};
use super::line_reader::{Line, LineReader};
use crate::wire::field::EventId;

/// Decodes an event stream, one item at a time.
///
/// [`feed`](Self::feed) takes the next bytes of the stream, in pieces of any size, and returns the
/// [`Items`] that they complete. Any chunking gives the same items. Malformed input is not an
/// error, because the standard defines the meaning of every byte. The only [error](DecodeError) is
/// that the stream exceeds a limit, which the caller sets. [This loop](DecodeError#examples)
/// handles the error and continues; `?` would drop the [`Items`], and with them the rest of the
/// chunk.
///
/// A block that is incomplete when the stream ends is discarded, as the standard demands.
/// [`finish`](Self::finish) returns it, if there is one. Before the next stream,
/// [`reconnect`](Self::reconnect) the decoder.
///
/// [`DecodeStream`](super::DecodeStream) decodes a `Stream` of chunks, and `DecodeRead` (feature
/// `std`) decodes a `std::io::Read`.
///
/// # Complexity
///
/// Linear in the input, for any chunking. Each byte is searched once and copied at most once, apart
/// from buffers that grow. An event with one data line that lies entirely in the input is not
/// copied. In steady state, only owned items allocate.
///
/// # Examples
///
/// ```
/// use sse_proto::{Decoder, Item};
/// use std::time::Duration;
///
/// let mut decoder = Decoder::new();
/// let mut seen = Vec::new();
/// for chunk in ["retry: 2000\nevent: tick\nda", "ta: 1\r", "\n\r\ndata: 2\n\n"] {
///     let mut items = decoder.feed(chunk.as_bytes());
///     while let Some(item) = items.next()? {
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
pub struct Decoder {
    lines: LineReader,
    block: Block,
    last_event_ids: bool,
}

impl Decoder {
    /// Creates a decoder for a new stream, with the default [limits](DecodeLimits) and no last
    /// event ID.
    pub const fn new() -> Self {
        let limits = DecodeLimits::new();
        Self {
            lines: LineReader::new(limits),
            block: Block::new(limits.event),
            last_event_ids: false,
        }
    }

    /// Sets the limits of lines and events, which bound the memory of the decoder. Set them before
    /// you feed the first byte.
    #[must_use]
    pub const fn with_limits(mut self, limits: DecodeLimits) -> Self {
        self.lines.set_limits(limits);
        self.block.set_most(self.lines.most_held());
        self
    }

    /// Sets whether comments are returned. By default they are skipped.
    ///
    /// The limit of a line also applies to comments that are returned. A longer comment is an
    /// error, and its block is skipped, as for any other line. A change within a stream affects the
    /// lines that begin after it.
    #[must_use]
    pub const fn with_comments(mut self, comments: bool) -> Self {
        self.lines.set_comments(comments);
        self.block.set_most(self.lines.most_held());
        self
    }

    /// Sets whether a block that has an id but no data is returned as an item, for callers that
    /// store the ID. By default, such a block only changes [`last_event_id`](Self::last_event_id).
    #[must_use]
    pub const fn with_last_event_ids(mut self, last_event_ids: bool) -> Self {
        self.last_event_ids = last_event_ids;
        self
    }

    /// Sets the last event ID that an earlier connection received. Events have this ID until the
    /// stream sets another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::{Decoder, Item};
    ///
    /// let mut decoder = Decoder::new().with_last_event_id(41);
    /// let mut items = decoder.feed(b"data: x\n\n");
    /// let Some(Item::Event(event)) = items.next()? else { panic!() };
    /// assert_eq!((event.last_event_id(), event.has_own_id()), ("41", false));
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    #[must_use]
    pub fn with_last_event_id<'a>(mut self, id: impl Into<EventId<'a>>) -> Self {
        self.block.set_last_event_id(&id.into().to_str());
        self
    }

    /// Returns the last event ID string: the id of the last complete block that had one, or the one
    /// that the decoder started with. The id of an incomplete block does not count.
    pub fn last_event_id(&self) -> &str {
        self.block.last_event_id()
    }

    /// Returns whether an exceeded limit has ended the stream; see
    /// [`DecodeLimits::with_end_at_limit`]. If so, the decoder skips all input until
    /// [`reconnect`](Self::reconnect).
    pub const fn is_stopped(&self) -> bool {
        self.lines.is_stopped()
    }

    /// Starts a new stream. Discards the incomplete block, and keeps the last event ID and the
    /// settings. A decoder that [has stopped](Self::is_stopped) decodes again.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::{Decoder, Item};
    ///
    /// let mut decoder = Decoder::new();
    /// let mut items = decoder.feed(b"id: 7\ndata: one\n\nid: 8\ndata: cut o");
    /// while items.next()?.is_some() {}
    ///
    /// // The connection broke. The next request sends this id, and its response is a new stream.
    /// assert_eq!(decoder.last_event_id(), "7");
    /// decoder.reconnect();
    /// let mut items = decoder.feed(b"data: two\n\n");
    /// let Some(Item::Event(event)) = items.next()? else { panic!() };
    /// assert_eq!((&*event.data(), event.last_event_id()), ("two", "7"));
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    pub fn reconnect(&mut self) {
        self.lines.restart();
        self.block.discard();
    }

    /// Feeds the next bytes of the stream, and returns the items that they complete.
    ///
    /// Bytes are decoded as items are taken, so take items until `None`. If you drop the [`Items`]
    /// earlier, the rest of the bytes is not decoded: get it from [`Items::remaining`] before, and
    /// feed it next.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut items = decoder.feed(b"data: 1\n\ndata: 2\n\n");
    /// assert!(items.next()?.is_some());
    /// let rest = items.remaining();
    /// assert_eq!(rest, b"data: 2\n\n");
    ///
    /// // Other methods of the decoder may be called in between.
    /// assert_eq!(decoder.last_event_id(), "");
    /// let mut items = decoder.feed(rest);
    /// assert!(items.next()?.is_some());
    /// assert!(items.next()?.is_none());
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    #[inline]
    pub fn feed<'d, 'i>(&'d mut self, bytes: &'i [u8]) -> Items<'d, 'i> {
        let mut input = InputChunk::new(bytes);
        self.lines.begin(&mut input);
        Items {
            decoder: self,
            input,
        }
    }

    /// Ends the stream. Returns the block that the end has cut off, or `None` if the stream ended
    /// between blocks. The decoder is ready for the next stream, as after
    /// [`reconnect`](Self::reconnect).
    ///
    /// A block is cut off if its blank line is missing and it has a `data`, `event` or `id` line.
    /// It is cut off as well if the stream ends within a line that is a field of the standard, or
    /// may become one, as `da` may. So a stream that ends after whole lines of comments,
    /// reconnection times and unknown fields is not cut off, and neither is one that ends within a
    /// comment. A block that exceeded a limit was returned as an error before.
    ///
    /// The standard discards that block. It is returned for callers that want to show a part of an
    /// answer. The last line of the data may be cut, even within a character; a type counts only if
    /// its line is whole. The id of the block does not count, so the event has the [last event
    /// ID](Self::last_event_id) from which to resume. The data is empty if there was none.
    ///
    /// Take all items of the last bytes first: bytes that are not decoded are lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut items = decoder.feed(b"data: one\n\n: keep-alive\n");
    /// while items.next()?.is_some() {}
    /// assert!(decoder.finish().is_none());
    ///
    /// let mut items = decoder.feed(b"event: delta\ndata: The answ");
    /// while items.next()?.is_some() {}
    /// let unfinished = decoder.finish().expect("the stream was cut");
    /// assert_eq!((unfinished.event_type(), unfinished.data()), ("delta", "The answ"));
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    #[doc(alias("eof", "end", "truncated"))]
    pub fn finish(&mut self) -> Option<OwnedMessageEvent> {
        self.block.free_lent();
        let unfinished = self.is_within_block().then(|| self.block.take_unfinished());
        self.reconnect();
        unfinished
    }

    /// Returns whether the end of the stream would cut off a block; see [`finish`](Self::finish).
    pub(crate) fn is_within_block(&self) -> bool {
        self.lines.is_within_field() || self.block.is_open()
    }

    /// Does what [`reconnect`](Self::reconnect) does, and frees all memory except that of the last
    /// event ID.
    pub(crate) fn release(&mut self) {
        self.lines.restart();
        self.block.release();
    }

    /// Reads until the input completes an item.
    #[inline]
    fn advance(&mut self, input: &mut InputChunk<'_>) -> Result<Option<Completed>, TooLong> {
        self.block.free_lent();
        loop {
            let completed = match self.lines.next(input) {
                Line::Whole(kind) => self.block.take(kind, self.lines.value(), input),
                // > If the line is empty (a blank line), dispatch the event.
                Line::Blank => match self.block.dispatch(input) {
                    Some(Completed::LastEventId) if !self.last_event_ids => None,
                    completed => completed,
                },
                line @ (Line::Begun | Line::Piece) => {
                    let (kind, piece) = (self.lines.kind(), self.lines.value());
                    if line == Line::Begun {
                        self.block.begin(kind, input);
                    }
                    self.block.push(kind, piece, input);
                    if input.remaining().is_empty() {
                        return Ok(None);
                    }
                    None
                }
                Line::LastPiece => {
                    let (kind, piece) = (self.lines.kind(), self.lines.value());
                    self.block.push_last(kind, piece, input)
                }
                Line::More => {
                    self.block.spill(input);
                    return Ok(None);
                }
                Line::TooLong => {
                    self.block.discard();
                    return Err(TooLong);
                }
            };
            if completed.is_some() {
                return Ok(completed);
            }
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

debug!(impl() Decoder, self => limits: self.lines.limits(), last_event_id: self.last_event_id());

/// A limit was exceeded: [`LineReader::error`] says which one.
struct TooLong;

/// The items that the fed bytes complete; returned by [`Decoder::feed`].
///
/// This is not an `Iterator`, because an item may borrow from the decoder. Take the items with
/// `while let`, or with [the loop](DecodeError#examples) that continues after an error.
///
/// Take items until `None`: the call that returns `None` also frees the memory of a large event, so
/// that an idle connection holds little memory.
pub struct Items<'d, 'i> {
    decoder: &'d mut Decoder,
    input: InputChunk<'i>,
}

impl<'i> Items<'_, 'i> {
    /// Returns the next item, or `None` if all bytes are decoded.
    ///
    /// The item borrows from the fed bytes if it lies entirely in them, otherwise from the decoder.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if a line or an event exceeds a [limit](DecodeLimits), once for each block.
    /// Call again to continue after that block, unless the limits [end the
    /// stream](DecodeLimits::with_end_at_limit).
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator could not lend items"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, DecodeError> {
        self.input.check_ahead();
        match self.decoder.advance(&mut self.input) {
            Ok(None) => Ok(None),
            Ok(Some(completed)) => Ok(Some(self.decoder.block.lend(completed, &self.input))),
            Err(TooLong) => Err(self.decoder.lines.error()),
        }
    }

    /// Does what [`next`](Self::next) does, but returns an item that borrows nothing. A large event
    /// that was assembled from pieces is returned without a copy.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::decode::OwnedItem;
    /// use sse_proto::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut kept = Vec::new();
    /// let mut items = decoder.feed(b"data: one\n\ndata: two\n\n");
    /// while let Some(OwnedItem::Event(event)) = items.next_owned()? {
    ///     kept.push(event.into_data());
    /// }
    /// assert_eq!(kept, ["one", "two"]);
    /// # Ok::<(), sse_proto::decode::DecodeError>(())
    /// ```
    pub fn next_owned(&mut self) -> Result<Option<OwnedItem>, DecodeError> {
        self.input.check_ahead();
        match self.decoder.advance(&mut self.input) {
            Ok(None) => Ok(None),
            Ok(Some(completed)) => Ok(Some(self.decoder.block.take_out(completed, &self.input))),
            Err(TooLong) => Err(self.decoder.lines.error()),
        }
    }

    /// Returns the bytes that are not decoded yet.
    #[inline]
    pub fn remaining(&self) -> &'i [u8] {
        self.input.remaining()
    }
}

debug!(impl() Items<'_, '_>, self => remaining: self.remaining().len());
