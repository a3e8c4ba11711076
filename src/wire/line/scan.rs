//! The search for the bytes CR and LF.
//!
//! There are two searches, chosen by measurement: masks (crate `wide`, safe and `no_std`) and
//! memchr. Most values are short; for them, calling memchr costs more than the search itself. For
//! 120 bytes, masks of 16 bytes take 3.5 ns, and a loop that the compiler vectorizes takes 5.4 ns.
//! In long texts without line ends, memchr is twice as fast as the masks. With frequent line ends,
//! memchr restarts at each one: masks of 64 bytes take two thirds of its time for lines of 80
//! bytes, and a third for lines of 16 bytes.

use wide::u8x16;

pub(crate) const LF: u8 = b'\n';
pub(crate) const CR: u8 = b'\r';

/// The longest text that is searched by masks.
const SHORT: usize = 256;

/// Returns whether a search of `text` is cheap compared to its other processing.
#[inline]
pub(crate) fn is_short(text: &[u8]) -> bool {
    text.len() <= SHORT
}

/// Returns the offset of the first CR or LF.
#[inline]
pub(crate) fn find_end(text: &[u8]) -> Option<usize> {
    memchr::memchr2(CR, LF, text)
}

/// Returns whether there is a CR or an LF.
#[inline]
pub(crate) fn has_end(text: &[u8]) -> bool {
    if text.len() > SHORT {
        return find_end(text).is_some();
    }
    has_any(text, [CR, LF])
}

/// Returns whether there is a CR, an LF or a NUL.
#[inline]
pub(crate) fn has_end_or_nul(text: &[u8]) -> bool {
    if text.len() > SHORT {
        return memchr::memchr3(CR, LF, 0, text).is_some();
    }
    has_any(text, [CR, LF, 0])
}

/// Returns whether there is a NUL.
#[inline]
pub(crate) fn has_nul(text: &[u8]) -> bool {
    if text.len() > SHORT {
        return memchr::memchr(0, text).is_some();
    }
    has_any(text, [0])
}

/// The number of bytes that one mask covers.
const WINDOW: usize = 64;

/// Returns which of the first 64 bytes are CR or LF. Bit 0 stands for the first byte.
#[inline]
pub(crate) fn ends_of_front(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(window) => ends_of_window(window),
        None => ends_of_short(text),
    }
}

#[inline]
fn ends_of_window(window: &[u8; WINDOW]) -> u64 {
    let sixteen = |at: usize| window[at..].first_chunk().map_or(0, ends_of_16) << at;
    sixteen(0) | sixteen(16) | sixteen(32) | sixteen(48)
}

/// Does the same for fewer than 64 bytes. The last 16 may be searched twice.
#[inline]
fn ends_of_short(text: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
        let bit = |(at, &byte): (usize, &u8)| u64::from(byte == CR || byte == LF) << at;
        return text.iter().enumerate().map(bit).sum();
    };
    let mut ends = ends_of_16(first);
    if text.len() > 16 {
        ends |= ends_of_16(last) << (text.len() - 16);
        for at in [16, 32] {
            let block = text.get(at..).and_then(<[u8]>::first_chunk);
            ends |= block.map_or(0, ends_of_16) << at;
        }
    }
    ends
}

#[inline]
fn ends_of_16(bytes: &[u8; 16]) -> u64 {
    let bytes = u8x16::new(*bytes);
    let ends = bytes.cmp_eq(u8x16::splat(CR)) | bytes.cmp_eq(u8x16::splat(LF));
    // A mask of 16 lanes is in the low 16 bits.
    u64::from(ends.move_mask().unsigned_abs())
}

/// The line ends in one window of a slice. They are found in one search and returned one at a time.
/// All calls must be for the same slice.
///
/// Most lines are short, so 64 bytes are searched at once, as four vectors of 16. The resulting
/// mask has the ends of all lines in this window. In a line that is longer than three windows,
/// memchr continues the search, because its vectors are wider.
#[derive(Clone, Copy)]
pub(crate) struct LineEnds {
    start: usize,
    /// Bit `n` stands for byte `start + n`. No bit is set past the end of the slice.
    mask: u64,
    /// From this offset on, there are no line ends except those in the window.
    none_from: usize,
}

impl LineEnds {
    /// Searches the slice at once if it is shorter than a window. Otherwise the first `find` does.
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() < WINDOW {
            #[cfg(test)]
            super::work::count(bytes.len());
            return Self {
                start: 0,
                mask: ends_of_short(bytes),
                none_from: 0,
            };
        }
        Self {
            // Beyond the end of any slice, so that no position is within the window.
            start: usize::MAX - WINDOW,
            mask: 0,
            none_from: usize::MAX,
        }
    }

    /// Returns the position of the first byte at or after `from` that ends a line.
    #[inline]
    pub(crate) fn find(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let offset = from.wrapping_sub(self.start);
        if offset < WINDOW {
            let ends = self.mask >> offset;
            if ends != 0 {
                return Some(from + ends.trailing_zeros() as usize);
            }
        }
        if from >= self.none_from {
            return None;
        }
        self.search(bytes, from)
    }

    #[inline(never)]
    fn search(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
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

    #[inline]
    fn search_from(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        for at in [from, from + WINDOW, from + 2 * WINDOW] {
            #[cfg(test)]
            super::work::count(WINDOW.min(bytes.len().saturating_sub(at)));
            let Some(window) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
                return self.search_last_window(bytes, at);
            };
            let mask = ends_of_window(window);
            if mask != 0 {
                (self.start, self.mask) = (at, mask);
                return Some(at + mask.trailing_zeros() as usize);
            }
        }
        Self::find_in_long_line(bytes, from + 3 * WINDOW)
    }

    fn search_last_window(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let mask = match bytes.last_chunk() {
            // The rest is a part of the last 64 bytes.
            Some(last) if !rest.is_empty() => ends_of_window(last) >> (WINDOW - rest.len()),
            _ => ends_of_front(rest),
        };
        if mask == 0 {
            return None;
        }
        (self.start, self.mask) = (at, mask);
        Some(at + mask.trailing_zeros() as usize)
    }

    /// Does what [`find`](Self::find) does, for a line that is probably long.
    #[inline(never)]
    pub(crate) fn find_in_long_line(bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let found = find_end(rest);
        #[cfg(test)]
        super::work::count(found.unwrap_or(rest.len()));
        Some(from + found?)
    }
}

