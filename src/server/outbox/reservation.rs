//! Room in the queue that is held for a frame to come.

use crate::server::dispatch::Outgoing;

/// A number of frames, and their bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Amount {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

impl Amount {
    #[inline]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            bytes: self.bytes + other.bytes,
        }
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.frames -= 1;
        self.bytes -= bytes;
    }
}

/// What room is reserved for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// An event whose listeners run, or that is next in line. It may be canceled, so no frame is
    /// dropped for it before it is queued.
    Event,
    /// A permit, or a frame that may drop no other. No dropping policy gives this room away.
    Permit,
}

impl Purpose {
    /// Returns what the room of a dispatch without a permit is reserved for.
    pub(crate) fn of(outgoing: &Outgoing<'_>) -> Self {
        match outgoing.dispatched_type() {
            Some(_) => Self::Event,
            None => Self::Permit,
        }
    }
}

/// Room for one frame. It is held until its queue releases it.
#[must_use = "a queue keeps the room until it releases it"]
pub(crate) struct Reservation {
    pub(super) purpose: Purpose,
    pub(super) bytes: usize,
}

impl Reservation {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
