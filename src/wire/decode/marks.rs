//! What is found in a tiny chunk.

use crate::wire::line::{CR, LF, WINDOW, masks_of_short};

/// Where in a short chunk lines and blocks end, a bit for each byte. Two numbers, so that they come back in registers:
/// what was stored a moment ago in smaller parts is slow to load. The highest bit stands for no byte of fewer than 64.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    pub(super) line_ends: u64,
    blank_lines: u64,
}

const FLAG: u64 = 1 << (WINDOW - 1);

impl Marks {
    pub(super) const NONE: Self = Self {
        line_ends: 0,
        blank_lines: 0,
    };

    /// All of the chunk is gathered.
    pub(super) const GATHERED: Self = Self {
        line_ends: FLAG,
        blank_lines: 0,
    };

    /// Searches a chunk of fewer than 64 bytes that comes behind the byte `before`.
    #[inline]
    pub(super) fn of(bytes: &[u8], before: u8, comments: bool) -> Self {
        #[cfg(test)]
        super::count_scanned(bytes.len());
        // What begins a line that may be an item: a comment that is handed out, or else `retry`, which the end of the
        // line tells too if comments are.
        let begins_item = if comments { b':' } else { b'r' };
        let [cr, lf, begins_item] = masks_of_short(bytes, [CR, LF, begins_item]);
        let behind_cr = cr << 1 | u64::from(before == CR);
        let behind_lf = lf << 1 | u64::from(before == LF);
        let line_starts = behind_lf | (behind_cr & !lf);
        let line_ends = cr | lf;
        let ends_item = if comments { line_ends } else { 0 };
        let items = line_starts & begins_item | ends_item;
        let flag = if items == 0 { 0 } else { FLAG };
        Self {
            line_ends,
            blank_lines: line_starts & line_ends | flag,
        }
    }

    #[inline]
    pub(super) const fn is_gathered(self) -> bool {
        self.line_ends == FLAG
    }

    /// Whether no item can end in the chunk.
    #[inline]
    pub(super) const fn is_quiet(self) -> bool {
        self.blank_lines == 0
    }

    /// Whether an item may end elsewhere than at a blank line.
    #[inline]
    pub(super) const fn has_other_items(self) -> bool {
        self.blank_lines & FLAG != 0
    }

    /// The blank lines from a byte on, if [`has_other_items`](Self::has_other_items) is false.
    #[inline]
    pub(super) const fn blank_lines(self, from: usize) -> u64 {
        self.blank_lines >> from
    }
}
