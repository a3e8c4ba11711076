//! What was gathered of tiny chunks.

use super::chunk::Chunk;
use crate::wire::line::WINDOW;
use crate::wire::line::stream::{Ends, NO_ENDS};

/// The most that is gathered: several times the event of a language model's delta.
const MOST: usize = 512;

/// What was gathered, and where lines end in it, so that it is searched once.
pub(super) struct Gathered {
    /// How many bytes more have room and pass no limit, whatever they are; 0 where nothing is gathered.
    room: usize,
    len: usize,
    /// An event in it was handed out; nothing else is in it.
    is_lent: bool,
    ends: Ends,
    bytes: [u8; MOST],
}

impl Gathered {
    pub(super) const fn new() -> Self {
        Self {
            room: 0,
            len: 0,
            is_lent: false,
            ends: NO_ENDS,
            bytes: [0; MOST],
        }
    }

    pub(super) fn clear(&mut self) {
        (self.room, self.len, self.is_lent) = (0, 0, false);
    }

    /// Begins anew, with room for so many bytes.
    pub(super) fn begin(&mut self, room: usize) {
        self.clear();
        self.room = room.min(MOST);
        self.ends = NO_ENDS;
    }

    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// Keeps an event until the next call.
    pub(super) fn lend(&mut self) {
        (self.room, self.is_lent) = (0, true);
    }

    /// Whether bytes are there that nobody has read.
    #[inline]
    pub(super) const fn is_pending(&self) -> bool {
        self.len > 0 && !self.is_lent
    }

    /// The last byte that nobody has read.
    #[inline]
    pub(super) fn last(&self) -> Option<u8> {
        if self.is_lent {
            None
        } else {
            self.bytes[..self.len].last().copied()
        }
    }

    #[inline]
    pub(super) fn chunk(&self) -> Chunk<'_> {
        Chunk::gathered(&self.bytes[..self.len], &self.ends)
    }

    /// Appends bytes for which there is room, with the mask of their line ends.
    #[inline]
    pub(super) fn push(&mut self, piece: &[u8], ends: u64) {
        #[cfg(test)]
        super::count_copied(piece.len());
        let (window, offset) = (self.len / WINDOW % (MOST / WINDOW), self.len % WINDOW);
        self.ends[window] |= ends << offset;
        self.ends[window + 1] |= ends >> 1 >> (WINDOW - 1 - offset);
        let end = self.len + piece.len();
        copy(piece, &mut self.bytes[self.len..end]);
        self.len = end;
        self.room -= piece.len();
    }
}

/// Known lengths are copied without a call, in two parts that may overlap.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    if let (Some(first), Some(last), ..=32) = (from.first_chunk(), from.last_chunk(), from.len()) {
        if let Some(to) = to.first_chunk_mut::<16>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<16>() {
            *to = *last;
        }
    } else {
        to.copy_from_slice(from);
    }
}
