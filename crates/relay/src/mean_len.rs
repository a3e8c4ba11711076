//! `MeanLen`, by which an engine bounds its pages in bytes.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::Arc;

use crate::engine::PageLimit;
use crate::entry::Record;

/// The mean length of the entries of a log: for an engine that can bound an answer in entries only.
///
/// Clones are of one log. Each answer that does not come lets the next read ask for a quarter of the
/// entries, and at least for two, so that a slow connection or very large entries stop nobody.
#[derive(Clone, Debug)]
pub struct MeanLen(Arc<State>);

#[derive(Debug)]
struct State {
    bytes: AtomicUsize,
    /// How often the number of entries is halved.
    halvings: AtomicU32,
}

/// The most halvings: a thousand entries become one.
const MAX_HALVINGS: u32 = 10;

impl Default for MeanLen {
    fn default() -> Self {
        Self(Arc::new(State {
            bytes: AtomicUsize::new(256),
            halvings: AtomicU32::new(0),
        }))
    }
}

impl MeanLen {
    /// Returns how many entries to ask for, at least two.
    pub fn count(&self, limit: PageLimit) -> usize {
        let mean_len = self.0.bytes.load(Ordering::Relaxed).max(1);
        let count = (limit.bytes / mean_len).min(limit.records);
        (count >> self.0.halvings.load(Ordering::Relaxed)).max(2)
    }

    /// Begins a read, of this many entries. If it is dropped without an [answer](Asking::came), it did
    /// not come.
    pub fn ask(&self, limit: PageLimit) -> (usize, Asking) {
        (self.count(limit), Asking(Some(self.clone())))
    }

    /// Notes the mean length of entries; a larger one counts at once.
    pub fn measure(&self, records: &[Record]) {
        if records.is_empty() {
            return;
        }
        let mean = records.iter().map(Record::len).sum::<usize>() / records.len();
        let was = self.0.bytes.load(Ordering::Relaxed);
        let bytes = mean.max((was * 7 + mean) / 8);
        self.0.bytes.store(bytes, Ordering::Relaxed);
    }

    fn halve(&self, change: impl Fn(u32) -> u32) {
        let halvings = self.0.halvings.load(Ordering::Relaxed);
        self.0.halvings.store(change(halvings), Ordering::Relaxed);
    }
}

/// A read that is on its way.
#[derive(Debug)]
#[must_use = "a read that is dropped did not come"]
pub struct Asking(Option<MeanLen>);

impl Asking {
    /// Notes the answer.
    pub fn came(mut self, records: &[Record]) {
        if let Some(mean_len) = self.0.take() {
            mean_len.measure(records);
            mean_len.halve(|halvings| halvings.saturating_sub(1));
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(mean_len) = self.0.take() {
            mean_len.halve(|halvings| (halvings + 2).min(MAX_HALVINGS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Place;

    #[test]
    fn what_does_not_come_is_asked_for_in_smaller_parts_until_it_comes() {
        let limit = PageLimit {
            records: 1000,
            bytes: 1 << 20,
        };
        let record = |len| Record {
            place: Place::START,
            fields: vec![(Vec::new(), vec![0; len])],
        };
        let mean_len = MeanLen::default();
        let fail = |expected| {
            let (count, _did_not_come) = mean_len.ask(limit);
            assert_eq!(count, expected);
        };
        [1000, 250, 62, 15, 3, 2, 2].into_iter().for_each(fail);
        for expected in [2, 2, 2, 2, 2] {
            let (count, asking) = mean_len.ask(limit);
            assert_eq!(count, expected);
            asking.came(&[record(300 << 10), record(300 << 10)]);
        }
        // Small entries again: the mean sinks slowly.
        for _ in 0..100 {
            let (_, asking) = mean_len.ask(limit);
            asking.came(&[record(100)]);
        }
        assert_eq!(mean_len.count(limit), 1000);
    }
}
