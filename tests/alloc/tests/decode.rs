//! No allocation per borrowed event in the steady state; memory within the limits, whatever the peer does.

use allocation_counter::measure;
use sse_proto::decode::{DecodeLimits, OwnedItem};
use sse_proto::{Chunk, Decoder};

const KINDS: [&str; 5] = [
    "event: delta\ndata: {\"text\":\"0123456789012345678901234567890123456789\"}\n\n",
    "id: 1234567\ndata: 01234567890123456789\n\n",
    "data: one\r\ndata: two\r\ndata: three\r\n\r\n",
    ": keep-alive\n\n",
    "data: a\u{20AC}b\nretry: 5\nid\nunknown: x\ndata: c\n\n",
];

fn decode(decoder: &mut Decoder, stream: &[u8], size: usize) -> usize {
    let mut read = 0;
    for piece in stream.chunks(size) {
        let mut chunk = Chunk::new(piece);
        while let Some(item) = decoder.decode_chunk(&mut chunk).unwrap() {
            read += item
                .event()
                .map_or(0, |event| event.data().len() + event.event_type().len());
        }
    }
    for mut slice in stream.chunks(size) {
        while let Some(item) = decoder.decode(&mut slice).unwrap() {
            read += item
                .event()
                .map_or(0, |event| event.data().len() + event.last_event_id().len());
        }
    }
    read
}

#[test]
fn borrowed_events_allocate_nothing_in_the_steady_state() {
    for kind in KINDS {
        let stream = kind.repeat(200);
        for size in [1, 16, 100, 1460, 1 << 16] {
            let mut decoder = Decoder::new();
            decode(&mut decoder, stream.as_bytes(), size);
            let counted = measure(|| {
                std::hint::black_box(decode(&mut decoder, stream.as_bytes(), size));
            });
            assert_eq!(counted.count_total, 0, "{kind:?} in chunks of {size}");
        }
    }
}

#[test]
fn an_owned_event_is_one_allocation() {
    let stream = KINDS[0].repeat(100);
    let mut decoder = Decoder::new();
    let mut input = stream.as_bytes();
    decoder.decode_owned(&mut input).unwrap();
    let mut events = 0;
    let counted = measure(|| {
        while let Some(item) = decoder.decode_owned(&mut input).unwrap() {
            events += usize::from(matches!(item, OwnedItem::Event(_)));
        }
    });
    assert_eq!((events, counted.count_total), (99, 99));
}

#[test]
fn a_large_event_is_handed_over_without_a_copy() {
    let len = 1 << 20;
    let mut stream = b"data: ".to_vec();
    stream.resize(len, b'x');
    stream.extend(b"\n\n");
    let counted = measure(|| {
        let mut decoder = Decoder::new();
        for piece in stream.chunks(1460) {
            let item = decoder.decode_owned(&mut &piece[..]).unwrap();
            assert!(item.is_none() || decoder.memory_held() < len / 8);
        }
    });
    // A buffer that doubles, while it is moved: three times at most, never four.
    assert!(
        counted.bytes_max < 4 * len as u64,
        "{} bytes at most",
        counted.bytes_max
    );
}

/// What `DecodeLimits` promises beside the limits.
const CONSTANT: usize = 128 << 10;

const LIMIT: usize = 256 << 10;

/// Peers that would make a decoder hold as much as they can.
fn greedy() -> Vec<(&'static str, Vec<u8>)> {
    let line =
        |field: &str, len: usize| [field.as_bytes(), b": ", &vec![b'x'; len], b"\n"].concat();
    let without_end = |field: &str| [field.as_bytes(), b":", &vec![b'x'; 4 * LIMIT]].concat();
    vec![
        ("data without end", without_end("data")),
        ("an id without end", without_end("id")),
        ("a type without end", without_end("event")),
        ("a comment without end", without_end("")),
        ("a field without end", without_end("unknown")),
        ("empty data lines", b"data\n".repeat(LIMIT)),
        ("short data lines", b"data:x\n".repeat(LIMIT)),
        (
            "large ids",
            [line("id", LIMIT - 10), b"\n".to_vec()].concat().repeat(4),
        ),
        (
            "ids that grow",
            (1..40).flat_map(|n| line("id", 2_000 * n)).collect(),
        ),
        (
            "types that grow",
            (1..40).flat_map(|n| line("event", 2_000 * n)).collect(),
        ),
        (
            "data and types in turn",
            (1..20)
                .flat_map(|n| [line("data", 24_000), line("event", 26_000 + n)].concat())
                .collect(),
        ),
        (
            // What data has reserved ahead is needed by another.
            "a type that takes what data leaves",
            [line("data", 139_500), line("event", 121_900)].concat(),
        ),
        (
            // Each has just doubled, to what all of them together may not hold.
            "values that have just doubled",
            [
                line("data", 140_000),
                line("event", 70_000),
                line("id", 34_500),
            ]
            .concat(),
        ),
        (
            "malformed data",
            [b"data:".to_vec(), vec![0xFF; LIMIT - 100], b"\n".to_vec()].concat(),
        ),
    ]
}

