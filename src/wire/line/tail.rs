//! Tells whether lines may be inserted after the bytes that a stream has sent.

use super::scan::{CR, LF, find_end};

/// The state of the last line of a stream.
///
/// Lines may be put in after a blank line, and where only whole comments and `retry` fields came
/// since: a client applies both at once, so they are no part of a block. Nothing may be put in
/// after a CR before the next byte is known, because an LF would belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// No block is open, and a line may begin.
    Between,
    /// The same, after a CR.
    BetweenAfterCr,
    /// Within a first line that has these bytes so far, and may become a `retry` field.
    R,
    Re,
    Ret,
    Retr,
    Retry,
    /// Within a comment or a `retry` field, outside of a block.
    Apart,
    /// Within a line of a block.
    Within,
    /// At the start of a line of a block.
    Start,
    /// The same, after a CR.
    StartAfterCr,
}

impl Tail {
    /// The start of a stream.
    pub(crate) const fn new() -> Self {
        Self::Between
    }

    /// Returns whether lines may be put in here.
    #[inline]
    pub(crate) fn is_between_blocks(self) -> bool {
        self == Self::Between
    }

    /// Appends the next bytes of the stream.
    #[inline]
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        // One load of the size of the encoder's last write. A load across two writes that are still
        // in the processor's store buffer would wait for both.
        if bytes.last_chunk() == Some(&[LF, LF]) {
            *self = Self::Between;
        } else {
            self.pass_others(bytes);
        }
    }

    /// Passes bytes that are missing. Whatever they were, the next blank line ends a block.
    pub(crate) fn pass_missing(&mut self) {
        *self = Self::Within;
    }

    #[cold]
    fn pass_others(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            *self = self.next(*byte);
            rest = after;
            // The rest of such a line changes nothing.
            if let Self::Apart | Self::Within = self {
                rest = &rest[find_end(rest).unwrap_or(rest.len())..];
            }
        }
    }

    fn next(self, byte: u8) -> Self {
        use Tail::{
            Apart, Between, BetweenAfterCr, R, Re, Ret, Retr, Retry, Start, StartAfterCr, Within,
        };

        match (self, byte) {
            (StartAfterCr | Within | R | Re | Ret | Retr, LF) => Start,
            (Within | R | Re | Ret | Retr, CR) => StartAfterCr,
            (Between | BetweenAfterCr | Start | Apart | Retry, LF) => Between,
            (Between | BetweenAfterCr | Start | StartAfterCr | Apart | Retry, CR) => BetweenAfterCr,

            (Between | BetweenAfterCr | Retry, b':') | (Apart, _) => Apart,
            (Between | BetweenAfterCr, b'r') => R,
            (R, b'e') => Re,
            (Re, b't') => Ret,
            (Ret, b'r') => Retr,
            (Retr, b'y') => Retry,
            _ => Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn lines_may_be_put_in_between_blocks_whatever_ends_their_lines() {
        for between in [
            "",
            "\n",
            "\r\n",
            "data: 1\n\n",
            "data: 1\r\n\r\n",
            "data: 1\n\r\n",
            "data: 1\r\n\n",
            "data: 1\r\r\n",
            "data: 1\n\n\n\n",
            ": c\n",
            ":\n",
            ": c\r\n",
            "retry: 1\n",
            "retry\n",
            "retry:\r\n",
            "data: 1\n\n: c\nretry: 1\n:\r\n",
            "data: 1\r\r: c\n",
        ] {
            assert!(is_between_blocks(between), "{between:?}");
        }
    }

    #[test]
    fn nothing_may_be_put_into_a_block_or_a_line() {
        for cut in [
            "d",
            "data: 1",
            "data: 1\n",
            "data: 1\r\n",
            "data: 1\n: c\n",
            "data: 1\nretry: 1\n",
            ": c\ndata: 1\n",
            ": c",
            "retry: 1",
            "retr",
            "retry",
            "retr\n",
            "retryx: 1\n",
            "retry \n",
            "rery: 1\n",
            " : c\n",
            "data: 1\n\nid",
            "id\n",
            "\u{FEFF}: c\n",
            "\u{2029}",
        ] {
            assert!(!is_between_blocks(cut), "{cut:?}");
        }
    }

    #[test]
    fn nothing_may_be_put_in_after_a_cr_whose_lf_may_follow() {
        for cut in [
            "\r",
            "data: 1\r",
            "data: 1\r\r",
            "data: 1\n\r",
            ": c\r",
            "retry\r",
        ] {
            assert!(!is_between_blocks(cut), "{cut:?}");
        }
    }

    #[test]
    fn missing_bytes_count_as_a_part_of_a_block() {
        for before in ["", ": c", ": c\n", "data: 1\n", "\r"] {
            let mut tail = Tail::new();
            tail.pass(before.as_bytes());
            tail.pass_missing();
            assert!(!tail.is_between_blocks(), "{before:?}");
            tail.pass(b"\n");
            assert!(!tail.is_between_blocks(), "{before:?}");
            tail.pass(b"\n");
            assert!(tail.is_between_blocks(), "{before:?}");
        }
    }

    #[test]
    fn it_takes_one_byte() {
        assert_eq!(size_of::<Tail>(), 1);
    }

    /// Passed whole and byte by byte.
    fn is_between_blocks(text: &str) -> bool {
        let (mut whole, mut bytes) = (Tail::new(), Tail::new());
        whole.pass(text.as_bytes());
        for byte in text.bytes() {
            bytes.pass(&[byte]);
            bytes.pass(&[]);
        }
        assert_eq!(whole, bytes, "{text:?}");
        whole.is_between_blocks()
    }
}
