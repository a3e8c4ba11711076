//! How much of the past is kept.

use core::time::Duration;

/// What the log of a [`Broadcast`](crate::Broadcast) keeps for clients that come back or lag.
///
/// The oldest frames go as soon as any of the limits is passed; who had not read them
/// [lags](crate::broadcast::SubscribeOptions::with_skip_ahead).
///
/// The memory that a broadcast holds stays below the bytes retained and an eighth of them, plus
/// 256 KiB, plus 192 bytes for each frame retained, plus 128 bytes for each id remembered; each of
/// these that has a [`Scope`](crate::broadcast::Scope) of its own, not a clone of another's, takes the text of
/// that and 24 bytes more: at most [280](crate::broadcast::Scope::MAX_LEN). What subscribers cost is said at
/// [`Subscription`](crate::Subscription).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::broadcast::Retention;
/// use sse_proto::{Broadcast, Event};
///
/// let broadcast = Broadcast::new(Retention::new().with_frames(2).with_age(Duration::from_secs(60)));
/// broadcast.advance(Duration::ZERO);
/// for data in ["1", "2", "3"] {
///     broadcast.publish(&Event::message(data))?;
/// }
/// assert_eq!(broadcast.statistics().retained_frames, 2);
/// broadcast.advance(Duration::from_secs(61));
/// assert_eq!(broadcast.statistics().retained_frames, 0);
/// # Ok::<(), sse_proto::broadcast::PublishError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    frames: usize,
    bytes: usize,
    age: Option<Duration>,
    remembered_ids: usize,
}

impl Retention {
    /// The default: 1024 frames and 1 MiB of any age; 4096 ids remembered.
    pub const fn new() -> Self {
        Self {
            frames: 1024,
            bytes: 1024 * 1024,
            age: None,
            remembered_ids: 4096,
        }
    }

    /// Sets how many frames are kept; 0 counts as 1.
    pub const fn with_frames(mut self, frames: usize) -> Self {
        self.frames = if frames == 0 { 1 } else { frames };
        self
    }

    /// Sets how many bytes are kept, as they are on the wire. An event above that is refused as
    /// [too large](crate::broadcast::PublishError::TooLarge). 4 GiB less a byte at most.
    pub const fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = if bytes > MOST_BYTES {
            MOST_BYTES
        } else {
            bytes
        };
        self
    }

    /// Sets the age above which frames go, counted by the times that
    /// [`Broadcast::advance`](crate::Broadcast::advance) is given.
    pub const fn with_age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Sets how many ids are remembered after their frames are gone, so that a client that comes
    /// back too late is told from one whose id was never heard of. Of assigned ids only those
    /// count whose frames had a scope. The others are known as long as none with a scope that was
    /// published behind them is forgotten: for ever where there are no scopes.
    pub const fn with_remembered_ids(mut self, ids: usize) -> Self {
        self.remembered_ids = ids;
        self
    }

    /// Returns how many frames are kept.
    pub const fn frames(&self) -> usize {
        self.frames
    }

    /// Returns how many bytes are kept.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the age above which frames go.
    pub const fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Returns how many ids are remembered after their frames are gone.
    pub const fn remembered_ids(&self) -> usize {
        self.remembered_ids
    }
}

/// Places within a frame are held in 32 bits.
const MOST_BYTES: usize = u32::MAX as usize;

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}
