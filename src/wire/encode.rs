//! Measures and writes the fields of a block. Only this file knows their order.
//!
//! The order within a block is comment, `event`, `id`, `retry`, `data`, blank line, so a streaming
//! reader receives the type before the data. Lines end with LF. A client removes one space after
//! each colon, so one is written: otherwise a value would lose its own leading space.
//!
//! Comments and a reconnection time alone end without a blank line, because a client needs none for
//! them, and deployed parsers make an empty message of it.
//!
//! If the exact length must be known first, encoding takes two steps, *measure* and *write*; a text
//! that is one line is then written as one copy, without a second search. Appending to a buffer
//! takes one step.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::error::Error;
use core::fmt;
use core::ops::Range;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::decimal::Decimal;
use super::field::{MESSAGE, TextOrNumber};
use super::line::{self, Ends, Span, Splitter};

// Each name includes the end of the previous line, which the first line leaves out. So a line end
// and the name after it are one write, which makes small events faster.
const COMMENT: &[u8] = b"\n: ";
const EVENT: &[u8] = b"\nevent: ";
const ID: &[u8] = b"\nid: ";
const RETRY: &[u8] = b"\nretry: ";

/// Ends a line of data and begins the next.
pub(crate) const DATA: &[u8] = b"\ndata: ";

/// Ends the last line of an event, and the event.
pub(crate) const BLANK: &[u8] = b"\n\n";

/// The fields of an event.
///
/// The methods of `Event` are inlined and destructure the event in the caller. So an event that is
/// built for one call is never stored in memory. This saves a third of the time for a small event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) comment: Option<&'a str>,
    pub(crate) event_type: Option<&'a str>,
    pub(crate) id: Option<TextOrNumber<&'a [u8]>>,
    pub(crate) reconnection_time: Option<Duration>,
    pub(crate) data: Option<&'a str>,
    /// Whether comments and a reconnection time alone end with a blank line, too.
    pub(crate) blank_line: bool,
}

/// An event's length on the wire, and its shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) len: usize,
    pub(crate) shape: Shape,
}

/// Tells which texts of an event are known to be one line, so that they need no search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    one_line_comment: bool,
    one_line_data: bool,
}

