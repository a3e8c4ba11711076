//! Random plays on a broadcast, held against its model.

#![cfg(feature = "std")]

mod support;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::broadcast::plays_like_its_model;
use support::broadcast_merge::{Setup, Step, merges_like_its_parts};
use support::broadcast_model::Config;
use support::broadcast_ops::{Op, Piece, WhichId};

fn configs() -> impl Strategy<Value = Config> {
    (
        any::<bool>(),
        1..40_usize,
        prop_oneof![200..2_000_usize, 2_000..100_000_usize],
        option::of(1..9_u8),
        option::weighted(0.3, 0..6_usize),
    )
        .prop_map(|(assigned, frames, bytes, age, remembered)| Config {
            assigned,
            frames,
            bytes,
            age,
            remembered,
        })
}

fn ids() -> impl Strategy<Value = WhichId> {
    prop_oneof![
        1 => Just(WhichId::None),
        4 => (0..8_u8).prop_map(WhichId::Last),
        3 => (0..30_u8).prop_map(WhichId::Back),
        2 => (0..16_u8).prop_map(WhichId::Made),
        1 => (0..6_u8).prop_map(WhichId::Above),
    ]
}

fn pieces() -> impl Strategy<Value = Piece> {
    let lens = prop_oneof![8 => 0..40_u16, 3 => 100..2_000_u16, 1 => 2_000..30_000_u16];
    let ids = prop_oneof![8 => 6..16_u8, 1 => 0..6_u8];
    (0..3_u8, ids, 0..16_u8, lens).prop_map(|(event_type, id, topic, len)| Piece {
        event_type,
        id,
        topic,
        len,
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let reader = || 0..8_u8;
    let subscribe = (0..8_u8, ids(), any::<bool>());
    let op = prop_oneof![
        24 => pieces().prop_map(Op::Publish),
        2 => (pieces(), 0..8_u8).prop_map(|(from, many)| Op::Batch { from, many }),
        8 => subscribe.prop_map(|(kind, id, oldest)| Op::Subscribe { kind, id, oldest }),
        24 => reader().prop_map(Op::Poll),
        2 => reader().prop_map(Op::Move),
        2 => reader().prop_map(Op::Drop),
        4 => (reader(), 0..4_u8).prop_map(|(at, name)| Op::AddTopic(at, name)),
        4 => (reader(), 0..4_u8).prop_map(|(at, name)| Op::RemoveTopic(at, name)),
        1 => (reader(), any::<bool>()).prop_map(|(reader, farewell)| Op::SendAway { reader, farewell }),
        2 => (0..8_u8).prop_map(|kind| Op::Hold { kind }),
        1 => reader().prop_map(Op::HoldAgain),
        3 => (reader(), ids()).prop_map(|(at, id)| Op::Join(at, id)),
        2 => ids().prop_map(Op::Reach),
        1 => ids().prop_map(Op::Rewind),
        1 => option::of(1..99_u8).prop_map(|origin| Op::Reset { origin }),
        4 => (0..4_u8).prop_map(Op::Advance),
    ];
    let close = any::<bool>().prop_map(|farewell| Op::Close { farewell });
    let closed = (vec(op.clone(), 0..120), close, vec(op, 0..30));
    closed.prop_map(|(mut ops, close, after)| {
        ops.push(close);
        ops.extend(after);
        ops
    })
}

fn merges() -> impl Strategy<Value = (Setup, Vec<Step>)> {
    let setup = (
        any::<bool>(),
        prop_oneof![1..40_usize, Just(10_000)],
        0..8_u8,
    );
    let setup = setup.prop_map(|(assigned, frames, kind)| Setup {
        assigned,
        frames,
        kind,
    });
    let len = || prop_oneof![9 => 0..50_u16, 1 => 10_000..60_000_u16];
    let step = prop_oneof![
        10 => (0..3_u8, 0..16_u8, len()).prop_map(|(event_type, topic, len)| Step::Publish {
            event_type,
            topic,
            len,
        }),
        6 => len().prop_map(|len| Step::Dispatch { len }),
        10 => Just(Step::Poll),
    ];
    let end = prop_oneof![
        Just(Step::Close),
        Just(Step::Abort),
        any::<bool>().prop_map(|farewell| Step::CloseBroadcast { farewell }),
    ];
    let ends = vec((vec(step.clone(), 0..4), end), 0..3);
    let steps = (vec(step, 0..80), ends).prop_map(|(mut steps, ends)| {
        for (before, end) in ends {
            steps.extend(before);
            steps.push(end);
        }
        steps
    });
    (setup, steps)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_subscriber_gets_what_a_plain_list_says(config in configs(), ops in ops()) {
        plays_like_its_model(config, &ops);
    }

    #[test]
    fn a_merged_stream_is_what_its_parts_are((setup, steps) in merges()) {
        merges_like_its_parts(setup, &steps);
    }
}
