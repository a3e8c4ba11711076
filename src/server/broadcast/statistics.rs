//! What a broadcast holds, and what was lost.

use super::core::State;

/// What a [`Broadcast`](crate::Broadcast) holds, and what was lost, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastStatistics {
    /// How many subscribers there are that have not ended.
    pub subscribers: usize,
    /// How many of them lag: their next frame is not retained any more. They are told at their next
    /// poll.
    pub lagging: usize,
    /// How many frames wait for the slowest of those who do not lag.
    pub most_behind: u64,
    /// How often a subscriber was told that it lagged, and was disconnected or skipped ahead.
    pub lagged: u64,
    /// How many frames were published.
    pub published: u64,
    /// How many frames are retained.
    pub retained_frames: usize,
    /// How many bytes they have on the wire.
    pub retained_bytes: u64,
    /// How many frames are not retained any more.
    pub dropped: u64,
}

pub(super) fn of(state: &State) -> BroadcastStatistics {
    let log = &state.log;
    let head = log.head();
    BroadcastStatistics {
        subscribers: state.subscribers,
        lagging: log.fallen,
        most_behind: log.slowest().map_or(0, |slowest| head - slowest),
        lagged: state.lagged,
        published: head - 1,
        retained_frames: log.frames(),
        retained_bytes: log.bytes(),
        dropped: log.oldest() - 1,
    }
}