impl<'a> Fields<'a> {
    /// Returns the same fields with another id. The caller has checked the text.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn with_id(&self, id: &'a [u8]) -> Self {
        Self {
            id: Some(TextOrNumber::Text(id)),
            ..*self
        }
    }

    /// Returns the type of the event that a client dispatches for the block, if it dispatches one.
    pub(crate) fn dispatched_type(&self) -> Option<&'a [u8]> {
        self.data?;
        Some(self.event_type.unwrap_or(MESSAGE).as_bytes())
    }

    /// Returns the exact length and the shape.
    #[expect(
        clippy::inline_always,
        reason = "a call costs a tenth of a queued event"
    )]
    #[inline(always)]
    pub(crate) fn measure(&self) -> Measured {
        self.measure_with(|text| {
            let ends = line::count_ends(text);
            (ends, ends.count == 0)
        })
    }

    #[expect(clippy::inline_always, reason = "see `measure`")]
    #[inline(always)]
    fn measure_with(&self, look: impl Fn(&[u8]) -> (Ends, bool)) -> Measured {
        // Each line is counted with a line end before its name. The first line has none, but a block
        // ends with two line ends.
        let mut len = usize::from(!self.is_apart());
        if let Some(event_type) = self.event_type {
            len += EVENT.len() + event_type.len();
        }
        if let Some(id) = self.id {
            len += ID.len() + id.len();
        }
        if let Some(time) = self.reconnection_time {
            len += RETRY.len() + Decimal::count(whole_millis(time));
        }
        let mut lines = |name: &[u8], text: &str| {
            let (ends, one_line) = look(text.as_bytes());
            // Saturates on 32-bit targets, where no memory could hold that many bytes.
            let names = (ends.count + 1).saturating_mul(name.len());
            len = names.saturating_add(len + text.len() - ends.bytes);
            one_line
        };
        let shape = Shape {
            one_line_comment: self.comment.is_some_and(|text| lines(COMMENT, text)),
            one_line_data: self.data.is_some_and(|text| lines(DATA, text)),
        };
        Measured { len, shape }
    }

    /// Writes the block.
    #[inline]
    pub(crate) fn write(&self, shape: Shape, out: &mut impl Sink) {
        let mut first = true;
        if let Some(text) = self.comment {
            open(COMMENT, &mut first, out);
            write_text(text, shape.one_line_comment, out, |out| out.put(COMMENT));
        }
        if let Some(event_type) = self.event_type {
            open(EVENT, &mut first, out);
            out.put(event_type.as_bytes());
        }
        if let Some(id) = self.id {
            open(ID, &mut first, out);
            id.with_bytes(|id| out.put(id));
        }
        if let Some(time) = self.reconnection_time {
            open(RETRY, &mut first, out);
            out.put(Decimal::of(whole_millis(time)).as_bytes());
        }
        if let Some(data) = self.data {
            open(DATA, &mut first, out);
            write_text(data, shape.one_line_data, out, |out| out.put(DATA));
        }
        // An empty block is a single blank line. Each branch has its own length, so that its copy is
        // one instruction.
        if first || self.is_apart() {
            out.put(&BLANK[1..]);
        } else {
            out.put(BLANK);
        }
    }

    /// Returns whether these are lines that end without a blank line.
    #[inline]
    fn is_apart(&self) -> bool {
        let is_block = self.data.is_some() || self.event_type.is_some() || self.id.is_some();
        let has_lines = self.comment.is_some() || self.reconnection_time.is_some();
        !is_block && !self.blank_line && has_lines
    }

    /// Writes the block into one exact allocation.
    pub(crate) fn write_to_bytes(&self, measured: Measured) -> Bytes {
        let mut out = Vec::with_capacity(measured.len);
        self.write(measured.shape, &mut out);
        Bytes::from(out)
    }

    /// Appends the block to a buffer.
    #[inline(never)]
    pub(crate) fn append(&self, out: &mut BytesMut) {
        // A lower bound: each text counts as one line. The buffer grows if there are more lines.
        let at_least = self.measure_with(|text| {
            let one_line = line::is_short(text) && !line::has_end(text);
            (Ends::default(), one_line)
        });
        out.reserve(at_least.len);
        self.write(at_least.shape, out);
    }

    /// Writes the block to the front of a slice.
    #[inline(never)]
    pub(crate) fn write_to_slice(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (measured, available) = (self.measure(), out.len());
        let needed = measured.len;
        let too_small = BufferTooSmall { needed, available };
        self.write(measured.shape, &mut out.get_mut(..needed).ok_or(too_small)?);
        Ok(needed)
    }
}

/// The positions of the event type and the id in the bytes of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldRanges {
    pub(crate) event_type: Option<Range<usize>>,
    pub(crate) id: Option<Range<usize>>,
}

impl FieldRanges {
    pub(crate) fn of(head: &Fields<'_>) -> Self {
        let comment = head.comment.map_or(0, |text| {
            let Ends { count, bytes } = line::count_ends(text.as_bytes());
            text.len() - bytes + (count + 1) * COMMENT.len()
        });
        // Counts from one byte before the first line, because each name includes a line end.
        let mut end = comment;
        let mut range = |name: &[u8], len: usize| {
            let start = end + name.len();
            end = start + len;
            start - 1..end - 1
        };
        Self {
            event_type: head.event_type.map(|text| range(EVENT, text.len())),
            id: head.id.map(|id| range(ID, id.len())),
        }
    }
}

