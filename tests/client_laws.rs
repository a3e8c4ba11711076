//! A reconnecting client does what its plain model does, whatever the server, the clock and the random numbers do: no
//! request while one is open, nothing and no deadline after the end, the id sent is the last one committed, delays are
//! within their bounds.

#![cfg(feature = "std")]

mod support;

use proptest::prelude::*;
use support::client::{reasons, reconnects_like_its_model};
use support::client_setup::{Setup, Step, read};
use support::client_told::Why;

/// What [`read`] reads, made of its letters.
fn letters() -> impl Strategy<Value = String> {
    let setting = prop_oneof![
        2 => Just("r".to_owned()),
        1 => Just("p".to_owned()),
        1 => Just("P".to_owned()),
        2 => prop::sample::select(vec!["y", "g", "z", "A"]).prop_map(String::from),
        1 => Just("k".to_owned()),
        1 => Just("L".to_owned()),
        3 => ("[aeicbwjRt]", 0..10_u8).prop_map(|(letter, number)| format!("{letter}{number}")),
        1 => (0..10_u8, 0..10_u8).prop_map(|(least, most)| format!("m{least}{most}")),
        1 => Just("Iabc|".to_owned()),
        1 => Just("I\u{1}|".to_owned()),
    ];
    let step = prop_oneof![
        4 => Just("so".to_owned()),
        6 => Just(".o".to_owned()),
        3 => prop::sample::select(vec!["z", "h", "4", "5", "m", "M", "g", "G", "S", "n", "a", "A"]).prop_map(String::from),
        1 => ("[uU]", 0..10_u8).prop_map(|(letter, seconds)| format!("{letter}{seconds}")),
        6 => text().prop_map(|text| format!("d{text}|")),
        4 => prop::sample::select(vec!["e", "x"]).prop_map(String::from),
        3 => (0..10_u8).prop_map(|seconds| format!("t{seconds}")),
        2 => prop::sample::select(vec!["l", "b", "r", "!"]).prop_map(String::from),
        1 => Just("c".to_owned()),
    ];
    (
        prop::collection::vec(setting, 0..5),
        prop::collection::vec(step, 0..40),
    )
        .prop_map(|(setup, steps)| {
            let mut letters = setup.concat() + "|s" + &steps.concat();
            letters.push(' ');
            letters
        })
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "data: x\n\n",
        "data: half",
        "\n",
        "\r",
        "\n\n",
        "id: 1\n",
        "id\n",
        "id: \u{1}\n",
        "id: ~\n",
        "id:  3\n",
        "id: 4\t\n",
        "id: 2\n\n",
        "retry: 0\n",
        "retry: 4000\n",
        "retry: 3000000000\n",
        "retry: 99999999999999999999\n",
        ": c\n",
        "eve",
        "x",
    ]);
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_client_reconnects_like_its_model(letters in letters()) {
        let (setup, steps) = read(letters.as_bytes());
        reconnects_like_its_model(&setup, &steps);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_reach_every_reason() {
    let mut reached = Vec::new();
    for file in
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/client")).unwrap()
    {
        let (setup, steps) = read(&std::fs::read(file.unwrap().path()).unwrap());
        reached.extend(reasons(&setup, &steps));
    }
    for why in [
        Why::Here,
        Why::Rejected,
        Why::Encoded,
        Why::Ended,
        Why::Interrupted,
        Why::IoError,
        Why::ConnectTimeout,
        Why::Idle,
        Why::NetworkLost,
        Why::Reconnect,
        Why::Attempts,
        Why::Time,
        Why::NotRepeatable,
    ] {
        assert!(
            reached.contains(&why),
            "no seed goes down or closes for {why:?}"
        );
    }
}

/// The model is no friend of the client's: another delay than its own is found.
#[test]
#[should_panic(expected = "the client:")]
fn a_client_that_waits_for_another_time_is_found() {
    let mut setup = Setup::standard();
    setup.plain.base += 1;
    reconnects_like_its_model(&setup, &[Step::Start, Step::Error]);
}
