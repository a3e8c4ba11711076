//! Room in the queue that is held for what is to come.

use alloc::sync::Arc;

use crate::sync::{AtomicUsize, Ordering};

/// Frames, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl Amount {
    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            frames: self.frames.saturating_add(other.frames),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// All room of a target that is held. Shared with who holds it, so that a dispatch that panics gives
/// its room back without a borrow of the target.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    under_way: Counter,
    promised: Counter,
}

/// Why room is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For a dispatch under way. It may turn out to be canceled, so nothing is dropped for it
    /// before it is committed.
    UnderWay,
    /// For the owner of a permit: never taken by others.
    Promised,
}

#[derive(Debug, Default)]
struct Counter {
    frames: AtomicUsize,
    bytes: AtomicUsize,
}

impl Reserved {
    /// Returns what is held for dispatches under way.
    pub(crate) fn under_way(&self) -> Amount {
        self.under_way.amount()
    }

    /// Returns what is held for permits.
    pub(crate) fn promised(&self) -> Amount {
        self.promised.amount()
    }

    pub(crate) fn reserve(self: &Arc<Self>, purpose: Purpose, bytes: usize) -> Room {
        let counter = self.counter(purpose);
        counter.frames.fetch_add(1, Ordering::Relaxed);
        counter.bytes.fetch_add(bytes, Ordering::Relaxed);
        Room {
            reserved: Arc::clone(self),
            purpose,
            bytes,
        }
    }

    fn counter(&self, purpose: Purpose) -> &Counter {
        match purpose {
            Purpose::UnderWay => &self.under_way,
            Purpose::Promised => &self.promised,
        }
    }
}

impl Counter {
    fn amount(&self) -> Amount {
        Amount {
            frames: self.frames.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// The room of one frame; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    reserved: Arc<Reserved>,
    purpose: Purpose,
    bytes: usize,
}

impl Room {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it is room in this queue.
    pub(crate) fn is_of(&self, reserved: Option<&Arc<Reserved>>) -> bool {
        reserved.is_some_and(|reserved| Arc::ptr_eq(reserved, &self.reserved))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let counter = self.reserved.counter(self.purpose);
        counter.frames.fetch_sub(1, Ordering::Relaxed);
        counter.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
