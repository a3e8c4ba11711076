//! The types of fields that accept only some texts.
//!
//! Their constructors check the text. So encoding cannot fail, and no character is silently
//! removed.

use alloc::borrow::Cow;
use alloc::string::String;
use core::error::Error;
use core::fmt;

use super::decimal::Decimal;
use super::line;

/// The type that a client gives to an event without a type.
pub(crate) const MESSAGE: &str = "message";

/// The type of the event that tells a new client the id that its stream starts at: `stream-start`.
///
/// It carries no message of the application. [`Preamble::with_id`](crate::adapt::Preamble::with_id)
/// sends it, and a client that gets it can ignore it: its decoder has taken the id.
///
/// # Examples
///
/// ```
/// use sse_proto::event::START;
/// use sse_proto::{Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut items = decoder.feed(b"event: stream-start\nid: 7-0~\ndata: {}\n\n");
/// while let Some(item) = items.next()? {
///     assert!(matches!(item, Item::Event(event) if START == event.event_type()));
/// }
/// assert_eq!(decoder.last_event_id(), "7-0~");
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
pub const START: EventType<'static> = EventType::from_static("stream-start");

/// The type of an event: the value of its `event` field. Clients select listeners by it.
///
/// Holds any non-empty text without CR and LF. An empty type would arrive as `message`, and a CR or
/// an LF would end the line. An event without a type arrives as `message`, too ([HTML, section
/// 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#dispatchMessage)). A page
/// hears `open` and `error` with `onopen` and `onerror`, which are for its connection, so choose
/// other types.
///
/// # Examples
///
/// ```
/// use sse_proto::{EventType, event_type};
///
/// let tick = event_type!("tick");
/// assert_eq!(tick, "tick");
///
/// let given = EventType::new("user-joined")?;
/// assert_eq!(given.to_string(), "user-joined");
/// assert!(EventType::new("x\ndata: evil").is_err());
/// # Ok::<(), sse_proto::event::InvalidField>(())
/// ```
///
/// An invalid literal does not compile:
///
/// ```compile_fail,E0080
/// const BAD: sse_proto::EventType = sse_proto::EventType::from_static("tick\n");
/// # assert_eq!(BAD, "");
/// ```
#[doc(alias = "name")]
#[doc(alias = "kind")]
#[derive(Clone)]
pub struct EventType<'a>(Cow<'a, str>);

impl<'a> EventType<'a> {
    /// Makes an event type of a borrowed or owned text.
    ///
    /// # Errors
    ///
    /// If the text is empty or has a CR or an LF.
    #[inline]
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, InvalidField> {
        let text = text.into();
        check(Checked::EventType, &text)?;
        Ok(Self(text))
    }

    /// Takes the type of an event that was received, in which no line ends. An empty one and
    /// `message` are no type.
    pub(crate) fn received(text: Cow<'a, str>) -> Option<Self> {
        (!text.is_empty() && text != MESSAGE).then_some(Self(text))
    }

    /// Makes an event type of a literal. For a constant; elsewhere use
    /// [`event_type!`](crate::event_type).
    ///
    /// # Panics
    ///
    /// If the text is empty or has a CR or an LF. In a constant, this is a compile error.
    pub const fn from_static(text: &'static str) -> EventType<'static> {
        check_literal(Checked::EventType, text);
        EventType(Cow::Borrowed(text))
    }

    /// Returns the text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Copies the text if it is borrowed.
    pub fn into_owned(self) -> EventType<'static> {
        EventType(Cow::Owned(self.0.into_owned()))
    }
}

impl AsRef<str> for EventType<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Compares with text, and with another event type.
impl<T: AsRef<str> + ?Sized> PartialEq<T> for EventType<'_> {
    fn eq(&self, other: &T) -> bool {
        self.as_str() == other.as_ref()
    }
}

