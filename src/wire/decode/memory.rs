//! What the buffers may hold.
//!
//! Each buffer keeps up to [`KEPT`] bytes whatever happens; what a buffer has beyond that is charged to one account for
//! all, and the account never passes the limit. Buffers double, so that copying stays linear, as far as the account
//! goes. Where it does not go far enough, the others give back what they reserved ahead. Then there is room, because the
//! contents of an open block are part of its wire bytes, and those are within the limit.
//!
//! A peer could make the buffers of one block take room from each other over and over, and all of its bytes be moved
//! each time. So from the first time on, nobody reserves more than half of what is free: each further time takes a value
//! that is longer than the other half, and they get shorter as the block comes to its limit. In a block of 16 MiB that
//! does nothing else, each byte is moved up to 6 times and not 88 times.

use core::mem;

use super::block::Block;
use super::text_buffer::{KEPT, TextBuffer};

/// The least that is allocated.
const FIRST: usize = 256;

impl Block {
    /// Makes room for `more` bytes in one of the buffers.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self, pick: fn(&mut Self) -> &mut TextBuffer, more: usize) {
        let mut buffer = mem::take(pick(self));
        let least = buffer.len().saturating_add(more);
        let mut most = self.most_for_one();
        if least > most {
            self.give_back();
            self.has_given_back = true;
            most = self.most_for_one();
        }
        let mut most_ahead = most;
        if self.has_given_back {
            most_ahead -= most.saturating_sub(buffer.len()) / 2;
        }
        let mut wanted = buffer.capacity().saturating_mul(2).max(FIRST);
        if wanted > KEPT {
            // Large events come in rows: the successor of a buffer that was given away or back need not double its way up.
            wanted = wanted.max(mem::take(&mut self.size_before));
        }
        buffer.reserve(wanted.min(most_ahead).max(least));
        self.is_large |= buffer.capacity() > KEPT;
        *pick(self) = buffer;
    }

    /// What a buffer may hold, when it is taken out, beside the others.
    fn most_for_one(&mut self) -> usize {
        let charged = |buffer: &mut TextBuffer| buffer.capacity().saturating_sub(KEPT);
        let others: usize = self.buffers().into_iter().map(charged).sum();
        self.most.saturating_sub(others).saturating_add(KEPT)
    }

    /// Shrinks the buffers to what they must hold. One line is read at a time, so that a buffer of a line, if it is not
    /// taken out, holds nothing that is needed.
    fn give_back(&mut self) {
        self.next_id.clear();
        self.comment.clear();
        for (buffer, is_open) in [
            (&mut self.data, self.has_data),
            (&mut self.event_type, self.has_event_type),
            (&mut self.id, self.has_id),
        ] {
            if !is_open {
                buffer.clear();
            }
        }
        for buffer in self.buffers() {
            buffer.shrink(KEPT);
        }
    }

    /// Remembers how large the data of this event made its buffer, for those events that come in rows.
    #[cold]
    pub(super) fn remember_size(&mut self, is_buffered: bool) {
        self.size_before = if is_buffered && self.data.is_well_used() {
            self.data.capacity()
        } else {
            0
        };
    }

    /// Gives back what the item that was handed out last had in the buffers. A comment may be handed out within a block;
    /// what that has stays as it is, since to move it for each comment would cost more than the comment.
    #[cold]
    pub(super) fn give_back_item(&mut self) {
        if self.has_data || self.has_event_type || self.has_id {
            self.comment.clear();
            self.comment.shrink(KEPT);
        } else {
            self.shrink();
        }
    }

    /// Gives back what a large event made the buffers grow to. Only between blocks.
    #[cold]
    pub(super) fn shrink(&mut self) {
        self.is_large = false;
        self.has_given_back = false;
        for buffer in self.buffers() {
            buffer.clear();
            buffer.shrink(KEPT);
        }
    }

    /// Gives back all that the buffers hold, and what the last event ID does not need. Only between blocks.
    pub(super) fn release(&mut self) {
        for buffer in self.buffers() {
            *buffer = TextBuffer::new();
        }
        self.last_event_id.shrink(0);
    }

    /// What all buffers have allocated.
    pub(super) fn held(&self) -> usize {
        self.data.capacity()
            + self.event_type.capacity()
            + self.id.capacity()
            + self.next_id.capacity()
            + self.comment.capacity()
            + self.last_event_id.capacity()
    }

    /// All buffers but the last event ID, which is no part of a block.
    fn buffers(&mut self) -> [&mut TextBuffer; 5] {
        [
            &mut self.data,
            &mut self.event_type,
            &mut self.id,
            &mut self.next_id,
            &mut self.comment,
        ]
    }
}
