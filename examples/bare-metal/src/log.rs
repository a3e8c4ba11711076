//! The last readings, for clients that come back.

/// How many readings are kept.
const KEPT: u32 = 16;

/// The last readings of a sensor, each with its number, which counts from 1.
pub(crate) struct Log {
    readings: [i16; KEPT as usize],
    next: u32,
}

impl Log {
    pub(crate) const fn new() -> Self {
        Self {
            readings: [0; KEPT as usize],
            next: 1,
        }
    }

    pub(crate) fn push(&mut self, reading: i16) {
        self.readings[(self.next % KEPT) as usize] = reading;
        self.next += 1;
    }

    /// Returns the number of the next reading.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// Returns the number of the oldest reading that is kept.
    pub(crate) fn oldest(&self) -> u32 {
        self.next.saturating_sub(KEPT).max(1)
    }

    /// Returns a reading, unless it is gone or has not come.
    pub(crate) fn get(&self, number: u32) -> Option<i16> {
        let is_kept = (self.oldest()..self.next).contains(&number);
        is_kept.then(|| self.readings[(number % KEPT) as usize])
    }
}
