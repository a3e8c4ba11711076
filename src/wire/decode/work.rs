//! Twice the input is twice the work, for any chunking: counted, since a clock would lie on a busy machine.

extern crate std;

use alloc::vec::Vec;
use core::cell::Cell;
use std::thread_local;

use super::{Chunk, Decoder};

thread_local! {
    /// Bytes copied into buffers.
    static COPIED: Cell<usize> = const { Cell::new(0) };
    /// Bytes searched for the end of a line.
    static SCANNED: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn count_copied(bytes: usize) {
    COPIED.set(COPIED.get() + bytes);
}

pub(crate) fn count_scanned(bytes: usize) {
    SCANNED.set(SCANNED.get() + bytes);
}

/// Bytes copied and scanned, and items, for `input` in chunks of `size`.
fn work(input: &[u8], size: usize) -> (usize, usize, usize) {
    COPIED.set(0);
    SCANNED.set(0);
    let mut decoder = Decoder::new();
    let mut items = 0;
    for piece in input.chunks(size) {
        let mut chunk = Chunk::new(piece);
        while decoder.decode_chunk(&mut chunk).unwrap().is_some() {
            items += 1;
        }
    }
    (COPIED.get(), SCANNED.get(), items)
}

fn inputs(scale: usize) -> [Vec<u8>; 6] {
    let mut one_line = Vec::from(&b"data: "[..]);
    one_line.resize(20_000 * scale, b'x');
    one_line.extend_from_slice(b"\n\n");
    [
        one_line,
        b"data:\n".repeat(4_000 * scale),
        b"id: 1\nevent: tick\ndata: 12345678901234567890\n\n".repeat(500 * scale),
        b": comment\nunknown: field\nid\n".repeat(1_000 * scale),
        b"\r\n".repeat(10_000 * scale),
        b"retry: 1\ndata: x\n".repeat(1_000 * scale),
    ]
}

#[test]
fn each_byte_is_searched_at_most_twice_and_copied_at_most_once() {
    for input in inputs(1) {
        for size in [1, 2, 7, 16, 1460, input.len()] {
            let (copied, scanned, _) = work(&input, size);
            assert!(
                copied <= input.len(),
                "{copied} of {} bytes copied in chunks of {size}",
                input.len()
            );
            assert!(
                scanned <= 2 * input.len(),
                "{scanned} of {} bytes scanned in chunks of {size}",
                input.len()
            );
        }
    }
}

#[test]
fn twice_the_input_is_twice_the_work() {
    for (once, twice) in inputs(1).iter().zip(&inputs(2)) {
        for size in [1, 7, 1460, 4096] {
            let (copied, scanned, _) = work(once, size);
            let (copied_twice, scanned_twice, _) = work(twice, size);
            assert!(
                copied_twice <= 2 * copied + 2 * size + 64,
                "{copied} then {copied_twice} copied"
            );
            assert!(
                scanned_twice <= 2 * scanned + 2 * size + 64,
                "{scanned} then {scanned_twice} scanned"
            );
        }
    }
}

#[test]
fn an_event_that_lies_whole_in_the_input_is_not_copied() {
    let (copied, _, items) = work(
        &b"event: tick\ndata: 12345678901234567890\n\n".repeat(100),
        usize::MAX,
    );
    assert_eq!((copied, items), (0, 100));
}
