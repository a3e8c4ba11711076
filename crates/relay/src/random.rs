//! Random numbers, from the seed of the standard library's hash maps.

use core::hash::BuildHasher;
use std::hash::RandomState;

/// Draws 64 bits.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}
