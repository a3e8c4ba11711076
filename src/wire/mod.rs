//! The `text/event-stream` format. Nothing here knows of connections.

pub(crate) mod decode;
pub(crate) mod digits;
pub(crate) mod encode;
pub(crate) mod event;
pub(crate) mod field;
pub(crate) mod frame;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod line;
mod sink;
mod utf8;
pub(crate) mod writer;
