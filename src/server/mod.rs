//! Sending: single event streams, broadcasts, adapters, and HTTP.

pub mod adapt;
#[cfg(feature = "std")]
pub(crate) mod broadcast;
mod channel;
pub(crate) mod dispatch;
pub(crate) mod foreign;
pub(crate) mod http;
pub(crate) mod listeners;
mod machine;
pub(crate) mod outbox;

pub(crate) mod sharing;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod wait;
mod waiters;
