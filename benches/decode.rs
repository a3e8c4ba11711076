//! What decoding costs by itself, beside what the machine does without any protocol.
//!
//! `cargo bench`; an argument picks the comparisons whose title contains it. Each way reads type, last event ID and data
//! of every event as `&str`, and begins with a new decoder. How others do the same work is measured in `benches/peers`,
//! allocations too; that borrowed events allocate nothing is asserted in `tests/alloc`.

#[path = "harness/mod.rs"]
pub mod harness;

use std::fmt::Write as _;
use std::hint::black_box;

use harness::{Candidate, Role, Work, compare};
use sse_proto::decode::{DecodeLimits, OwnedItem};
use sse_proto::{Decoder, Item};

const MIB: usize = 1 << 20;

fn main() {
    for (name, stream) in streams() {
        for size in [64 << 10, 1460, 16] {
            ways(&format!("{name}, in chunks of {size}"), &stream, size);
        }
    }
    for (name, len) in [("64 KiB", MIB / 16), ("1 MiB", MIB), ("16 MiB", 16 * MIB)] {
        let stream = format!("data: {}\n\n", text(len));
        ways(
            &format!("one event of {name}, in chunks of 1460"),
            &stream,
            1460,
        );
    }
    // Twice the input, twice the time.
    for kibibytes in [64, 128, 256, 512, 1024] {
        let line = format!("data: {}\n\n", text(kibibytes << 10));
        growth(&format!("growth: one line of {kibibytes} KiB"), &line, 16);
        let lines = "data\n".repeat((kibibytes << 10) / 5) + "\n";
        growth(
            &format!("growth: empty data lines, {kibibytes} KiB"),
            &lines,
            1460,
        );
        let events = "data: hi\n\n".repeat((kibibytes << 10) / 10);
        growth(
            &format!("growth: short events, {kibibytes} KiB"),
            &events,
            1460,
        );
    }
}

/// Works of about 1 MiB.
fn streams() -> Vec<(&'static str, String)> {
    let delta = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#,
        text(41)
    );
    let (tick, line, long_line) = (text(20), text(80), text(256 << 10));
    vec![
        (
            "delta",
            fill(|stream, _| write!(stream, "event: content_block_delta\ndata: {delta}\n\n")),
        ),
        (
            "tick",
            fill(|stream, count| write!(stream, "id: {count}\ndata: {tick}\n\n")),
        ),
        (
            "40 lines of 80 bytes, LF",
            fill(|stream, _| writeln!(stream, "{}", format!("data: {line}\n").repeat(40))),
        ),
        (
            "40 lines of 80 bytes, CRLF",
            fill(|stream, _| write!(stream, "{}\r\n", format!("data: {line}\r\n").repeat(40))),
        ),
        (
            "line of 256 KiB",
            fill(|stream, _| write!(stream, "data: {long_line}\n\n")),
        ),
        (
            "keep-alives",
            fill(|stream, _| write!(stream, ": keep-alive\n\n")) + "data: end\n\n",
        ),
        ("data: hi", fill(|stream, _| write!(stream, "data: hi\n\n"))),
    ]
}

/// Repeats blocks until they are a mebibyte.
fn fill(mut block: impl FnMut(&mut String, usize) -> std::fmt::Result) -> String {
    let mut stream = String::new();
    for count in 0.. {
        if stream.len() >= MIB {
            break;
        }
        block(&mut stream, count).expect("a string takes all");
    }
    stream
}

/// Words, as far as the search for line ends and the check of UTF-8 can tell.
fn text(len: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz 0123456789 {}"
        .chars()
        .cycle()
        .take(len)
        .collect()
}

/// Bytes of types, ids and data that were read, and how many events.
type Read = (usize, u32);

type Way = fn(&[&[u8]]) -> Read;

const WAYS: [(&str, Way); 2] = [("next", decode), ("next_owned", decode_owned)];

fn ways(title: &str, stream: &str, size: usize) {
    run(title, stream, size, &WAYS);
}

fn growth(title: &str, stream: &str, size: usize) {
    run(title, stream, size, &WAYS[..1]);
}

fn run(title: &str, stream: &str, size: usize, ways: &[(&'static str, Way)]) {
    let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
    let mut candidates = limits(&chunks);
    for &(name, way) in ways {
        assert_eq!(way(&chunks), decode(&chunks), "{name}: {title}");
        let chunks = &chunks;
        let iteration = move || way(black_box(chunks));
        candidates.push(Candidate::new(Role::Ours, name, iteration));
    }
    // Blocks, so that keep-alives have a time each.
    let blocks = stream.lines().filter(|line| line.is_empty()).count();
    let work = Work {
        events: u32::try_from(blocks).expect("a few mebibytes"),
        bytes: stream.len(),
    };
    compare(title, work, &mut candidates);
}

/// One walk over the line ends, and one `memcpy` of all bytes as they come: those who borrow need only the first.
fn limits<'a>(chunks: &'a [&'a [u8]]) -> Vec<Candidate<'a>> {
    let len = chunks.iter().map(|chunk| chunk.len()).sum();
    let mut copy = Vec::with_capacity(len);
    let walk = move || {
        let ends = |chunk: &&[u8]| memchr::memchr2_iter(b'\n', b'\r', chunk).count();
        black_box(chunks).iter().map(ends).sum::<usize>()
    };
    let copy = move || {
        copy.clear();
        for chunk in black_box(chunks) {
            copy.extend_from_slice(chunk);
        }
        black_box(&copy).len()
    };
    vec![
        Candidate::new(Role::Limit, "limit: memchr2 walk", walk),
        Candidate::new(Role::Limit, "limit: memcpy", copy),
    ]
}

fn decoder() -> Decoder {
    Decoder::new().with_limits(
        DecodeLimits::new()
            .with_max_line_bytes(usize::MAX)
            .with_max_event_bytes(32 * MIB),
    )
}

fn decode(chunks: &[&[u8]]) -> Read {
    let (mut decoder, mut read) = (decoder(), (0, 0));
    for chunk in chunks {
        let mut items = decoder.feed(chunk);
        while let Some(item) = items.next().expect("within the limits") {
            look(&item, &mut read);
        }
    }
    read
}

#[inline]
fn look(item: &Item<'_>, read: &mut Read) {
    if let Item::Event(event) = item {
        let (event_type, id, data) = (event.event_type(), event.last_event_id(), event.data());
        read.0 += event_type.len() + id.len() + data.len();
        read.1 += 1;
    }
}

fn decode_owned(chunks: &[&[u8]]) -> Read {
    let (mut decoder, mut read) = (decoder(), (0, 0));
    for chunk in chunks {
        let mut items = decoder.feed(chunk);
        while let Some(item) = items.next_owned().expect("within the limits") {
            if let OwnedItem::Event(event) = item {
                read.0 +=
                    event.event_type().len() + event.last_event_id().len() + event.data().len();
                read.1 += 1;
            }
        }
    }
    read
}
