//! Room in the queue that is held for what is under way.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Room that is reserved for dispatches under way. Shared with each of them, so that one that
/// panics or is dropped gives its room back without a borrow of the target.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    frames: AtomicUsize,
    bytes: AtomicUsize,
}

impl Reserved {
    pub(crate) fn frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Room {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Room {
            reserved: Arc::clone(self),
            bytes,
        }
    }
}

/// The room of one frame; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    reserved: Arc<Reserved>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.reserved.frames.fetch_sub(1, Ordering::Relaxed);
        self.reserved.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