impl fmt::Display for EventType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for EventType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Makes an [`EventType`] of a literal, which is checked when the program is compiled.
///
/// # Examples
///
/// ```
/// use sse_proto::{Event, event_type};
///
/// let tick = Event::new(event_type!("tick"), "12:00");
/// assert_eq!(tick.to_bytes(), "event: tick\ndata: 12:00\n\n");
/// ```
///
/// An invalid literal does not compile:
///
/// ```compile_fail,E0080
/// let bad = sse_proto::event_type!("tick\n");
/// # assert_eq!(bad, "");
/// ```
#[macro_export]
macro_rules! event_type {
    ($text:expr) => {
        const { $crate::EventType::from_static($text) }
    };
}

/// The last event ID that an event sets at the client: the value of its `id` field.
///
/// Holds any text without CR, LF and NUL: a client ignores an id with a NUL. The empty id is valid
/// and resets the client's last event ID. `0` is an ordinary id. Every integer (`u8` to `u128`, `i8`
/// to `i128`, `usize` and `isize`) converts into an id without an allocation.
///
/// When a client reconnects, it sends the id back in the `Last-Event-ID` header ([HTML, section
/// 9.2.4](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header)).
///
/// # Examples
///
/// ```
/// use sse_proto::EventId;
///
/// assert_eq!(EventId::from(0), "0");
/// assert_eq!(EventId::from(-1), "-1");
/// assert_eq!(EventId::new("1526919030474-55")?, "1526919030474-55");
/// assert!(EventId::new("1\02").is_err());
/// # Ok::<(), sse_proto::event::InvalidField>(())
/// ```
#[doc(alias = "cursor")]
#[doc(alias = "offset")]
#[derive(Clone)]
pub struct EventId<'a>(TextOrNumber<Cow<'a, str>>);

impl<'a> EventId<'a> {
    /// Makes an id of a borrowed or owned text.
    ///
    /// # Errors
    ///
    /// If the text has a CR, an LF or a NUL.
    #[inline]
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, InvalidField> {
        let text = text.into();
        check(Checked::Id, &text)?;
        Ok(Self(TextOrNumber::Text(text)))
    }

    /// Makes an id of a literal.
    ///
    /// # Panics
    ///
    /// If the text has a CR, an LF or a NUL. In a constant, this is a compile error.
    pub const fn from_static(text: &'static str) -> EventId<'static> {
        check_literal(Checked::Id, text);
        EventId(TextOrNumber::Text(Cow::Borrowed(text)))
    }

    /// Returns the text: owned if the id was made of a number, otherwise borrowed.
    ///
    /// There is no `as_str`, because an id that was made of a number has no text to borrow. To
    /// compare or print an id, its text is not needed: an id can be compared with a `str`, and it
    /// implements [`Display`](fmt::Display).
    pub fn to_str(&self) -> Cow<'_, str> {
        match self.text() {
            TextOrNumber::Text(text) => Cow::Borrowed(text),
            number => number
                .with_bytes(|digits| String::from_utf8_lossy(digits).into_owned())
                .into(),
        }
    }

    /// Copies the text if it is borrowed.
    pub fn into_owned(self) -> EventId<'static> {
        EventId(self.0.map(|text| Cow::Owned(text.into_owned())))
    }

    /// Checks that a client can send the id back in a header.
    #[cfg(feature = "std")]
    pub(crate) fn check_sent_back(text: &str) -> Result<(), InvalidField> {
        check(Checked::SentBack, text)
    }

    /// Takes the text of an id that came back, if a client can have received it as one.
    pub(crate) fn sent_back(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        let text = text.into();
        check(Checked::SentBack, &text).ok()?;
        Some(Self(TextOrNumber::Text(text)))
    }

    /// Takes the text of an id that was received: a client ignores what it does not accept.
    pub(crate) const fn received(text: &'a str) -> Self {
        Self(TextOrNumber::Text(Cow::Borrowed(text)))
    }

    #[inline]
    pub(crate) fn text(&self) -> TextOrNumber<&str> {
        match &self.0 {
            TextOrNumber::Text(text) => TextOrNumber::Text(text),
            TextOrNumber::Number(high, low) => TextOrNumber::Number(*high, *low),
            TextOrNumber::Negative(high, low) => TextOrNumber::Negative(*high, *low),
        }
    }
}

