//! Events whose data is too large, or made too late, to be one text in memory.

use core::borrow::BorrowMut;
use core::fmt;

use bytes::BytesMut;

use super::encode::{self, Parts, Places};
use super::event::Event;
use super::frame::Frame;
use super::line::{Span, Splitter};
use super::utf8::Utf8Pieces;
use crate::error::WriteError;

/// Writes one event whose data comes in pieces.
///
/// The head (comment, type, id, reconnection time) is written first, then the data, split into
/// lines as it comes: a CRLF is one end-of-line even when its halves come in two pieces. Text
/// pieces come through [`core::fmt::Write`]; with the feature `std`, bytes through
/// [`std::io::Write`](#impl-Write-for-EventWriter<B>) (UTF-8, whose characters may be cut between
/// two writes); with `json`, values through its method `json`.
///
/// [`finish`](Self::finish) makes it an event. Dropped before that, or after a failure, it takes
/// back all that it wrote: the buffer is as it was. (Forgotten with [`core::mem::forget`], it takes
/// nothing back: what it wrote is an event without an end then.) With both `Write` traits in scope,
/// name the one that `write!` is to use: `fmt::Write::write_fmt(&mut writer, format_args!(…))`.
///
/// It writes into a buffer that it borrows, or into one of its own whose event becomes a
/// [`Frame`]. Local listeners do not see what is written this way: there is no [`Event`] to show
/// them.
///
/// # Examples
///
/// ```
/// use core::fmt::Write;
/// use bytes::BytesMut;
/// use sse_proto::{Event, EventWriter};
///
/// let mut out = BytesMut::new();
/// let mut writer = EventWriter::new(&mut out, &Event::block().with_id(1_u32));
/// for part in ["one\r", "\ntwo", "\n"] {
///     writer.write_str(part)?;
/// }
/// writer.finish()?;
/// assert_eq!(out, "id: 1\ndata: one\ndata: two\ndata: \n\n");
///
/// let mut writer = EventWriter::new(&mut out, &Event::block());
/// writer.write_str("never finished")?;
/// drop(writer);
/// assert_eq!(out, "id: 1\ndata: one\ndata: two\ndata: \n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventWriter<B: BorrowMut<BytesMut> = BytesMut> {
    // `None` only once the event is finished.
    out: Option<B>,
    start: usize,
    limit: usize,
    places: Places,
    splitter: Splitter,
    utf8: Utf8Pieces,
    failure: Option<WriteError>,
    /// A value is being serialized: if it never ends, neither did the event.
    #[cfg(feature = "json")]
    in_value: bool,
}

impl<B: BorrowMut<BytesMut>> EventWriter<B> {
    /// Starts an event at the end of a buffer.
    ///
    /// Data that `head` has is the beginning of the data.
    pub fn new(out: B, head: &Event<'_>) -> Self {
        Self::with_limit(out, head, usize::MAX)
    }

    /// Starts an event that may take `limit` bytes on the wire, the head and the blank line
    /// included. The write that would pass the limit fails, and the event with it.
    pub fn with_limit(mut out: B, head: &Event<'_>, limit: usize) -> Self {
        let buffer = out.borrow_mut();
        let start = buffer.len();
        let parts = Parts::of(head);
        let too_large = parts.measure().len > limit;
        if !too_large {
            encode::open_data(&parts, buffer);
        }
        let mut writer = Self {
            out: Some(out),
            start,
            limit,
            places: Places::of(&parts),
            splitter: Splitter::default(),
            utf8: Utf8Pieces::default(),
            failure: too_large.then_some(WriteError::TooLarge { limit }),
            #[cfg(feature = "json")]
            in_value: false,
        };
        // A failure is kept for `finish`, which tells it.
        let _ = writer.write_text(head.data().unwrap_or_default());
        writer
    }

    /// Ends the event and returns the buffer.
    ///
    /// # Errors
    ///
    /// When a write failed before, or the last one ended within a character. All that was written
    /// is taken back then.
    pub fn finish(mut self) -> Result<B, WriteError> {
        if let Some(offset) = self.utf8.unfinished() {
            self.fail(WriteError::InvalidUtf8 { offset });
        }
        #[cfg(feature = "json")]
        if self.in_value {
            self.fail(WriteError::Aborted);
        }
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        // What each write left room for.
        self.buffer(|buffer| buffer.extend_from_slice(encode::end_block()));
        self.out.take().ok_or(WriteError::Aborted)
    }

