//! What goes into the log, and what is refused.

use ::core::error::Error;
use ::core::fmt;

use alloc::vec::Vec;

use bytes::Bytes;

use super::core::{Core, State};
use super::ids::{Assigned, Text};
use super::log::About;
use super::scope::Scope;
use crate::sync::MutexGuard;
use crate::wire::encode::{FieldRanges, Fields};
use crate::wire::event::Event;
use crate::wire::frame::Frame;

/// Why an event was not published. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// The broadcast is closed.
    Closed,
    /// The event takes more bytes than are retained.
    TooLarge {
        /// The bytes that it takes on the wire.
        len: usize,
        /// The bytes that are retained.
        limit: usize,
    },
    /// The text of the scope takes more bytes than [`Scope::MAX_LEN`].
    ScopeTooLong {
        /// The bytes that it takes.
        len: usize,
    },
    /// The event has an id, and ids are assigned.
    HasId,
    /// A frame can't be given an id, and ids are assigned: publish the event.
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
                let most = Scope::MAX_LEN;
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

#[inline]
pub(super) fn event(
    core: &Core,
    event: &Event<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let parts = event.fields();
    match core.epoch {
        None => with_own_id(core, &parts, scope),
        Some(_) if event.id().is_some() => Err(PublishError::HasId),
        Some(epoch) => with_assigned_id(core, epoch, &parts, scope),
    }
}

#[inline(never)]
fn with_own_id(
    core: &Core,
    parts: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let measured = parts.measure();
    check(core, measured.len)?;
    let about = About {
        places: &FieldRanges::of(parts),
        finds_id: true,
        scope: check_scope(scope)?,
    };
    let mut state = core.lock();
    check_open(&state)?;
    if state.log.is_large(measured.len) {
        drop(state);
        // What takes long is done without the lock.
        let bytes = parts.write_to_bytes(measured);
        state = core.lock();
        check_open(&state)?;
        state.log.append_own(bytes, about);
    } else {
        let write = |out: &mut Vec<u8>| parts.write(measured.shape, out);
        state.log.append(measured.len, write, about);
    }
    Ok(done(core, state))
}

/// What takes long for a large event is done without the lock, with the id that it gets unless others
/// publish meanwhile. Mostly the other one is as long, and then only its digits are put in.
#[inline(never)]
fn with_assigned_id(
    core: &Core,
    epoch: u64,
    parts: &Fields<'_>,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    let scope = check_scope(scope)?;
    let number = core.next_number();
    let mut text = id(epoch, number);
    let guessed = parts.with_id(text.as_str());
    let mut measured = guessed.measure();
    let mut places = FieldRanges::of(&guessed);

    let mut state = core.lock();
    check_open(&state)?;
    if state.log.is_large(measured.len) {
        drop(state);
        return large_with_assigned_id(core, epoch, parts, scope);
    }
    let head = state.log.head();
    if head != number {
        let before = text.len();
        text = id(epoch, head);
        measured.len = measured.len - before + text.len();
        places.id = places.id.map(|place| place.start..place.start + text.len());
    }
    check(core, measured.len)?;
    let about = About {
        places: &places,
        finds_id: false,
        scope,
    };
    let parts = parts.with_id(text.as_str());
    let write = |out: &mut Vec<u8>| parts.write(measured.shape, out);
    state.log.append(measured.len, write, about);
    Ok(done(core, state))
}

#[cold]
fn large_with_assigned_id(
    core: &Core,
    epoch: u64,
    parts: &Fields<'_>,
    scope: Option<Scope>,
) -> Result<u64, PublishError> {
    loop {
        let guess = id(epoch, core.next_number());
        let guessed = parts.with_id(guess.as_str());
        let measured = guessed.measure();
        check(core, measured.len)?;
        let places = FieldRanges::of(&guessed);
        let mut bytes = Vec::with_capacity(measured.len);
        guessed.write(measured.shape, &mut bytes);

        let mut state = core.lock();
        check_open(&state)?;
        let id = id(epoch, state.log.head());
        let digits = places.id.clone().and_then(|place| bytes.get_mut(place));
        let Some(digits) = digits.filter(|digits| digits.len() == id.len()) else {
            // A digit more than a moment ago, which happens 19 times.
            continue;
        };
        digits.copy_from_slice(id.as_str().as_bytes());
        let about = About {
            places: &places,
            finds_id: false,
            scope,
        };
        state.log.append_own(Bytes::from(bytes), about);
        return Ok(done(core, state));
    }
}

fn id(epoch: u64, number: u64) -> Text {
    let id = Assigned {
        epoch,
        number,
        is_place: false,
    };
    id.text()
}

pub(super) fn frame(
    core: &Core,
    frame: &Frame,
    scope: Option<&Scope>,
) -> Result<u64, PublishError> {
    if core.epoch.is_some() {
        return Err(PublishError::IsFrame);
    }
    check(core, frame.len())?;
    let about = About {
        places: frame.ranges(),
        finds_id: true,
        scope: check_scope(scope)?,
    };
    let mut state = core.lock();
    check_open(&state)?;
    if state.log.is_large(frame.len()) {
        state.log.append_own(frame.bytes().clone(), about);
    } else {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(frame.as_bytes());
        state.log.append(frame.len(), write, about);
    }
    Ok(done(core, state))
}

fn check(core: &Core, len: usize) -> Result<(), PublishError> {
    let limit = core.limit;
    if len > limit {
        return Err(PublishError::TooLarge { len, limit });
    }
    Ok(())
}

/// Texts of scopes are kept with the frames, and counted in what the retention promises.
fn check_scope(scope: Option<&Scope>) -> Result<Option<Scope>, PublishError> {
    let len = scope.map_or(0, |scope| scope.as_str().len());
    if len > Scope::MAX_LEN {
        return Err(PublishError::ScopeTooLong { len });
    }
    Ok(scope.cloned())
}

fn check_open(state: &State) -> Result<(), PublishError> {
    match state.end {
        None => Ok(()),
        Some(_) => Err(PublishError::Closed),
    }
}

/// Returns the number of the frame that was entered, and wakes who waits.
#[inline]
fn done(core: &Core, state: MutexGuard<'_, State>) -> u64 {
    let number = state.log.head() - 1;
    core.tell(state);
    number
}
