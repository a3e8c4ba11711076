//! The laws of encoding, held by random events.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::laws::{Parts, arrives_normalized, comes_back, encodes_exactly, splits_the_same};

/// Texts in which ends-of-line, separators and other special characters are frequent.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z:; ]{0,20}",
        3 => prop_oneof![
            Just("\n"), Just("\r"), Just("\r\n"), Just("\n\r"), Just(" "), Just(":"),
            Just("data: x"), Just("\0"), Just("\u{85}"), Just("\u{2028}"), Just("\u{FEFF}"),
            Just("é"), Just("😀"),
        ].prop_map(str::to_owned),
        1 => "\\PC{0,40}",
        1 => (1_usize..300).prop_map(|n| "x".repeat(n)),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn parts() -> impl Strategy<Value = Parts> {
    (
        proptest::option::of(text()),
        proptest::option::of(text()),
        proptest::option::of((any::<u64>(), 0_u32..1_000_000_000)),
        proptest::option::of(text()),
        proptest::option::weighted(0.8, text()),
    )
        .prop_map(|(event_type, id, time, comment, data)| Parts {
            event_type,
            id,
            reconnection_time: time.map(|(seconds, nanos)| Duration::new(seconds, nanos)),
            comment,
            data,
        })
}

proptest! {
    #[test]
    fn an_event_arrives_once_and_normalized(parts in parts()) {
        arrives_normalized(&parts.event());
    }

    #[test]
    fn what_is_encoded_comes_back(parts in parts(), plan in proptest::collection::vec(0..30_usize, 0..20)) {
        comes_back(&parts.event(), &plan);
    }

    #[test]
    fn lengths_are_exact_and_all_ways_agree(parts in parts()) {
        encodes_exactly(&parts.event());
    }

    #[test]
    fn a_text_splits_the_same_in_one_piece_and_in_two(text in text(), cut in any::<usize>()) {
        splits_the_same(&text, cut);
    }

    #[test]
    fn long_values_are_no_special_case(len in 0_usize..5_000, every in 1_usize..200) {
        let text: String = (0..len).map(|i| if i % every == every - 1 { '\n' } else { 'x' }).collect();
        let crlf = text.replace('\n', "\r\n");
        for data in [text, crlf] {
            let parts = Parts { data: Some(data), ..Parts::default() };
            arrives_normalized(&parts.event());
            encodes_exactly(&parts.event());
        }
    }
}
