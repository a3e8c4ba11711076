//! The last readings, for clients that reconnect.

/// The number of readings that are kept.
const KEPT: u32 = 16;

/// The last readings of a sensor, each with its number, which counts from 1.
pub(crate) struct Log {
    readings: [i16; KEPT as usize],
    next: u32,
    epoch: u32,
}

impl Log {
    /// Makes an empty log. The epoch must be new, so that an id from an earlier log is not mistaken
    /// for an id of this one.
    pub(crate) const fn new(epoch: u32) -> Self {
        Self {
            readings: [0; KEPT as usize],
            next: 1,
            epoch,
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

    /// Returns the id of a reading: the epoch and the number of the reading in one integer, which
    /// an `EventId` holds inline.
    pub(crate) fn id(&self, number: u32) -> u64 {
        u64::from(self.epoch) << 32 | u64::from(number)
    }

    /// Returns the number of the reading with this id. Returns `None` if the id is of another log.
    pub(crate) fn number(&self, id: u64) -> Option<u32> {
        let number = u32::try_from(id & u64::from(u32::MAX)).ok()?;
        (self.id(number) == id).then_some(number)
    }

    /// Returns the number of the oldest reading that is kept.
    pub(crate) fn oldest(&self) -> u32 {
        self.next.saturating_sub(KEPT).max(1)
    }

    /// Returns whether a client can begin with this number: the reading is kept or is the next one.
    pub(crate) fn has_place(&self, number: u32) -> bool {
        (self.oldest()..=self.next).contains(&number)
    }

    /// Returns a reading, if it is kept.
    pub(crate) fn get(&self, number: u32) -> Option<i16> {
        let is_kept = (self.oldest()..self.next).contains(&number);
        is_kept.then(|| self.readings[(number % KEPT) as usize])
    }
}
