//! UTF-8: the check, and text that comes in pieces.

/// Turns bytes into text where characters may be cut between two pieces; holds at most the three
/// bytes of an unfinished one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Pieces {
    #[cfg(feature = "std")]
    held: [u8; 4],
    held_len: usize,
    /// Bytes of complete characters that went through.
    passed: usize,
}

impl Utf8Pieces {
    /// Returns the offset of a character that is not complete yet.
    pub(crate) fn unfinished(&self) -> Option<usize> {
        (self.held_len > 0).then_some(self.passed)
    }

    /// Counts text that went another way.
    pub(crate) fn skip(&mut self, len: usize) {
        self.passed += len;
    }
}

#[cfg(feature = "std")]
impl Utf8Pieces {
    /// Hands the text in `bytes` to `each`, what was held before it included.
    pub(crate) fn split(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&str) -> Result<(), crate::error::WriteError>,
    ) -> Result<(), crate::error::WriteError> {
        while self.held_len > 0 && !bytes.is_empty() {
            self.held[self.held_len] = bytes[0];
            self.held_len += 1;
            bytes = &bytes[1..];
            let held = self.held;
            match core::str::from_utf8(&held[..self.held_len]) {
                Ok(character) => {
                    self.passed += self.held_len;
                    self.held_len = 0;
                    each(character)?;
                }
                Err(error) if error.error_len().is_some() => {
                    self.held_len = 0;
                    return Err(self.invalid());
                }
                // Not complete yet. Four bytes always are, or are invalid.
                Err(_) => {}
            }
        }
        let (text, rest) = match core::str::from_utf8(bytes) {
            Ok(text) => (text, &[][..]),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    self.passed += valid.len();
                    return Err(self.invalid());
                }
                (core::str::from_utf8(valid).unwrap_or_default(), rest)
            }
        };
        self.passed += text.len();
        self.held[..rest.len()].copy_from_slice(rest);
        self.held_len += rest.len();
        each(text)
    }

    fn invalid(&self) -> crate::error::WriteError {
        crate::error::WriteError::InvalidUtf8 {
            offset: self.passed,
        }
    }
}
