//! What HTTP has to say around an event stream: as plain data, and with the feature `http` in the
//! types that servers share.

pub(crate) mod accept;
#[cfg(feature = "http")]
pub(crate) mod body;
pub(crate) mod headers;
pub(crate) mod last_event_id;
#[cfg(feature = "http")]
pub(crate) mod request;
#[cfg(feature = "http")]
pub(crate) mod response;
