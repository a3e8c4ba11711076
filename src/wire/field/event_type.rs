use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::{check, check_literal};
use crate::error::{Field, InvalidField};

/// The type of an event: the value of its `event` field, and the name that a client listens for.
///
/// Holds any text except the empty one (it would arrive as `message`) and one with CR or LF (it
/// would end the line). An event without a type arrives as `message` too
/// ([HTML, section 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#dispatchMessage)).
///
/// # Examples
///
/// ```
/// use sse_proto::EventType;
///
/// const TICK: EventType = EventType::from_static("tick");
/// let given = EventType::new("user-joined")?;
/// assert_eq!(given.as_str(), "user-joined");
/// assert!(EventType::new("x\ndata: evil").is_err());
/// # assert_eq!(TICK, "tick");
/// # Ok::<(), sse_proto::event::InvalidField>(())
/// ```
///
/// A bad literal does not compile:
///
/// ```compile_fail,E0080
/// const BAD: sse_proto::EventType = sse_proto::EventType::from_static("tick\n");
/// # assert_eq!(BAD, "");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType<'a>(Cow<'a, str>);

impl<'a> EventType<'a> {
    /// Borrows an event type.
    ///
    /// # Errors
    ///
    /// When `text` is empty or has a CR or an LF.
    #[inline]
    pub fn new(text: &'a str) -> Result<Self, InvalidField> {
        check(Field::EventType, text)?;
        Ok(Self(Cow::Borrowed(text)))
    }

    /// Takes a literal.
    ///
    /// # Panics
    ///
    /// When `text` is empty or has a CR or an LF; in a constant, that is an error of compilation.
    pub const fn from_static(text: &'static str) -> EventType<'static> {
        check_literal(Field::EventType, text);
        EventType(Cow::Borrowed(text))
    }

    /// Returns the text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the text into memory of its own, unless it is there already.
    pub fn into_owned(self) -> EventType<'static> {
        EventType(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> TryFrom<&'a str> for EventType<'a> {
    type Error = InvalidField;

    fn try_from(text: &'a str) -> Result<Self, InvalidField> {
        Self::new(text)
    }
}

impl TryFrom<String> for EventType<'_> {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, InvalidField> {
        check(Field::EventType, &text)?;
        Ok(Self(Cow::Owned(text)))
    }
}

impl FromStr for EventType<'static> {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        Ok(EventType::new(text)?.into_owned())
    }
}

impl AsRef<str> for EventType<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for EventType<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for EventType<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for EventType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EventType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
