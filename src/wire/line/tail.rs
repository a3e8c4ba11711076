//! The end of a chunked byte stream, as far as blocks go.

use super::{CR, LF};

/// The last bytes of a stream, in one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail(u32);

/// Nothing has come yet, which is like after a blank line.
const BLANK: Tail = Tail(u32::from_be_bytes([LF; 4]));

impl Tail {
    pub(crate) const fn new() -> Self {
        BLANK
    }

    /// Goes past the next bytes of the stream.
    #[inline]
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        // What an encoder wrote last, as one load of the size of its write: a load that reaches
        // over two writes which the processor still holds back waits for both.
        if bytes.last_chunk() == Some(&[LF, LF]) {
            *self = BLANK;
        } else {
            self.pass_others(bytes);
        }
    }

    #[cold]
    fn pass_others(&mut self, bytes: &[u8]) {
        for &byte in bytes.last_chunk::<4>().map_or(bytes, |last| last) {
            self.0 = self.0 << 8 | u32::from(byte);
        }
    }

    /// Whether the last line that came is a blank one, and nothing came behind it.
    ///
    /// A CR counts as an end before it is known whether an LF follows. If one does, what was put
    /// between the two makes a second blank line of it, which means nothing to a client.
    #[inline]
    pub(crate) fn is_block_end(self) -> bool {
        let [_, before, last_but_one, last] = self.0.to_be_bytes();
        match (last_but_one, last) {
            (LF, LF) | (LF | CR, CR) => true,
            (CR, LF) => matches!(before, LF | CR),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn a_block_ends_with_a_blank_line_whatever_ends_its_lines() {
        for ended in [
            "",
            "\n",
            "\r",
            "\r\n",
            "data: 1\n\n",
            "data: 1\r\r",
            "data: 1\r\n\r\n",
            "data: 1\n\r\n",
            "data: 1\r\n\n",
            "data: 1\r\r\n",
            "data: 1\n\r",
            "data: 1\n\n\n\n",
        ] {
            assert!(is_block_end(ended), "{ended:?}");
        }
        for cut in [
            "d",
            "data: 1",
            "data: 1\n",
            "data: 1\r",
            "data: 1\r\n",
            "data: 1\n\nid",
            "\u{2029}",
        ] {
            assert!(!is_block_end(cut), "{cut:?}");
        }
    }

    /// Passed whole and byte by byte.
    fn is_block_end(text: &str) -> bool {
        let (mut whole, mut bytes) = (Tail::new(), Tail::new());
        whole.pass(text.as_bytes());
        for byte in text.bytes() {
            bytes.pass(&[byte]);
            bytes.pass(&[]);
        }
        assert_eq!(whole.is_block_end(), bytes.is_block_end(), "{text:?}");
        whole.is_block_end()
    }
}
