//! A growing text that arrives in pieces, each byte of it checked for UTF-8 at most once.
//!
//! A piece is checked while it is in the cache, and a character that two pieces share is put together first. Once a
//! byte is found that is not UTF-8, or pieces are too short to be worth a check, the whole is kept as bytes and checked
//! when somebody reads it. Measured on one event of 16 MiB, a check at the end reads all of it from memory again.

use alloc::string::{FromUtf8Error, String};
use alloc::vec::Vec;
use core::mem;

use super::chunk::Chunk;
use super::item::Text;
use super::place::Place;
use crate::wire::utf8;

/// What each buffer may hold for good.
pub(super) const KEPT: usize = 24 << 10;

/// What the last event ID may hold beyond its length.
pub(super) const KEPT_ID: usize = 4 << 10;

/// From this length on an owned event takes the buffer over; below it, a copy costs less than the buffer's successor.
const LARGE: usize = 4 << 10;

/// Below this length, content that is kept as bytes is cheap to check once more.
const SHORT: usize = 512;

/// What a push may append beyond its piece: a character that the pieces before have begun, and an LF.
const BEYOND: usize = 8;

/// A text in the making; see the module's documentation. Who pushes has made room before.
pub(super) struct TextBuffer {
    content: Content,
    /// The bytes of a character whose end has not come yet. They follow `content`, which is `Text` then.
    partial: [u8; 4],
    partial_len: usize,
}

impl Default for TextBuffer {
    fn default() -> Self {
        Self::new()
    }
}

