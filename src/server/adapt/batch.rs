//! Chunks that are joined into one.

use core::fmt;
use core::mem;
use core::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_core::stream::Stream;

use super::fuse::{Fuse, MOST_EMPTY};

/// How many bytes the last batch may have had for its buffer to be kept.
const IDLE: usize = 4 * 1024;

/// Joins chunks, up to a number of bytes. A chunk alone is handed through as it came.
pub(super) struct Batch {
    max_bytes: usize,
    /// The first chunk, while it is alone.
    one: Bytes,
    /// All chunks, if there are several.
    joined: BytesMut,
    /// The first chunk of the next batch, which did not fit into this one.
    after: Bytes,
}

impl Batch {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            // None at all would be full while it is empty.
            max_bytes: max_bytes.max(1),
            one: Bytes::new(),
            joined: BytesMut::new(),
            after: Bytes::new(),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.one.is_empty() && self.joined.is_empty()
    }

    fn len(&self) -> usize {
        self.one.len() + self.joined.len()
    }

    /// Whether nothing more goes in.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.max_bytes || !self.after.is_empty()
    }

    /// Puts a chunk in. Must not be called when it is full.
    #[inline]
    pub(super) fn push(&mut self, chunk: Bytes) {
        if self.is_empty() {
            self.one = chunk;
        } else {
            self.join(chunk);
        }
    }

    #[inline(never)]
    fn join(&mut self, chunk: Bytes) {
        let len = self.len();
        if chunk.is_empty() {
            return;
        }
        if chunk.len() > self.max_bytes - len {
            self.after = chunk;
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(len + chunk.len());
            self.joined.extend_from_slice(&mem::take(&mut self.one));
        }
        self.joined.extend_from_slice(&chunk);
    }

    /// Joins two chunks, and what else is ready. The batch is empty before, and after but for what
    /// did not fit.
    #[inline(never)]
    pub(super) fn join_ready<S: Stream<Item = Bytes>>(
        &mut self,
        first: Bytes,
        second: Bytes,
        stream: Pin<&mut Fuse<S>>,
    ) -> Bytes {
        self.push(first);
        self.push(second);
        self.fill(stream);
        self.take()
    }

    /// Puts in what is ready. Of chunks without a byte there may be any number, so only so many are
    /// passed over.
    pub(super) fn fill<S: Stream<Item = Bytes>>(&mut self, mut stream: Pin<&mut Fuse<S>>) {
        let mut empty = 0;
        while !self.is_full() && empty < MOST_EMPTY {
            match stream.as_mut().poll_now() {
                Some(next) => {
                    empty += usize::from(next.is_empty());
                    self.push(next);
                }
                None => break,
            }
        }
    }

    /// Whether nothing goes in beside `chunk`.
    #[inline]
    pub(super) fn would_be_full(&self, chunk: &Bytes) -> bool {
        chunk.len() >= self.max_bytes
    }

    /// Takes the chunk out; empty if there is none.
    #[inline]
    pub(super) fn take(&mut self) -> Bytes {
        let after = mem::take(&mut self.after);
        let one = mem::replace(&mut self.one, after);
        if self.joined.is_empty() {
            return one;
        }
        if self.joined.len() > IDLE {
            return mem::take(&mut self.joined).freeze();
        }
        // What remains is used again once the consumer has dropped its part.
        self.joined.split().freeze()
    }

    /// How many chunks are still to come if `(least, most)` go in.
    pub(super) fn size_hint(&self, (_, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        // What goes in may be joined with what is there, or have no byte.
        let held = usize::from(!self.is_empty()) + usize::from(!self.after.is_empty());
        (held, most.and_then(|most| most.checked_add(held)))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("max_bytes", &self.max_bytes)
            .field("held", &(self.len() + self.after.len()))
            .finish_non_exhaustive()
    }
}
