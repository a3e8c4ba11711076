//! Reads structured values out of a fuzzer's bytes, so that a seed is a file that a person can
//! write: numbers are single bytes, texts end at `|`.

use std::time::Duration;

use super::laws::Parts;

pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        match self.0 {
            [] => 0,
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
        }
    }

    /// The text up to the next `|`; what is no UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        let end = self.0.iter().position(|&b| b == b'|');
        let (text, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// `type|id|retry in ns|comment|data`: a part that begins with `-` is absent.
    pub fn parts(&mut self) -> Parts {
        let mut part = || {
            let text = self.text();
            (!text.starts_with('-')).then_some(text)
        };
        Parts {
            event_type: part(),
            id: part(),
            reconnection_time: part().map(|digits| {
                let nanos: u64 = digits.trim().parse().unwrap_or(digits.len() as u64);
                // Spread over all that a `Duration` can hold.
                Duration::from_nanos(nanos).saturating_mul(1 << (nanos % 32))
            }),
            comment: part(),
            data: part(),
        }
    }
}
