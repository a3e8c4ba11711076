#![doc = include_str!("../README.md")]

mod api;
mod connection;
mod consumer;
mod engine;
mod error;
mod fields;
mod follower;
mod range;
mod stream;

pub use async_nats;
pub use sse_proto_relay::{
    Body, Busy, Entry, EntryError, Id, Metrics, OpenError, Options, Place, PublishError, Readiness,
    Refusal, Restart, RetriesTooLong, Subscribed, WhenStale,
};

pub use self::engine::Nats;
pub use self::error::{Error, Setting};
pub use self::follower::NatsFollower;
pub use self::stream::{Limits, Stream, Warning};

/// Follows a stream, and serves it to clients. See [`sse_proto_relay::Relay`].
pub type Relay = sse_proto_relay::Relay<Nats>;

/// Publishes into a stream. See [`sse_proto_relay::Publisher`].
pub type Publisher = sse_proto_relay::Publisher<Nats>;
