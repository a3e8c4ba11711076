//! Owned items from a blocking reader.

use std::boxed::Box;
use std::io::{self, Read};
use std::vec;

use super::decoder::Decoder;
use super::events::Events;
use super::item::OwnedItem;
use super::stream::ReceiveError;

/// The number of bytes per read.
const READ: usize = 16 << 10;

/// Decodes the bytes of a reader: `Iterator<Item = Result<OwnedItem,
/// ReceiveError<std::io::Error>>>`.
///
/// An event is returned as soon as its blank line is read. Events that were complete before the
/// reader failed are returned before the error. The iterator ends when the reader ends or returns
/// an error, with three exceptions: after [`Interrupted`], it reads again at once; it returns
/// [`WouldBlock`] and [`TimedOut`], and reads again at the next call. After a
/// [`DecodeError`](super::DecodeError) it continues, unless the limits end the stream.
///
/// If the reader ends within a block, the last item is [`ReceiveError::Unfinished`] with that
/// block. The standard discards it. To do the same, treat this error as the end.
///
/// [`Interrupted`]: io::ErrorKind::Interrupted
/// [`WouldBlock`]: io::ErrorKind::WouldBlock
/// [`TimedOut`]: io::ErrorKind::TimedOut
///
/// # Examples
///
/// ```
/// use sse_proto::decode::{DecodeRead, OwnedItem};
/// use sse_proto::Decoder;
///
/// let file = &b"data: one\n\ndata: two\n\n"[..];
/// let mut seen = Vec::new();
/// for item in DecodeRead::new(file, Decoder::new()) {
///     if let OwnedItem::Event(event) = item? {
///         seen.push(event.into_data());
///     }
/// }
/// assert_eq!(seen, ["one", "two"]);
/// # Ok::<(), sse_proto::decode::ReceiveError<std::io::Error>>(())
/// ```
pub struct DecodeRead<R> {
    /// `None` once the reader has ended or failed.
    reader: Option<R>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    decoder: Decoder,
}

impl<R: Read> DecodeRead<R> {
    /// Decodes the bytes of `reader` with `decoder`. Reads up to 16 KiB at a time, so the reader
    /// needs no buffer of its own.
    pub fn new(reader: R, decoder: Decoder) -> Self {
        Self {
            reader: Some(reader),
            buffer: vec![0; READ].into_boxed_slice(),
            start: 0,
            end: 0,
            decoder,
        }
    }

    /// Returns the events and the errors alone: skips comments, reconnection times, ids without
    /// data, and the event that [starts](crate::event::START) a stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::Decoder;
    /// use sse_proto::decode::DecodeRead;
    ///
    /// let file = &b"retry: 9\n\ndata: one\n\ndata: two\n\n"[..];
    /// let events = DecodeRead::new(file, Decoder::new()).events();
    /// let data: Result<Vec<_>, _> = events.map(|event| Ok(event?.into_data())).collect();
    /// assert_eq!(data?, ["one", "two"]);
    /// # Ok::<(), sse_proto::decode::ReceiveError<std::io::Error>>(())
    /// ```
    pub const fn events(self) -> Events<Self> {
        Events::new(self)
    }

    /// Returns the decoder. To use it for the next connection, call [`Decoder::reconnect`].
    pub fn into_decoder(self) -> Decoder {
        self.decoder
    }
}

impl<R: Read> Iterator for DecodeRead<R> {
    type Item = Result<OwnedItem, ReceiveError<io::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut items = self.decoder.feed(&self.buffer[self.start..self.end]);
            let item = items.next_owned();
            self.start = self.end - items.remaining().len();
            match item {
                Ok(Some(item)) => return Some(Ok(item)),
                Ok(None) => {}
                Err(error) => return Some(Err(ReceiveError::Decode(error))),
            }
            if self.decoder.is_stopped() {
                self.reader = None;
            }
            match self.reader.as_mut()?.read(&mut self.buffer) {
                Ok(0) => {
                    self.reader = None;
                    let unfinished = self.decoder.finish()?;
                    return Some(Err(ReceiveError::Unfinished(unfinished)));
                }
                // Does not panic if a reader returns a length beyond the buffer.
                Ok(read) => (self.start, self.end) = (0, read.min(READ)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let may_go_on = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                    if !may_go_on.contains(&error.kind()) {
                        self.reader = None;
                    }
                    return Some(Err(ReceiveError::Transport(error)));
                }
            }
        }
    }
}

debug!(impl(R) DecodeRead<R>, self => decoder: self.decoder);
