//! The HTTP side of an event stream: plain data, and with the feature `http` the types that servers
//! share.

#[cfg(feature = "http")]
pub(crate) mod body;
pub(crate) mod headers;
pub(crate) mod request;
