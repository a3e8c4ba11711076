//! The protocol core for server-sent events: it encodes events into bytes and decodes bytes into
//! events.
//!
//! ```
//! use sse_proto::{Event, event_type};
//!
//! let event = Event::new(event_type!("tick"), "12:00\n12:01").with_id(7);
//! assert_eq!(event.to_bytes(), "event: tick\nid: 7\ndata: 12:00\ndata: 12:01\n\n");
//! ```
//!
//! The crate implements `text/event-stream` as [HTML, section
//! 9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html) defines it. It has no I/O,
//! no runtime, no timer and no HTTP server. Its interface is a `Stream<Item = Bytes>` and plain
//! functions over slices, so it works with any server and any runtime.
//!
//! # A handler
//!
//! A stream of events is a response (feature `http`). axum, hyper and tower take it unchanged:
//!
//! ```
//! # #[cfg(feature = "http")] {
//! use futures::stream::{self, Stream};
//! use sse_proto::deps::http::Response;
//! use sse_proto::http::{Body, response};
//! use sse_proto::{Event, http::events};
//!
//! async fn answer() -> Response<Body<impl Stream<Item = Event<'static>>>> {
//!     response(stream::iter(["Hel", "lo"].map(Event::message)))
//! }
//! # futures::executor::block_on(async {
//! assert_eq!(events(answer().await.into_body()).await.unwrap()[1].data(), "lo");
//! # });
//! # }
//! ```
//!
//! # A client
//!
//! The crate `sse-proto-reqwest` makes a request a stream of events that reconnects:
//!
//! ```ignore
//! let mut events = EventSource::new(reqwest::Client::new().get("https://example.org/events"))?;
//! while let Some(event) = events.next().await {
//!     println!("{}", event?.data());
//! }
//! ```
//!
//! Over any other HTTP client, [`decode::DecodeStream`] reads the body of one response, and
//! [`client::EventSourceStream`] reconnects. The decoder alone takes bytes:
//!
//! ```
//! let events = sse_proto::decode::events(b"data: Hel\n\ndata: lo\n\n").unwrap();
//! assert_eq!(events[0].data(), "Hel");
//! ```
//!
//! # Where to look
//!
//! | I want to | look at |
//! |---|---|
//! | answer a request with a stream of mine | `http::response`, [`adapt::from_stream`] |
//! | send to one client from many tasks | [`channel`]; [`local_channel`] on one thread, without `std` or an executor |
//! | send to many clients, and resume them | [`Broadcast`] |
//! | send an event to one user or one room | [`Broadcast`], with topics |
//! | keep streams alive, begin and end them | [`EventStreamExt`], first [`with_defaults`](EventStreamExt::with_defaults) |
//! | encode into a buffer of mine | [`Event`], [`EventWriter`]; [`Frame`] for many targets |
//! | read the last event ID of a request | [`http::last_event_id`] |
//! | read an answer, such as a language model's | [`decode::DecodeStream`], `decode::DecodeRead`, [`Decoder`] |
//! | follow a stream and reconnect | [`EventSource`], [`client::EventSourceStream`] |
//! | pass a received event on | `Event::from(&received)` |
//! | test a handler | [`decode::events`], `http::events` |
//!
//! The [guide] has a page each on the life of a stream (slow clients, waiting, ends), mounting
//! (settings of servers, layers and proxies), receiving, browsers, security, testing and observation.
//!
//! # Local listeners
//!
//! Before an event is sent, the target shows it to the local listeners, in the order in which they
//! were added. A listener is added for one event type or for all of them, and it can cancel the
//! event. No lock is held while it runs, so it can use its own target.
//!
//! ```
//! use sse_proto::channel;
//! use sse_proto::target::{Dispatched, On};
//!
//! let (target, stream) = channel();
//! target.listen(On::message(), |dispatch| {
//!     if dispatch.event().data() == Some("secret") {
//!         dispatch.prevent_default();
//!     }
//! });
//! assert_eq!(target.dispatch_message("secret")?, Dispatched::Canceled);
//! assert_eq!(target.dispatch_message("public")?, Dispatched::Sent);
//! # drop(stream);
//! # Ok::<(), sse_proto::target::DispatchError>(())
//! ```
//!
//! # Slow clients
//!
//! Events that the client has not read yet are queued, within [`Limits`](target::Limits). When the
//! queue is full, [`Overflow`](target::Overflow) decides: refuse the event, drop older events, or
//! disconnect the client. A sender can also [wait for room](Target::send). Disconnecting is often
//! the right choice, because a client reconnects by itself:
//!
//! ```
//! use sse_proto::target::{CloseReason, DispatchError, Limits, Overflow, channel_with};
//!
//! let limits = Limits::new().with_max_frames(1).with_overflow(Overflow::Disconnect);
//! let (target, stream) = channel_with(limits);
//! target.dispatch_message("1")?;
//! let overflow = DispatchError::Closed(CloseReason::Overflow);
//! assert_eq!(target.dispatch_message("2"), Err(overflow));
//! # drop(stream);
//! # Ok::<(), DispatchError>(())
//! ```
//!
//! # Limits and memory
//!
//! A target allocates no buffer before its first event. Its queue holds at most 1 MiB and 1024
//! frames unless [`Limits`](target::Limits) says otherwise;
//! [`Limits::with_max_bytes`](target::Limits::with_max_bytes) documents the maximum memory use.
//! While the client keeps up, sending an event allocates nothing. No input causes a panic. A panic
//! in a listener unwinds to the caller of the dispatch, and the target stays usable.
//!
//! # Features and Rust version
//!
//! - `std` (default): [`Broadcast`], [`channel`], `std::io::Write` for [`EventWriter`],
//!   `DecodeRead`.
//! - `json`: `Event::json`, `EventWriter::json`, `json()` of a received event. Implies `std`.
//! - `http`: `http::response`, `http::Body`, `http::stop`, `http::events`. Implies `std`.
//!
//! Without features the crate is `no_std` with `alloc`. Rust 1.85 or later.
// Without `std`, links to items that need it point to the section on features.
#![cfg_attr(not(feature = "std"), doc = "")]
#![cfg_attr(not(feature = "std"), doc = "[`channel`]: #features-and-rust-version")]
#![cfg_attr(
    not(feature = "std"),
    doc = "[`Broadcast`]: #features-and-rust-version"
)]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod macros;

