//! The `text/event-stream` format. Nothing here depends on connections.

pub(crate) mod decimal;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod event;
pub(crate) mod field;
pub(crate) mod frame;
pub(crate) mod last_event_id;
pub(crate) mod line;
pub(crate) mod writer;
