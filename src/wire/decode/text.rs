//! Received text: the check of its UTF-8, text that is borrowed, and the buffer of text that comes
//! in pieces.

use alloc::borrow::Cow;
use alloc::string::{FromUtf8Error, String};
use alloc::vec::Vec;
use core::mem;

/// Borrowed text: checked, or bytes that are checked when they are read.
#[derive(Clone, Copy)]
pub(super) enum Text<'a> {
    Checked(&'a str),
    Raw(&'a [u8]),
}

impl<'a> Text<'a> {
    /// Returns the text: borrowed if it is UTF-8, otherwise a copy with U+FFFD for each malformed
    /// maximal subpart.
    #[inline]
    pub(super) fn to_str(self) -> Cow<'a, str> {
        match self {
            Self::Checked(text) => Cow::Borrowed(text),
            // The check alone is several times faster than the search for malformed bytes.
            Self::Raw(bytes) => match check(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => replace_malformed(bytes),
            },
        }
    }

    #[inline]
    pub(super) const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Checked(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

#[cold]
fn replace_malformed(bytes: &[u8]) -> Cow<'_, str> {
    #[cfg(test)]
    crate::wire::line::work::count(bytes.len());
    String::from_utf8_lossy(bytes)
}

/// Does what [`core::str::from_utf8`] does.
///
/// With AVX2 this takes a third of the time for Chinese text, and less for ASCII. Malformed bytes
/// are checked twice, because the faster check does not return where they are. Below 64 bytes,
/// `simdutf8` uses the check of `core`.
#[inline]
pub(super) fn check(bytes: &[u8]) -> Result<&str, core::str::Utf8Error> {
    #[cfg(test)]
    crate::wire::line::work::count(bytes.len());
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => core::str::from_utf8(bytes),
    }
}

