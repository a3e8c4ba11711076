//! Twice the input is twice the work, for any chunking and by every way in: counted, since a clock would lie on a busy
//! machine.

extern crate std;

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io;
#[cfg(feature = "std")]
use std::io::Read;
use std::thread_local;

use futures_core::Stream;

#[cfg(feature = "std")]
use super::DecodeRead;
use super::{Chunk, DecodeLimits, DecodeStream, Decoder};
use crate::wire::line::WINDOW;

/// What was done, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    /// Searched for the end of a line.
    scanned: usize,
    /// Copied into a buffer or into an owned event.
    copied: usize,
    /// Moved because a buffer grew or shrank.
    moved: usize,
    /// Checked for UTF-8.
    checked: usize,
    items: usize,
}

thread_local! {
    static WORK: Cell<Work> = const { Cell::new(Work { scanned: 0, copied: 0, moved: 0, checked: 0, items: 0 }) };
}

fn add(bytes: usize, count: impl FnOnce(&mut Work) -> &mut usize) {
    let mut work = WORK.get();
    *count(&mut work) += bytes;
    WORK.set(work);
}

pub(crate) fn count_scanned(bytes: usize) {
    add(bytes, |work| &mut work.scanned);
}

pub(crate) fn count_copied(bytes: usize) {
    add(bytes, |work| &mut work.copied);
}

pub(crate) fn count_moved(bytes: usize) {
    add(bytes, |work| &mut work.moved);
}

pub(crate) fn count_checked(bytes: usize) {
    add(bytes, |work| &mut work.checked);
}

/// A way in: takes all of an input in chunks of a size and returns how many items it had.
type Way = fn(Decoder, &[u8], usize) -> usize;

const WAYS: &[(&str, Way)] = &[
    ("chunk", by_chunk),
    ("slice", by_slice),
    ("owned", by_owned),
    ("stream", by_stream),
    #[cfg(feature = "std")]
    ("read", by_read),
];

fn by_chunk(mut decoder: Decoder, input: &[u8], size: usize) -> usize {
    let mut items = 0;
    for piece in input.chunks(size) {
        let mut chunk = Chunk::new(piece);
        while decoder.decode_chunk(&mut chunk).unwrap().is_some() {
            items += 1;
        }
    }
    items
}

fn by_slice(mut decoder: Decoder, input: &[u8], size: usize) -> usize {
    let mut items = 0;
    for mut piece in input.chunks(size) {
        while decoder.decode(&mut piece).unwrap().is_some() {
            items += 1;
        }
    }
    items
}

fn by_owned(mut decoder: Decoder, input: &[u8], size: usize) -> usize {
    let mut items = 0;
    for mut piece in input.chunks(size) {
        while decoder.decode_owned(&mut piece).unwrap().is_some() {
            items += 1;
        }
    }
    items
}

/// Hands its bytes out in pieces.
struct Pieces<'a>(&'a [u8], usize);

impl<'a> Pieces<'a> {
    fn split(&mut self, most: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(self.1.min(most).min(self.0.len()));
        self.0 = rest;
        piece
    }
}

