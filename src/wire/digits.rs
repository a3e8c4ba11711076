//! Decimal digits, held inline.

/// The decimal digits of a number, at the end of an array.
#[derive(Clone, Copy)]
pub(crate) struct Digits {
    start: usize,
    array: [u8; Self::MOST],
}

impl Digits {
    /// `u128::MAX` has 39 of them.
    const MOST: usize = 39;

    /// Returns how many digits a number has.
    #[inline]
    pub(crate) fn count(number: u64) -> usize {
        number.checked_ilog10().map_or(1, |log| log as usize + 1)
    }

    pub(crate) fn of_u128(mut number: u128) -> Self {
        let mut digits = Self::none();
        // Divisions of 128 bits are slow: leave them as soon as the rest fits into 64.
        loop {
            if let Ok(rest) = u64::try_from(number) {
                digits.prepend(rest);
                return digits;
            }
            digits.push_front((number % 10) as u8);
            number /= 10;
        }
    }

    #[inline]
    pub(crate) fn of_u64(number: u64) -> Self {
        let mut digits = Self::none();
        digits.prepend(number);
        digits
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.array[self.start..]
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    const fn none() -> Self {
        Self {
            start: Self::MOST,
            array: [b'0'; Self::MOST],
        }
    }

    fn prepend(&mut self, mut number: u64) {
        loop {
            self.push_front((number % 10) as u8);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }

    fn push_front(&mut self, digit: u8) {
        self.start -= 1;
        self.array[self.start] = b'0' + digit;
    }
}