/// Returns the longest start of `bytes` that is UTF-8.
pub(super) fn valid_start(bytes: &[u8]) -> &str {
    match check(bytes) {
        Ok(text) => text,
        // The bytes up to that offset are valid, so the second check cannot fail.
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// From this length on, an owned event takes over the buffer. Below it, a copy costs less than a
/// new buffer.
const LARGE: usize = 4 << 10;

/// A piece below this length is not checked separately; it is cheap to check later.
const SHORT: usize = 512;

/// The number of bytes that a push may append in addition to its piece: the held start of a
/// character, and an LF.
const BEYOND: usize = 8;

/// A text that comes in pieces. The caller makes room before each push.
///
/// A long piece is checked at once, while it is in the cache: to check an event of 16 MiB at its
/// end would read all of it from memory again. A character that is split between two pieces is
/// assembled first. After the first malformed byte, or if pieces are short, the buffer holds
/// unchecked bytes, which are checked when they are read.
pub(super) struct TextBuffer {
    content: Content,
    /// The bytes of an incomplete character after the content. If there are any, the content is
    /// `Text`.
    partial: [u8; 4],
    partial_len: usize,
}

enum Content {
    Text(String),
    Raw(Vec<u8>),
}

/// Does the same with a text and with unchecked bytes.
macro_rules! each {
    ($content:expr, $text:ident => $work:expr) => {
        match $content {
            Content::Text($text) => $work,
            Content::Raw($text) => $work,
        }
    };
}

impl TextBuffer {
    pub(super) const fn new() -> Self {
        Self {
            content: Content::Text(String::new()),
            partial: [0; 4],
            partial_len: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        each!(&self.content, text => text.len())
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        each!(&self.content, text => text.capacity())
    }

    /// Returns whether `more` bytes can be pushed.
    #[inline]
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.capacity() - self.len() >= more + BEYOND
    }

    /// Grows the capacity to `capacity`, plus the bytes that a push may append to its piece.
    pub(super) fn reserve(&mut self, capacity: usize) {
        let more = capacity.saturating_add(BEYOND) - self.len();
        each!(&mut self.content, text => text.reserve_exact(more));
    }

    /// Empties the buffer and keeps its memory.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.partial_len = 0;
        each!(&mut self.content, text => text.clear());
    }

    /// Shrinks the capacity to `kept` or to the content, whichever is larger.
    pub(super) fn shrink(&mut self, kept: usize) {
        each!(&mut self.content, text => text.shrink_to(kept));
    }

    /// Removes the last byte, an LF.
    #[inline]
    pub(super) fn pop(&mut self) {
        each!(&mut self.content, text => drop(text.pop()));
    }

    /// Appends a piece; `checked` returns the same as text if it is known to be UTF-8.
    #[inline]
    pub(super) fn push<'p>(&mut self, piece: &'p [u8], checked: impl FnOnce() -> Option<&'p str>) {
        match &mut self.content {
            Content::Raw(bytes) if bytes.len() >= SHORT || piece.len() < SHORT => {
                bytes.extend_from_slice(piece);
            }
            Content::Text(text) if self.partial_len == 0 => match checked() {
                Some(piece) => text.push_str(piece),
                None => self.push_unknown(piece),
            },
            _ => self.push_unknown(piece),
        }
    }

    /// Appends a piece that is not known to be UTF-8, or that follows an incomplete character. A
    /// long piece is checked now, a short one when it is read.
    #[inline(never)]
    fn push_unknown(&mut self, mut piece: &[u8]) {
        let is_short = self.len() < SHORT && piece.len() < SHORT;
        match &mut self.content {
            // A long piece follows short ones, and all of them may be text.
            Content::Raw(bytes) => self.content = into_text(mem::take(bytes)),
            Content::Text(_) if is_short => self.give_up_on_text(),
            Content::Text(_) if self.partial_len > 0 => piece = self.push_partial(piece),
            Content::Text(_) => {}
        }
        let Content::Text(text) = &mut self.content else {
            return self.push_raw(piece);
        };
        match check(piece) {
            Ok(piece) => text.push_str(piece),
            Err(error) => {
                let (valid, rest) = piece.split_at(error.valid_up_to());
                text.push_str(core::str::from_utf8(valid).unwrap_or_default());
                if error.error_len().is_none() {
                    self.partial[..rest.len()].copy_from_slice(rest);
                    self.partial_len = rest.len();
                } else {
                    self.give_up_on_text();
                    self.push_raw(rest);
                }
            }
        }
    }

    /// Completes the character that the end of the last piece cut. Returns the rest of this piece.
    fn push_partial<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        // The number of leading ones in its first byte is the number of bytes of the character.
        let missing = self.partial[0].leading_ones() as usize - self.partial_len;
        let (more, rest) = piece.split_at(missing.min(piece.len()));
        self.partial[self.partial_len..][..more.len()].copy_from_slice(more);
        self.partial_len += more.len();
        let character = core::str::from_utf8(&self.partial[..self.partial_len]);
        match (character, &mut self.content) {
            (Ok(character), Content::Text(text)) => {
                text.push_str(character);
                self.partial_len = 0;
            }
            (Err(error), _) if error.error_len().is_none() => {}
            _ => self.give_up_on_text(),
        }
        rest
    }

    fn push_raw(&mut self, piece: &[u8]) {
        if let Content::Raw(bytes) = &mut self.content {
            bytes.extend_from_slice(piece);
        }
    }

    /// Switches to unchecked bytes, which are checked when they are read.
    #[cold]
    fn give_up_on_text(&mut self) {
        if let Content::Text(text) = &mut self.content {
            self.content = Content::Raw(mem::take(text).into_bytes());
        }
        let (partial, len) = (self.partial, mem::take(&mut self.partial_len));
        self.push_raw(&partial[..len]);
    }

    /// Ends the text and checks it, because it may be read many times. An incomplete character at
    /// its end is malformed.
    #[inline]
    pub(super) fn finish(&mut self) {
        if self.partial_len > 0 {
            self.give_up_on_text();
        }
        if let Content::Raw(bytes) = &mut self.content {
            self.content = into_text(mem::take(bytes));
        }
    }

    /// Returns the content. Call [`finish`](Self::finish) or append an LF first: otherwise the
    /// bytes of an incomplete character are missing.
    #[inline]
    pub(super) fn text(&self) -> Text<'_> {
        match &self.content {
            Content::Text(text) => Text::Checked(text),
            Content::Raw(bytes) => Text::Raw(bytes),
        }
    }

    /// Takes a large text out together with its allocation. Returns `None` if the text is small or
    /// malformed, or if the allocation is much larger than the text.
    pub(super) fn take_large(&mut self) -> Option<String> {
        let len = self.len();
        if len < LARGE || len < self.capacity() / 2 {
            return None;
        }
        self.finish();
        let Content::Text(text) = &mut self.content else {
            return None;
        };
        Some(mem::take(text))
    }
}

/// Converts bytes to text if they are UTF-8; otherwise keeps the bytes.
fn into_text(bytes: Vec<u8>) -> Content {
    #[cfg(test)]
    crate::wire::line::work::count(bytes.len());
    match String::from_utf8(bytes).map_err(FromUtf8Error::into_bytes) {
        Ok(text) => Content::Text(text),
        Err(bytes) => Content::Raw(bytes),
    }
}
