//! Events whose data comes in pieces.

use core::borrow::BorrowMut;
use core::error::Error;
use core::fmt;

use bytes::{Bytes, BytesMut};

use super::encode::{self, FieldRanges};
use super::event::Event;
use super::frame::Frame;
use super::line::{Span, Splitter};

/// Writes one event whose data comes in pieces, for data that is too large for one text in memory
/// or is not complete yet.
///
/// The head (comment, type, id, reconnection time) is written first. Then each piece of the data is
/// split into lines. A CRLF is one end-of-line even if it is split between two pieces.
///
/// Write text with [`core::fmt::Write`]. With the feature `std`, write UTF-8 bytes with
/// [`std::io::Write`](#impl-Write-for-EventWriter<B>); a character may be split between two writes.
/// With the feature `json`, write values with the method `json`. If both `Write` traits are in
/// scope, call the one that you want instead of `write!`:
/// `fmt::Write::write_fmt(&mut writer, format_args!(…))`.
///
/// [`finish`](Self::finish) ends the event. The event always has data: if nothing is written, the
/// data is empty, also if `head` is a [`block`](Event::block). A writer that failed, or that is
/// dropped before `finish`, truncates the buffer to its earlier content. A writer that is leaked
/// with [`core::mem::forget`] leaves an unfinished event in the buffer.
///
/// The writer appends to a buffer that it borrows or owns. [`into_frame`](Self::into_frame) makes a
/// [`Frame`] of the event. Local listeners are not called for an event that is written this way,
/// because there is no [`Event`] to pass to them.
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
    /// `None` once the event is finished.
    out: Option<B>,
    /// The offset in the buffer at which the event starts.
    start: usize,
    limit: usize,
    ranges: FieldRanges,
    splitter: Splitter,
    utf8: Utf8Pieces,
    failure: Option<WriteError>,
    /// True while a value is serialized. It stays true if the serializer panics.
    in_value: bool,
}

impl<B: BorrowMut<BytesMut>> EventWriter<B> {
    /// Starts an event at the end of a buffer. If `head` has data, the event's data begins with it.
    pub fn new(out: B, head: &Event<'_>) -> Self {
        Self::with_limit(out, head, usize::MAX)
    }

    /// Starts an event that may take at most `limit` bytes on the wire, including its head and its
    /// blank line.
    ///
    /// A write that would exceed the limit fails, and so does the event.
    pub fn with_limit(out: B, head: &Event<'_>, limit: usize) -> Self {
        let mut head = head.fields();
        head.data.get_or_insert("");
        let least = head.measure().len;
        let data = head.data.replace("").unwrap_or_default();
        let mut writer = Self {
            start: out.borrow().len(),
            out: Some(out),
            limit,
            ranges: FieldRanges::of(&head),
            splitter: Splitter::default(),
            utf8: Utf8Pieces::default(),
            failure: None,
            in_value: false,
        };
        if least > limit {
            writer.fail(WriteError::TooLarge { limit });
        } else if let Some(buffer) = writer.buffer() {
            head.append(buffer);
            buffer.truncate(buffer.len() - encode::BLANK.len());
        }
        // `finish` returns the failure.
        let _ = writer.write_text(data);
        writer
    }

    /// Ends the event and returns the buffer.
    ///
    /// # Errors
    ///
    /// If a write failed, or if the last write ended within a character. In this case the buffer is
    /// truncated to its earlier content.
    pub fn finish(mut self) -> Result<B, WriteError> {
        self.end_character();
        if self.in_value {
            self.fail(WriteError::Aborted);
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(buffer) = self.buffer() {
            // Each write left enough of the limit for the end of the event.
            buffer.extend_from_slice(encode::BLANK);
        }
        self.out.take().ok_or(WriteError::Aborted)
    }

    /// Ends the event, takes it out of the buffer, and returns it as a frame.
    ///
    /// The frame holds at most a sixteenth more memory than its bytes. If the buffer is larger, or
    /// has earlier content, the bytes are copied once.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn into_frame(self) -> Result<Frame, WriteError> {
        let (start, ranges) = (self.start, self.ranges.clone());
        let mut buffer = self.finish()?;
        let buffer: &mut BytesMut = buffer.borrow_mut();
        let event = buffer.split_off(start);
        let spare = event.capacity() - event.len();
        let bytes = if start > 0 || spare > event.len() / 16 {
            Bytes::copy_from_slice(&event)
        } else {
            event.freeze()
        };
        Ok(Frame::of_encoded(bytes, ranges))
    }

