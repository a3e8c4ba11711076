//! The protocol core for server-sent events.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod error;
mod wire;

pub use bytes;
pub use futures_core;

pub use crate::error::{BufferTooSmall, InvalidField, WriteError};
pub use crate::wire::encode::{encode, encode_to_slice, encoded_len, to_bytes};
pub use crate::wire::event::Event;
pub use crate::wire::field::{EventId, EventType};
pub use crate::wire::frame::Frame;
pub use crate::wire::line::{Lines, lines};
pub use crate::wire::writer::EventWriter;
