//! Ids: those that the broadcast assigns, and what the log keeps of the user's. Where one stands is found
//! in `index.rs`.
//!
//! Ids have a hash of their own, since one is hashed with each publication, under the lock: in a
//! loop of nothing else it takes 4 ns for ids of 7, 15 and 32 bytes, where std's keyed one takes 13, 14
//! and 16.

use alloc::collections::VecDeque;
use core::hash::BuildHasher;
use std::hash::RandomState;

use super::scope::Scope;
use crate::wire::decimal::Decimal;

/// An id that is assigned: the epoch and the number of the frame, in decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) epoch: u64,
    pub(super) number: u64,
    /// It names the place behind that frame, and not the frame, which may be another's.
    pub(super) is_place: bool,
}

impl Assigned {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let (number, is_place) = match number.strip_suffix('~') {
            Some(number) => (number, true),
            None => (number, false),
        };
        Some(Self {
            epoch: digits(epoch)?,
            number: digits(number)?,
            is_place,
        })
    }
}

/// The most bytes an assigned id has: two numbers of 20 digits, `-` and `~`.
const MOST_LEN: usize = 42;

/// The text of an assigned id.
pub(super) struct Text {
    bytes: [u8; MOST_LEN],
    len: usize,
}

impl Text {
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }
}

impl Assigned {
    /// Without the formatting of `core`, which costs as much as all else of a publication.
    #[inline]
    pub(super) fn text(self) -> Text {
        let mut text = Text {
            bytes: [0; MOST_LEN],
            len: 0,
        };
        text.put(Decimal::of(self.epoch).as_bytes());
        text.put(b"-");
        text.put(Decimal::of(self.number).as_bytes());
        if self.is_place {
            text.put(b"~");
        }
        text
    }
}

/// Only as they are written: no sign, no zero in front.
fn digits(text: &str) -> Option<u64> {
    let canonical = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    canonical.then(|| text.parse().ok())?
}

/// How ids are hashed, and those that are remembered though their frames are gone.
pub(super) struct Remembered {
    key: u64,
    gone: VecDeque<Gone>,
    most: usize,
    /// The number of the last frame of somebody's that is not remembered any more; 0 if all are.
    forgotten_scope: u64,
}

struct Gone {
    hash: u64,
    number: u64,
    scope: Option<Scope>,
}

/// Stands for no id.
pub(super) const NO_ID: u64 = 0;

impl Remembered {
    pub(super) fn new(most: usize) -> Self {
        Self {
            key: RandomState::new().hash_one(0),
            gone: VecDeque::new(),
            most,
            forgotten_scope: 0,
        }
    }

    #[inline]
    pub(super) fn hash(&self, id: &[u8]) -> u64 {
        hash(self.key, id).max(NO_ID + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.gone.len()
    }

    /// The number of the first frame that is remembered.
    pub(super) fn first(&self) -> Option<u64> {
        self.gone.front().map(|gone| gone.number)
    }

    /// The numbers and the hashes of what is remembered, from a number on.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (u64, u64)> {
        let first = self.gone.partition_point(|gone| gone.number < number);
        let behind = self.gone.range(first..);
        behind.map(|gone| (gone.number, gone.hash))
    }

    /// Takes what is to be remembered of a frame that is gone.
    pub(super) fn remember(&mut self, hash: u64, number: u64, scope: Option<Scope>) {
        if hash == NO_ID && scope.is_none() {
            return;
        }
        // As in the log: what there is to drop is put in behind.
        self.gone.push_back(Gone {
            hash,
            number,
            scope: None,
        });
        if let (Some(_), Some(last)) = (&scope, self.gone.back_mut()) {
            last.scope = scope;
        }
        while self.gone.len() > self.most {
            if let Some(first) = self.gone.pop_front() {
                if first.scope.is_some() {
                    self.forgotten_scope = first.number;
                }
            }
        }
    }

    /// Returns whose a frame was that is gone: `Err` if that is forgotten.
    pub(super) fn scope_of_gone(&self, number: u64) -> Result<Option<&Scope>, ()> {
        let at = self.gone.partition_point(|one| one.number < number);
        match self.gone.get(at).filter(|one| one.number == number) {
            Some(gone) => Ok(gone.scope.as_ref()),
            None if number <= self.forgotten_scope => Err(()),
            // Behind that all that were somebody's are remembered, so it was everybody's.
            None => Ok(None),
        }
    }
}

/// A hash of short texts: eight bytes at a time, the two halves of a product folded. Its key is
/// another one in each process.
///
/// The ids in the table are the server's. A client who made up texts of equal hashes would find an id
/// that is retained by its text alone, and one that is gone no sooner than any other text.
#[inline]
fn hash(key: u64, text: &[u8]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        #[expect(clippy::cast_possible_truncation, reason = "the halves are wanted")]
        let halves = (product as u64, (product >> 64) as u64);
        halves.0 ^ halves.1
    };
    let mut hash = key ^ text.len() as u64;
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        hash = fold(hash ^ u64::from_le_bytes(*word), ODD);
        rest = behind;
    }
    let last = rest
        .iter()
        .fold(0, |last, &byte| last << 8 | u64::from(byte));
    hash = fold(hash ^ last, ODD);
    fold(hash, key | 1)
}

/// 2^64 divided by the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
