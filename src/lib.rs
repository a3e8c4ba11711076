//! The protocol core for server-sent events.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod error;
mod server;
mod wire;

pub use bytes;
pub use futures_core;

pub use crate::error::{BufferTooSmall, InvalidField, WriteError};
#[cfg(feature = "std")]
pub use crate::server::channel::{
    EventStream, TargetHandle, WeakTargetHandle, channel, channel_with,
};
#[cfg(feature = "std")]
pub use crate::server::closed::Closed;
pub use crate::server::dispatch::{
    Decided, Dispatch, DispatchError, Dispatched, MAX_DISPATCH_DEPTH, Pending,
};
pub use crate::server::ending::{Ending, RemovedListener};
pub use crate::server::holders::{LocalListener, SharedListener};
pub use crate::server::http::{
    HEADERS, HEADERS_HTTP1, InvalidLastEventId, MAX_LAST_EVENT_ID_LEN, last_event_id,
    last_event_id_in_query,
};
pub use crate::server::listeners::{Listener, ListenerId, On};
pub use crate::server::outbox::Limits;
pub use crate::server::state::CloseReason;
pub use crate::server::target::Target;
pub use crate::wire::encode::{encode, encode_to_slice, encoded_len, to_bytes};
pub use crate::wire::event::Event;
pub use crate::wire::field::{EventId, EventType};
pub use crate::wire::frame::Frame;
pub use crate::wire::line::{Lines, lines};
pub use crate::wire::writer::EventWriter;
