//! Where the lines of a chunked byte stream end.
//!
//! > with a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single U+000A LINE FEED (LF) character
//! > not preceded by a U+000D CARRIAGE RETURN (CR) character, and a single U+000D CARRIAGE RETURN (CR) character not
//! > followed by a U+000A LINE FEED (LF) character being the ways in which a line can end.
//!
//! A line is over at its CR: nothing waits for the LF that may follow. [`LineEnd::skip`] passes over that LF when it
//! is at hand and says so when it is not, and [`skip_late_line_feed`] passes over it when it comes with the next chunk.
//!
//! Lines are short: 64 bytes are looked at in one go, as four vectors of 16, and the mask of the line ends among them
//! serves all lines there. A line that is longer than three such windows is left to memchr, whose vectors are wider.

use super::scan::{WINDOW, ends_of_front, ends_of_window};

/// The line ends of up to 512 bytes that were searched before, 64 to a mask, and a mask more for who writes them.
pub(crate) type Ends = [u64; 9];

pub(crate) const NO_ENDS: Ends = [0; 9];

/// Whether this byte ends a line.
#[inline]
pub(crate) const fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The line ends in one window of a slice. All calls must be for the same slice.
#[derive(Clone, Copy)]
pub(crate) struct LineEnds {
    start: usize,
    /// Bit `n` stands for byte `start + n`; there are none past the end of the slice.
    mask: u64,
    /// No line ends from here on.
    none_from: usize,
}

impl LineEnds {
    pub(crate) const fn new() -> Self {
        // So far behind the end of any slice that no position is within the window.
        Self {
            start: usize::MAX - WINDOW,
            mask: 0,
            none_from: usize::MAX,
        }
    }

    /// The line ends of a slice that is no longer than a window.
    #[inline]
    pub(crate) const fn of_short(mask: u64) -> Self {
        Self {
            start: 0,
            mask,
            none_from: usize::MAX,
        }
    }

    /// Returns the position of the first byte at or after `from` that ends a line. `known`: all that do.
    #[inline]
    pub(crate) fn find(
        &mut self,
        bytes: &[u8],
        from: usize,
        known: Option<&Ends>,
    ) -> Option<usize> {
        let offset = from.wrapping_sub(self.start);
        if offset < WINDOW {
            let ends = self.mask >> offset;
            if ends != 0 {
                return Some(from + ends.trailing_zeros() as usize);
            }
        }
        match known {
            None => self.search(bytes, from),
            Some(known) => self.search_known(known, bytes.len(), from),
        }
    }

    #[inline(never)]
    fn search(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        if from >= self.none_from {
            return None;
        }
        let at = if from.wrapping_sub(self.start) < WINDOW {
            self.start + WINDOW
        } else {
            from
        };
        let found = self.search_from(bytes, at);
        if found.is_none() {
            self.none_from = from;
        }
        found
    }

    #[cold]
    #[inline(never)]
    fn search_known(&mut self, known: &Ends, len: usize, from: usize) -> Option<usize> {
        let mut skipped = from % WINDOW;
        for (window, &ends) in known.iter().enumerate().skip(from / WINDOW) {
            let start = window * WINDOW;
            if start >= len {
                break;
            }
            let mask = ends >> skipped << skipped;
            if mask != 0 {
                (self.start, self.mask) = (start, ends);
                return Some(start + mask.trailing_zeros() as usize);
            }
            skipped = 0;
        }
        None
    }

    #[inline]
    fn search_from(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        for at in [from, from + WINDOW, from + 2 * WINDOW] {
            let Some(window) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
                return self.search_last_window(bytes, at);
            };
            let mask = ends_of_window(window);
            if mask != 0 {
                (self.start, self.mask) = (at, mask);
                #[cfg(test)]
                crate::wire::decode::count_scanned(at + WINDOW - from);
                return Some(at + mask.trailing_zeros() as usize);
            }
        }
        #[cfg(test)]
        crate::wire::decode::count_scanned(3 * WINDOW);
        find_long_line_end(bytes, from + 3 * WINDOW)
    }

    fn search_last_window(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        #[cfg(test)]
        crate::wire::decode::count_scanned(rest.len());
        let mask = match bytes.last_chunk() {
            // What is left is the end of the last 64 bytes.
            Some(last) if !rest.is_empty() => ends_of_window(last) >> (WINDOW - rest.len()),
            _ => ends_of_front(rest),
        };
        if mask == 0 {
            return None;
        }
        (self.start, self.mask) = (at, mask);
        Some(at + mask.trailing_zeros() as usize)
    }
}

/// Returns the position of the first byte at or after `from` that ends a line, where the line is known to be long.
#[inline(never)]
pub(crate) fn find_long_line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let found = super::find_end(rest);
    #[cfg(test)]
    crate::wire::decode::count_scanned(found.unwrap_or(rest.len()));
    Some(from + found?)
}

/// What follows the line end at a position.
#[derive(Clone, Copy)]
pub(crate) struct LineEnd {
    /// The first byte of the next line.
    pub(crate) next: usize,
    /// The line ended in a CR that is the last byte at hand: an LF that comes next belongs to it.
    pub(crate) late_line_feed: bool,
}

impl LineEnd {
    /// Passes over the line end that starts at `at`.
    #[inline]
    pub(crate) fn skip(bytes: &[u8], at: usize) -> Self {
        let next = at + 1;
        if bytes[at] == b'\n' {
            return Self {
                next,
                late_line_feed: false,
            };
        }
        match bytes.get(next) {
            Some(b'\n') => Self {
                next: next + 1,
                late_line_feed: false,
            },
            Some(_) => Self {
                next,
                late_line_feed: false,
            },
            None => Self {
                next,
                late_line_feed: true,
            },
        }
    }
}

/// Passes over the LF that completes a CR of the chunk before.
#[inline]
pub(crate) fn skip_late_line_feed(bytes: &[u8], at: usize) -> usize {
    at + usize::from(bytes.get(at) == Some(&b'\n'))
}
