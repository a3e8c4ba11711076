//! What `sse-proto-redis` and `sse-proto-nats` share: a [`Broadcast`](sse_proto::Broadcast) that
//! follows the log of an [`Engine`].
//!
//! Use one of these crates. This one is for those who write another engine; [`Engine`] is its
//! contract.

mod body;
mod engine;
mod entry;
mod history;
mod id;
mod mean_len;
mod metrics;
mod options;
mod publisher;
mod random;
mod reader;
mod relay;
mod subscribed;

pub use self::body::Body;
pub use self::engine::{
    Anchor, AppendError, Batch, Engine, Facts, Follower, Page, PageLimit, Write,
};
pub use self::entry::{Entry, EntryError, Fields, Record};
pub use self::id::{Id, Place};
pub use self::mean_len::{Asking, MeanLen};
pub use self::metrics::Metrics;
#[doc(hidden)]
pub use self::options::Rule;
pub use self::options::{Options, WhenStale};
pub use self::publisher::{PublishError, Publisher, Refusal, RetriesTooLong};
pub use self::relay::{Busy, OpenError, Readiness, Relay};
pub use self::subscribed::{Restart, Subscribed};
