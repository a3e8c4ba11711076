//! Ids and their order: assigned by the broadcast, or the user's with a key.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use super::log::Log;
use crate::wire::decimal::Decimal;
use crate::wire::field::EventId;

/// The order of a user's ids: a function from the text of an id to a number that grows with each
/// published id.
///
/// # Examples
///
/// ```
/// use sse_proto::broadcast::{Key, PublishError, Retention};
/// use sse_proto::{Broadcast, Event, EventId};
///
/// let broadcast = Broadcast::with_key(Retention::default(), Key::ms_seq());
/// let publish = |id| broadcast.publish(&Event::message("x").with_id(EventId::from_static(id)));
/// publish("1526919030474-55")?;
/// publish("1526919030474-56")?;
/// assert_eq!(publish("1526919030474-9"), Err(PublishError::OutOfOrder));
/// assert_eq!(publish("nine"), Err(PublishError::NoKey));
/// # Ok::<(), PublishError>(())
/// ```
#[derive(Clone)]
pub struct Key(Arc<KeyFn>);

type KeyFn = dyn Fn(&str) -> Option<u128> + Send + Sync;

impl Key {
    /// Ids that are decimal digits, below 2^128 - 1: the sequence of a database.
    pub fn number() -> Self {
        Self::from_fn(digits::<u128>)
    }

    /// Ids of two numbers of 64 bits with a `-` between them: the ids of a Redis stream.
    pub fn ms_seq() -> Self {
        Self::from_fn(|text| {
            let (ms, seq) = text.split_once('-')?;
            Some(u128::from(digits::<u64>(ms)?) << 64 | u128::from(digits::<u64>(seq)?))
        })
    }

    /// Ids that are [ULIDs](https://github.com/ulid/spec): 26 digits and letters of Crockford's
    /// base 32, in either case.
    pub fn ulid() -> Self {
        Self::from_fn(|text| {
            if text.len() != 26 || text.as_bytes()[0] > b'7' {
                return None;
            }
            text.bytes().try_fold(0, |key: u128, byte| {
                let digit = ULID
                    .iter()
                    .position(|one| *one == byte.to_ascii_uppercase())?;
                Some(key << 5 | digit as u128)
            })
        })
    }

    /// Any ids. The function returns a number that grows with each id, below 2^128 - 1, or `None` for
    /// a text that is no id. It runs without a lock and must always return the same number for the
    /// same text. A panic reaches the caller that publishes or subscribes.
    pub fn from_fn(key: impl Fn(&str) -> Option<u128> + Send + Sync + 'static) -> Self {
        Self(Arc::new(key))
    }

