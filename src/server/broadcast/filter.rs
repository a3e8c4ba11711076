//! What of a chunk goes to a subscriber that does not take all.
//!
//! Where ids are assigned, ids of what is left out go out at fixed places, those whose number divides
//! by the distance that the subscriber chose: so nothing need be noted between two polls, and all who
//! see the same are given the same bytes.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::ids::Assigned;
use super::join::{Chunk, Known};
use super::options::{Metadata, SkippedFn, SubscribeOptions};
use crate::wire::encode;
use crate::wire::event::Event;
use crate::wire::field::EventId;

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

    /// Returns what of a chunk is for this subscriber. Runs the user's predicates; if one panics,
    /// nothing has changed.
    pub(super) fn pick(&mut self, chunk: &Chunk, epoch: Option<u64>) -> Bytes {
        let Some(frames) = &chunk.frames else {
            return chunk.bytes.clone();
        };
        let mut passing = Passing {
            frames: self.passed.frames,
            id: None,
        };
        let mut picked = Picked::new(&chunk.bytes);
        let mut start = 0;
        for (frame, number) in frames.iter().zip(chunk.from..) {
            let bytes = chunk.bytes.get(start..frame.end).unwrap_or_default();
            let metadata = frame.metadata(bytes);
            let sees = self.options.sees(metadata.scope);
            if sees && self.options.takes(&metadata) {
                picked.put(start, frame.end);
                if metadata.id.is_some() {
                    passing = Passing::NOTHING;
                }
            } else if let Some(epoch) = epoch {
                picked.leave_out(number, !sees, epoch, self.options.id_after());
            } else {
                picked.skip();
                passing.frame(metadata.id.filter(|_| sees));
                let id = passing.id.unwrap_or(&self.passed.id);
                if passing.frames >= self.options.id_after() && !id.is_empty() {
                    picked.put_id(id);
                    passing = Passing::NOTHING;
                }
            }
            start = frame.end;
        }
        self.passed.frames = passing.frames;
        if let Some(id) = passing.id {
            self.passed.id.clear();
            self.passed.id.push_str(id);
        }
        picked.finish()
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

/// What is picked so far: the beginning of the chunk, shared, as long as nothing is left out.
pub(super) struct Picked<'a> {
    chunk: &'a Bytes,
    whole: usize,
    copied: Option<BytesMut>,
    /// Where an id stands that nothing follows yet: the next one replaces it.
    last_id: Option<usize>,
}

impl<'a> Picked<'a> {
    pub(super) fn new(chunk: &'a Bytes) -> Self {
        Self {
            chunk,
            whole: 0,
            copied: None,
            last_id: None,
        }
    }

    pub(super) fn put(&mut self, start: usize, end: usize) {
        match &mut self.copied {
            None => self.whole = end,
            // Where the frames of this chunk end was noted as it was joined, in order.
            Some(copied) => copied.extend_from_slice(&self.chunk[start..end]),
        }
        self.last_id = None;
    }

    /// Leaves a frame out whose id is assigned, with its id in its place if that is due. Of another's,
    /// whose id this client must not learn, it is the id of the place behind it.
    pub(super) fn leave_out(&mut self, number: u64, is_place: bool, epoch: u64, id_after: u32) {
        self.skip();
        if number % u64::from(id_after) == 0 {
            let id = Assigned {
                epoch,
                number,
                is_place,
            };
            self.put_id(id.text().as_str());
        }
    }

    pub(super) fn skip(&mut self) {
        let whole = self.whole;
        // Nothing is allocated for nothing.
        self.copied
            .get_or_insert_with(|| BytesMut::from(&self.chunk[..whole]));
    }

    fn put_id(&mut self, id: &str) {
        let (Some(copied), Ok(id)) = (&mut self.copied, EventId::new(id)) else {
            return;
        };
        if let Some(at) = self.last_id {
            copied.truncate(at);
        }
        self.last_id = Some(copied.len());
        encode::encode(&Event::block().with_id(id), copied);
    }

    pub(super) fn finish(self) -> Bytes {
        match self.copied {
            None => self.chunk.clone(),
            Some(copied) => copied.freeze(),
        }
    }
}
