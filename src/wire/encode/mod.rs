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
use crate::error::BufferTooSmall;

pub(crate) fn parts_to_bytes(parts: &Parts<'_>, measured: Measured) -> Bytes {
    let mut out = Vec::with_capacity(measured.len);
    write_block(parts, measured.shape, &mut out);
    Bytes::from(out)
}

/// Appends a block to a buffer.
#[inline(never)]
pub(crate) fn append(parts: &Parts<'_>, out: &mut BytesMut) {
    let at_least = parts.measure_roughly();
    out.reserve(at_least.len);
    write_block(parts, at_least.shape, out);
}

/// Writes a block to the front of a slice.
#[inline(never)]
pub(crate) fn write_slice(parts: &Parts<'_>, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
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
