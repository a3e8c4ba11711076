//! A [`reqwest`] request as a stream of server-sent events that reconnects.
//!
//! ```no_run
//! use sse_proto_reqwest::EventSource;
//!
//! # async fn print() -> Result<(), Box<dyn std::error::Error>> {
//! let mut events = EventSource::new(reqwest::Client::new().get("https://example.org/tokens"))?;
//! while let Some(event) = events.next().await {
//!     print!("{}", event?.data());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`EventSource`] reads events; [`Builder`] sets options and changes requests before they are sent;
//! [`Refusal`] is what the server says if it refuses. The rules of the protocol are those of
//! [`sse_proto::client`].

mod connect;
mod error;
mod event_source;

pub use connect::Refusal;
pub use error::Error;
pub use event_source::{Builder, EventSource, Updates};
pub use sse_proto;
pub use sse_proto::client::{Handle, Loss, LossReason, Options, Update};

// The README's examples are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
