//! A growing text that arrives in pieces, each byte of it checked for UTF-8 at most once.
//!
//! A piece is checked while it is in the cache, and a character that two pieces share is put together first. Once a
//! byte is found that is not UTF-8, or pieces are too short to be worth a check, the whole is kept as bytes and checked
//! when somebody reads it. Measured on one event of 16 MiB, a check at the end reads all of it from memory again.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::block::Place;
use super::chunk::Chunk;
use super::item::Text;
use crate::wire::utf8;

/// What a buffer may keep once its content is not needed any more.
pub(super) const KEPT: usize = 64 << 10;

/// From this length on an owned event takes the buffer over; below it, a copy costs less than the buffer's successor.
const LARGE: usize = 4 << 10;

/// Below this length, content that is kept as bytes is cheap to check once more.
const SHORT: usize = 512;

/// The least that is allocated.
const FIRST: usize = 256;

/// A text in the making; see the module's documentation.
pub(super) struct TextBuffer {
    content: Content,
    /// The bytes of a character whose end has not come yet. They follow `content`, which is `Text` then.
    partial: [u8; 4],
    partial_len: usize,
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

    pub(super) fn capacity(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.capacity(),
            Content::Raw(bytes) => bytes.capacity(),
        }
    }

    /// Whether the content is what the buffer has grown for: a stream of large events does not pay for growth each time,
    /// and the next small event or blank line gives the memory back.
    pub(super) fn is_well_used(&self) -> bool {
        self.text().as_bytes().len() >= self.capacity() / 4
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
        match &mut self.content {
            Content::Text(text) => text.shrink_to(kept),
            Content::Raw(bytes) => bytes.shrink_to(kept),
        }
    }

    /// Appends the bytes at a place. `most` bounds what is reserved ahead, not what is taken.
    #[inline]
    pub(super) fn push(&mut self, chunk: &Chunk<'_>, place: Place, most: usize) {
        #[cfg(test)]
        super::count_copied(place.end - place.start);
        match &mut self.content {
            Content::Text(text) if self.partial_len == 0 => {
                if let Some(piece) = chunk.checked(place) {
                    if text.capacity() - text.len() < piece.len() {
                        text.reserve_exact(growth(text.len(), text.capacity(), piece.len(), most));
                    }
                    return text.push_str(piece);
                }
            }
            Content::Raw(bytes) if bytes.len() >= SHORT || !chunk.is_worth_checking(place) => {
                return extend(bytes, &chunk.bytes[place.start..place.end], most);
            }
            _ => {}
        }
        self.push_parts(chunk, place, most);
    }

    /// Appends a line that ends in the input, with an LF whatever it ended in.
    #[inline]
    pub(super) fn push_line(&mut self, chunk: &Chunk<'_>, line: Place, most: usize) {
        if let Content::Text(text) = &mut self.content {
            if self.partial_len == 0 {
                if let Some(piece) = chunk.checked(line) {
                    #[cfg(test)]
                    super::count_copied(piece.len());
                    let more = piece.len() + 1;
                    if text.capacity() - text.len() < more {
                        text.reserve_exact(growth(text.len(), text.capacity(), more, most));
                    }
                    text.push_str(piece);
                    text.push('\n');
                    return;
                }
            }
        }
        self.push(chunk, line, most);
        self.push_str("\n", most);
    }

    fn push_parts(&mut self, chunk: &Chunk<'_>, place: Place, most: usize) {
        self.start_over_as_text();
        let (head, text, tail) = chunk.parts(place);
        if !head.is_empty() {
            self.push_bytes(head, chunk.is_worth_checking(place), most);
        }
        if !text.is_empty() {
            self.push_str(text, most);
        }
        if !tail.is_empty() {
            self.push_bytes(tail, true, most);
        }
    }

    /// Appends checked text.
    #[inline]
    pub(super) fn push_str(&mut self, piece: &str, most: usize) {
        if self.partial_len > 0 {
            // A character that has begun does not go on with the first byte of another.
            self.give_up_on_text(most);
        }
        match &mut self.content {
            Content::Text(text) => {
                if text.capacity() - text.len() < piece.len() {
                    text.reserve_exact(growth(text.len(), text.capacity(), piece.len(), most));
                }
                text.push_str(piece);
            }
            Content::Raw(bytes) => extend(bytes, piece.as_bytes(), most),
        }
    }

    fn push_bytes(&mut self, mut piece: &[u8], check: bool, most: usize) {
        if let (Content::Text(text), false) = (&self.content, check) {
            // A short piece is not worth a check, unless it would cost that of a long text.
            if text.len() < SHORT {
                self.give_up_on_text(most);
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
                    self.push_str(character, most);
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => self.give_up_on_text(most),
            }
        }
        if let Content::Raw(bytes) = &mut self.content {
            return extend(bytes, piece, most);
        }
        match utf8::check(piece) {
            Ok(text) => self.push_str(text, most),
            Err(error) => {
                let (valid, rest) = piece.split_at(error.valid_up_to());
                if error.error_len().is_none() {
                    self.push_str(core::str::from_utf8(valid).unwrap_or_default(), most);
                    self.partial[..rest.len()].copy_from_slice(rest);
                    self.partial_len = rest.len();
                } else {
                    self.give_up_on_text(most);
                    self.push_bytes(piece, true, most);
                }
            }
        }
    }

    /// Ends the text: a character that has not got its end by now never will.
    #[inline]
    pub(super) fn finish(&mut self) {
        if self.partial_len > 0 {
            self.give_up_on_text(usize::MAX);
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
        self.start_over_as_text();
        if let (Content::Text(content), Some(text)) = (&mut self.content, chunk.checked(place)) {
            content.push_str(text);
        } else {
            self.set_unchecked(&chunk.bytes[place.start..place.end]);
        }
    }

    fn set_unchecked(&mut self, bytes: &[u8]) {
        if let Ok(text) = utf8::check(bytes) {
            self.push_str(text, usize::MAX);
        } else {
            self.give_up_on_text(usize::MAX);
            self.push_bytes(bytes, true, usize::MAX);
        }
    }

    /// Checks content that was kept as bytes, since it is read many times.
    pub(super) fn settle(&mut self) {
        self.finish();
        if let Content::Raw(bytes) = &mut self.content {
            match String::from_utf8(mem::take(bytes)) {
                Ok(text) => self.content = Content::Text(text),
                Err(error) => *bytes = error.into_bytes(),
            }
        }
    }

    /// Takes large data out, with its allocation if that is not much larger, and without its last LF.
    pub(super) fn take_large(&mut self) -> Option<String> {
        let len = self.text().as_bytes().len();
        if len < LARGE || len < self.capacity() / 2 {
            return None;
        }
        let mut text = match mem::replace(&mut self.content, Content::Text(String::new())) {
            Content::Text(text) => text,
            Content::Raw(bytes) => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    self.content = Content::Raw(error.into_bytes());
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
                match String::from_utf8(mem::take(bytes)) {
                    Ok(text) => self.content = Content::Text(text),
                    Err(error) => *bytes = error.into_bytes(),
                }
            }
        }
    }

    /// Goes on with bytes that are checked when they are read.
    #[cold]
    fn give_up_on_text(&mut self, most: usize) {
        if let Content::Text(text) = &mut self.content {
            self.content = Content::Raw(mem::take(text).into_bytes());
        }
        let (partial, len) = (self.partial, mem::take(&mut self.partial_len));
        if let Content::Raw(bytes) = &mut self.content {
            extend(bytes, &partial[..len], most);
        }
    }
}

#[inline]
fn extend(bytes: &mut Vec<u8>, piece: &[u8], most: usize) {
    if bytes.capacity() - bytes.len() < piece.len() {
        bytes.reserve_exact(growth(bytes.len(), bytes.capacity(), piece.len(), most));
    }
    bytes.extend_from_slice(piece);
}

/// How much to reserve beyond `len`: twice the capacity, so that copying stays linear, but not more than `most` in
/// sum, so that memory stays within the limits.
#[cold]
fn growth(len: usize, capacity: usize, more: usize, most: usize) -> usize {
    let doubled = capacity.saturating_mul(2).max(FIRST).min(most);
    doubled.max(len.saturating_add(more)) - len
}
