//! The limits of a queue, and the policy for a full queue.

/// The maximum of a limit. It keeps the sum of queued room, reserved room and one more frame from
/// overflowing.
const MAX: usize = usize::MAX / 4;

/// Sets the limits of a target's queue, and the policy for a full queue.
///
/// The default is 1024 frames and 1 MiB; an event that finds the queue full is refused.
///
/// # Examples
///
/// ```
/// use sse_proto::target::{DispatchError, Limits, channel_with};
///
/// let (target, stream) = channel_with(Limits::new().with_max_frames(1));
/// assert!(target.dispatch_message("first").is_ok());
/// assert_eq!(target.dispatch_message("second"), Err(DispatchError::Full));
/// # drop(stream);
/// ```
#[doc(alias = "capacity")]
#[doc(alias = "room")]
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(super) max_frames: usize,
    pub(super) max_bytes: usize,
    pub(super) overflow: Overflow,
}

/// The policy for an event that finds the queue full.
///
/// Under every policy, an event that is larger than the whole queue is refused as
/// [too large](crate::target::DispatchError::TooLarge).
///
/// # Last event ID after a drop
///
/// A client holds the id of the last event that it *received*, and sends this id when it
/// reconnects. The id of a dropped event never reaches the client. But the next event with an id
/// moves the client past the dropped events, so no replay by id includes them. Use
/// [`Disconnect`](Self::Disconnect) if no event may be lost.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use sse_proto::target::{Limits, Overflow, channel_with};
/// use sse_proto::{Event, EventType};
///
/// # futures::executor::block_on(async {
/// let limits = Limits::new().with_max_frames(2).with_overflow(Overflow::KeepNewest);
/// let (target, mut stream) = channel_with(limits);
/// for (event_type, data) in [("cpu", "10 %"), ("disk", "3 GB"), ("cpu", "20 %")] {
///     target.dispatch(&Event::new(EventType::from_static(event_type), data))?;
/// }
/// assert_eq!(
///     stream.next().await.unwrap(),
///     "event: disk\ndata: 3 GB\n\nevent: cpu\ndata: 20 %\n\n"
/// );
/// assert_eq!(target.dropped_frames(), 1);
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// # })?;
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Overflow {
    /// The event is refused as [full](crate::target::DispatchError::Full).
    Refuse,
    /// The oldest frames are dropped until the event fits.
    ///
    /// Comments and other [blocks](crate::Event::block) without data drop no frame; they are
    /// refused if the queue is full. While a task [waits for room](crate::Target::send), every
    /// dispatch that does not wait is refused.
    DropOldest,
    /// The frames of the event's own type are dropped, oldest first, until it fits. If that is not
    /// enough, the oldest frames of any type are dropped. The event goes to the end of the queue.
    ///
    /// Use it for events of which only the newest of each type matters, such as current values.
    /// Blocks are refused as with [`DropOldest`](Self::DropOldest).
    ///
    /// Once the queue is full, the time for an event grows with the number of queued frames,
    /// because their types are compared: a few microseconds for 1024 small frames.
    KeepNewest,
    /// The stream ends with the reason
    /// [`CloseReason::Overflow`](crate::target::CloseReason::Overflow), and the queue is dropped.
    ///
    /// Comments and blocks end it too. If the queue is full only because of reserved room, or if a
    /// task [waits for room](crate::Target::send), the event is refused and the stream stays open.
    ///
    /// An [`EventSource`](https://html.spec.whatwg.org/multipage/server-sent-events.html)
    /// reconnects by itself, with the id of the last event that it received.
    Disconnect,
}

impl Limits {
    /// Returns the default limits.
    ///
    /// A client that is 1024 events or 1 MiB late has probably stopped reading: even a mobile
    /// connection transfers 1 MiB in seconds. Ten thousand such clients still fit into 13 GiB.
    pub const fn new() -> Self {
        Self {
            max_frames: 1024,
            max_bytes: 1024 * 1024,
            overflow: Overflow::Refuse,
        }
    }

    /// Sets how many frames may be queued. 0 counts as 1; more than `usize::MAX / 4` counts as
    /// `usize::MAX / 4`.
    pub const fn with_max_frames(mut self, frames: usize) -> Self {
        self.max_frames = match frames {
            0 => 1,
            1..=MAX => frames,
            _ => MAX,
        };
        self
    }

    setters! {
        /// Sets how many bytes may be queued. More than `usize::MAX / 4` counts as that.
        ///
        /// A single larger event is refused as [too large](crate::target::DispatchError::TooLarge).
        /// The memory held stays below 17/16 of `bytes`, plus 128 KiB, plus 96 bytes for each frame
        /// that may be queued. With [`Overflow::KeepNewest`], it stays below 9/8 of `bytes`, plus
        /// 320 KiB, plus 96 bytes for each frame.
        const fn with_max_bytes(max_bytes: usize) = if max_bytes > MAX { MAX } else { max_bytes };

        /// Sets what happens to an event that finds the queue full.
        const fn with_overflow(overflow: Overflow);
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
