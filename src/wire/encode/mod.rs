//! The only code that writes wire bytes.
//!
//! The order within a block is comment, `event`, `id`, `retry`, `data`, blank line: a reader that
//! streams knows the type before the data. One space after each colon, always: a value's own
//! leading space would be lost without it. LF only.
//!
//! Where the exact length must be known before, encoding takes two steps, *measure* and *write*;
//! a text that was seen to be one line is then written as one copy, without a second search.
//! Appending to a buffer takes one step.

mod block;

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

pub(crate) use self::block::{Measured, Parts, Places};
pub(crate) use self::block::{dispatched_type, end_block, next_line, open_data, write_block};
use super::event::Event;
use crate::error::BufferTooSmall;

/// Appends an event to a buffer.
///
/// Allocates nothing when the buffer has the room.
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
#[inline]
pub fn encode(event: &Event<'_>, out: &mut BytesMut) {
    append(&Parts::of(event), out);
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
#[inline]
pub fn encoded_len(event: &Event<'_>) -> usize {
    Parts::of(event).measure().len
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
/// # Ok::<(), sse_proto::event::BufferTooSmall>(())
/// ```
#[inline]
pub fn encode_to_slice(event: &Event<'_>, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    write_slice(&Parts::of(event), out)
}

/// Returns an event's bytes, in one exact allocation.
///
/// # Examples
///
/// ```
/// assert_eq!(sse_proto::to_bytes(&sse_proto::Event::message("hi")), "data: hi\n\n");
/// ```
#[inline]
pub fn to_bytes(event: &Event<'_>) -> Bytes {
    let parts = Parts::of(event);
    parts_to_bytes(&parts, parts.measure())
}

pub(crate) fn parts_to_bytes(parts: &Parts<'_>, measured: Measured) -> Bytes {
    let mut out = Vec::with_capacity(measured.len);
    write_block(parts, measured.shape, &mut out);
    Bytes::from(out)
}

#[inline(never)]
fn append(parts: &Parts<'_>, out: &mut BytesMut) {
    let at_least = parts.measure_roughly();
    out.reserve(at_least.len);
    write_block(parts, at_least.shape, out);
}

#[inline(never)]
fn write_slice(parts: &Parts<'_>, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let measured = parts.measure();
    let available = out.len();
    let Some(mut out) = out.get_mut(..measured.len) else {
        return Err(BufferTooSmall {
            needed: measured.len,
            available,
        });
    };
    write_block(parts, measured.shape, &mut out);
    Ok(measured.len)
}
