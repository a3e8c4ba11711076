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
/// # Ok::<(), sse_proto::event::InvalidField>(())
/// ```
#[derive(Clone)]
pub struct EventId<'a>(Repr<'a>);

/// No digits are held: three words without an array stay in registers while an event is built.
#[derive(Clone)]
enum Repr<'a> {
    Text(Cow<'a, str>),
    Number(Number),
}

/// A number whose decimal digits are the id: the high and the low 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(u64, u64);

impl Number {
    #[inline]
    pub(crate) fn len(self) -> usize {
        if self.0 == 0 {
            Digits::count(self.1)
        } else {
            self.digits().as_bytes().len()
        }
    }

    pub(crate) fn digits(self) -> Digits {
        if self.0 == 0 {
            Digits::of_u64(self.1)
        } else {
            Digits::of_u128(u128::from(self.0) << 64 | u128::from(self.1))
        }
    }
}

impl<'a> EventId<'a> {
    /// Borrows an id.
    ///
    /// # Errors
    ///
    /// When `text` has a CR, an LF or a NUL.
    #[inline]
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

    /// Returns the text: borrowed, unless the id was made of a number.
    ///
    /// To compare or to print an id needs no text: it equals a `str`, and it implements
    /// [`Display`](fmt::Display).
    pub fn to_str(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Text(text) => Cow::Borrowed(text),
            Repr::Number(number) => Cow::Owned(String::from(number.digits().as_str())),
        }
    }

    /// Takes the text into memory of its own, unless it is there already.
    pub fn into_owned(self) -> EventId<'static> {
        EventId(match self.0 {
            Repr::Text(text) => Repr::Text(Cow::Owned(text.into_owned())),
            Repr::Number(number) => Repr::Number(number),
        })
    }

    /// The text, or the number whose digits it is.
    #[inline]
    pub(crate) fn parts(&self) -> Result<&str, Number> {
        match &self.0 {
            Repr::Text(text) => Ok(text),
            Repr::Number(number) => Err(*number),
        }
    }

    fn with_str<T>(&self, work: impl FnOnce(&str) -> T) -> T {
        match self.parts() {
            Ok(text) => work(text),
            Err(number) => work(number.digits().as_str()),
        }
    }
}

macro_rules! from_unsigned {
    ($($number:ty),*) => {$(
        impl From<$number> for EventId<'_> {
            #[inline]
            fn from(number: $number) -> Self {
                Self(Repr::Number(Number(0, number.into())))
            }
        }
    )*};
}

from_unsigned!(u8, u16, u32, u64);

impl From<usize> for EventId<'_> {
    #[inline]
    fn from(number: usize) -> Self {
        Self(Repr::Number(Number(0, number as u64)))
    }
}

impl From<u128> for EventId<'_> {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "each cast takes one half")]
    fn from(number: u128) -> Self {
        Self(Repr::Number(Number((number >> 64) as u64, number as u64)))
    }
}

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

impl PartialEq for EventId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.with_str(|text| other == text)
    }
}

impl Eq for EventId<'_> {}

impl Hash for EventId<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.with_str(|text| text.hash(state));
    }
}

impl PartialEq<str> for EventId<'_> {
    fn eq(&self, other: &str) -> bool {
        self.with_str(|text| text == other)
    }
}

impl PartialEq<&str> for EventId<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_str(|text| f.pad(text))
    }
}

impl fmt::Debug for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_str(|text| fmt::Debug::fmt(text, f))
    }
}
