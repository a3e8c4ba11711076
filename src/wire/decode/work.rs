//! Tests that twice the input takes twice the work, for any chunking and any way to take items.
//!
//! The tests count bytes that are searched for line ends, checked for UTF-8, or made into text
//! because they are not UTF-8, since times vary on a busy machine. `tests/alloc` counts the bytes
//! that are moved.

use alloc::vec;
use alloc::vec::Vec;

use super::decoder::Decoder;
use crate::wire::line::work;

/// Takes all items of a chunk, and returns how many there were.
type Way = fn(&mut Decoder, &[u8]) -> usize;

const WAYS: [(&str, Way); 4] = [
    ("lent", lent),
    ("owned", owned),
    ("fed again after each item", |decoder, bytes| {
        fed_again(decoder, bytes, 1)
    }),
    ("fed again after three items", |decoder, bytes| {
        fed_again(decoder, bytes, 3)
    }),
];

fn lent(decoder: &mut Decoder, bytes: &[u8]) -> usize {
    let mut items = decoder.feed(bytes);
    let mut count = 0;
    while let Some(item) = items.next().unwrap() {
        // Reads all values, because some are checked only when they are read.
        item.into_owned();
        count += 1;
    }
    count
}

fn owned(decoder: &mut Decoder, bytes: &[u8]) -> usize {
    let mut items = decoder.feed(bytes);
    let mut count = 0;
    while items.next_owned().unwrap().is_some() {
        count += 1;
    }
    count
}

fn fed_again(decoder: &mut Decoder, mut bytes: &[u8], most: usize) -> usize {
    let mut count = 0;
    loop {
        let mut items = decoder.feed(bytes);
        for _ in 0..most {
            let Some(item) = items.next().unwrap() else {
                return count;
            };
            item.into_owned();
            count += 1;
        }
        bytes = items.remaining();
    }
}

/// Returns the work for a stream in chunks of `size`, and the number of its items.
fn decode(way: Way, stream: &[u8], size: usize) -> (usize, usize) {
    let mut decoder = Decoder::new().with_comments(true).with_last_event_ids(true);
    work::take();
    let items = stream
        .chunks(size)
        .map(|chunk| way(&mut decoder, chunk))
        .sum();
    (work::take(), items)
}

/// Streams that take different work: long and short lines, large and small items, well-formed and
/// malformed text.
fn streams(len: usize) -> Vec<Vec<u8>> {
    let one_line = |byte: u8| [b"data: ", &vec![byte; len][..], b"\n\n"].concat();
    let mut streams = Vec::from([one_line(b'x'), one_line(0xFF), one_line(0xE2)]);
    for block in [
        &b"data:\n"[..],
        b"data: \xE6\xBC\xA2\xE5\xAD\x97\n",
        b"id: 1\nevent: tick\ndata: 12345678901234567890\n\n",
        b"id: 1\nevent: \xFF\ndata: \xE6\xBC\n\n",
        b": comment\nunknown: field\nid\n",
        b"\r\n",
        b"data: a\r\r",
        b":\n",
        b"data\n\n",
        b"id\n\n",
        b"retry:1\n",
        b"retry: 1\ndata: x\n",
    ] {
        streams.push(block.repeat(len / block.len()));
    }
    // A field that is long and malformed, and many small events after it.
    for field in [&b"id: "[..], b"event: ", b"data: ", b": "] {
        let long = [field, &vec![0xFF; 8000][..], b"\n\n"].concat();
        streams.push([long, b"data\n\n".repeat(len / 8)].concat());
    }
    streams
}

const SIZES: [usize; 8] = [1, 2, 7, 16, 64, 1460, 1 << 14, 1 << 20];

/// Runs `test` for streams of about `len` bytes (an eighth of it for tiny chunks), with each chunk
/// size and each way to take items.
fn each(len: usize, mut test: impl FnMut(&str, Way, Vec<u8>, usize)) {
    for size in SIZES {
        for stream in streams(if size < 64 { len / 8 } else { len }) {
            for (name, way) in WAYS {
                test(name, way, stream.clone(), size);
            }
        }
    }
}

#[test]
fn each_byte_is_searched_once_and_checked_a_few_times() {
    each(3 << 14, |name, way, stream, size| {
        let (work, items) = decode(way, &stream, size);
        // If a caller feeds the rest again, the decoder searches 64 bytes and checks a window
        // again.
        let again = if name.starts_with("fed") {
            64 + (2 << 10)
        } else {
            0
        };
        let most = 6 * stream.len() + again * items;
        let shown = stream[..stream.len().min(40)].escape_ascii();
        assert!(
            work <= most,
            "{name}, in chunks of {size}: {work} of {most}, \"{shown}\""
        );
    });
}

#[test]
fn twice_the_input_is_twice_the_work() {
    let mut all = Vec::new();
    each(3 << 14, |_, way, stream, size| {
        all.push(decode(way, &stream, size).0);
    });
    let mut all = all.into_iter();
    each(6 << 14, |name, way, stream, size| {
        let (once, (twice, _)) = (all.next().unwrap(), decode(way, &stream, size));
        let shown = stream[..stream.len().min(40)].escape_ascii();
        // Allows for one window that is checked ahead in only one of the two runs.
        assert!(
            twice <= 2 * once + 2 * once / 4 + (8 << 10),
            "{name}, in chunks of {size}: {once}, then {twice}, \"{shown}\""
        );
    });
}
