//! What `sse-proto-redis` and `sse-proto-nats` share: a [`Broadcast`](sse_proto::Broadcast) that
//! follows the log of an [`Engine`].
//!
//! Use one of these crates. This one is for those who write another engine; [`Engine`] is its
//! contract.

mod engine;
mod entry;
mod id;

pub use self::engine::{Anchor, AppendError, Batch, Engine, Facts, Follower, Page, PageLimit};
pub use self::entry::{Entry, EntryError, Fields, Record};
pub use self::id::{Id, Place};
