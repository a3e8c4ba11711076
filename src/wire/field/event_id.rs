use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use super::{check, check_literal};
use crate::error::{Field, InvalidField};
use crate::wire::digits::Digits;

/// The last event ID that an event sets at the client: the value of its `id` field.
///
/// Holds any text without CR, LF and NUL (a client ignores an id with NUL). The empty id is valid:
/// it resets what the client remembers. `0` is an id like any other. Every unsigned integer
/// converts, and is held without an allocation.
///
/// A client sends it back as the `Last-Event-ID` header when it reconnects
/// ([HTML, section 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
///
/// # Examples
///
/// ```
/// use sse_proto::EventId;
///
/// assert_eq!(EventId::from(0_u32), "0");
/// assert_eq!(EventId::new("1526919030474-55")?, "1526919030474-55");
/// assert!(EventId::new("1\02").is_err());
/// # Ok::<(), sse_proto::InvalidField>(())
/// ```
#[derive(Clone)]
pub struct EventId<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Text(Cow<'a, str>),
    Number(Digits),
}

impl<'a> EventId<'a> {
    /// Borrows an id.
    ///
    /// # Errors
    ///
    /// When `text` has a CR, an LF or a NUL.
    pub fn new(text: &'a str) -> Result<Self, InvalidField> {
        check(Field::Id, text)?;
        Ok(Self(Repr::Text(Cow::Borrowed(text))))
    }

    /// Takes a literal.
    ///
    /// # Panics
    ///
    /// When `text` has a CR, an LF or a NUL; in a constant, that is an error of compilation.
    pub const fn from_static(text: &'static str) -> EventId<'static> {
        check_literal(Field::Id, text);
        EventId(Repr::Text(Cow::Borrowed(text)))
    }

    /// Returns the text; of a number, its decimal digits.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Text(text) => text,
            Repr::Number(digits) => digits.as_str(),
        }
    }

    /// Takes the text into memory of its own, unless it is there already.
    pub fn into_owned(self) -> EventId<'static> {
        EventId(match self.0 {
            Repr::Text(text) => Repr::Text(Cow::Owned(text.into_owned())),
            Repr::Number(digits) => Repr::Number(digits),
        })
    }

    /// The bytes of [`as_str`](Self::as_str), without the check that they are UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Text(text) => text.as_bytes(),
            Repr::Number(digits) => digits.as_bytes(),
        }
    }
}

macro_rules! from_unsigned {
    ($($number:ty => $digits:ident as $wide:ty),*) => {$(
        impl From<$number> for EventId<'_> {
            fn from(number: $number) -> Self {
                Self(Repr::Number(Digits::$digits(number as $wide)))
            }
        }
    )*};
}

from_unsigned!(
    u8 => of_u64 as u64,
    u16 => of_u64 as u64,
    u32 => of_u64 as u64,
    u64 => of_u64 as u64,
    usize => of_u64 as u64,
    u128 => of_u128 as u128
);

impl<'a> TryFrom<&'a str> for EventId<'a> {
    type Error = InvalidField;

    fn try_from(text: &'a str) -> Result<Self, InvalidField> {
        Self::new(text)
    }
}

impl TryFrom<String> for EventId<'_> {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, InvalidField> {
        check(Field::Id, &text)?;
        Ok(Self(Repr::Text(Cow::Owned(text))))
    }
}

impl FromStr for EventId<'static> {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        Ok(EventId::new(text)?.into_owned())
    }
}

impl AsRef<str> for EventId<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for EventId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for EventId<'_> {}

impl Hash for EventId<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for EventId<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for EventId<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