    /// Writes `value` as compact JSON, as the next piece of the data. The JSON is written directly
    /// to the buffer.
    ///
    /// # Errors
    ///
    /// If the serializer of `value` fails, or if one of its writes fails. The event fails, too,
    /// because a part of the value may have been written. A panic of the serializer also fails the
    /// event.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use sse_proto::{Event, EventWriter};
    ///
    /// let mut writer = EventWriter::new(BytesMut::new(), &Event::block());
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
        self.in_value = false;
        if result.is_err() {
            self.fail(WriteError::Aborted);
        }
        result
    }

    fn write_text(&mut self, text: &str) -> fmt::Result {
        let limit = self.limit;
        let most = limit
            .saturating_sub(encode::BLANK.len())
            .saturating_add(self.start);
        let buffer = self.out.as_mut().map(B::borrow_mut);
        let Some(buffer) = buffer.filter(|_| self.failure.is_none()) else {
            return Err(fmt::Error);
        };
        let mut put = |bytes: &[u8]| {
            if buffer.len() + bytes.len() > most {
                return Err(WriteError::TooLarge { limit });
            }
            buffer.extend_from_slice(bytes);
            Ok(())
        };
        let written = self.splitter.split(text.as_bytes(), |span| match span {
            Span::Text { from, len } => put(&from[..len]),
            Span::End => put(encode::DATA),
        });
        written.map_err(|failure| self.fail(failure))
    }

    fn buffer(&mut self) -> Option<&mut BytesMut> {
        self.out.as_mut().map(B::borrow_mut)
    }

    /// Fails the event if a write ended within a character.
    fn end_character(&mut self) {
        if self.utf8.held_len > 0 {
            let offset = self.utf8.passed;
            self.fail(WriteError::InvalidUtf8 { offset });
        }
    }

    /// Fails the event, as [`fail`](Self::fail) does. Returns the first failure as an I/O error.
    #[cfg(feature = "std")]
    fn io_error(&mut self, failure: WriteError) -> std::io::Error {
        use std::io::ErrorKind::{InvalidData, Other};
        let failure = self.failure.get_or_insert(failure);
        let is_invalid = matches!(failure, WriteError::InvalidUtf8 { .. });
        let kind = if is_invalid { InvalidData } else { Other };
        std::io::Error::new(kind, alloc::string::ToString::to_string(failure))
    }

    /// Fails the event. Only the first failure is kept.
    fn fail(&mut self, failure: WriteError) -> fmt::Error {
        self.failure.get_or_insert(failure);
        fmt::Error
    }
}

/// Removes an event that is not finished.
impl<B: BorrowMut<BytesMut>> Drop for EventWriter<B> {
    fn drop(&mut self) {
        let start = self.start;
        if let Some(buffer) = self.buffer() {
            buffer.truncate(start);
        }
    }
}

impl<B: BorrowMut<BytesMut>> fmt::Write for EventWriter<B> {
    /// Fails if the event would exceed the limit, and after an earlier failure.
    /// [`EventWriter::finish`] returns the reason.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.is_empty() {
            return Ok(());
        }
        self.end_character();
        self.utf8.passed += text.len();
        self.write_text(text)
    }

    /// Also fails if the formatting of a value fails. The event then fails, too.
    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> fmt::Result {
        let result = fmt::write(self, arguments);
        if result.is_err() {
            self.fail(WriteError::Aborted);
        }
        result
    }
}

/// Takes UTF-8. A character may be split between two writes. A write takes all bytes or fails.
#[cfg(feature = "std")]
impl<B: BorrowMut<BytesMut>> std::io::Write for EventWriter<B> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut utf8 = core::mem::take(&mut self.utf8);
        let written = utf8.split(bytes, |text| self.write_text(text));
        let offset = utf8.passed;
        self.utf8 = utf8;
        match written {
            Ok(()) if self.failure.is_none() => Ok(bytes.len()),
            _ => Err(self.io_error(WriteError::InvalidUtf8 { offset })),
        }
    }

    /// Does what the method of [`core::fmt::Write`] does.
    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> std::io::Result<()> {
        fmt::Write::write_fmt(self, arguments)
            .map_err(|fmt::Error| self.io_error(WriteError::Aborted))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

debug! {
    impl(B: BorrowMut<BytesMut>) EventWriter<B>, self =>
    limit: self.limit,
    failure: self.failure,
}

/// The reason why an [`EventWriter`](crate::EventWriter) cannot finish its event.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The event would take more bytes on the wire than the writer's limit.
    TooLarge {
        /// The limit of the writer, in bytes.
        limit: usize,
    },
    /// The bytes written are not UTF-8.
    InvalidUtf8 {
        /// The offset of the first invalid byte in the data that was written.
        offset: usize,
    },
    /// The source of the data failed, for example a serializer.
    Aborted,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the event takes more than {limit} bytes"),
            Self::InvalidUtf8 { offset } => write!(f, "the data is not UTF-8 at byte {offset}"),
            Self::Aborted => f.write_str("the source of the data failed"),
        }
    }
}

impl Error for WriteError {}

/// Converts bytes to text. A character may be split between two pieces: at most three bytes of it
/// are held until the next piece.
#[derive(Default)]
struct Utf8Pieces {
    #[cfg(feature = "std")]
    held: [u8; 4],
    held_len: usize,
    /// The number of bytes of complete characters so far.
    passed: usize,
}

#[cfg(feature = "std")]
impl Utf8Pieces {
    /// Passes the text of the held bytes and then that of `bytes` to `each`. Fails at the first
    /// bytes that are not UTF-8, or if `each` fails.
    fn split(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&str) -> fmt::Result,
    ) -> fmt::Result {
        if self.held_len > 0 {
            // Any four bytes start with either a complete character or an invalid one.
            let taken = bytes.len().min(self.held.len() - self.held_len);
            let filled = self.held_len + taken;
            self.held[self.held_len..filled].copy_from_slice(&bytes[..taken]);
            let held = self.held;
            let (text, _) = self.take_text(&held[..filled])?;
            if text.is_empty() {
                self.held_len = filled;
                return Ok(());
            }
            bytes = &bytes[text.len() - self.held_len..];
            each(text)?;
        }
        let (text, unfinished) = self.take_text(bytes)?;
        self.held_len = unfinished.len();
        self.held[..unfinished.len()].copy_from_slice(unfinished);
        each(text)
    }

    /// Splits bytes into text and an unfinished character.
    fn take_text<'b>(&mut self, bytes: &'b [u8]) -> Result<(&'b str, &'b [u8]), fmt::Error> {
        let error = match core::str::from_utf8(bytes) {
            Ok(text) => {
                self.passed += text.len();
                return Ok((text, &[]));
            }
            Err(error) => error,
        };
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        self.passed += valid.len();
        if error.error_len().is_some() {
            return Err(fmt::Error);
        }
        Ok((core::str::from_utf8(valid).unwrap_or_default(), rest))
    }
}
