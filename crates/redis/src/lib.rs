#![doc = include_str!("../README.md")]

mod connections;
mod engine;
mod error;
mod reply;
mod stream;

pub use redis;
pub use sse_proto_relay::{
    Body, Busy, Entry, EntryError, Id, Metrics, OpenError, Options, Place, PublishError, Readiness,
    Refusal, Restart, RetriesTooLong, Subscribed, WhenStale,
};

pub use self::engine::{Redis, RedisFollower};
pub use self::error::Error;
pub use self::stream::{Limits, Stream, Warning};

/// Follows a stream, and serves it to clients. See [`sse_proto_relay::Relay`].
pub type Relay = sse_proto_relay::Relay<Redis>;

/// Publishes into a stream. See [`sse_proto_relay::Publisher`].
pub type Publisher = sse_proto_relay::Publisher<Redis>;
