//! Values at indexes that do not move, in pages that are freed when they are empty.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// The number of values of a page.
const PAGE: u32 = u64::BITS;

/// A vector would keep the memory of a peak as long as its last value lives.
#[derive(Default)]
pub(super) struct Slab<T> {
    pages: Vec<Page<T>>,
    /// The pages that are not full. The last one is filled next.
    with_room: VecDeque<u32>,
}

struct Page<T> {
    /// Empty, or [`PAGE`] values.
    values: Box<[T]>,
    /// A bit for each value that is in use.
    used: u64,
}

impl<T: Default> Slab<T> {
    /// Puts a value at a free index.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let number = self.with_room.back().copied();
        let number = number.unwrap_or_else(|| {
            let number = u32::try_from(self.pages.len()).unwrap_or(NONE);
            let (values, used) = (Box::default(), 0);
            self.pages.push(Page { values, used });
            self.with_room.push_back(number);
            number
        });
        let page = &mut self.pages[number as usize];
        if page.values.is_empty() {
            page.values = (0..PAGE).map(|_| T::default()).collect();
        }
        let at = page.used.trailing_ones();
        page.values[at as usize] = value;
        page.used |= 1 << at;
        if page.used == u64::MAX {
            self.with_room.pop_back();
        }
        number * PAGE + at
    }

    /// Takes a value out. Its index is free again.
    pub(super) fn remove(&mut self, index: u32) -> T {
        let (number, at) = split(index);
        let page = &mut self.pages[number];
        let value = core::mem::take(&mut page.values[at]);
        if page.used == u64::MAX {
            self.with_room.push_back(index / PAGE);
        }
        page.used &= !(1 << at);
        // The last page with room stays, for the next value.
        if page.used == 0 && self.with_room.len() > 1 {
            page.values = Box::default();
            if self.with_room.back() == Some(&(index / PAGE)) {
                self.with_room.rotate_right(1);
            }
        }
        value
    }

    /// Returns the values, and the default at indexes that are free.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flat_map(|page| &mut page.values)
    }

    /// Returns the indexes in use.
    pub(super) fn indexes(&self) -> impl Iterator<Item = u32> + use<T> {
        let used: Vec<u64> = self.pages.iter().map(|page| page.used).collect();
        let all = (0..).zip(used);
        all.flat_map(|(number, used)| {
            let bits = (0..PAGE).filter(move |at| used >> at & 1 == 1);
            bits.map(move |at| number * PAGE + at)
        })
    }
}

fn split(index: u32) -> (usize, usize) {
    ((index / PAGE) as usize, (index % PAGE) as usize)
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        let (number, at) = split(index);
        &self.pages[number].values[at]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        let (number, at) = split(index);
        &mut self.pages[number].values[at]
    }
}