/// A lane of 8 bits can count up to 255 rows of 16 bytes.
const ROWS: usize = 16 * 255;

/// Counts the bytes CR and LF, and those of them that begin an end-of-line, which are all except an
/// LF after a CR.
pub(crate) fn count(text: &[u8]) -> (usize, usize) {
    let [first, after @ ..] = text else {
        return (0, 0);
    };
    let is_end = |byte: u8| byte == CR || byte == LF;
    let begins = |before: u8, byte: u8| byte == CR || (byte == LF && before != CR);
    let mut bytes = usize::from(is_end(*first));
    let mut beginnings = usize::from(begins(0, *first));
    let before = &text[..after.len()];
    for (before, here) in before.chunks(ROWS).zip(after.chunks(ROWS)) {
        let (mut byte_lanes, mut beginning_lanes) = (u8x16::ZERO, u8x16::ZERO);
        let (mut befores, mut heres) = (before.chunks_exact(16), here.chunks_exact(16));
        for (before, here) in befores.by_ref().zip(heres.by_ref()) {
            let (before, here) = (load(before), load(here));
            let cr = here.cmp_eq(u8x16::splat(CR));
            let lf = here.cmp_eq(u8x16::splat(LF));
            // A lane that matches is 255, so subtracting it adds 1.
            byte_lanes -= cr | lf;
            beginning_lanes -= cr | (lf & !before.cmp_eq(u8x16::splat(CR)));
        }
        bytes += sum(byte_lanes);
        beginnings += sum(beginning_lanes);
        for (&before, &here) in befores.remainder().iter().zip(heres.remainder()) {
            bytes += usize::from(is_end(here));
            beginnings += usize::from(begins(before, here));
        }
    }
    (bytes, beginnings)
}

fn sum(lanes: u8x16) -> usize {
    lanes.to_array().iter().map(|&lane| usize::from(lane)).sum()
}

/// Returns whether a short text has any of `bytes`.
#[inline]
fn has_any<const N: usize>(text: &[u8], bytes: [u8; N]) -> bool {
    // The last 16 bytes are a block of their own that may overlap the one before it.
    let Some(last) = text.last_chunk::<16>() else {
        return has_any_in_words(text, bytes);
    };
    let hits_of = |block: u8x16| {
        let hit = |hits: u8x16, byte| hits | block.cmp_eq(u8x16::splat(byte));
        bytes.into_iter().fold(u8x16::ZERO, hit)
    };
    let mut hits = hits_of(u8x16::new(*last));
    for block in text.chunks_exact(16) {
        hits |= hits_of(load(block));
    }
    hits.move_mask() != 0
}

/// Does the same for fewer than 16 bytes without a loop, with two words that may overlap.
///
/// Padding the text to 16 bytes in memory is slower, because the load waits for the stores.
#[inline]
fn has_any_in_words<const N: usize>(text: &[u8], bytes: [u8; N]) -> bool {
    let (head, tail) = match text {
        [] => return false,
        [one] => return bytes.contains(one),
        [first, second] => return bytes.contains(first) || bytes.contains(second),
        [first, second, third] => {
            return bytes.contains(first) || bytes.contains(second) || bytes.contains(third);
        }
        _ => ends_as_words(text),
    };
    bytes
        .into_iter()
        .any(|byte| word_has(head, byte) || word_has(tail, byte))
}

/// Returns a text of 4 to 15 bytes as two words, which may overlap or be equal.
#[inline]
fn ends_as_words(text: &[u8]) -> (u64, u64) {
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_ne_bytes(*head), u64::from_ne_bytes(*tail));
    }
    let half = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    let head = u64::from(half(text.first_chunk()));
    let both = head << 32 | u64::from(half(text.last_chunk()));
    (both, both)
}

/// Returns whether `word` has the byte `byte`. Where it has, the difference has a zero byte. The
/// subtraction makes it borrow, so its top bit changes from 0 to 1.
#[inline]
fn word_has(word: u64, byte: u8) -> bool {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let difference = word ^ (LOW * u64::from(byte));
    difference.wrapping_sub(LOW) & !difference & HIGH != 0
}

#[inline]
fn load(block: &[u8]) -> u8x16 {
    // Callers pass exactly 16 bytes, so the check is compiled away.
    block
        .first_chunk()
        .map_or(u8x16::ZERO, |block| u8x16::new(*block))
}
