//! What a queue may hold, and what happens when it is full.

/// What the queue of a target may hold, and how it is handed out.
///
/// # Examples
///
/// ```
/// use sse_proto::target::{DispatchError, Limits};
/// use sse_proto::{Event, LocalListener, Target};
///
/// let mut target = Target::<LocalListener>::with_limits(Limits::new().with_frames(1));
/// assert!(target.dispatch(&Event::message("first")).is_ok());
/// assert_eq!(target.dispatch(&Event::message("second")), Err(DispatchError::Full));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    frames: usize,
    bytes: usize,
    chunk: usize,
    idle_capacity: usize,
    overflow: Overflow,
}

/// What becomes of an event that finds the queue full.
///
/// An event that is larger than the whole queue may be is
/// [too large](crate::target::DispatchError::TooLarge), whatever this says.
///
/// # What a client knows after a drop
///
/// The last event ID that a client holds, and sends when it comes back, is that of the last event
/// that it *got*. It never moves to an event that was dropped; but the next one that arrives moves
/// it past the dropped ones, and from then on nothing asks for them again. Who replays by id loses
/// what was dropped: use [`Disconnect`](Self::Disconnect) where nothing may be lost.
///
/// # Examples
///
/// ```
/// use sse_proto::target::{Limits, Overflow};
/// use sse_proto::{Event, EventType, LocalListener, Target};
///
/// let limits = Limits::new().with_frames(2).with_overflow(Overflow::KeepNewest);
/// let mut target = Target::<LocalListener>::with_limits(limits);
/// for (event_type, data) in [("cpu", "10 %"), ("disk", "3 GB"), ("cpu", "20 %")] {
///     target.dispatch(&Event::new(EventType::from_static(event_type), data))?;
/// }
/// assert_eq!(
///     target.next_chunk().unwrap(),
///     "event: disk\ndata: 3 GB\n\nevent: cpu\ndata: 20 %\n\n"
/// );
/// assert_eq!(target.dropped_frames(), 1);
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused as [full](crate::target::DispatchError::Full); its caller decides.
    #[default]
    Refuse,
    /// The oldest frames are dropped until it fits.
    ///
    /// Comments and other [blocks](crate::Event::block) that are no events never push anything out:
    /// they are refused. So is everything while somebody [waits for
    /// room](crate::TargetHandle::reserve).
    DropOldest,
    /// The frames of its own event type are dropped, oldest first, until it fits; where that is not
    /// enough, the oldest of any type. It goes to the end of the queue.
    ///
    /// For events of which only the newest of each type counts, such as states and figures. Blocks
    /// are refused as with [`DropOldest`](Self::DropOldest).
    ///
    /// Once the queue is full, each event takes time that grows with the number of frames queued,
    /// since their types are looked at: 1024 small ones take some microseconds.
    KeepNewest,
    /// The stream ends, for the reason [`Overflow`](crate::target::CloseReason::Overflow), and the queue
    /// is dropped: for an event, a frame or a comment that finds no room beside what is queued. What
    /// only finds the room held by others, or is behind somebody who [waits for
    /// it](crate::TargetHandle::reserve), is refused.
    ///
    /// An [`EventSource`](https://html.spec.whatwg.org/multipage/server-sent-events.html) comes back
    /// by itself, with the last event ID that it got.
    Disconnect,
}

impl Limits {
    /// The default: 1024 frames, 1 MiB, chunks of 64 KiB, 4 KiB kept while idle; what finds no room
    /// is refused.
    ///
    /// A client that is 1024 events behind, or a megabyte, is not reading: it takes seconds of a
    /// mobile connection to get there, and ten thousand such clients still fit into 13 GiB.
    pub const fn new() -> Self {
        Self {
            frames: 1024,
            bytes: 1024 * 1024,
            chunk: 64 * 1024,
            idle_capacity: 4 * 1024,
            overflow: Overflow::Refuse,
        }
    }

    /// Sets how many frames may be queued; 0 counts as 1.
    pub const fn with_frames(mut self, frames: usize) -> Self {
        self.frames = if frames == 0 { 1 } else { frames };
        self
    }

    /// Sets how many bytes may be queued. A single event above it is refused as
    /// [too large](crate::target::DispatchError::TooLarge).
    ///
    /// The memory held stays below this and a sixteenth of it, plus 128 KiB, plus 96 bytes for each
    /// frame that may be queued. With [`Overflow::KeepNewest`], which leaves holes, it stays below
    /// this and an eighth of it, plus 320 KiB, plus those 96 bytes.
    pub const fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how many bytes one poll hands out at most. A frame is never cut, so a larger one goes
    /// out whole.
    pub const fn with_chunk(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }

    /// Sets how many bytes of buffer a target may keep while nothing is queued.
    pub const fn with_idle_capacity(mut self, bytes: usize) -> Self {
        self.idle_capacity = bytes;
        self
    }

    /// Sets what becomes of an event that finds the queue full.
    pub const fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Returns how many frames may be queued.
    pub const fn frames(&self) -> usize {
        self.frames
    }

    /// Returns how many bytes may be queued.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many bytes one poll hands out at most, unless one frame is larger.
    pub const fn chunk(&self) -> usize {
        self.chunk
    }

    /// Returns how many bytes of buffer may be kept while nothing is queued.
    pub const fn idle_capacity(&self) -> usize {
        self.idle_capacity
    }

    /// Returns what becomes of an event that finds the queue full.
    pub const fn overflow(&self) -> Overflow {
        self.overflow
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