enum Content {
    Text(String),
    Raw(Vec<u8>),
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
        match &self.content {
            Content::Text(text) => text.len(),
            Content::Raw(bytes) => bytes.len(),
        }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.capacity(),
            Content::Raw(bytes) => bytes.capacity(),
        }
    }

    /// Whether so many bytes can be pushed. Asked for before each push.
    #[inline]
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.capacity() - self.len() >= more + BEYOND
    }

    /// Makes the capacity `capacity`, and what a push may append beyond that.
    pub(super) fn reserve(&mut self, capacity: usize) {
        let more = capacity.saturating_add(BEYOND) - self.len();
        #[cfg(test)]
        super::count_moved(self.len());
        match &mut self.content {
            Content::Text(text) => text.reserve_exact(more),
            Content::Raw(bytes) => bytes.reserve_exact(more),
        }
    }

    /// Whether the content is what the buffer has grown for.
    pub(super) fn is_well_used(&self) -> bool {
        self.len() >= self.capacity() / 4
    }

    /// Empties the buffer and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.partial_len = 0;
        match &mut self.content {
            Content::Text(text) => text.clear(),
            Content::Raw(bytes) => bytes.clear(),
        }
    }

    /// Gives back what is larger than `kept` and than the content.
    pub(super) fn shrink(&mut self, kept: usize) {
        #[cfg(test)]
        if self.capacity() > kept.max(self.len()) {
            super::count_moved(self.len());
        }
        match &mut self.content {
            Content::Text(text) => text.shrink_to(kept),
            Content::Raw(bytes) => bytes.shrink_to(kept),
        }
    }

    /// Appends the bytes at a place.
    #[inline]
    pub(super) fn push(&mut self, chunk: &Chunk<'_>, place: Place) {
        #[cfg(test)]
        super::count_copied(place.end - place.start);
        match &mut self.content {
            Content::Text(text) if self.partial_len == 0 => {
                if let Some(piece) = chunk.checked(place) {
                    return text.push_str(piece);
                }
            }
            Content::Raw(bytes) if bytes.len() >= SHORT || !chunk.is_worth_checking(place) => {
                return bytes.extend_from_slice(&chunk.bytes[place.start..place.end]);
            }
            _ => {}
        }
        self.push_parts(chunk, place);
    }

    #[inline(never)]
    fn push_parts(&mut self, chunk: &Chunk<'_>, place: Place) {
        self.start_over_as_text();
        let (head, text, tail) = chunk.parts(place);
        if !head.is_empty() {
            self.push_bytes(head, chunk.is_worth_checking(place));
        }
        if !text.is_empty() {
            self.push_str(text);
        }
        if !tail.is_empty() {
            self.push_bytes(tail, true);
        }
    }

    /// Appends checked text.
    #[inline]
    pub(super) fn push_str(&mut self, piece: &str) {
        if self.partial_len > 0 {
            // A character that has begun does not go on with the first byte of another.
            self.give_up_on_text();
        }
        match &mut self.content {
            Content::Text(text) => text.push_str(piece),
            Content::Raw(bytes) => bytes.extend_from_slice(piece.as_bytes()),
        }
    }

    /// Ends a line.
    #[inline]
    pub(super) fn push_line_feed(&mut self) {
        if self.partial_len > 0 {
            self.give_up_on_text();
        }
        match &mut self.content {
            Content::Text(text) => text.push('\n'),
            Content::Raw(bytes) => bytes.push(b'\n'),
        }
    }

    fn push_bytes(&mut self, mut piece: &[u8], check: bool) {
        if let (Content::Text(text), false) = (&self.content, check) {
            // A short piece is not worth a check, unless it would cost that of a long text.
            if text.len() < SHORT {
                self.give_up_on_text();
            }
        }
        while self.partial_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return;
            };
            self.partial[self.partial_len] = byte;
            self.partial_len += 1;
            piece = rest;
            let partial = self.partial;
            match core::str::from_utf8(&partial[..self.partial_len]) {
                Ok(character) => {
                    self.partial_len = 0;
                    self.push_str(character);
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => self.give_up_on_text(),
            }
        }
        if let Content::Raw(bytes) = &mut self.content {
            return bytes.extend_from_slice(piece);
        }
        match utf8::check(piece) {
            Ok(text) => self.push_str(text),
            Err(error) => {
                let (valid, rest) = piece.split_at(error.valid_up_to());
                if error.error_len().is_none() {
                    self.push_str(core::str::from_utf8(valid).unwrap_or_default());
                    self.partial[..rest.len()].copy_from_slice(rest);
                    self.partial_len = rest.len();
                } else {
                    self.give_up_on_text();
                    self.push_bytes(piece, true);
                }
            }
        }
    }

    /// Ends the text: a character that has not got its end by now never will.
    #[inline]
    pub(super) fn finish(&mut self) {
        if self.partial_len > 0 {
            self.give_up_on_text();
        }
    }

    /// The content. Only after [`finish`](Self::finish).
    #[inline]
    pub(super) fn text(&self) -> Text<'_> {
        match &self.content {
            Content::Text(text) => Text::checked(text),
            Content::Raw(bytes) => Text::raw(bytes),
        }
    }

    /// Replaces the content by the bytes at a place, checked at once, since it is read many times.
    #[inline]
    pub(super) fn set(&mut self, chunk: &Chunk<'_>, place: Place) {
        self.clear();
        if !self.has_room(place.end - place.start) {
            self.reserve(place.end - place.start);
        }
        self.start_over_as_text();
        #[cfg(test)]
        super::count_copied(place.end - place.start);
        if let (Content::Text(content), Some(text)) = (&mut self.content, chunk.checked(place)) {
            content.push_str(text);
        } else {
            self.set_unchecked(&chunk.bytes[place.start..place.end]);
        }
    }

    fn set_unchecked(&mut self, bytes: &[u8]) {
        if let Ok(text) = utf8::check(bytes) {
            self.push_str(text);
        } else {
            self.give_up_on_text();
            self.push_bytes(bytes, true);
        }
    }

    /// Checks content that was kept as bytes, since it is read many times.
    pub(super) fn settle(&mut self) {
        self.finish();
        if let Content::Raw(bytes) = &mut self.content {
            match into_text(mem::take(bytes)) {
                Ok(text) => self.content = Content::Text(text),
                Err(malformed) => *bytes = malformed,
            }
        }
    }

    /// Takes large data out, with its allocation if that is not much larger, and without its last LF.
    pub(super) fn take_large(&mut self) -> Option<String> {
        let len = self.len();
        if len < LARGE || len < self.capacity() / 2 {
            return None;
        }
        let mut text = match mem::replace(&mut self.content, Content::Text(String::new())) {
            Content::Text(text) => text,
            Content::Raw(bytes) => match into_text(bytes) {
                Ok(text) => text,
                Err(malformed) => {
                    self.content = Content::Raw(malformed);
                    return None;
                }
            },
        };
        text.pop();
        Some(text)
    }

    /// Short bytes may still become a text.
    fn start_over_as_text(&mut self) {
        if let Content::Raw(bytes) = &mut self.content {
            if bytes.len() < SHORT {
                match into_text(mem::take(bytes)) {
                    Ok(text) => self.content = Content::Text(text),
                    Err(malformed) => *bytes = malformed,
                }
            }
        }
    }

    /// Goes on with bytes that are checked when they are read.
    #[cold]
    fn give_up_on_text(&mut self) {
        if let Content::Text(text) = &mut self.content {
            self.content = Content::Raw(mem::take(text).into_bytes());
        }
        let (partial, len) = (self.partial, mem::take(&mut self.partial_len));
        if let Content::Raw(bytes) = &mut self.content {
            bytes.extend_from_slice(&partial[..len]);
        }
    }
}

/// The text that the bytes are, or the bytes.
fn into_text(bytes: Vec<u8>) -> Result<String, Vec<u8>> {
    #[cfg(test)]
    super::count_checked(bytes.len());
    String::from_utf8(bytes).map_err(FromUtf8Error::into_bytes)
}
