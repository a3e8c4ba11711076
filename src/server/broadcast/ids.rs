//! Ids: those that the broadcast assigns, and where an id stands in the log.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt::{self, Write};
use core::hash::{BuildHasher, Hasher};
use std::collections::HashMap;
use std::hash::RandomState;

use super::scope::Scope;

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

impl fmt::Display for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_place { "~" } else { "" };
        write!(f, "{}-{}{end}", self.epoch, self.number)
    }
}

/// Only as they are written: no sign, no zero in front.
fn digits(text: &str) -> Option<u64> {
    let canonical = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    canonical.then(|| text.parse().ok())?
}

/// Writes an id into a text that is used again and again.
pub(super) fn write_id(id: Assigned, text: &mut String) {
    text.clear();
    // Into memory it does not fail.
    let _ = write!(text, "{id}");
}

/// Where the ids of the user's stand, by their hashes; and those that are remembered though their
/// frames are gone.
pub(super) struct Index {
    hashes: RandomState,
    places: HashMap<u64, u64, AsItIs>,
    gone: VecDeque<Gone>,
    remembered: usize,
    /// A frame of somebody's is not remembered any more.
    forgot_a_scope: bool,
}

struct Gone {
    hash: u64,
    number: u64,
    scope: Option<Scope>,
}

/// Stands for no id.
pub(super) const NO_ID: u64 = 0;

impl Index {
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            hashes: RandomState::new(),
            places: HashMap::default(),
            gone: VecDeque::new(),
            remembered,
            forgot_a_scope: false,
        }
    }

    pub(super) fn hash(&self, id: &str) -> u64 {
        self.hashes.hash_one(id).max(NO_ID + 1)
    }

    /// An id that recurs stands for its last frame.
    pub(super) fn insert(&mut self, hash: u64, number: u64) {
        self.places.insert(hash, number);
    }

    pub(super) fn find(&self, hash: u64) -> Option<u64> {
        self.places.get(&hash).copied()
    }

    /// Takes what is to be remembered of a frame that is gone.
    pub(super) fn remember(&mut self, hash: u64, number: u64, scope: Option<Scope>) {
        if hash == NO_ID && scope.is_none() {
            return;
        }
        self.gone.push_back(Gone {
            hash,
            number,
            scope,
        });
        while self.gone.len() > self.remembered {
            if let Some(first) = self.gone.pop_front() {
                self.forgot_a_scope |= first.scope.is_some();
                if self.find(first.hash) == Some(first.number) {
                    self.places.remove(&first.hash);
                }
            }
        }
    }

    /// Returns whose a frame was that is gone: `Err` if that is forgotten.
    pub(super) fn scope_of_gone(&self, number: u64) -> Result<Option<&Scope>, ()> {
        let at = self.gone.partition_point(|one| one.number < number);
        match self.gone.get(at).filter(|one| one.number == number) {
            Some(gone) => Ok(gone.scope.as_ref()),
            None if self.forgot_a_scope => Err(()),
            None => Ok(None),
        }
    }
}

/// The keys are hashes already.
#[derive(Clone, Copy, Default)]
struct AsItIs(u64);

impl BuildHasher for AsItIs {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