#[test]
fn memory_stays_within_the_limits_whatever_the_peer_sends() {
    let limits = DecodeLimits::default().with_event(LIMIT).with_line(LIMIT);
    for (name, stream) in greedy() {
        for size in [1, 1460, 1 << 16] {
            let counted = measure(|| {
                let mut decoder = Decoder::new().with_limits(limits);
                for piece in stream.chunks(size) {
                    let mut input = piece;
                    while !matches!(decoder.decode(&mut input), Ok(None)) {}
                    let most = LIMIT + decoder.last_event_id_bytes().len() + CONSTANT;
                    let held = decoder.memory_held();
                    assert!(
                        held <= most,
                        "{name} in chunks of {size}: {held} held, {most} allowed"
                    );
                }
                // Small events give all back but the last event ID.
                let mut input = &b"\n\ndata: x\n\ndata: y\n\n"[..];
                while !matches!(decoder.decode(&mut input), Ok(None)) {}
                let most = decoder.last_event_id_bytes().len() + CONSTANT;
                let held = decoder.memory_held();
                assert!(
                    held <= most,
                    "{name} in chunks of {size}: {held} held at the end"
                );
            });
            // While a buffer moves, its old memory stands beside the new, with the last event ID beside both.
            let most = 3 * LIMIT + CONSTANT;
            assert!(
                counted.bytes_max <= most as u64,
                "{name} in chunks of {size}: {} bytes at most",
                counted.bytes_max
            );
        }
    }
}

/// What the decoder says it holds is what it has allocated.
#[test]
fn memory_held_is_what_is_allocated() {
    for (name, stream) in greedy() {
        let mut decoder = Decoder::new();
        let counted = measure(|| {
            for piece in stream.chunks(1460) {
                let mut input = piece;
                while !matches!(decoder.decode(&mut input), Ok(None)) {}
            }
        });
        assert_eq!(
            usize::try_from(counted.bytes_current),
            Ok(decoder.memory_held()),
            "{name}"
        );
    }
}

const LARGE: usize = 4 << 20;

/// What follows a large item in its stream, a step each: until then a connection may be idle for hours.
const NEXT: [(&str, &[&str]); 6] = [
    // Who reads calls until there is no more.
    ("silence", &[""]),
    ("keep-alives", &[": keep-alive\n\n", ": keep-alive\n\n"]),
    ("keep-alives without a blank line", &[":\n", ":\n"]),
    ("small events", &["data: x\n\n", "data: y\n\n"]),
    ("ids", &["id: 1\n\n", "id: 2\n\n"]),
    ("unknown fields", &["x: y\n"]),
];

/// Decodes all of it, and returns how much is allocated behind it.
fn held_after(mut decoder: Decoder, stream: &[&[u8]]) -> usize {
    let counted = measure(|| {
        for mut piece in stream
            .iter()
            .flat_map(|part| part.chunks(1460).chain(part.is_empty().then_some(&b""[..])))
        {
            while decoder.decode(&mut piece).unwrap().is_some() {}
        }
    });
    let held = decoder.memory_held();
    assert_eq!(usize::try_from(counted.bytes_current), Ok(held));
    held
}

#[test]
fn a_large_item_is_given_back_at_the_next_call_whatever_follows() {
    let large =
        |head: &str, end: &str| [head.as_bytes(), &vec![b'x'; LARGE], end.as_bytes()].concat();
    let items = [
        ("data", large("data: ", "\n\n")),
        (
            "data in lines",
            [b"data: 0123456789\n".repeat(LARGE / 16), b"\n".to_vec()].concat(),
        ),
        ("malformed data", large("data: \u{FF}", "\n\n")),
        ("type", large("event: ", "\ndata\n\n")),
        ("type without data", large("event: ", "\n\n")),
        ("comment", large(": ", "\n")),
        ("comment and a blank line", large(": ", "\n\n")),
    ];
    for (item, large) in &items {
        for (next, steps) in NEXT {
            for told in [false, true] {
                let decoder = Decoder::new().with_comments(told).with_last_event_ids(told);
                let mut stream = vec![&large[..]];
                stream.extend(steps.iter().map(|step| step.as_bytes()));
                let held = held_after(decoder, &stream);
                assert!(
                    held <= CONSTANT,
                    "{item}, then {next}, told: {told}: {held} held"
                );
            }
        }
    }
}

#[test]
fn a_large_comment_is_given_back_while_its_block_is_open() {
    let comment = [b": ", &vec![b'x'; LARGE][..], b"\n"].concat();
    let decoder = Decoder::new().with_comments(true);
    let held = held_after(decoder, &[b"id: 7\ndata: kept\n", &comment, b""]);
    assert!(held <= CONSTANT, "{held} held");
}

#[test]
fn ids_alone_leave_no_more_than_the_last_one() {
    for told in [false, true] {
        let limits = DecodeLimits::default().with_id(LARGE);
        let id = |len: usize| [b"id: ", &vec![b'7'; len][..], b"\n\n"].concat();
        let ids: Vec<_> = [10, 100_000, 1_000_000, 10, 50_000, 10].map(id).into();
        for count in 1..=ids.len() {
            let stream: Vec<&[u8]> = ids[..count].iter().map(|id| &id[..]).collect();
            let decoder = Decoder::new().with_limits(limits).with_last_event_ids(told);
            let held = held_after(decoder, &stream);
            let last = ids[count - 1].len();
            assert!(
                held <= last + CONSTANT,
                "after an id of {last} bytes: {held} held"
            );
        }
    }
}
