//! Where something stands within a frame.

/// A part of a frame, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Place {
    /// Nowhere.
    const NONE: Self = Self {
        start: u32::MAX,
        len: 0,
    };

    pub(super) fn of(range: Option<&core::ops::Range<usize>>) -> Self {
        let Some(range) = range else {
            return Self::NONE;
        };
        // Frames are below 4 GiB: see `Retention::with_bytes`.
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
