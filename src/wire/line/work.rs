//! Counts the bytes that are searched or checked, for the tests of `wire::decode`.

extern crate std;

use core::cell::Cell;
use std::thread_local;

thread_local! {
    static WORK: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn count(bytes: usize) {
    WORK.set(WORK.get() + bytes);
}

/// Returns the count and resets it to zero.
pub(crate) fn take() -> usize {
    WORK.take()
}
