//! Selects the frames of a chunk by the options of one subscriber.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::chunk::{Joined, JoinedFrame, Selection};
use super::ids::AssignedId;
use super::options::{SkippedFn, SubscribeOptions};

/// Options other than the default, and a record of the frames left out since the client last got an
/// id.
pub(super) struct Filter {
    pub(super) options: SubscribeOptions,
    /// The number of frames left out since the client last got an id. Not counted if ids are
    /// assigned: those are sent at fixed frame numbers, so that subscribers to the same frames get
    /// the same bytes.
    passed: u32,
    /// The last omitted id from which the client may resume; empty if there is none.
    passed_id: String,
}

impl Filter {
    pub(super) fn new(options: SubscribeOptions) -> Self {
        Self {
            options,
            passed: 0,
            passed_id: String::new(),
        }
    }

    /// Returns the function that makes the event after a skip; `None` if the subscriber does not
    /// skip ahead.
    pub(super) fn skip(&mut self) -> Option<Arc<SkippedFn>> {
        let skipped = self.options.skipped.clone()?;
        self.passed = 0;
        self.passed_id.clear();
        Some(skipped)
    }

    /// Returns the part of a chunk that is for this subscriber, and the number of the frame after
    /// it. Runs the predicates; if one panics, nothing has changed.
    pub(super) fn select(
        &mut self,
        chunk: &Joined,
        frames: &[JoinedFrame],
        epoch: Option<u64>,
    ) -> (u64, Bytes) {
        let id_after = self.options.id_after;
        // `None` stands for `self.passed_id`, which was noted before this chunk.
        let (mut passed, mut passed_id) = (self.passed, None);
        let mut selection = Selection::new(&chunk.bytes);
        let mut start = 0;
        let mut next = chunk.from;
        for frame in frames {
            let bytes = chunk.bytes.get(start..frame.end).unwrap_or_default();
            let (event_type, own_id) = (frame.event_type.text(bytes), frame.id.text(bytes));
            let sees = self.options.sees(frame.scope.as_ref());
            let (mut count, mut id) = (passed, passed_id);
            let fits = if sees && self.options.takes(event_type, own_id) {
                if own_id.is_some() {
                    (count, id) = (0, Some(""));
                }
                selection.put(start, frame.end)
            } else if let Some(epoch) = epoch {
                // The client must not learn the id of a frame that it may not see.
                let id = AssignedId {
                    is_place: !sees,
                    ..AssignedId::frame(epoch, next)
                };
                selection.skip_assigned(id, id_after)
            } else {
                count = count.saturating_add(1);
                id = own_id.filter(|id| sees && !id.is_empty()).or(id);
                let last_id = id.unwrap_or(&self.passed_id);
                if count >= id_after && !last_id.is_empty() {
                    (count, id) = (0, Some(""));
                    selection.put_id(last_id)
                } else {
                    selection.skip()
                }
            };
            if !fits {
                break;
            }
            (passed, passed_id) = (count, id);
            start = frame.end;
            next += 1;
        }
        self.passed = passed;
        if let Some(id) = passed_id {
            self.passed_id.clear();
            self.passed_id.push_str(id);
        }
        (next, selection.finish())
    }
}