pub mod client;
mod header;
mod server;
mod sync;
mod timer;
mod wire;

#[cfg(any(doc, doctest))]
pub mod guide {
    //! Guide pages, one per subject. This module exists only in the documentation.

    #[cfg(feature = "std")]
    #[doc = include_str!("guide/life.md")]
    pub mod life {}

    #[doc = include_str!("guide/browsers.md")]
    pub mod browsers {}

    #[cfg(feature = "std")]
    #[doc = include_str!("guide/observe.md")]
    pub mod observe {}

    #[cfg(feature = "std")]
    #[doc = include_str!("guide/testing.md")]
    pub mod testing {}

    #[cfg(feature = "std")]
    #[doc = include_str!("guide/mounting.md")]
    pub mod mounting {}

    #[doc = include_str!("guide/receive.md")]
    pub mod receive {}

    #[doc = include_str!("guide/security.md")]
    pub mod security {}
}

// Events, their fields and their bytes.
pub use crate::wire::event::Event;
pub use crate::wire::field::{EventId, EventType};
pub use crate::wire::frame::Frame;
pub use crate::wire::writer::EventWriter;

pub mod event {
    //! Errors of events and their fields; [`LastEventId`], the last event ID of a request;
    //! [`START`], the type of the event that starts a stream; and [`lines`], which splits text into
    //! lines.

    pub use crate::wire::encode::BufferTooSmall;
    pub use crate::wire::field::{InvalidField, START};
    pub use crate::wire::last_event_id::LastEventId;
    pub use crate::wire::line::lines;
    pub use crate::wire::writer::WriteError;
}

// One event stream, sending.
pub use crate::server::stream::EventStream;
#[cfg(feature = "std")]
pub use crate::server::target::channel;
pub use crate::server::target::{Target, local_channel};

pub mod target {
    //! Types used with [`Target`](crate::Target) and [`EventStream`](crate::EventStream): limits,
    //! listeners, results, close reasons.

    pub use crate::server::dispatch::{Dispatch, DispatchError, Dispatched};
    pub use crate::server::listeners::{ListenerId, On};
    pub use crate::server::outbox::{Limits, Overflow};
    #[cfg(feature = "std")]
    pub use crate::server::sharing::Shared;
    pub use crate::server::sharing::{Local, Sharing};
    pub use crate::server::state::CloseReason;
    pub use crate::server::stream::LocalEventStream;
    #[cfg(feature = "std")]
    pub use crate::server::target::channel_with;
    pub use crate::server::target::{LocalTarget, WeakTarget, local_channel_with};
    pub use crate::server::wait::Permit;
}

// One log of events, many event streams.
#[cfg(feature = "std")]
pub use crate::server::broadcast::{Broadcast, Subscription};

#[cfg(feature = "std")]
pub mod broadcast {
    //! Types used with [`Broadcast`](crate::Broadcast) and [`Subscription`](crate::Subscription):
    //! retention, the order of ids, options, handles, errors.

    pub use crate::server::broadcast::{
        Arrival, Handle, Held, Key, Merged, Publication, PublishError, Restart, Retention,
        Statistics, SubscribeOptions, Subscribed, TopicTooLong,
    };
}

// Around an event stream.
pub use crate::server::adapt::{self, ext::EventStreamExt};
pub use crate::timer::Timer;

// Receiving.
pub use crate::client::event_source::EventSource;
pub use crate::wire::decode::{Decoder, Item};

pub mod decode {
    //! Types used with [`Decoder`](crate::Decoder): limits, errors, items, and decoders over
    //! streams and readers.

    #[cfg(feature = "std")]
    pub use crate::wire::decode::DecodeRead;
    pub use crate::wire::decode::{
        DecodeError, DecodeLimits, DecodeStream, Events, Items, MessageEvent, OwnedItem,
        OwnedMessageEvent, ReceiveError, events,
    };
}

pub mod http {
    //! Event streams over HTTP: headers and the last event ID, as plain data. The feature `http`
    //! adds whole requests and responses.
    //!
    //! # Sending a client away
    //!
    //! A client reconnects after each end of its stream. To keep it away, answer its next request
    //! with a status of 204 (No Content). With the feature `http`, `stop` makes that response.

    #[cfg(feature = "http")]
    pub use crate::server::http::body::{Body, response, stop};
    pub use crate::server::http::headers::HEADERS;
    pub use crate::server::http::request::{accepts_event_stream, last_event_id};
    #[cfg(feature = "http")]
    pub use crate::wire::decode::collect::http::events;
}

pub mod deps {
    //! Re-exports of the crates whose types appear in this crate's API.

    #[cfg(feature = "http")]
    pub use ::http;
    pub use bytes;
    pub use futures_core;
    #[cfg(feature = "http")]
    pub use http_body;
}

// The README's examples are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
