//! Publishing: what is refused, and how a frame gets into the log.

use ::core::error::Error;
use ::core::fmt;

use alloc::vec::Vec;

use bytes::Bytes;

use super::ids::AssignedId;
use super::log::NewFrame;
use super::options::Scope;
use super::shared::{BroadcastShared, BroadcastState};
use crate::sync::MutexGuard;
use crate::wire::encode::{FieldRanges, Fields};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// Why an event was not published. Nothing has changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PublishError {
    /// The broadcast is closed.
    Closed,
    /// The event takes more bytes than the log
    /// [keeps](crate::broadcast::Retention::with_max_bytes).
    TooLarge {
        /// The number of bytes that the event takes on the wire.
        len: usize,
        /// The largest number of bytes kept.
        limit: usize,
    },
    /// The name of the scope takes more than 256 bytes.
    ScopeTooLong {
        /// The number of bytes that it takes.
        len: usize,
    },
    /// The event has an id, and the broadcast assigns ids.
    HasId,
    /// A frame cannot be given an id, and the broadcast assigns ids: publish the event instead.
    IsFrame,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the broadcast is closed"),
            Self::TooLarge { len, limit } => {
                write!(f, "the event takes {len} bytes and the log retains {limit}")
            }
            Self::ScopeTooLong { len } => {
                let most = Scope::MAX_BYTES;
                write!(f, "the scope takes {len} bytes and may take {most}")
            }
            Self::HasId => f.write_str("the event has an id, and the broadcast assigns ids"),
            Self::IsFrame => {
                f.write_str("a frame can't be given an id, and the broadcast assigns ids")
            }
        }
    }
}

impl Error for PublishError {}

/// Publishes an event. Returns the number of its frame.
#[inline]
pub(super) fn event(
    shared: &BroadcastShared,
    event: &Event<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let parts = event.fields();
    match shared.epoch {
        None => with_own_id(shared, &parts, scope),
        Some(_) if event.id().is_some() => Err(PublishError::HasId),
        Some(epoch) => with_assigned_id(shared, epoch, &parts, scope),
    }
}

/// Publishes a frame. Returns its number.
pub(super) fn frame(
    shared: &BroadcastShared,
    frame: &Frame,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    if shared.epoch.is_some() {
        return Err(PublishError::IsFrame);
    }
    let about = NewFrame {
        places: frame.ranges(),
        is_indexed: true,
        scope: checked_scope(scope)?,
    };
    let write = |out: &mut Vec<u8>| out.extend_from_slice(frame.as_bytes());
    append(shared, frame.len(), about, write, || frame.bytes().clone())
}

#[inline(never)]
fn with_own_id(
    shared: &BroadcastShared,
    parts: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let measured = parts.measure();
    let about = NewFrame {
        places: &FieldRanges::of(parts),
        is_indexed: true,
        scope: checked_scope(scope)?,
    };
    let write = |out: &mut Vec<u8>| parts.write(measured.shape, out);
    let to_bytes = || parts.write_to_bytes(measured);
    append(shared, measured.len, about, write, to_bytes)
}

/// Appends a frame of `len` bytes. A large one is encoded without the lock, by `to_bytes`.
#[inline]
fn append(
    shared: &BroadcastShared,
    len: usize,
    about: NewFrame<'_>,
    write: impl FnOnce(&mut Vec<u8>),
    to_bytes: impl FnOnce() -> Bytes,
) -> Result<u64, PublishError> {
    check_len(shared, len)?;
    let mut state = lock_open(shared)?;
    if state.log.is_large(len) {
        drop(state);
        let bytes = to_bytes();
        state = lock_open(shared)?;
        state.log.append_large(bytes, about);
    } else {
        state.log.append(len, write, about);
    }
    Ok(finish(shared, state))
}

/// Measures the event without the lock, with the id that it gets unless another thread publishes
/// meanwhile. The id that it gets then has other digits, and mostly as many.
#[inline(never)]
fn with_assigned_id(
    shared: &BroadcastShared,
    epoch: u64,
    parts: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let scope = checked_scope(scope)?;
    let number = shared.next_number();
    let mut text = AssignedId::frame(epoch, number).text();
    let guessed = parts.with_id(text.as_str());
    let mut measured = guessed.measure();
    let mut places = FieldRanges::of(&guessed);

    let mut state = lock_open(shared)?;
    if state.log.is_large(measured.len) {
        drop(state);
        return large_with_assigned_id(shared, epoch, parts, scope);
    }
    let head = state.log.head();
    if head != number {
        let before = text.as_str().len();
        text = AssignedId::frame(epoch, head).text();
        let len = text.as_str().len();
        measured.len = measured.len - before + len;
        places.id = places.id.map(|place| place.start..place.start + len);
    }
    check_len(shared, measured.len)?;
    let about = NewFrame {
        places: &places,
        is_indexed: false,
        scope,
    };
    let parts = parts.with_id(text.as_str());
    let write = |out: &mut Vec<u8>| parts.write(measured.shape, out);
    state.log.append(measured.len, write, about);
    Ok(finish(shared, state))
}

/// Encodes the event without the lock, and puts the digits of its id in under the lock.
#[cold]
fn large_with_assigned_id(
    shared: &BroadcastShared,
    epoch: u64,
    parts: &Fields<'_>,
    scope: Option<Scope>,
) -> Result<u64, PublishError> {
    loop {
        let guess = AssignedId::frame(epoch, shared.next_number()).text();
        let guessed = parts.with_id(guess.as_str());
        let measured = guessed.measure();
        check_len(shared, measured.len)?;
        let places = FieldRanges::of(&guessed);
        let mut bytes = Vec::with_capacity(measured.len);
        guessed.write(measured.shape, &mut bytes);

        let mut state = lock_open(shared)?;
        let id = AssignedId::frame(epoch, state.log.head()).text();
        let id = id.as_str().as_bytes();
        let digits = places.id.clone().and_then(|place| bytes.get_mut(place));
        let Some(digits) = digits.filter(|digits| digits.len() == id.len()) else {
            // The number has one digit more than a moment ago, which happens 19 times.
            continue;
        };
        digits.copy_from_slice(id);
        let about = NewFrame {
            places: &places,
            is_indexed: false,
            scope,
        };
        state.log.append_large(Bytes::from(bytes), about);
        return Ok(finish(shared, state));
    }
}

fn check_len(shared: &BroadcastShared, len: usize) -> Result<(), PublishError> {
    let limit = shared.max_frame_bytes;
    if len > limit {
        return Err(PublishError::TooLarge { len, limit });
    }
    Ok(())
}

/// The names of scopes are kept with the frames, and count in the memory that `Retention` promises.
fn checked_scope(scope: Option<&Scope>) -> Result<Option<Scope>, PublishError> {
    let len = scope.map_or(0, |scope| scope.as_str().len());
    if len > Scope::MAX_BYTES {
        return Err(PublishError::ScopeTooLong { len });
    }
    Ok(scope.cloned())
}

#[inline]
fn lock_open(shared: &BroadcastShared) -> Result<MutexGuard<'_, BroadcastState>, PublishError> {
    let state = shared.lock();
    if state.is_closed {
        return Err(PublishError::Closed);
    }
    Ok(state)
}

/// Wakes the subscribers that wait. Returns the number of the frame that was appended.
#[inline]
fn finish(shared: &BroadcastShared, state: MutexGuard<'_, BroadcastState>) -> u64 {
    let number = state.log.head() - 1;
    shared.wake_all(state);
    number
}
