//! What encoding costs by itself, beside what the machine does without any protocol.
//!
//! `cargo bench`; an argument picks the comparisons whose title contains it. How others do the same work is measured in
//! `benches/peers`, allocations too.

#[path = "harness/mod.rs"]
pub mod harness;

use std::fmt::Write as _;
use std::hint::black_box;

use bytes::{BufMut, BytesMut};
use harness::{Candidate, Role, Work, compare};
use sse_proto::{Event, EventType, EventWriter, Frame};

fn main() {
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" the quick brown fox jumps over a dog!!"}}"#;
    let event_type = EventType::from_static("content_block_delta");
    let tick = Event::message(r#"{"t":21.5,"h":0.413}"#).with_id(1_700_000_042_u64);
    ways("delta", &Event::new(event_type, delta));
    ways("tick", &tick);
    for (name, end) in [("LF", "\n"), ("CRLF", "\r\n")] {
        let lines = vec!["x".repeat(80); 40].join(end);
        ways(
            &format!("40 lines of 80 bytes, {name}"),
            &Event::message(lines),
        );
    }
    // Twice the input, twice the time.
    for kibibytes in [64, 128, 256, 512, 1024] {
        let line = "x".repeat(kibibytes * 1024);
        append(
            &format!("growth: one line of {kibibytes} KiB"),
            &Event::message(line),
        );
    }
    for kibibytes in [64, 128, 256, 512, 1024] {
        let breaks = "fifteen bytes!!\n".repeat(kibibytes * 1024 / 16);
        append(
            &format!("growth: a break every 16 bytes, {kibibytes} KiB"),
            &Event::message(breaks),
        );
    }
}

fn ways(title: &str, event: &Event<'_>) {
    let len = event.encoded_len();
    let (mut buffer, mut slice, mut written) = (room(len), vec![0; len], room(len));
    let data = event.data().unwrap_or_default();
    let head = Event::block();
    let mut candidates = vec![
        limit(event),
        Candidate::new(Role::Ours, "encoded_len", || black_box(event).encoded_len()),
        Candidate::new(Role::Ours, "encode", || {
            empty_if_full(&mut buffer, len);
            black_box(event).encode(&mut buffer);
        }),
        Candidate::new(Role::Ours, "encode_to_slice", || {
            black_box(event).encode_to_slice(black_box(&mut slice))
        }),
        Candidate::new(Role::Ours, "to_bytes", || black_box(event).to_bytes()),
        Candidate::new(Role::Ours, "Frame::new", || Frame::new(black_box(event))),
        Candidate::new(Role::Ours, "EventWriter, data in 4 pieces, no head", || {
            empty_if_full(&mut written, len);
            let mut writer = EventWriter::new(&mut written, &head);
            for piece in quarters(black_box(data)) {
                writer.write_str(piece).expect("an event without a limit");
            }
            writer.finish().expect("an event without a limit");
        }),
    ];
    compare(
        title,
        Work {
            events: 1,
            bytes: len,
        },
        &mut candidates,
    );
}

fn append(title: &str, event: &Event<'_>) {
    let len = event.encoded_len();
    let mut buffer = room(len);
    let encode = Candidate::new(Role::Ours, "encode", || {
        empty_if_full(&mut buffer, len);
        black_box(event).encode(&mut buffer);
    });
    compare(
        title,
        Work {
            events: 1,
            bytes: len,
        },
        &mut [limit(event), encode],
    );
}

/// One walk over the data for its line ends, one `memcpy` of the data, and one of as many bytes as the rest takes.
fn limit<'a>(event: &'a Event<'_>) -> Candidate<'a> {
    let data = event.data().unwrap_or_default().as_bytes();
    let wire = event.to_bytes();
    let mut buffer = room(wire.len());
    Candidate::new(Role::Limit, "limit: memchr2 + memcpy", move || {
        empty_if_full(&mut buffer, wire.len());
        let data = black_box(data);
        let mut rest = data;
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            rest = &rest[end + 1..];
        }
        black_box(rest);
        let data = &data[..data.len().min(wire.len())];
        buffer.put_slice(data);
        buffer.put_slice(&black_box(&wire)[..wire.len() - data.len()]);
    })
}

fn room(len: usize) -> BytesMut {
    BytesMut::with_capacity((2 * len + 64).max(16 * 1024))
}

/// Lets event follow event, so that no luck in how one stands in memory decides.
fn empty_if_full(buffer: &mut BytesMut, len: usize) {
    if buffer.capacity() - buffer.len() < 2 * len + 64 {
        buffer.clear();
    }
}

fn quarters(text: &str) -> impl Iterator<Item = &str> {
    let (half, rest) = text.split_at(text.len() / 2);
    [half, rest]
        .into_iter()
        .flat_map(|half| <[&str; 2]>::from(half.split_at(half.len() / 2)))
}