    /// Returns the key of an id, which is not 0: that is the key of no id.
    fn of(&self, id: &str) -> Option<u128> {
        (self.0)(id)?.checked_add(1)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// The digits of Crockford's base 32.
const ULID: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Parses digits: no sign.
fn digits<N: core::str::FromStr>(text: &str) -> Option<N> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

/// Parses the digits of an assigned id, which has no zeros in front.
fn canonical(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    is_canonical.then(|| digits(text))?
}

/// Who chooses the ids. It is not changed, so it is read without the lock.
pub(super) enum Ids {
    /// The broadcast, in an epoch.
    Assigned(u64),
    Users(Key),
}

impl Ids {
    /// Returns the epoch, if ids are assigned.
    #[inline]
    pub(super) fn epoch(&self) -> Option<u64> {
        match self {
            Self::Assigned(epoch) => Some(*epoch),
            Self::Users(_) => None,
        }
    }

    /// Returns the key of an id, if it can be one of this broadcast: for an assigned id, the number
    /// of its frame.
    pub(super) fn key(&self, id: &str) -> Option<u128> {
        match self {
            Self::Users(key) => key.of(id),
            Self::Assigned(epoch) => {
                let (own, number) = id.split_once('-')?;
                let number = canonical(number)?;
                (canonical(own)? == *epoch).then_some(number.into())
            }
        }
    }
}

/// The text of an assigned id: the epoch, `-`, and the number of the frame.
#[derive(Clone)]
pub(super) struct AssignedId {
    epoch: u64,
    bytes: [u8; MAX_LEN],
    len: usize,
}

/// Two numbers of 20 digits and `-`.
const MAX_LEN: usize = 41;

impl AssignedId {
    fn new(epoch: u64, number: u64) -> Self {
        let (epoch_digits, digits) = (Decimal::of(epoch), Decimal::of(number));
        let (mut bytes, mut len) = ([0; MAX_LEN], 0);
        for part in [epoch_digits.as_bytes(), b"-", digits.as_bytes()] {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Self { epoch, bytes, len }
    }

    /// Moves from a number to the next one, `next`. To write all digits anew would take a tenth of a
    /// publication.
    #[inline]
    fn advance(&mut self, next: u64) {
        match &mut self.bytes[self.len - 1] {
            last @ ..b'9' => *last += 1,
            _ => *self = Self::new(self.epoch, next),
        }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Where an id lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found {
    /// It is that of the frame with this number, or its place.
    At(u64),
    /// It is before everything that is there, and was there.
    Gone,
    /// It is not there, though ids before and after it are or were.
    Unknown,
    /// It is after everything that is there.
    Ahead,
}

/// The ids of the frames in the log.
pub(super) struct Order {
    /// The id of the next frame, if ids are assigned.
    assigned: Option<AssignedId>,
    /// The last id before the log: that of a dropped frame, or where the log begins.
    floor: Floor,
}

#[derive(Default)]
struct Floor {
    /// 0 if there is no id.
    key: u128,
    id: String,
    /// The number of its frame.
    number: u64,
}

impl Order {
    pub(super) fn new(ids: &Ids) -> Self {
        Self {
            assigned: ids.epoch().map(|epoch| AssignedId::new(epoch, 1)),
            floor: Floor::default(),
        }
    }

    /// Returns the id of the next frame, if ids are assigned.
    #[inline]
    pub(super) fn assigned(&self) -> Option<&AssignedId> {
        self.assigned.as_ref()
    }

    /// Notes the number of the next frame, which is one more than before.
    #[inline]
    pub(super) fn number_next(&mut self, number: u64) {
        if let Some(id) = &mut self.assigned {
            id.advance(number);
        }
    }

    /// Begins an empty log after an id, or anew.
    pub(super) fn begin(&mut self, origin: Option<(&str, u128)>, head: u64) {
        let (id, key) = origin.unwrap_or_default();
        self.floor = Floor {
            key,
            id: id.into(),
            number: head - 1,
        };
    }

    /// Returns the key of the last id; 0 if there is none, or if ids are assigned.
    #[inline]
    pub(super) fn last_key(&self, log: &Log) -> u128 {
        log.key(log.head() - 1).unwrap_or(self.floor.key)
    }

    /// Enters that the oldest frame is about to be dropped.
    #[inline]
    pub(super) fn pop_oldest(&mut self, log: &Log) {
        let number = log.oldest();
        // A frame without an id has the key of the frame before.
        let key = log.key(number).unwrap_or(0);
        if key <= self.floor.key {
            return;
        }
        if let Some(id) = log.id(number) {
            self.floor.key = key;
            self.floor.number = number;
            self.floor.id.clear();
            self.floor.id.push_str(id);
        }
    }

    /// Finds an id, given its key.
    pub(super) fn find(&self, log: &Log, id: &str, key: u128) -> Found {
        if self.assigned.is_some() {
            let number = u64::try_from(key)
                .ok()
                .filter(|number| *number < log.head());
            return number.map_or(Found::Unknown, Found::At);
        }
        let floor = &self.floor;
        if floor.key > 0 && key <= floor.key {
            return match key < floor.key {
                true => Found::Gone,
                false if floor.id != id => Found::Unknown,
                // Frames without an id may be lost after it.
                false if floor.number + 1 < log.oldest() => Found::Gone,
                false => Found::At(floor.number),
            };
        }
        if self.last_key(log) == 0 {
            return Found::Unknown;
        }
        let number = log.first_from_key(key);
        match log.id(number) {
            _ if number == log.head() => Found::Ahead,
            Some(one) if one == id => Found::At(number),
            _ => Found::Unknown,
        }
    }

    /// Returns the newest id of the frames before a number, which is in the log or its head.
    pub(super) fn last_id_before(&self, log: &Log, number: u64) -> Option<EventId<'static>> {
        if let Some(AssignedId { epoch, .. }) = self.assigned {
            let id = alloc::format!("{epoch}-{}", number - 1);
            return EventId::new(id).ok();
        }
        let key = self.key_before(log, number);
        let id = match key {
            0 => return None,
            _ if key == self.floor.key => &*self.floor.id,
            // The first frame with the key is the one with the id.
            _ => log.id(log.first_from_key(key))?,
        };
        EventId::new(String::from(id)).ok()
    }

    /// Returns the key of the newest id of the frames before a number; 0 if there is none.
    pub(super) fn key_before(&self, log: &Log, number: u64) -> u128 {
        if self.assigned.is_some() {
            return u128::from(number - 1);
        }
        log.key(number - 1).unwrap_or(self.floor.key)
    }
}

/// Draws an epoch: the seconds since 1970 and 22 random bits. It has 53 bits until the year 2038, so
/// it is exact in JavaScript.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(super) fn draw_epoch() -> u64 {
    use core::hash::BuildHasher;
    use std::time::SystemTime;

    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since_1970.unwrap_or_default().as_secs();
    let random = std::hash::RandomState::new().hash_one(seconds);
    seconds << 22 | random >> 42
}
