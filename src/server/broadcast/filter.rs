//! What of a chunk goes to a subscriber that does not take all.
//!
//! Where ids are assigned, ids of what is left out go out at fixed places, those whose number divides
//! by the distance that the subscriber chose: so nothing need be noted between two polls, and all who
//! see the same are given the same bytes.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::chunk::{Chunk, Known};
use super::options::{Metadata, SkippedFn, SubscribeOptions};
use super::picked::Picked;

/// What a subscriber that is not plain holds beside its place.
pub(super) struct Filter {
    pub(super) options: SubscribeOptions,
    passed: Passed,
}

/// What went by since the client last got an id, where ids are the user's.
#[derive(Default)]
struct Passed {
    frames: u32,
    /// The last id that went by and is the client's to come back with; empty if there was none.
    id: String,
}

impl Filter {
    pub(super) fn new(options: SubscribeOptions) -> Self {
        Self {
            options,
            passed: Passed::default(),
        }
    }

    /// Skips ahead, if that is what it does: returns what makes the event that tells.
    pub(super) fn skip(&mut self) -> Option<Arc<SkippedFn>> {
        let skipped = self.options.skipped()?;
        self.passed.clear();
        Some(skipped)
    }

    /// Returns what of a chunk is for this subscriber, and the number of the frame behind that. Runs
    /// the user's predicates; if one panics, nothing has changed.
    pub(super) fn pick(&mut self, chunk: &Chunk, epoch: Option<u64>) -> (u64, Bytes) {
        let Some(frames) = &chunk.frames else {
            return (chunk.next, chunk.bytes.clone());
        };
        let mut passing = Passing {
            frames: self.passed.frames,
            id: None,
        };
        let mut picked = Picked::new(&chunk.bytes);
        let mut start = 0;
        let mut next = chunk.from;
        for frame in frames.iter() {
            let bytes = chunk.bytes.get(start..frame.end).unwrap_or_default();
            let metadata = frame.metadata(bytes);
            let sees = self.options.sees(metadata.scope);
            let mut then = passing;
            let fits = if sees && self.options.takes(&metadata) {
                if metadata.id.is_some() {
                    then = Passing::NOTHING;
                }
                picked.put(start, frame.end)
            } else if let Some(epoch) = epoch {
                picked.leave_out(next, !sees, epoch, self.options.id_after())
            } else {
                then.frame(metadata.id.filter(|_| sees));
                let id = then.id.unwrap_or(&self.passed.id);
                if then.frames >= self.options.id_after() && !id.is_empty() {
                    then = Passing::NOTHING;
                    picked.put_id(id)
                } else {
                    picked.skip()
                }
            };
            if !fits {
                break;
            }
            passing = then;
            start = frame.end;
            next += 1;
        }
        self.passed.frames = passing.frames;
        if let Some(id) = passing.id {
            self.passed.id.clear();
            self.passed.id.push_str(id);
        }
        (next, picked.finish())
    }
}

impl Known {
    fn metadata<'a>(&'a self, bytes: &'a [u8]) -> Metadata<'a> {
        Metadata {
            event_type: self.event_type.text(bytes),
            id: self.id.text(bytes),
            scope: self.scope.as_ref(),
            len: bytes.len(),
        }
    }
}

impl Passed {
    fn clear(&mut self) {
        self.frames = 0;
        self.id.clear();
    }
}

/// As [`Passed`], while a chunk is looked at.
#[derive(Clone, Copy)]
struct Passing<'a> {
    frames: u32,
    /// `None` if it is the one that was noted before.
    id: Option<&'a str>,
}

impl<'a> Passing<'a> {
    const NOTHING: Self = Self {
        frames: 0,
        id: Some(""),
    };

    fn frame(&mut self, id: Option<&'a str>) {
        self.frames = self.frames.saturating_add(1);
        self.id = id.filter(|id| !id.is_empty()).or(self.id);
    }
}
