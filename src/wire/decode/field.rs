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

/// The start of a line whose field is not known yet: its bytes, below a one that tells how many there are.
#[derive(Clone, Copy, Debug)]
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

    /// > Field names must be compared literally, with no case folding performed.
    pub(super) fn field(self) -> Option<Field> {
        const fn name(text: &[u8]) -> u64 {
            let (mut name, mut at) = (1, 0);
            while at < text.len() {
                name = name << 8 | text[at] as u64;
                at += 1;
            }
            name
        }
        const DATA: u64 = name(b"data");
        const EVENT: u64 = name(b"event");
        const ID: u64 = name(b"id");
        const RETRY: u64 = name(b"retry");
        match self.0 {
            DATA => Some(Field::Data),
            EVENT => Some(Field::Event),
            ID => Some(Field::Id),
            RETRY => Some(Field::Retry),
            _ => None,
        }
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
