//! Waiting for an id.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::signal::Signal;
use super::wakes::Wakes;

/// What became of an id that was waited for. Returned by
/// [`Broadcast::reached`](crate::Broadcast::reached).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Arrival {
    /// It is in the log, or was its last id before the oldest frame kept.
    In,
    /// It is not in the log, and a larger id is or was.
    Passed,
    /// The log was rewound or reset meanwhile, so smaller ids may come.
    Rewound,
    /// The broadcast is closed.
    Closed,
}

/// The ids that are waited for, by their keys.
#[derive(Default)]
pub(super) struct Awaited {
    ids: BTreeMap<u128, Vec<AwaitedId>>,
    len: usize,
    /// How many there may be before those that nobody waits for any more are removed.
    room: usize,
}

struct AwaitedId {
    id: Box<str>,
    arrival: Arc<Signal<Arrival>>,
}

impl Awaited {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn add(&mut self, key: u128, id: &str, arrival: &Arc<Signal<Arrival>>) {
        if self.len >= self.room {
            // A future that is dropped has taken its waker along, so this runs no foreign code.
            self.ids.retain(|_, all| {
                all.retain(|one| Arc::strong_count(&one.arrival) > 1);
                !all.is_empty()
            });
            self.len = self.ids.values().map(Vec::len).sum();
            self.room = (2 * self.len).max(16);
        }
        self.len += 1;
        self.ids.entry(key).or_default().push(AwaitedId {
            id: id.into(),
            arrival: Arc::clone(arrival),
        });
    }

    /// Notes that the log has reached a key, with an id if the last frame has one.
    #[cold]
    pub(super) fn pass(&mut self, key: u128, id: Option<&str>, wakes: &mut Wakes) {
        while let Some(first) = self.ids.first_entry().filter(|first| *first.key() <= key) {
            let is_last = *first.key() == key;
            let all = first.remove();
            self.len -= all.len();
            for one in all {
                let is_it = is_last && id == Some(&one.id);
                let arrival = if is_it { Arrival::In } else { Arrival::Passed };
                wakes.extend(one.arrival.set(arrival));
            }
        }
    }

    pub(super) fn end(&mut self, arrival: Arrival, wakes: &mut Wakes) {
        for one in mem::take(self).ids.into_values().flatten() {
            wakes.extend(one.arrival.set(arrival));
        }
    }
}
