//! A stream in any stack of adapters lives as its plain model does: its bytes pass in order, only
//! whole blocks stand between them and only where a block ends, nothing follows the end, and no
//! wake is lost.

#![cfg(feature = "std")]

mod support;

use proptest::prelude::*;
use sse_proto::target::Overflow;
use support::life::{
    Adapter, Chunk, Origin, Step, lives_like_its_model, until_means_the_same_anywhere,
};
use support::life_seed::reason;
use support::life_target::{Command, NEVER, SLOTS};
use support::play::{Message, Rules};

fn adapter() -> impl Strategy<Value = Adapter> {
    prop_oneof![
        (0..5_u8).prop_map(|interval| Adapter::KeepAlive { interval }),
        Just(Adapter::Preamble),
        any::<bool>().prop_map(|farewell| Adapter::Until { farewell }),
        (0..40_u8).prop_map(|max| Adapter::Coalesce { max }),
        (0..40_u8, 0..4_u8).prop_map(|(max, duration)| Adapter::Linger { max, duration }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => chunk().prop_map(|chunk| Step::Feed(Chunk(chunk))),
        3 => (0..6_u8).prop_map(Step::Advance),
        9 => Just(Step::Poll),
        1 => Just(Step::Move),
        1 => Just(Step::Signal),
        1 => Just(Step::End),
    ]
}

/// A stream cut anywhere: pieces of blocks, of comments and of `retry` fields, with every end of a line, rarely of no
/// byte.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just("data: 1\n\n"),
        2 => Just("\n"),
        1 => Just("\r"),
        1 => Just("\r\n"),
        1 => Just("id: 7"),
        2 => prop_oneof![
            Just(": c\n"), Just(":"), Just("retry: 5\n"), Just("ret"), Just("ry"), Just("retryx"),
        ],
        1 => Just("\u{2028}"),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A target whose queue is full soon.
fn target() -> impl Strategy<Value = Origin> {
    let overflow = prop_oneof![
        Just(Overflow::Refuse),
        Just(Overflow::DropOldest),
        Just(Overflow::KeepNewest),
        Just(Overflow::Disconnect),
    ];
    // Rarely enough for large frames.
    let bytes = prop_oneof![3 => 20..200_usize, 1 => 5_000..30_000_usize];
    let rules = (1..8_usize, bytes, overflow, any::<bool>());
    (rules, any::<bool>()).prop_map(|((frames, bytes, overflow, marked), shared)| {
        let rules = Rules {
            frames,
            bytes,
            overflow,
            marked,
        };
        if shared {
            Origin::Shared(rules)
        } else {
            Origin::Local(rules)
        }
    })
}

fn message() -> impl Strategy<Value = Message> {
    let types = [None, Some("message"), Some("tick"), Some(NEVER)];
    let event_type = proptest::sample::select(types.to_vec());
    (event_type, prop::char::range('a', 'z'), 0..40_u16).prop_map(|(event_type, letter, len)| {
        Message {
            event_type,
            letter,
            len,
            cancelable: true,
        }
    })
}

/// Rarely one that is not copied, and so a chunk of its own.
fn frame() -> impl Strategy<Value = Message> {
    let len = prop_oneof![3 => 0..40_u16, 1 => 4_080..5_000_u16];
    (message(), len).prop_map(|(message, len)| Message { len, ..message })
}

fn command() -> impl Strategy<Value = Command> {
    let slot = || 0..SLOTS;
    prop_oneof![
        8 => message().prop_map(Command::Dispatch),
        3 => frame().prop_map(Command::Queue),
        1 => (0..40_u8).prop_map(Command::Comment),
        4 => (slot(), 0..60_usize).prop_map(|(slot, len)| Command::Reserve(slot, len)),
        3 => (slot(), message()).prop_map(|(slot, message)| Command::Send(slot, message)),
        4 => slot().prop_map(Command::Again),
        3 => (slot(), message()).prop_map(|(slot, message)| Command::Use(slot, message)),
        2 => (slot(), frame()).prop_map(|(slot, message)| Command::UseForFrame(slot, message)),
        2 => slot().prop_map(Command::GiveUp),
        1 => any::<bool>().prop_map(Command::Mark),
        1 => Just(Command::Listen),
        1 => (0..3_u8).prop_map(|number| Command::End(reason(number))),
        1 => Just(Command::DropHandle),
        1 => Just(Command::Clone),
    ]
}

fn step_of_a_target() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => command().prop_map(Step::Ask),
        10 => Just(Step::Poll),
        3 => (0..6_u8).prop_map(Step::Advance),
        1 => Just(Step::Move),
        1 => Just(Step::Signal),
        1 => Just(Step::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_stream_in_any_stack_of_adapters_lives_like_its_model(
        adapters in proptest::collection::vec(adapter(), 0..6),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        lives_like_its_model(Origin::Fed, &adapters, &steps);
    }

    #[test]
    fn a_target_and_its_stream_in_any_stack_of_adapters_live_like_their_models(
        origin in target(),
        adapters in proptest::collection::vec(adapter(), 0..6),
        steps in proptest::collection::vec(step_of_a_target(), 0..80),
    ) {
        lives_like_its_model(origin, &adapters, &steps);
    }

    #[test]
    fn until_means_the_same_anywhere_around_a_stream_from_elsewhere(
        others in proptest::collection::vec(adapter(), 0..4),
        steps in proptest::collection::vec(step(), 0..30),
    ) {
        until_means_the_same_anywhere(Origin::Fed, &others, &steps);
    }

    #[test]
    fn until_means_the_same_anywhere_around_the_stream_of_a_target(
        origin in target(),
        others in proptest::collection::vec(adapter(), 0..4),
        steps in proptest::collection::vec(step_of_a_target(), 0..30),
    ) {
        until_means_the_same_anywhere(origin, &others, &steps);
    }

    #[test]
    fn any_chunking_of_any_bytes_passes_through_a_stack_of_all_adapters(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20),
    ) {
        let adapters = [
            Adapter::Until { farewell: true },
            Adapter::Preamble,
            Adapter::Coalesce { max: 16 },
            Adapter::Linger { max: 24, duration: 1 },
            Adapter::KeepAlive { interval: 2 },
        ];
        let steps = chunks.into_iter().flat_map(|chunk| {
            [Step::Feed(Chunk(chunk)), Step::Poll, Step::Advance(1), Step::Poll, Step::Poll]
        });
        lives_like_its_model(Origin::Fed, &adapters, &steps.collect::<Vec<_>>());
    }
}
