//! Counts of what a relay did.

use core::sync::atomic::{AtomicU64, Ordering};

/// What a relay has done since it was opened. Returned by [`Relay::metrics`](crate::Relay::metrics).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The entries that the reader has read.
    pub entries: u64,
    /// Those of them that no version can read: places without a frame.
    pub poison: u64,
    /// Those that this node cannot read: of a newer version, or above its retention.
    pub unreadable: u64,
    /// The connections that the reader has lost.
    pub reconnections: u64,
    /// The times that the engine had lost entries, and the local log dropped them.
    pub rewinds: u64,
    /// The times that the local log had nothing in common with the engine's, and began anew.
    pub resets: u64,
    /// The times that a seed was cut by the limit of bytes or frames.
    pub seeds_cut: u64,
    /// The pages of history that were read from the engine.
    pub pages: u64,
    /// The pages of history that another client had read.
    pub shared_pages: u64,
    /// The clients that were resumed from the local log, or began without an id.
    pub from_log: u64,
    /// The clients that were resumed from pages of history.
    pub from_history: u64,
    /// The clients that were answered with a gap.
    pub gaps: u64,
    /// The clients whose ids were unknown.
    pub unknown: u64,
    /// The clients that were sent away because the engine did not answer in time.
    pub busy: u64,
}

macro_rules! counts {
    ($($name:ident),*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counts { $(pub(crate) $name: AtomicU64,)* }

        impl Counts {
            pub(crate) fn read(&self) -> Metrics {
                Metrics { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts!(
    entries,
    poison,
    unreadable,
    reconnections,
    rewinds,
    resets,
    seeds_cut,
    pages,
    shared_pages,
    from_log,
    from_history,
    gaps,
    unknown,
    busy
);

impl Counts {
    pub(crate) fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
