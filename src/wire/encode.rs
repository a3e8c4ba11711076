//! The only code that writes wire bytes.
//!
//! The order within a block is comment, `event`, `id`, `retry`, `data`, blank line: a reader that
//! streams knows the type before the data. One space after each colon, always: a value's own
//! leading space would be lost without it. LF only.
//!
//! Encoding takes two steps, *measure* and *write*. Measuring counts the ends-of-line, so the room
//! is reserved once, and a text that has none is written as one copy without a second search.

use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::digits::Digits;
use super::event::Event;
use super::line::{self, Ends};
use crate::error::BufferTooSmall;

const COMMENT: &[u8] = b": ";
const EVENT: &[u8] = b"event: ";
const ID: &[u8] = b"id: ";
const RETRY: &[u8] = b"retry: ";
pub(crate) const DATA: &[u8] = b"data: ";
pub(crate) const END: &[u8] = b"\n";

/// Appends an event to a buffer.
///
/// Reserves the room it needs at once; allocates nothing when the buffer has it.
///
/// # Panics
///
/// When memory runs out, as every growing buffer does.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use sse_proto::{Event, encode};
///
/// let mut out = BytesMut::new();
/// encode(&Event::message("first"), &mut out);
/// encode(&Event::message("second\r\nline"), &mut out);
/// assert_eq!(out, "data: first\n\ndata: second\ndata: line\n\n");
/// ```
pub fn encode(event: &Event<'_>, out: &mut BytesMut) {
    let measured = Measured::of(event);
    out.reserve(measured.len);
    write_block(event, measured, out);
}

/// Returns the exact number of bytes that an event takes on the wire.
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, encoded_len};
///
/// assert_eq!(encoded_len(&Event::message("a\nb")), "data: a\ndata: b\n\n".len());
/// ```
pub fn encoded_len(event: &Event<'_>) -> usize {
    Measured::of(event).len
}

/// Writes an event to the front of a slice and returns the number of bytes written. Allocates
/// nothing.
///
/// # Errors
///
/// When the slice is too short; nothing is written then, and the error tells the length needed.
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, encode_to_slice};
///
/// let mut buffer = [0; 32];
/// let len = encode_to_slice(&Event::message("hi"), &mut buffer)?;
/// assert_eq!(&buffer[..len], b"data: hi\n\n");
///
/// let error = encode_to_slice(&Event::message("hi"), &mut buffer[..4]).unwrap_err();
/// assert_eq!(error.needed(), 10);
/// # Ok::<(), sse_proto::BufferTooSmall>(())
/// ```
pub fn encode_to_slice(event: &Event<'_>, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let measured = Measured::of(event);
    let available = out.len();
    let Some(mut out) = out.get_mut(..measured.len) else {
        return Err(BufferTooSmall {
            needed: measured.len,
            available,
        });
    };
    write_block(event, measured, &mut out);
    Ok(measured.len)
}

/// Returns an event's bytes, in one exact allocation.
///
/// # Examples
///
/// ```
/// assert_eq!(sse_proto::to_bytes(&sse_proto::Event::message("hi")), "data: hi\n\n");
/// ```
pub fn to_bytes(event: &Event<'_>) -> Bytes {
    measured_to_bytes(event, Measured::of(event))
}

pub(crate) fn measured_to_bytes(event: &Event<'_>, measured: Measured) -> Bytes {
    let mut out = Vec::with_capacity(measured.len);
    write_block(event, measured, &mut out);
    Bytes::from(out)
}

/// What encoding needs to know of an event before it writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// The bytes on the wire.
    pub(crate) len: usize,
    comment_ends: usize,
    data_ends: usize,
}

impl Measured {
    #[inline]
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let mut len = END.len();
        let mut field = |name: &[u8], value: usize| len += name.len() + value + END.len();
        if let Some(event_type) = event.event_type() {
            field(EVENT, event_type.as_str().len());
        }
        if let Some(id) = event.id() {
            field(ID, id.as_bytes().len());
        }
        if let Some(time) = event.reconnection_time() {
            field(RETRY, Digits::of_u64(whole_millis(time)).as_bytes().len());
        }
        let mut lines = |name: &[u8], text: Option<&str>| {
            text.map_or(0, |text| {
                let Ends { count, bytes } = line::count_ends(text.as_bytes());
                len += text.len() - bytes + (count + 1) * (name.len() + END.len());
                count
            })
        };
        let comment_ends = lines(COMMENT, event.comment());
        let data_ends = lines(DATA, event.data());
        Self {
            len,
            comment_ends,
            data_ends,
        }
    }
}

/// Writes a block whose room is reserved.
#[inline]
pub(crate) fn write_block(event: &Event<'_>, measured: Measured, out: &mut impl BufMut) {
    write_fields(event, measured.comment_ends, out);
    if let Some(data) = event.data() {
        write_lines(DATA, data.as_bytes(), measured.data_ends, out);
    }
    out.put_slice(END);
}

/// Writes all of a block that comes before its data.
pub(crate) fn write_head(head: &Event<'_>, out: &mut BytesMut) {
    let comment = head.comment().unwrap_or_default();
    write_fields(head, line::count_ends(comment.as_bytes()).count, out);
}

/// Where the values of a block's head stand in its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) event_type: Option<Range<usize>>,
    pub(crate) id: Option<Range<usize>>,
}

impl Places {
    pub(crate) fn of(head: &Event<'_>) -> Self {
        let mut end = head.comment().map_or(0, |text| {
            let Ends { count, bytes } = line::count_ends(text.as_bytes());
            text.len() - bytes + (count + 1) * (COMMENT.len() + END.len())
        });
        let mut place = |name: &[u8], value: &[u8]| {
            let start = end + name.len();
            end = start + value.len() + END.len();
            start..start + value.len()
        };
        Self {
            event_type: head
                .event_type()
                .map(|event_type| place(EVENT, event_type.as_str().as_bytes())),
            id: head.id().map(|id| place(ID, id.as_bytes())),
        }
    }
}

#[inline]
fn write_fields(head: &Event<'_>, comment_ends: usize, out: &mut impl BufMut) {
    if let Some(text) = head.comment() {
        write_lines(COMMENT, text.as_bytes(), comment_ends, out);
    }
    if let Some(event_type) = head.event_type() {
        write_line(EVENT, event_type.as_str().as_bytes(), out);
    }
    if let Some(id) = head.id() {
        write_line(ID, id.as_bytes(), out);
    }
    if let Some(time) = head.reconnection_time() {
        write_line(RETRY, Digits::of_u64(whole_millis(time)).as_bytes(), out);
    }
}

/// Rounds up, so that a client never comes back sooner than it was asked to, and saturates.
fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[inline]
fn write_line(name: &[u8], value: &[u8], out: &mut impl BufMut) {
    out.put_slice(name);
    out.put_slice(value);
    out.put_slice(END);
}

/// Writes each line of a text that has `ends` ends-of-line.
fn write_lines(name: &[u8], text: &[u8], ends: usize, out: &mut impl BufMut) {
    let mut rest = text;
    for _ in 0..ends {
        let Some(end) = line::find_end(rest) else {
            break;
        };
        write_line(name, &rest[..end], out);
        rest = &rest[end + line::end_of_line_len(&rest[end..])..];
    }
    write_line(name, rest, out);
}
