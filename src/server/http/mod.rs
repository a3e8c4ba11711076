//! The HTTP side of an event stream: plain data, and with the feature `http` the types that servers
//! share.

pub(crate) mod accept;
#[cfg(feature = "http")]
pub(crate) mod body;
pub(crate) mod headers;
pub(crate) mod request;
