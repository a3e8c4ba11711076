//! Ids: the place of an entry in the log, and the mark of the entry itself.

use core::fmt;

use sse_proto::EventId;

/// The place of an entry in an engine's log: two numbers that the engine assigns.
///
/// In Redis the milliseconds and the sequence number of a stream's id. In JetStream the time of
/// creation in milliseconds and the sequence number. The engine defines the order:
/// [`Engine::order`](crate::Engine::order).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Milliseconds since 1970, by the engine's clock.
    pub ms: u64,
    /// The sequence number.
    pub seq: u64,
}

impl Place {
    /// Before the first entry of any log.
    pub const START: Self = Self { ms: 0, seq: 0 };

    /// Makes a place.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }
}

/// The id of an entry, as clients see it: `<ms>-<seq>-<tag>`.
///
/// The tag is 32 bits of a hash of the entry, in eight hexadecimal digits. An engine may give one
/// place twice, after a failover; the tag tells the two entries apart. An id is there only if the
/// entry at its place has its tag.
///
/// # Examples
///
/// ```
/// use sse_proto_relay::{Id, Place};
///
/// let id = Id { place: Place::new(1526919030474, 55), tag: 0xBEEF };
/// assert_eq!(id.to_string(), "1526919030474-55-0000beef");
/// assert_eq!(Id::parse("1526919030474-55-0000beef"), Some(id));
/// // Only the text that this crate writes is an id.
/// assert_eq!(Id::parse("1526919030474-055-0000BEEF"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// The place of the entry.
    pub place: Place,
    /// The mark of the entry.
    pub tag: u32,
}

impl Id {
    /// Parses the text of an id. `None` if it is not exactly what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (ms, seq, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let is_tag = tag.len() == 8 && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if parts.next().is_some() || !is_tag {
            return None;
        }
        Some(Self {
            place: Place::new(decimal(ms)?, decimal(seq)?),
            tag: u32::from_str_radix(tag, 16).ok()?,
        })
    }

    /// Returns the id as one of an event.
    pub fn to_event_id(self) -> EventId<'static> {
        EventId::new(self.to_string()).expect("digits and `-` are an id")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { ms, seq } = self.place;
        write!(f, "{ms}-{seq}-{:08x}", self.tag)
    }
}

/// Parses a number without a sign and without zeros in front.
fn decimal(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    let is_digits = is_canonical && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

/// Returns 32 bits of a hash of fields, in any order of the fields.
///
/// FNV-1a over each field with its lengths, mixed, and summed over the fields. It must never change:
/// clients hold ids that were made with it.
pub(crate) fn tag<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> u32 {
    let sum = fields.into_iter().fold(0_u64, |sum, (name, value)| {
        let lens = [name.len() as u64, value.len() as u64].map(u64::to_le_bytes);
        let bytes = lens.iter().flatten().chain(name).chain(value);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        sum.wrapping_add(mix(hash))
    });
    (mix(sum) >> 32) as u32
}

/// Spreads each bit over all others (the last step of SplitMix64).
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}
