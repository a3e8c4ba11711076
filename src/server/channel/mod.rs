//! Cloneable handles and a stream of bytes over one [`Target`](crate::Target).
//!
//! The lock is held for the target's own work alone. Listeners, wakers, and the drop of whatever
//! captured something of the user's wait until it is released. On a single thread the lock is a
//! `RefCell`, and all else is the same code.

mod handle;
mod hub;
mod listen;
#[cfg(feature = "std")]
mod nesting;
mod polls;
mod reserve;
mod sharing;
mod stream;
mod turns;

pub use self::handle::{LocalTargetHandle, TargetHandle, WeakTargetHandle};
use self::hub::{Core, Inner};
pub use self::reserve::{Permit, Reserve};
#[cfg(feature = "std")]
pub use self::sharing::Shared;
pub use self::sharing::{Local, Sharing};
pub use self::stream::{EventStream, LocalEventStream};
use super::outbox::Limits;

/// Opens an event stream: a handle that takes events, and the bytes that a server sends.
///
/// # Memory
///
/// Counted with the allocator on a 64-bit machine, handle and stream included: 368 bytes before the
/// first event; 4632 once what was sent is delivered, of which 4096 are the buffer that is kept for
/// the next event, so 496 with an [idle capacity](Limits::with_idle_capacity) of 0. (Of
/// [`local_channel`]: 376, 4640 and 504.) What is queued comes on top of that, up to the
/// [limits](Limits::with_bytes). The bench `memory` of the package `alloc-tests` prints it.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use sse_proto::{Event, channel};
///
/// # futures::executor::block_on(async {
/// let (target, mut stream) = channel();
/// target.dispatch_message("hello")?;
/// target.dispatch_message("world")?;
/// target.close();
/// assert_eq!(stream.next().await.unwrap(), "data: hello\n\ndata: world\n\n");
/// assert!(stream.next().await.is_none());
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// # })?;
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
#[cfg(feature = "std")]
pub fn channel() -> (TargetHandle, EventStream) {
    channel_with(Limits::new())
}

/// Opens an event stream whose queue has limits of the caller's.
#[cfg(feature = "std")]
pub fn channel_with(limits: Limits) -> (TargetHandle, EventStream) {
    open(limits)
}

/// Opens an event stream that stays on one thread: no lock, and listeners need not be `Send`.
///
/// It is what `channel` is in all else, and needs no `std`.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use sse_proto::target::On;
/// use sse_proto::local_channel;
///
/// let (target, stream) = local_channel();
/// let heard = Rc::new(Cell::new(0));
/// let count = Rc::clone(&heard);
/// target.listen(On::message(), move |_| count.set(count.get() + 1));
/// target.dispatch_message("hello")?;
/// assert_eq!(heard.get(), 1);
/// # drop(stream);
/// # Ok::<(), sse_proto::target::DispatchError>(())
/// ```
pub fn local_channel() -> (LocalTargetHandle, LocalEventStream) {
    local_channel_with(Limits::new())
}

/// Opens an event stream that stays on one thread and whose queue has limits of the caller's.
pub fn local_channel_with(limits: Limits) -> (LocalTargetHandle, LocalEventStream) {
    open(limits)
}

fn open<S: Sharing>(limits: Limits) -> (TargetHandle<S>, EventStream<S>) {
    let core = Core::<S>::open(limits);
    let stream = EventStream {
        core: S::Strong::clone(&core),
    };
    (TargetHandle { core }, stream)
}