    /// Makes `value` the next piece of the data, as compact JSON, without holding it as a text.
    ///
    /// # Errors
    ///
    /// What the serializer of `value` returns, or a [`WriteError`] within it. The event fails with
    /// it, since a part of the value may have been written; with a panic, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::{Event, Frame};
    ///
    /// let mut writer = Frame::writer(&Event::block());
    /// writer.json(&["a", "b"])?;
    /// assert_eq!(writer.into_frame()?.as_bytes(), b"data: [\"a\",\"b\"]\n\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<(), serde_json::Error> {
        self.in_value = true;
        let result = serde_json::to_writer(&mut *self, value);
        // A serializer that panics never comes here.
        self.in_value = false;
        if result.is_err() {
            self.fail(WriteError::Aborted);
        }
        result
    }

    fn write_text(&mut self, text: &str) -> Result<(), WriteError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let Self {
            out: Some(out),
            start,
            limit,
            splitter,
            ..
        } = self
        else {
            return Err(WriteError::Aborted);
        };
        let buffer = out.borrow_mut();
        let most = limit
            .saturating_sub(encode::end_block().len())
            .saturating_add(*start);
        let mut put = |bytes: &[u8]| {
            if buffer.len() + bytes.len() > most {
                return Err(WriteError::TooLarge { limit: *limit });
            }
            buffer.extend_from_slice(bytes);
            Ok(())
        };
        // The head alone may be too large.
        let written = put(b"").and_then(|()| {
            splitter.split(text.as_bytes(), |span| match span {
                Span::Text { from, len } => put(&from[..len]),
                Span::End => put(encode::next_line()),
            })
        });
        written.map_err(|failure| self.fail(failure))
    }

    #[cfg(feature = "std")]
    fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut utf8 = core::mem::take(&mut self.utf8);
        let written = utf8.split(bytes, |text| self.write_text(text));
        self.utf8 = utf8;
        match written {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Takes back all that was written; the first failure is the one that is told.
    fn fail(&mut self, failure: WriteError) -> WriteError {
        let start = self.start;
        self.buffer(|buffer| buffer.truncate(start));
        *self.failure.get_or_insert(failure)
    }

    fn buffer(&mut self, work: impl FnOnce(&mut BytesMut)) {
        if let Some(out) = &mut self.out {
            work(out.borrow_mut());
        }
    }
}

impl Frame {
    /// Starts a frame whose data comes in pieces;
    /// [`into_frame`](EventWriter::into_frame) ends it.
    pub fn writer(head: &Event<'_>) -> EventWriter {
        EventWriter::new(BytesMut::new(), head)
    }
}

impl EventWriter<BytesMut> {
    /// Ends the event and returns it as a frame.
    ///
    /// The frame holds at most a sixteenth more memory than its bytes; where the buffer has grown
    /// beyond that, they are copied once.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn into_frame(self) -> Result<Frame, WriteError> {
        let places = self.places.clone();
        let start = self.start;
        let mut buffer = self.finish()?;
        let event = buffer.split_off(start);
        let spare = event.capacity() - event.len();
        let bytes = if start > 0 || spare > event.len() / 16 {
            bytes::Bytes::copy_from_slice(&event)
        } else {
            event.freeze()
        };
        Ok(Frame::of_encoded(bytes, places))
    }
}

impl<B: BorrowMut<BytesMut>> Drop for EventWriter<B> {
    fn drop(&mut self) {
        let start = self.start;
        self.buffer(|buffer| buffer.truncate(start));
    }
}

impl<B: BorrowMut<BytesMut>> fmt::Write for EventWriter<B> {
    /// Fails when the limit would be passed, or after a failure; [`EventWriter::finish`] tells
    /// which.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.is_empty() {
            return Ok(());
        }
        if let Some(offset) = self.utf8.unfinished() {
            self.fail(WriteError::InvalidUtf8 { offset });
        }
        self.utf8.skip(text.len());
        self.write_text(text).map_err(|_| fmt::Error)
    }

    /// Fails also when what is formatted fails, and the event with it.
    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> fmt::Result {
        let result = fmt::write(self, arguments);
        if result.is_err() {
            self.fail(WriteError::Aborted);
        }
        result
    }
}

/// Takes UTF-8, whose characters may be cut between two writes. Always takes all bytes or fails.
#[cfg(feature = "std")]
impl<B: BorrowMut<BytesMut>> std::io::Write for EventWriter<B> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        use std::io::{Error, ErrorKind};
        match self.write_bytes(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(failure @ WriteError::InvalidUtf8 { .. }) => {
                Err(Error::new(ErrorKind::InvalidData, failure))
            }
            Err(failure) => Err(Error::other(failure)),
        }
    }

    /// As that of [`core::fmt::Write`].
    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> std::io::Result<()> {
        fmt::Write::write_fmt(self, arguments).map_err(|fmt::Error| {
            std::io::Error::other(self.failure.unwrap_or(WriteError::Aborted))
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<B: BorrowMut<BytesMut>> fmt::Debug for EventWriter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWriter")
            .field("limit", &self.limit)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
