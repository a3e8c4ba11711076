//! The wakers of those who have read all there is.
//!
//! Publishing takes the whole list at once, in constant time, and wakes it without the lock. What
//! it took comes back empty, to be the list after the next: nothing is allocated for a wake.

use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

pub(super) struct Waiting {
    places: Vec<Place>,
    free: u32,
    spare: Vec<Place>,
}

/// A waker, or a place that is free: two words, both.
pub(super) enum Place {
    Waits(Waker),
    Free { next: u32 },
}

/// No place.
pub(super) const NOWHERE: u32 = u32::MAX;

impl Waiting {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NOWHERE,
            spare: Vec::new(),
        }
    }

    /// Adds a waker and returns its place, which it keeps up to the next `take_all`.
    #[inline]
    pub(super) fn insert(&mut self, waker: Waker) -> u32 {
        if let Some(place) = self.places.get_mut(self.free as usize) {
            let at = self.free;
            if let Place::Free { next } = mem::replace(place, Place::Waits(waker)) {
                self.free = next;
            }
            return at;
        }
        if self.places.len() == self.places.capacity() {
            // By a quarter, not by half: a waker is most of what an idle subscriber costs.
            let more = (self.places.len() / 4).max(4);
            self.places.reserve_exact(more);
        }
        self.places.push(Place::Waits(waker));
        u32::try_from(self.places.len() - 1).unwrap_or(NOWHERE)
    }

    /// Puts another waker at a place; returns the old one.
    pub(super) fn replace(&mut self, at: u32, waker: Waker) -> Option<Place> {
        let place = self.places.get_mut(at as usize)?;
        Some(mem::replace(place, Place::Waits(waker)))
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Place> {
        let place = self.places.get_mut(at as usize)?;
        let old = mem::replace(place, Place::Free { next: self.free });
        self.free = at;
        Some(old)
    }

    /// Takes all, to be woken without the lock, if there are any.
    #[inline]
    pub(super) fn take_all(&mut self) -> Option<Vec<Place>> {
        if self.places.is_empty() {
            return None;
        }
        self.free = NOWHERE;
        Some(mem::replace(&mut self.places, mem::take(&mut self.spare)))
    }

    /// Takes back what `take_all` gave, emptied; returns what is not needed.
    pub(super) fn give_back(&mut self, emptied: Vec<Place>, used: usize) -> Vec<Place> {
        let too_large = emptied.capacity() > 4 * used + 64;
        if too_large || self.spare.capacity() >= emptied.capacity() {
            return emptied;
        }
        mem::replace(&mut self.spare, emptied)
    }
}
