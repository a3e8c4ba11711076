//! No allocation for each borrowed event in the steady state, and memory within the limits, whatever the peer does.

use allocation_counter::measure;
use proptest::prelude::*;
use sse_proto::Decoder;
use sse_proto::decode::{DecodeLimits, OwnedItem};

#[path = "../../support/laws_decode.rs"]
#[expect(dead_code, unreachable_pub, reason = "laws 2 and 3 are held elsewhere")]
mod laws_decode;
#[path = "../../support/oracle.rs"]
#[expect(dead_code, unreachable_pub, reason = "laws 2 and 3 are held elsewhere")]
mod oracle;

/// Law 7, counted by this package's allocator.
fn memory_stays_within_the_limits(stream: &[u8], plan: &[usize], line: usize, event: usize) {
    let measure = |work: &mut dyn FnMut()| measure(work).bytes_current;
    laws_decode::memory_stays_within_the_limits(stream, plan, line, event, &measure);
}

const KINDS: [&str; 5] = [
    "event: delta\ndata: {\"text\":\"0123456789012345678901234567890123456789\"}\n\n",
    "id: 1234567\ndata: 01234567890123456789\n\n",
    "data: one\r\ndata: two\r\ndata: three\r\n\r\n",
    ": keep-alive\n\n",
    "data: a\u{20AC}b\nretry: 5\nid\nunknown: x\ndata: c\n\n",
];

fn decode(decoder: &mut Decoder, stream: &[u8], size: usize) -> usize {
    let mut read = 0;
    for chunk in stream.chunks(size) {
        let mut items = decoder.feed(chunk);
        while let Some(item) = items.next().unwrap() {
            read += item
                .into_event()
                .map_or(0, |event| event.data().len() + event.event_type().len());
        }
    }
    read
}

/// Takes all items that the bytes complete; errors too.
fn drain(decoder: &mut Decoder, bytes: &[u8]) {
    let mut items = decoder.feed(bytes);
    while !matches!(items.next(), Ok(None)) {}
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
    let mut items = decoder.feed(stream.as_bytes());
    items.next_owned().unwrap();
    let mut events = 0;
    let counted = measure(|| {
        while let Some(item) = items.next_owned().unwrap() {
            events += usize::from(matches!(item, OwnedItem::Event(_)));
        }
    });
    assert_eq!((events, counted.count_total), (99, 99));
}

#[test]
fn lines_that_mean_nothing_hold_no_memory() {
    let stream = [
        &b":".repeat(1000)[..],
        &b"\nunknown: ".repeat(100),
        b"\ndata: x\n\n",
    ]
    .concat();
    let counted = measure(|| drain(&mut Decoder::new(), &stream));
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_large_event_is_handed_over_without_a_copy() {
    let len = 1 << 20;
    let mut stream = b"data: ".to_vec();
    stream.resize(len, b'x');
    stream.extend(b"\n\n");
    let mut event = None;
    let counted = measure(|| {
        let mut decoder = Decoder::new();
        for piece in stream.chunks(1460) {
            let mut items = decoder.feed(piece);
            event = event.take().or(items.next_owned().unwrap());
        }
    });
    // A buffer that doubles, while it is moved: three times at most, never four.
    assert!(
        counted.bytes_max < 4 * len as u64,
        "{} bytes at most",
        counted.bytes_max
    );
    assert!(event.is_some());
}

#[test]
fn buffers_grow_by_doubling_so_that_moving_is_linear() {
    // All that was ever allocated bounds what was moved.
    let allocated = |len: usize| {
        let stream = [b"data: ".to_vec(), vec![b'x'; len], b"\n\n".to_vec()].concat();
        measure(|| {
            let mut decoder = Decoder::new();
            for piece in stream.chunks(1460) {
                drain(&mut decoder, piece);
            }
        })
        .bytes_total
    };
    let (once, twice) = (allocated(1 << 20), allocated(2 << 20));
    assert!(once <= 6 << 20, "{once}");
    assert!(twice <= 2 * once + (1 << 16), "{once}, then {twice}");
}

/// Peers that make the buffers of one block take room from each other, over and over: by values of one length, and by
/// values that are half of what is left.
#[test]
fn buffers_that_take_room_from_each_other_are_moved_a_few_times() {
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
            let limits = DecodeLimits::new()
                .with_max_event_bytes(limit)
                .with_max_id_bytes(limit);
            let counted = measure(|| {
                let mut decoder = Decoder::new().with_limits(limits);
                for piece in input.chunks(1460) {
                    drain(&mut decoder, piece);
                }
            });
            assert!(
                counted.bytes_total <= 10 * input.len() as u64,
                "{} bytes, values of 1/{share} of what is left: {} allocated",
                input.len(),
                counted.bytes_total
            );
        }
    }
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
    let limits = DecodeLimits::new()
        .with_max_event_bytes(LIMIT)
        .with_max_line_bytes(LIMIT);
    for (name, stream) in greedy() {
        for size in [1, 1460, 1 << 16] {
            let counted = measure(|| {
                let mut decoder = Decoder::new().with_limits(limits);
                for piece in stream.chunks(size) {
                    drain(&mut decoder, piece);
                }
            });
            // While a buffer moves, its old memory stands beside the new, with the last event ID beside both.
            let most = 3 * LIMIT + CONSTANT;
            assert!(
                counted.bytes_max <= most as u64,
                "{name} in chunks of {size}: {} bytes at most",
                counted.bytes_max
            );
        }
        for size in [1460, 1 << 16] {
            let plan = vec![size; stream.len() / size];
            memory_stays_within_the_limits(&stream, &plan, LIMIT, LIMIT);
        }
    }
}

