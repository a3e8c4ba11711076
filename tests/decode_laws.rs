//! Laws 2 and 3 on random streams. `seeds.rs` has the seeds of the fuzz target, and `tests/alloc` law 7.

#![cfg(feature = "std")]

mod support;

use proptest::prelude::*;
use support::laws_decode as laws;
use support::oracle::Settings;

/// Streams made of what matters: names, separators, line ends, malformed UTF-8.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => prop::sample::select(vec![
            &b"data"[..], b"event", b"id", b"retry", b":", b": ", b"\n", b"\r", b"\r\n", b"\n\n", b"data:", b"data: ",
            b"id: ", b"event: ", b"retry: ", b" ", b"\0", b"0", b"42", b"18446744073709551616", b"+", b"-",
            b"\xEF\xBB\xBF", b"\xEF", b"\xBB", b"\xFF", b"\xE2\x82\xAC", b"\xE2\x82", b"\xAC", b"\xF0\x9F\x98\x80",
            b"\xF0\x9F", b"\x98\x80", b"\xED\xA0\x80", b"\xC0\xAF", b"Data", b"foo", b"comment", b"x", b"message",
            b"a value that is longer than sixteen bytes", b"dat", b"even", b"retr", b"i", b"events",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 0..300_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

fn plan() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(0..4_usize, 0..200),
        prop::collection::vec(0..150_usize, 0..20),
    ]
}

/// Pieces about the length of what is carried of a cut line, and each taken in any way.
fn mixed_plan() -> impl Strategy<Value = Vec<(usize, laws::Way)>> {
    let len = prop_oneof![4 => 0..8_usize, 4 => 0..71_usize, 1 => 60..70_usize];
    prop::collection::vec((len, prop::sample::select(&laws::WAYS[..])), 0..120)
}

/// Complete blocks in a row, with lines about the length of what is carried of a cut line.
fn blocks() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => (0..300_usize).prop_map(|len| format!("data: {}", "x".repeat(len))),
        2 => Just("data: a\u{20AC}\u{1F600}".to_owned()),
        1 => (0..60_usize).prop_map(|len| format!("event: {}", "e".repeat(len))),
        1 => (0..60_usize).prop_map(|len| format!("id: {}", "7".repeat(len))),
        1 => (0..100_usize).prop_map(|len| format!(": {}", "c".repeat(len))),
        1 => (0..100_usize).prop_map(|len| format!("{}: y", "u".repeat(len))),
        1 => Just("id: a\0b".to_owned()),
        1 => Just("retry: 25".to_owned()),
        1 => Just("retry: x".to_owned()),
        4 => Just(String::new()),
    ];
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]);
    prop::collection::vec((line, end), 0..20).prop_map(|lines| {
        let lines = lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.to_owned()]);
        lines.collect::<String>().into_bytes()
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let limits = prop::option::of(prop_oneof![
        (0..64_usize, 0..128_usize),
        (0..600_usize, 0..1200_usize),
        (500..530_usize, 500..530_usize),
    ]);
    (any::<[bool; 3]>(), limits).prop_map(|([comments, last_event_ids, end_at_limit], limits)| {
        Settings {
            comments,
            last_event_ids,
            last_event_id: "seed".to_owned(),
            limits,
            end_at_limit,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn each_piece_tells_at_once(
        stream in prop_oneof![stream(), blocks()], plan in mixed_plan(), settings in settings(),
    ) {
        laws::each_piece_tells_what_it_completes(&stream, &plan, &settings);
    }

    #[test]
    fn laws_2_and_3(stream in stream(), plan in plan(), line in 0..64_usize, event in 0..128_usize) {
        laws::all(&stream, &plan, line, event);
    }
}

/// Characters that their line's end cuts off, in every field, with the chunk's end at every place.
#[test]
fn a_value_that_ends_within_a_character_ends_in_a_replacement_wherever_it_is_cut() {
    // The long comment makes the chunk worth a check of its own, so that text is taken as text.
    let head = [&b":"[..], &[b'x'; 65], b"\n"].concat();
    let fields = [
        &b"event: a\xE2\x82\n"[..],
        b"id: b\xF0\x9F\n",
        b"data: c\xE2\n",
        b"data: d\xE2\x82\ndata: \xACe\n",
        b": f\xE2\x82\n",
    ];
    let mut streams: Vec<Vec<u8>> = fields
        .iter()
        .map(|field| [field, &b"data\n\ndata: next\n\n"[..]].concat())
        .collect();
    streams.push([&fields.concat()[..], b"\ndata: next\n\n"].concat());
    for stream in streams {
        let stream = [&head[..], &stream].concat();
        for cut in head.len()..=stream.len() {
            for plan in [vec![cut], vec![cut, 1], vec![cut, 2, 1]] {
                laws::decoder_is_the_oracle(&stream, &plan, &Settings::default());
            }
        }
    }
}

/// The stream ends after every byte, with every limit: what is refused is refused at the first byte past it, and not at
/// a later one.
#[test]
fn a_limit_bites_at_its_byte_and_at_no_other() {
    let stream = b"data:a\ndata: b\ndata:\ndata\r\n: comment\nid: c\0\nid:d\nevent: e\nevent\nretry: 1\nx: y\n\ndata\n\n";
    for end in 0..=stream.len() {
        let stream = &stream[..end];
        for limit in 0..45 {
            for limits in [(limit, 1000), (1000, limit)] {
                let settings = Settings {
                    limits: Some(limits),
                    comments: limit % 2 == 0,
                    ..Settings::default()
                };
                for plan in [vec![], vec![1; end]] {
                    laws::decoder_is_the_oracle(stream, &plan, &settings);
                }
            }
        }
    }
}
