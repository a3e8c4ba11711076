//! What of a chunk goes to a subscriber that does not take everything.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::chunk::{Joined, Selection};
use super::ids::AssignedId;
use super::options::{SkippedFn, SubscribeOptions};

/// What a subscriber holds whose options are not the default.
pub(super) struct Filter {
    pub(super) options: SubscribeOptions,
    passed: Passed,
}

/// What was left out since the client last got an id, where ids are the user's. Assigned ids are sent
/// at fixed numbers instead, so that subscribers that see the same get the same bytes.
#[derive(Default)]
struct Passed {
    frames: u32,
    /// The last id left out that the client may come back with; empty if there is none.
    id: String,
}

impl Filter {
    pub(super) fn new(options: SubscribeOptions) -> Self {
        Self {
            options,
            passed: Passed::default(),
        }
    }

    /// Returns what makes the event after a skip; `None` if the subscriber does not skip ahead.
    pub(super) fn skip(&mut self) -> Option<Arc<SkippedFn>> {
        let skipped = self.options.skipped()?;
        self.passed = Passed::default();
        Some(skipped)
    }

    /// Returns the part of a chunk that is for this subscriber, and the number of the frame after it.
    /// Runs the user's predicates; if one panics, nothing has changed.
    pub(super) fn select(&mut self, chunk: &Joined, epoch: Option<u64>) -> (u64, Bytes) {
        let Some(frames) = &chunk.frames else {
            return (chunk.next, chunk.bytes.clone());
        };
        let id_after = self.options.id_after();
        let mut passing = Passing {
            frames: self.passed.frames,
            id: None,
        };
        let mut selection = Selection::new(&chunk.bytes);
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
                selection.put(start, frame.end)
            } else if let Some(epoch) = epoch {
                // The client must not learn the id of a frame that it may not see.
                let id = AssignedId {
                    epoch,
                    number: next,
                    is_place: !sees,
                };
                selection.skip_assigned(id, id_after)
            } else {
                then.pass(metadata.id.filter(|_| sees));
                let id = then.id.unwrap_or(&self.passed.id);
                if then.frames >= id_after && !id.is_empty() {
                    then = Passing::NOTHING;
                    selection.put_id(id)
                } else {
                    selection.skip();
                    true
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
        (next, selection.finish())
    }
}

/// As [`Passed`], while a chunk is looked at.
#[derive(Clone, Copy)]
struct Passing<'a> {
    frames: u32,
    /// `None` for the id that was noted before this chunk.
    id: Option<&'a str>,
}

impl<'a> Passing<'a> {
    const NOTHING: Self = Self {
        frames: 0,
        id: Some(""),
    };

    fn pass(&mut self, id: Option<&'a str>) {
        self.frames = self.frames.saturating_add(1);
        self.id = id.filter(|id| !id.is_empty()).or(self.id);
    }
}