impl<'a> Stream for Pieces<'a> {
    type Item = io::Result<&'a [u8]>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.split(usize::MAX);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(feature = "std")]
impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.split(buffer.len());
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

fn by_stream(decoder: Decoder, input: &[u8], size: usize) -> usize {
    let mut stream = DecodeStream::new(Pieces(input, size), decoder);
    let mut context = Context::from_waker(Waker::noop());
    let mut items = 0;
    while let Poll::Ready(Some(item)) = Pin::new(&mut stream).poll_next(&mut context) {
        item.unwrap();
        items += 1;
    }
    items
}

#[cfg(feature = "std")]
fn by_read(decoder: Decoder, input: &[u8], size: usize) -> usize {
    DecodeRead::new(Pieces(input, size), decoder)
        .map(Result::unwrap)
        .count()
}

fn work(way: Way, decoder: Decoder, input: &[u8], size: usize) -> Work {
    WORK.set(Work::default());
    let items = way(decoder, input, size);
    Work {
        items,
        ..WORK.get()
    }
}

/// A decoder that tells all that there is to tell.
fn decoder() -> Decoder {
    Decoder::new().with_comments(true).with_last_event_ids(true)
}

const SIZES: [usize; 7] = [1, 2, 7, 16, 64, 1460, 1 << 20];

/// Streams whose work differs: long and short lines, items of many bytes and of few, text and what is none.
fn inputs(scale: usize) -> Vec<Vec<u8>> {
    let one_line = |byte: u8| {
        let mut line = Vec::from(&b"data: "[..]);
        line.resize(8_000 * scale, byte);
        line.extend_from_slice(b"\n\n");
        line
    };
    let mut inputs = Vec::from([one_line(b'x'), one_line(0xFF)]);
    for block in [
        &b"data:\n"[..],
        b"data: \xE6\xBC\xA2\xE5\xAD\x97\n",
        b"id: 1\nevent: tick\ndata: 12345678901234567890\n\n",
        b"id: 1\nevent: \xFF\ndata: \xE6\xBC\n\n",
        b": comment\nunknown: field\nid\n",
        b"\r\n",
        // The shortest items: more than a window has room for.
        b":\n",
        b"data\n\n",
        b"id\n\n",
        b"retry:1\n",
        b"retry: 1\ndata: x\n",
    ] {
        inputs.push(block.repeat(8_000 * scale / block.len()));
    }
    inputs
}

/// A slice's mask of 64 bytes is not kept between two calls, since the second may come with another slice: so much more
/// may be searched for an item. The shortest one has two bytes.
const AGAIN: usize = WINDOW;

#[test]
fn each_byte_is_searched_once_and_a_window_more_for_each_item_of_a_slice() {
    for (input, size, name, way) in runs(1) {
        let work = work(way, decoder(), &input, size);
        let again = if name == "chunk" {
            0
        } else {
            AGAIN * work.items
        };
        assert!(
            work.scanned <= input.len() + again,
            "{name} in chunks of {size}, {} bytes: {work:?}",
            input.len()
        );
    }
}

#[test]
fn each_byte_is_copied_once_into_a_buffer_once_to_be_gathered_and_once_into_what_is_owned() {
    for (input, size, name, way) in runs(1) {
        let work = work(way, decoder(), &input, size);
        let is_owned = !["chunk", "slice"].contains(&name);
        // A byte that is not UTF-8 is three where it is replaced.
        let owned = if input.contains(&0xFF) { 3 } else { 1 };
        let gathered = usize::from(size < WINDOW);
        let most = input.len() * (1 + gathered + if is_owned { owned } else { 0 });
        assert!(
            work.copied <= most && work.moved <= 2 * input.len() && work.checked <= 3 * input.len(),
            "{name} in chunks of {size}, {} bytes: {work:?}",
            input.len()
        );
    }
}

#[test]
fn twice_the_input_is_twice_the_work() {
    for ((once, size, name, way), (twice, ..)) in runs(1).zip(runs(2)) {
        let (once, twice) = (
            work(way, decoder(), &once, size),
            work(way, decoder(), &twice, size),
        );
        let is_twice = |once: usize, twice: usize| twice <= 2 * once + 2 * size.min(1 << 14) + 4096;
        assert!(
            is_twice(once.scanned, twice.scanned)
                && is_twice(once.copied, twice.copied)
                && is_twice(once.checked, twice.checked)
                // A buffer has doubled once more, or not yet.
                && twice.moved <= 4 * once.moved + 64 * 1024,
            "{name} in chunks of {size}: {once:?}, then {twice:?}"
        );
    }
}

/// Each input in chunks of each size by each way in.
fn runs(scale: usize) -> impl Iterator<Item = (Vec<u8>, usize, &'static str, Way)> {
    inputs(scale).into_iter().flat_map(|input| {
        SIZES.into_iter().flat_map(move |size| {
            let input = input.clone();
            WAYS.iter()
                .map(move |&(name, way)| (input.clone(), size, name, way))
        })
    })
}

#[test]
fn an_event_that_lies_whole_in_the_input_is_not_copied() {
    let input = b"event: tick\ndata: 12345678901234567890\n\n".repeat(100);
    let work = work(by_chunk, decoder(), &input, usize::MAX);
    assert_eq!((work.copied, work.items), (0, 100));
}

/// Peers that make the buffers of one block take room from each other, over and over: by values of one length, and by
/// values that are half of what is left.
#[test]
fn buffers_that_take_room_from_each_other_move_no_more_than_so_often() {
    let line = |field: &str, len: usize| [field.as_bytes(), b":", &vec![b'x'; len], b"\n"].concat();
    for limit in [1 << 20, 4 << 20, 16 << 20] {
        for share in [0, 2, 3, 4] {
            // Enough that data has reserved all that there is.
            let mut input = line("data", limit / 5 * 4);
            loop {
                let left = limit - input.len();
                let len = left.checked_div(share).unwrap_or(60_000);
                let round = [
                    line("data", 10),
                    line("event", len),
                    line("event", 1),
                    line("data", 10),
                    line("id", len),
                    line("id", 1),
                ]
                .concat();
                if len < 30_000 || round.len() > left {
                    break;
                }
                input.extend_from_slice(&round);
            }
            input.extend_from_slice(b"\n");
            let limits = DecodeLimits::new().with_event(limit).with_id(limit);
            let work = work(by_slice, Decoder::new().with_limits(limits), &input, 1460);
            assert!(
                work.moved <= 6 * input.len(),
                "{} bytes, values of 1/{share} of what is left: {work:?}",
                input.len()
            );
        }
    }
}
