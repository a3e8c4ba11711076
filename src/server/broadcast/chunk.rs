//! Frames that are read together.

use alloc::sync::Arc;

use bytes::Bytes;

use super::place::Place;
use super::scope::Scope;

/// How many bytes a chunk has at most, unless one frame is larger.
pub(super) const BUDGET: usize = 64 * 1024;

/// What is known of a frame in a chunk.
pub(super) struct Known {
    /// Where it ends in the chunk.
    pub(super) end: usize,
    pub(super) event_type: Place,
    pub(super) id: Place,
    pub(super) scope: Option<Scope>,
}

/// Some frames, joined.
#[derive(Clone)]
pub(super) struct Chunk {
    /// The number of the first.
    pub(super) from: u64,
    /// The number of the frame behind the last.
    pub(super) next: u64,
    pub(super) bytes: Bytes,
    /// If somebody asked.
    pub(super) frames: Option<Arc<[Known]>>,
    /// What of it goes to who sees no scope and takes all else, and the number of the frame behind
    /// the last of that. If somebody asked.
    pub(super) everybodys: Option<(u64, Bytes)>,
}

impl Chunk {
    pub(super) fn empty(cursor: u64) -> Self {
        Self {
            from: cursor,
            next: cursor,
            bytes: Bytes::new(),
            frames: None,
            everybodys: None,
        }
    }
}
