//! Decimal digits without an allocation.

/// The decimal digits of a number, and its sign if it is negative, at the end of an array.
#[derive(Clone, Copy)]
pub(crate) struct Decimal {
    start: usize,
    array: [u8; Self::MAX_LEN],
}

/// The digits of the numbers below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

impl Decimal {
    /// A sign, and the 39 digits of `u128::MAX`.
    const MAX_LEN: usize = 40;

    /// Writes the digits of a number.
    #[inline(never)]
    pub(crate) fn of(number: impl Into<u128>) -> Self {
        let number = number.into();
        let mut digits = Self {
            start: Self::MAX_LEN,
            array: [b'0'; Self::MAX_LEN],
        };
        let mut rest = u64::try_from(number).unwrap_or_else(|_| digits.push_beyond_u64(number));
        // Two digits at a time: a division takes longer than all else.
        while rest >= 100 {
            let [tens, ones] = PAIRS[(rest % 100) as usize];
            digits.push_front(ones);
            digits.push_front(tens);
            rest /= 100;
        }
        loop {
            digits.push_front(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                return digits;
            }
        }
    }

    /// Writes a minus sign and the digits of a number.
    #[cold]
    pub(crate) fn negative(magnitude: u128) -> Self {
        let mut digits = Self::of(magnitude);
        digits.push_front(b'-');
        digits
    }

    /// Writes digits until the rest fits into 64 bits, since divisions of 128 bits are slow.
    #[cold]
    fn push_beyond_u64(&mut self, mut number: u128) -> u64 {
        loop {
            self.push_front(b'0' + (number % 10) as u8);
            number /= 10;
            if let Ok(rest) = u64::try_from(number) {
                return rest;
            }
        }
    }

    /// Returns how many digits a number has.
    #[inline]
    pub(crate) fn count(number: u64) -> usize {
        number.checked_ilog10().map_or(1, |log| log as usize + 1)
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.array[self.start..]
    }

    #[inline]
    fn push_front(&mut self, byte: u8) {
        self.start -= 1;
        self.array[self.start] = byte;
    }
}
