//! Waiting for an id.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

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

/// The ids that are waited for.
#[derive(Default)]
pub(super) struct Awaited(Vec<AwaitedId>);

struct AwaitedId {
    key: u128,
    id: Box<str>,
    arrival: Arc<Signal<Arrival>>,
}

impl Awaited {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, key: u128, id: &str, arrival: &Arc<Signal<Arrival>>) {
        // Futures that were dropped are removed before the list would grow.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|one| Arc::strong_count(&one.arrival) > 1);
        }
        self.0.push(AwaitedId {
            key,
            id: id.into(),
            arrival: Arc::clone(arrival),
        });
    }

    /// Notes that the log has reached a key, with an id if the last frame has one.
    #[cold]
    pub(super) fn pass(&mut self, key: u128, id: Option<&str>, wakes: &mut Wakes) {
        self.0.retain(|one| {
            if one.key > key {
                return true;
            }
            let is_it = one.key == key && id == Some(&one.id);
            let arrival = if is_it { Arrival::In } else { Arrival::Passed };
            wakes.extend(one.arrival.set(arrival));
            false
        });
    }

    pub(super) fn end(&mut self, arrival: Arrival, wakes: &mut Wakes) {
        for one in core::mem::take(&mut self.0) {
            wakes.extend(one.arrival.set(arrival));
        }
    }
}