/// Law 7 where it hurts: each buffer in turn made as large as the limits allow.
#[test]
fn memory_of_large_values_stays_within_the_limits() {
    const LIMIT: usize = 1 << 20;
    let line = |field: &str, len: usize| format!("{field}: {}\n", "x".repeat(len));
    let streams = [
        line("data", LIMIT - 10) + "\n",
        line("data", 2 * LIMIT),
        line("id", LIMIT - 10) + "\n" + &line("id", LIMIT - 10) + "\n",
        line("data", LIMIT / 2) + &line("event", LIMIT / 4) + &line("id", LIMIT / 5) + "\n",
        line("event", LIMIT / 2) + &line("id", LIMIT / 4) + &line("data", LIMIT / 5) + "\n",
        line("id", LIMIT / 2) + &line("id", LIMIT / 3) + "data\n\n" + &line("", LIMIT - 10),
        line("data", 10).repeat(LIMIT / 10),
        line("unknown", 4 * LIMIT) + &line("data", 4 * LIMIT),
        // Data reserves ahead, then the others need what it has reserved, and so on.
        (0..16)
            .map(|n| line("data", 1000) + &line("event", 30_000 + n) + &line("id", 20_000 + n))
            .collect(),
        line("data", LIMIT * 5 / 8) + &line("event", LIMIT / 4) + &line("data", LIMIT / 16) + "\n",
        line("data", LIMIT / 2) + &line("", LIMIT - 10) + &line("id", LIMIT / 3) + "\n",
        (line("data", 300_000) + "\n").repeat(5),
    ];
    for stream in streams {
        for size in [1460, LIMIT / 3] {
            let plan = vec![size; stream.len() / size];
            memory_stays_within_the_limits(stream.as_bytes(), &plan, LIMIT, LIMIT);
        }
    }
}

/// Lines of all kinds, with values of all lengths, some of them malformed.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec!["data: ", "event: ", "id: ", ": ", "x: ", "retry: "]);
    let byte = prop::sample::select(vec![b'x', 0xE2, 0xFF, b'7']);
    let line = (name, byte, 0..60_000_usize, any::<bool>()).prop_map(|(name, byte, len, ends)| {
        let end = if ends { &b"\n\n"[..] } else { b"\n" };
        [name.as_bytes(), &vec![byte; len], end].concat()
    });
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_stays_within_any_limits(
        stream in stream(), size in 1..40_000_usize, line in 0..100_000_usize, event in 0..200_000_usize,
    ) {
        let plan = vec![size; stream.len() / size];
        memory_stays_within_the_limits(&stream, &plan, line, event);
    }
}

const LARGE: usize = 4 << 20;

/// What follows a large item in its stream, a step each: until then a connection may be idle for hours.
const NEXT: [(&str, &[&str]); 6] = [
    // The caller takes items until there is no more.
    ("silence", &[""]),
    ("keep-alives", &[": keep-alive\n\n", ": keep-alive\n\n"]),
    ("keep-alives without a blank line", &[":\n", ":\n"]),
    ("small events", &["data: x\n\n", "data: y\n\n"]),
    ("ids", &["id: 1\n\n", "id: 2\n\n"]),
    ("unknown fields", &["x: y\n"]),
];

/// Decodes all of it, and returns how much is allocated after it.
fn held_after(mut decoder: Decoder, stream: &[&[u8]]) -> usize {
    let counted = measure(|| {
        for part in stream {
            for piece in part.chunks(1460) {
                drain(&mut decoder, piece);
            }
            if part.is_empty() {
                drain(&mut decoder, b"");
            }
        }
    });
    usize::try_from(counted.bytes_current).expect("nothing was there before")
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
        let limits = DecodeLimits::new().with_max_id_bytes(LARGE);
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