/// Borrows the text.
impl<'a> From<&'a EventId<'_>> for EventId<'a> {
    fn from(id: &'a EventId<'_>) -> Self {
        EventId(id.text().map(Cow::Borrowed))
    }
}

impl<N: Integer> From<N> for EventId<'_> {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "each cast takes one half")]
    fn from(number: N) -> Self {
        let (is_negative, number) = number.sign_and_magnitude();
        let (high, low) = ((number >> 64) as u64, number as u64);
        Self(if is_negative {
            TextOrNumber::Negative(high, low)
        } else {
            TextOrNumber::Number(high, low)
        })
    }
}

/// An integer, which converts into the id of its digits and its sign.
trait Integer {
    fn sign_and_magnitude(self) -> (bool, u128);
}

macro_rules! integers {
    ($($number:ty),*) => {$(
        impl Integer for $number {
            #[inline]
            fn sign_and_magnitude(self) -> (bool, u128) {
                // Only a `u128` can be too large for the signed type.
                match i128::try_from(self) {
                    Ok(number) => (number < 0, number.unsigned_abs()),
                    Err(_) => (false, u128::try_from(self).unwrap_or_default()),
                }
            }
        }
    )*};
}

integers!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

impl PartialEq for EventId<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.text(), other.text());
        one.with_bytes(|one| other.with_bytes(|other| one == other))
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for EventId<'_> {
    fn eq(&self, other: &T) -> bool {
        let other = other.as_ref().as_bytes();
        self.text().with_bytes(|text| text == other)
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str())
    }
}

impl fmt::Debug for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.to_str(), f)
    }
}

/// The text of an id, or the number whose digits are the text.
///
/// A number is stored as two halves instead of digits, because three words stay in registers while
/// an event is built, and an array of digits would not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextOrNumber<T> {
    Text(T),
    Number(u64, u64),
    /// The digits after a minus sign.
    Negative(u64, u64),
}

impl<T> TextOrNumber<T> {
    #[inline]
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> TextOrNumber<U> {
        match self {
            Self::Text(text) => TextOrNumber::Text(change(text)),
            Self::Number(high, low) => TextOrNumber::Number(high, low),
            Self::Negative(high, low) => TextOrNumber::Negative(high, low),
        }
    }
}

impl<S: AsRef<[u8]>> TextOrNumber<S> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Text(text) => text.as_ref().len(),
            Self::Number(0, low) => Decimal::count(low),
            Self::Number(..) | Self::Negative(..) => self.with_bytes(<[u8]>::len),
        }
    }

    #[inline]
    pub(crate) fn with_bytes<T>(self, work: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Text(text) => work(text.as_ref()),
            Self::Number(high, low) => work(Decimal::of(joined(high, low)).as_bytes()),
            Self::Negative(high, low) => work(Decimal::negative(joined(high, low)).as_bytes()),
        }
    }
}

