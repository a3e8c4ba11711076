//! Publishing: the checks, and the encoding with or without the lock.

use ::core::error::Error;
use ::core::fmt;

use alloc::vec::Vec;

use bytes::Bytes;

use super::ids::AssignedId;
use super::options::Scope;
use super::shared::{BroadcastShared, BroadcastState};
use crate::sync::MutexGuard;
use crate::wire::encode::{FieldRanges, Fields};
use crate::wire::event::Event;
use crate::wire::field::{EventId, InvalidField, TextOrNumber};
use crate::wire::frame::Frame;

/// Why an event was not published. Nothing has changed.
#[derive(Debug, PartialEq)]
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
    ScopeTooLong,
    /// The broadcast assigns ids, so it refuses an event that has an id. It also refuses every
    /// frame, because no id can be added to an encoded event.
    AssignsIds,
    /// No client could [come back](crate::Broadcast#ids) with the id: it has more than 1024 bytes, a
    /// space or a tab at an end, or a control character.
    InvalidId(InvalidField),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the broadcast is closed"),
            Self::TooLarge { len, limit } => {
                write!(f, "the event takes {len} bytes and the log retains {limit}")
            }
            Self::ScopeTooLong => f.write_str("the scope takes more than 256 bytes"),
            Self::AssignsIds => {
                f.write_str("the broadcast assigns ids, so it takes only events without an id")
            }
            Self::InvalidId(error) => error.fmt(f),
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
    let fields = event.fields();
    match shared.epoch {
        None => with_own_id(shared, &fields, scope),
        Some(_) if event.id().is_some() => Err(PublishError::AssignsIds),
        Some(epoch) => with_assigned_id(shared, epoch, &fields, scope),
    }
}

/// Publishes a frame. Returns its number.
pub(super) fn frame(
    shared: &BroadcastShared,
    frame: &Frame,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    if shared.epoch.is_some() {
        return Err(PublishError::AssignsIds);
    }
    check_id(frame.id())?;
    let write = |out: &mut Vec<u8>| out.extend_from_slice(frame.as_bytes());
    let to_bytes = || frame.bytes().clone();
    append(
        shared,
        frame.bytes().len(),
        frame.ranges(),
        scope,
        write,
        to_bytes,
    )
}

#[inline(never)]
fn with_own_id(
    shared: &BroadcastShared,
    fields: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    // The digits of a number can always come back.
    if let Some(TextOrNumber::Text(id)) = fields.id {
        check_id(Some(id))?;
    }
    let measured = fields.measure();
    let ranges = FieldRanges::of(fields);
    let write = |out: &mut Vec<u8>| fields.write(measured.shape, out);
    let to_bytes = || fields.write_to_bytes(measured);
    append(shared, measured.len, &ranges, scope, write, to_bytes)
}

/// Appends a frame of `len` bytes. A large one is encoded without the lock, by `to_bytes`.
#[inline]
fn append(
    shared: &BroadcastShared,
    len: usize,
    ranges: &FieldRanges,
    scope: Option<&Scope>,
    write: impl FnOnce(&mut Vec<u8>),
    to_bytes: impl FnOnce() -> Bytes,
) -> Result<u64, PublishError> {
    check(shared, len, scope)?;
    let mut state = lock_open(shared)?;
    if state.log.is_large(len) {
        drop(state);
        let bytes = to_bytes();
        state = lock_open(shared)?;
        state.log.append_large(bytes, ranges, scope);
    } else {
        state.log.append(len, write, ranges, scope);
    }
    Ok(shared.wake_all(state))
}

/// Measures the event with the next id, before locking. If another thread publishes meanwhile, the
/// event gets a later id, which usually has the same length.
#[inline(never)]
fn with_assigned_id(
    shared: &BroadcastShared,
    epoch: u64,
    fields: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let number = shared.next_number();
    let mut text = AssignedId::frame(epoch, number).text();
    let guessed = fields.with_id(text.as_str());
    let mut measured = guessed.measure();
    let mut ranges = FieldRanges::of(&guessed);

    let mut state = lock_open(shared)?;
    if state.log.is_large(measured.len) {
        drop(state);
        return large_with_assigned_id(shared, epoch, fields, scope);
    }
    let head = state.log.head();
    if head != number {
        let before = text.as_str().len();
        text = AssignedId::frame(epoch, head).text();
        let len = text.as_str().len();
        measured.len = measured.len - before + len;
        ranges.id = ranges.id.map(|range| range.start..range.start + len);
    }
    check(shared, measured.len, scope)?;
    let fields = fields.with_id(text.as_str());
    let write = |out: &mut Vec<u8>| fields.write(measured.shape, out);
    state.log.append(measured.len, write, &ranges, scope);
    Ok(shared.wake_all(state))
}

/// Encodes the event without the lock, then writes the digits of its id under the lock.
#[cold]
fn large_with_assigned_id(
    shared: &BroadcastShared,
    epoch: u64,
    fields: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    loop {
        let guess = AssignedId::frame(epoch, shared.next_number()).text();
        let guessed = fields.with_id(guess.as_str());
        let measured = guessed.measure();
        check(shared, measured.len, scope)?;
        let ranges = FieldRanges::of(&guessed);
        let mut bytes = Vec::with_capacity(measured.len);
        guessed.write(measured.shape, &mut bytes);

        let mut state = lock_open(shared)?;
        let id = AssignedId::frame(epoch, state.log.head()).text();
        let id = id.as_str().as_bytes();
        let digits = ranges.id.clone().and_then(|range| bytes.get_mut(range));
        // Tries again if the number has gained a digit, at most 19 times per broadcast.
        if let Some(digits) = digits.filter(|digits| digits.len() == id.len()) {
            digits.copy_from_slice(id);
            state.log.append_large(Bytes::from(bytes), &ranges, scope);
            return Ok(shared.wake_all(state));
        }
    }
}

/// Checks the limits. Scope names are kept with the frames and count toward the memory bound of
/// `Retention`.
fn check(shared: &BroadcastShared, len: usize, scope: Option<&Scope>) -> Result<(), PublishError> {
    let limit = shared.max_frame_bytes;
    if len > limit {
        return Err(PublishError::TooLarge { len, limit });
    }
    if scope.is_some_and(|scope| scope.as_str().len() > Scope::MAX_BYTES) {
        return Err(PublishError::ScopeTooLong);
    }
    Ok(())
}

#[inline]
fn check_id(id: Option<&str>) -> Result<(), PublishError> {
    EventId::check_sent_back(id.unwrap_or_default()).map_err(PublishError::InvalidId)
}

#[inline]
fn lock_open(shared: &BroadcastShared) -> Result<MutexGuard<'_, BroadcastState>, PublishError> {
    let state = shared.lock();
    if state.is_closed {
        return Err(PublishError::Closed);
    }
    Ok(state)
}
