//! Chunks of joined frames, and the selection of the part for one subscriber.

use alloc::sync::Arc;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::ids::AssignedId;
use super::options::Scope;
use crate::wire::event::Event;
use crate::wire::field::EventId;

/// The largest size of a chunk in bytes, unless it is one larger frame.
pub(super) const BUDGET: usize = 64 * 1024;

/// Frames of the log, joined into one chunk. The default matches no cursor, because no frame has
/// the number 0.
#[derive(Clone, Default)]
pub(super) struct Joined {
    /// The number of the first frame.
    pub(super) from: u64,
    /// The number of the frame after the last.
    pub(super) next: u64,
    pub(super) bytes: Bytes,
    /// Computed when the first subscriber needs it.
    pub(super) frames: Option<Arc<[JoinedFrame]>>,
    /// The number of the frame after the public part, and the public part: the bytes for a
    /// subscriber without scopes and filters. Computed when the first subscriber needs it.
    pub(super) public: Option<(u64, Bytes)>,
}

/// The metadata of one frame, for filters.
pub(super) struct JoinedFrame {
    /// Where it ends in the chunk.
    pub(super) end: usize,
    pub(super) event_type: FieldRange,
    pub(super) id: FieldRange,
    pub(super) scope: Option<Scope>,
}

/// The range of a field's value in its frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldRange {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl FieldRange {
    /// The frame has no such field.
    const NONE: Self = Self {
        start: u32::MAX,
        len: 0,
    };

    pub(super) fn of(range: Option<&Range<usize>>) -> Self {
        let Some(range) = range else {
            return Self::NONE;
        };
        // Frames are below 4 GiB: see `Retention::with_max_bytes`.
        let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            start: short(range.start),
            len: short(range.len()),
        }
    }

    pub(super) fn text(self, frame: &[u8]) -> Option<&str> {
        if self == Self::NONE {
            return None;
        }
        let start = self.start as usize;
        let text = frame.get(start..start + self.len as usize)?;
        core::str::from_utf8(text).ok()
    }
}

/// The part of a chunk that is selected so far. It is a slice of the chunk until a frame is left
/// out, then a copy.
///
/// An id that replaces a frame may be longer than the frame. If the selection would exceed the
/// budget, the id is not added, and the next poll continues with the rest of the chunk.
pub(super) struct Selection<'a> {
    chunk: &'a Bytes,
    whole: usize,
    copied: Option<BytesMut>,
    /// The position of an id at the end of the selection; the next id replaces it.
    last_id: Option<usize>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(chunk: &'a Bytes) -> Self {
        Self {
            chunk,
            whole: 0,
            copied: None,
            last_id: None,
        }
    }

    /// Adds a frame of the chunk. Returns whether it fits.
    #[must_use]
    pub(super) fn put(&mut self, start: usize, end: usize) -> bool {
        if !fits(self.len(), end - start) {
            return false;
        }
        match &mut self.copied {
            None => self.whole = end,
            // Cannot panic: the ends of the frames are in order and within the chunk.
            Some(copied) => copied.extend_from_slice(&self.chunk[start..end]),
        }
        self.last_id = None;
        true
    }

    /// Leaves a frame out. Returns true: this always fits.
    pub(super) fn skip(&mut self) -> bool {
        self.copied();
        true
    }

    /// Leaves out a frame with an assigned id, and inserts an id in its place if one is due.
    /// Returns whether the id fits.
    #[must_use]
    pub(super) fn skip_assigned(&mut self, id: AssignedId, id_after: u32) -> bool {
        if id.number % u64::from(id_after) == 0 {
            return self.put_id(id.text().as_str());
        }
        self.skip()
    }

    /// Inserts an id in place of a frame. Returns whether it fits.
    #[must_use]
    pub(super) fn put_id(&mut self, id: &str) -> bool {
        let Ok(id) = EventId::new(id) else {
            return self.skip();
        };
        let block = Event::block().with_id(id);
        let at = self.last_id.unwrap_or(self.len());
        if !fits(at, block.encoded_len()) {
            return false;
        }
        let copied = self.copied();
        copied.truncate(at);
        block.encode(copied);
        self.last_id = Some(at);
        true
    }

    pub(super) fn finish(self) -> Bytes {
        match self.copied {
            None => self.chunk.slice(..self.whole),
            Some(copied) => copied.freeze(),
        }
    }

    fn len(&self) -> usize {
        self.copied.as_ref().map_or(self.whole, BytesMut::len)
    }

    /// The selection as a copy. An empty copy allocates nothing.
    fn copied(&mut self) -> &mut BytesMut {
        let whole = self.whole;
        self.copied
            .get_or_insert_with(|| BytesMut::from(&self.chunk[..whole]))
    }
}

/// Returns whether `len` bytes fit after `at` bytes. The first frame always fits, because it may be
/// a large one.
fn fits(at: usize, len: usize) -> bool {
    at == 0 || at + len <= BUDGET
}
