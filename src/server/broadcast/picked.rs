//! What of a chunk is picked for somebody.

use bytes::{Bytes, BytesMut};

use super::chunk::BUDGET;
use super::ids::Assigned;
use crate::wire::event::Event;
use crate::wire::field::EventId;

/// What is picked so far: the beginning of the chunk, shared, as long as nothing is left out.
///
/// An id in the place of what is left out may be longer than that was. What would pass the budget then
/// does not fit, nothing has changed, and the rest of the chunk is for the next poll.
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

    /// Puts a part of the chunk in; returns whether it fits.
    #[must_use]
    pub(super) fn put(&mut self, start: usize, end: usize) -> bool {
        if !fits(self.len(), end - start) {
            return false;
        }
        match &mut self.copied {
            None => self.whole = end,
            // Where the frames of this chunk end was noted as it was joined, in order.
            Some(copied) => copied.extend_from_slice(&self.chunk[start..end]),
        }
        self.last_id = None;
        true
    }

    /// Leaves a frame out whose id is assigned, with its id in its place if that is due. Of another's,
    /// whose id this client must not learn, it is the id of the place behind it. Returns whether that
    /// fits.
    #[must_use]
    pub(super) fn leave_out(
        &mut self,
        number: u64,
        is_place: bool,
        epoch: u64,
        id_after: u32,
    ) -> bool {
        if number % u64::from(id_after) != 0 {
            return self.skip();
        }
        let id = Assigned {
            epoch,
            number,
            is_place,
        };
        self.put_id(id.text().as_str())
    }

    /// Leaves a frame out, which always fits.
    #[must_use]
    pub(super) fn skip(&mut self) -> bool {
        self.copied();
        true
    }

    /// Puts an id in the place of a frame; returns whether it fits.
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

    /// From here on it is a copy. Nothing is allocated for nothing.
    fn copied(&mut self) -> &mut BytesMut {
        let whole = self.whole;
        self.copied
            .get_or_insert_with(|| BytesMut::from(&self.chunk[..whole]))
    }
}

/// Whether `len` bytes fit behind `at` others. The first always do: they may be one large frame.
fn fits(at: usize, len: usize) -> bool {
    at == 0 || at + len <= BUDGET
}
