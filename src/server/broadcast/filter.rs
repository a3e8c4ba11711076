//! What of a chunk goes to a subscriber that does not take all.

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

/// What went by since the client last got an id.
#[derive(Clone, Default)]
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
        let mut passed = self.passed.clone();
        let mut picked = Picked::new(chunk);
        let mut start = 0;
        for (frame, number) in frames.iter().zip(chunk.from..) {
            let bytes = chunk.bytes.get(start..frame.end).unwrap_or_default();
            let metadata = frame.metadata(bytes);
            let sees = self.options.sees(metadata.scope);
            if sees && self.options.takes(&metadata) {
                picked.put(start, frame.end);
                if metadata.id.is_some() {
                    passed.clear();
                }
            } else {
                picked.skip();
                passed.frame(number, metadata.id.filter(|_| sees), epoch);
                if passed.frames >= self.options.id_after() {
                    picked.put_id(&passed.id);
                    if !passed.id.is_empty() {
                        passed.clear();
                    }
                }
            }
            start = frame.end;
        }
        self.passed = passed;
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
    fn frame(&mut self, number: u64, id: Option<&str>, epoch: Option<u64>) {
        self.frames = self.frames.saturating_add(1);
        match (id, epoch) {
            (Some(""), _) | (None, None) => {}
            (Some(id), _) => {
                self.id.clear();
                self.id.push_str(id);
            }
            // Another's, whose id this client must not learn.
            (None, Some(epoch)) => {
                let place = Assigned {
                    epoch,
                    number,
                    is_place: true,
                };
                self.id.clear();
                self.id.push_str(place.text().as_str());
            }
        }
    }

    fn clear(&mut self) {
        self.frames = 0;
        self.id.clear();
    }
}

/// What is picked so far: the beginning of the chunk, shared, as long as nothing is left out.
struct Picked<'a> {
    chunk: &'a Chunk,
    whole: usize,
    copied: Option<BytesMut>,
    /// Where an id stands that nothing follows yet: the next one replaces it.
    last_id: Option<usize>,
}

impl<'a> Picked<'a> {
    fn new(chunk: &'a Chunk) -> Self {
        Self {
            chunk,
            whole: 0,
            copied: None,
            last_id: None,
        }
    }

    fn put(&mut self, start: usize, end: usize) {
        match &mut self.copied {
            None => self.whole = end,
            Some(copied) => copied.extend_from_slice(&self.chunk.bytes[start..end]),
        }
        self.last_id = None;
    }

    fn skip(&mut self) {
        let whole = self.whole;
        self.copied
            .get_or_insert_with(|| BytesMut::from(&self.chunk.bytes[..whole]));
    }

    fn put_id(&mut self, id: &str) {
        let (Some(copied), Ok(id)) = (&mut self.copied, EventId::new(id)) else {
            return;
        };
        if id == "" {
            return;
        }
        if let Some(at) = self.last_id {
            copied.truncate(at);
        }
        self.last_id = Some(copied.len());
        encode::encode(&Event::block().with_id(id), copied);
    }

    fn finish(self) -> Bytes {
        match self.copied {
            None => self.chunk.bytes.clone(),
            Some(copied) => copied.freeze(),
        }
    }
}
