//! The fields that the standard knows.

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Data,
    Event,
    Id,
    Retry,
    /// Not a field: a line that starts with a colon, when somebody asked for comments.
    Comment,
}

/// A field's name with its colon, as the first bytes of a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) field: Field,
    pub(super) len: usize,
    word: u64,
    mask: u64,
}

impl Head {
    const fn new(field: Field, name: &[u8]) -> Self {
        let (mut word, mut mask, mut at) = (0, 0, 0);
        while at < name.len() {
            word |= (name[at] as u64) << (8 * at);
            mask |= 0xFF << (8 * at);
            at += 1;
        }
        Self {
            field,
            len: name.len(),
            word,
            mask,
        }
    }

    #[inline]
    pub(super) const fn begins(&self, front: u64) -> bool {
        front & self.mask == self.word
    }

    /// Whether a space follows the colon.
    #[inline]
    pub(super) const fn has_space(&self, front: u64) -> bool {
        front.to_le_bytes()[self.len] == b' '
    }
}

pub(super) const DATA: Head = Head::new(Field::Data, b"data:");
pub(super) const EVENT: Head = Head::new(Field::Event, b"event:");
pub(super) const ID: Head = Head::new(Field::Id, b"id:");

pub(super) const COMMENT: Head = Head::new(Field::Comment, b":");

/// The bytes from `at` on, the first one lowest, with zeros behind the last one.
#[inline]
pub(super) fn front(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => short_front(bytes, at),
    }
}

/// The first of these bytes; 0 if there is none.
#[inline]
pub(super) const fn first_of(front: u64) -> u8 {
    front.to_le_bytes()[0]
}

#[cold]
#[inline(never)]
fn short_front(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let (Some(last), [_, ..]) = (bytes.last_chunk::<8>(), rest) {
        return u64::from_le_bytes(*last) >> (8 * (last.len() - rest.len()));
    }
    let append = |word, &byte: &u8| word << 8 | u64::from(byte);
    rest.iter().rev().fold(0, append)
}

/// The start of a line whose field is not known yet: its bytes, below a one that tells how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u64);

impl Name {
    pub(super) const EMPTY: Self = Self(1);

    /// Appends a byte; `None` when no field has a name that long.
    #[inline]
    pub(super) const fn push(self, byte: u8) -> Option<Self> {
        if self.len() == 5 {
            None
        } else {
            Some(Self(self.0 << 8 | byte as u64))
        }
    }

    const DATA: Self = Self::of(b"data");
    const EVENT: Self = Self::of(b"event");
    const ID: Self = Self::of(b"id");
    const RETRY: Self = Self::of(b"retry");

    const fn of(text: &[u8]) -> Self {
        let (mut name, mut at) = (1, 0);
        while at < text.len() {
            name = name << 8 | text[at] as u64;
            at += 1;
        }
        Self(name)
    }

    /// > Field names must be compared literally, with no case folding performed.
    pub(super) fn field(self) -> Option<Field> {
        match self {
            Self::DATA => Some(Field::Data),
            Self::EVENT => Some(Field::Event),
            Self::ID => Some(Field::Id),
            Self::RETRY => Some(Field::Retry),
            _ => None,
        }
    }

    /// Whether a field's name begins so.
    pub(super) fn begins_field(self) -> bool {
        [Self::DATA, Self::EVENT, Self::ID, Self::RETRY]
            .into_iter()
            .any(|known| {
                let rest = known.len().checked_sub(self.len());
                rest.is_some_and(|rest| known.0 >> (8 * rest) == self.0)
            })
    }

    #[inline]
    pub(super) const fn len(self) -> usize {
        self.0.ilog2() as usize / 8
    }
}

/// A reconnection time in the making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    value: Option<u64>,
    other: bool,
}

impl Digits {
    pub(super) const NONE: Self = Self {
        value: None,
        other: false,
    };

    /// > If the field value consists of only ASCII digits, then interpret the field value as an integer in base ten
    ///
    /// A number past 64 bits saturates.
    pub(super) fn push(&mut self, piece: &[u8]) {
        for &byte in piece {
            if byte.is_ascii_digit() {
                let value = self
                    .value
                    .unwrap_or(0)
                    .saturating_mul(10)
                    .saturating_add(u64::from(byte - b'0'));
                self.value = Some(value);
            } else {
                self.other = true;
            }
        }
    }

    /// > Otherwise, ignore the field.
    pub(super) fn value(&self) -> Option<u64> {
        if self.other { None } else { self.value }
    }
}