#[inline]
fn joined(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// The error for a text that is no valid event type or id.
///
/// Returned by [`EventType::new`] and [`EventId::new`]. A broadcast also refuses ids that can't
/// come back in a header, with `PublishError::InvalidId`.
///
/// # Examples
///
/// ```
/// let error = sse_proto::EventId::new("12\n34").unwrap_err();
/// assert_eq!((error.character(), error.offset()), (Some('\n'), 2));
/// assert_eq!(error.to_string(), "LF (U+000A) at byte 2 can't be part of an id");
/// ```
#[derive(Debug, PartialEq)]
pub struct InvalidField {
    field: Checked,
    character: Option<char>,
    offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Checked {
    EventType,
    Id,
    /// An id that comes back in a request.
    SentBack,
}

/// The longest id that comes back in a request: 1 KiB.
pub(crate) const MAX_SENT_BACK: usize = 1024;

impl InvalidField {
    /// Returns the refused character; `None` if the text is empty or too long.
    pub fn character(&self) -> Option<char> {
        self.character
    }

    /// Returns the place of the character, in bytes from the start of the text. If the text is too
    /// long, returns how many bytes it may have.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.field {
            Checked::EventType => "an event type",
            Checked::Id => "an id",
            Checked::SentBack => "a published id",
        };
        let offset = self.offset;
        let Some(character) = self.character else {
            return match self.field {
                Checked::SentBack => write!(f, "{noun} has at most {offset} bytes"),
                Checked::EventType | Checked::Id => write!(f, "{noun} can't be empty"),
            };
        };
        let (name, verb) = match character {
            '\n' => ("LF", "be part of"),
            '\r' => ("CR", "be part of"),
            '\0' => ("NUL", "be part of"),
            '\t' => ("tab", "begin or end"),
            ' ' => ("space", "begin or end"),
            _ => ("control character", "be part of"),
        };
        let code = u32::from(character);
        write!(
            f,
            "{name} (U+{code:04X}) at byte {offset} can't {verb} {noun}"
        )
    }
}

impl Error for InvalidField {}

/// Returns an error for the first character that the field does not accept.
#[inline]
fn check(field: Checked, text: &str) -> Result<(), InvalidField> {
    let bytes = text.as_bytes();
    let bad = match field {
        Checked::EventType => text.is_empty() || line::has_end(bytes),
        Checked::Id => line::has_end_or_nul(bytes),
        Checked::SentBack => !can_be_sent_back(bytes),
    };
    if bad { find(field, text) } else { Ok(()) }
}

/// Returns whether the text of an id can come back in a `Last-Event-ID` header.
#[inline]
fn can_be_sent_back(id: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    id.len() <= MAX_SENT_BACK
        && !is_blank(id.first())
        && !is_blank(id.last())
        && !id.iter().any(|&byte| is_control(byte))
}

/// Returns whether a byte is a control character that no header can carry: all but the tab (RFC
/// 9110, section 5.5).
const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// The same check, byte by byte. As a `const fn`, it checks literals at compile time.
#[cold]
const fn find(field: Checked, text: &str) -> Result<(), InvalidField> {
    let bytes = text.as_bytes();
    let (mut character, mut offset) = (None, 0);
    if matches!(field, Checked::SentBack) && bytes.len() > MAX_SENT_BACK {
        offset = MAX_SENT_BACK;
    } else {
        while offset < bytes.len() && character.is_none() {
            let byte = bytes[offset];
            let is_at_end = offset == 0 || offset == bytes.len() - 1;
            let is_refused = match (field, byte) {
                (_, b'\r' | b'\n') | (Checked::Id, 0) => true,
                (Checked::SentBack, b' ' | b'\t') => is_at_end,
                (Checked::SentBack, _) => is_control(byte),
                _ => false,
            };
            // All refused characters are ASCII, so a byte that equals one is that character.
            if is_refused {
                character = Some(byte as char);
            } else {
                offset += 1;
            }
        }
        if character.is_none() && !(matches!(field, Checked::EventType) && bytes.is_empty()) {
            return Ok(());
        }
    }
    Err(InvalidField {
        field,
        character,
        offset,
    })
}

/// Panics if the field does not accept the literal. In a constant, this is a compile error.
const fn check_literal(field: Checked, text: &'static str) {
    if let Err(error) = find(field, text) {
        match (error.field, error.character) {
            (Checked::EventType, None) => panic!("an event type can't be empty"),
            (Checked::EventType, Some(_)) => panic!("an event type can't hold CR or LF"),
            (Checked::Id | Checked::SentBack, _) => panic!("an id can't hold CR, LF or NUL"),
        }
    }
}
