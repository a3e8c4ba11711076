//! Sending: the states of one event stream, its local listeners, its queue.

pub mod adapt;
#[cfg(feature = "std")]
pub(crate) mod broadcast;
pub(crate) mod channel;
pub(crate) mod closed;
pub(crate) mod dispatch;
pub(crate) mod ending;
pub(crate) mod holders;
pub(crate) mod http;
pub(crate) mod listeners;
pub(crate) mod now;
pub(crate) mod outbox;
mod panics;
pub(crate) mod pending;
mod room;
pub(crate) mod state;
pub(crate) mod target;