/// Reads the type of the event that a client dispatches for a block from the block's encoded
/// bytes. Returns `None` if the client dispatches none.
pub(crate) fn dispatched_type(block: &[u8]) -> Option<&[u8]> {
    let mut event_type = MESSAGE.as_bytes();
    let mut rest = block;
    // The loop stops at the data, which is the last field and may be long.
    while !rest.starts_with(&DATA[1..]) {
        let (line, after) = rest.split_at(rest.iter().position(|&byte| byte == line::LF)?);
        if let Some(value) = line.strip_prefix(&EVENT[1..]) {
            event_type = value;
        }
        rest = &after[1..];
    }
    Some(event_type)
}

/// Begins a line.
#[inline]
fn open(name: &[u8], first: &mut bool, out: &mut impl Sink) {
    out.put(if *first { &name[1..] } else { name });
    *first = false;
}

/// Writes a text. The first line has been begun; `next` begins each other line.
#[inline]
fn write_text<S: Sink>(text: &str, one_line: bool, out: &mut S, next: impl Fn(&mut S)) {
    if one_line {
        out.put(text.as_bytes());
    } else {
        write_lines(text.as_bytes(), out, next);
    }
}

#[inline(never)]
fn write_lines<S: Sink>(text: &[u8], out: &mut S, next: impl Fn(&mut S)) {
    let Ok(()) = Splitter::default().split(text, |span| {
        match span {
            Span::Text { from, len } => out.put_front(from, len),
            Span::End => next(out),
        }
        Ok::<(), Infallible>(())
    });
}

/// Rounds up, so that a client never reconnects too early, and saturates.
fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Takes the bytes of a block, in order.
pub(crate) trait Sink {
    /// Takes all of `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Takes the first `len` bytes of `from`. May also overwrite the free room after them.
    ///
    /// Most lines are short. A copy of a fixed size takes two instructions; a copy of any other
    /// size is a call. For lines of 16 bytes, the fixed copy saves a third of the time.
    fn put_front(&mut self, from: &[u8], len: usize);
}

/// The size of the fixed copy.
const FRONT: usize = 32;

macro_rules! growing_sink {
    ($buffer:ty) => {
        impl Sink for $buffer {
            #[inline]
            fn put(&mut self, bytes: &[u8]) {
                self.extend_from_slice(bytes);
            }

            #[inline]
            fn put_front(&mut self, from: &[u8], len: usize) {
                let end = self.len() + len;
                match from.first_chunk::<FRONT>() {
                    // The buffer must not grow for bytes that are removed at once.
                    Some(front) if len <= FRONT && self.capacity() - self.len() >= FRONT => {
                        self.extend_from_slice(front);
                        self.truncate(end);
                    }
                    _ => self.extend_from_slice(&from[..len]),
                }
            }
        }
    };
}

growing_sink!(BytesMut);
growing_sink!(Vec<u8>);

/// Writes to the rest of a slice. The caller has checked that the slice is long enough.
impl Sink for &mut [u8] {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let (here, after) = core::mem::take(self).split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        *self = after;
    }

    #[inline]
    fn put_front(&mut self, from: &[u8], len: usize) {
        let rest = core::mem::take(self);
        match (rest.first_chunk_mut::<FRONT>(), from.first_chunk::<FRONT>()) {
            (Some(room), Some(front)) if len <= FRONT => *room = *front,
            _ => rest[..len].copy_from_slice(&from[..len]),
        }
        *self = &mut rest[len..];
    }
}

/// The error for an event that does not fit into a slice.
///
/// Returned by [`Event::encode_to_slice`](crate::Event::encode_to_slice), which in this case writes
/// nothing.
#[derive(Debug)]
pub struct BufferTooSmall {
    needed: usize,
    available: usize,
}

impl BufferTooSmall {
    /// Returns the number of bytes that the event needs.
    pub fn needed(&self) -> usize {
        self.needed
    }
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, available } = self;
        write!(
            f,
            "the event needs {needed} bytes and the buffer has {available}"
        )
    }
}

impl Error for BufferTooSmall {}
