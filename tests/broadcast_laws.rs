//! Random plays on a broadcast, held against its model.

#![cfg(feature = "std")]

mod support;

use std::task::Poll;

use proptest::collection::vec;
use proptest::prelude::*;
use sse_proto::{Broadcast, Event, EventType, Limits, Retention, channel_with};
use support::broadcast::plays_like_its_model;
use support::broadcast_model::Config;
use support::broadcast_ops::{Op, WhichId};
use support::fakes::Reader;

fn configs() -> impl Strategy<Value = Config> {
    (
        any::<bool>(),
        1..40_usize,
        prop_oneof![200..2_000_usize, 2_000..100_000_usize],
        proptest::option::of(1..9_u8),
        0..20_usize,
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
    ]
}

fn publishes() -> impl Strategy<Value = Op> {
    let lens = prop_oneof![8 => 0..40_u16, 3 => 100..2_000_u16, 1 => 2_000..30_000_u16];
    (0..3_u8, 0..16_u8, 0..3_u8, lens, any::<bool>()).prop_map(
        |(event_type, id, scope, len, as_frame)| Op::Publish {
            event_type,
            id,
            scope,
            len,
            as_frame,
        },
    )
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let subscribe = (0..8_u8, ids(), any::<bool>());
    let op = prop_oneof![
        12 => publishes(),
        4 => subscribe.prop_map(|(kind, id, oldest)| Op::Subscribe { kind, id, oldest }),
        12 => (0..8_u8).prop_map(Op::Poll),
        1 => (0..8_u8).prop_map(Op::Move),
        1 => (0..8_u8).prop_map(Op::Drop),
        2 => (0..4_u8).prop_map(Op::Advance),
    ];
    let close = any::<bool>().prop_map(|farewell| Op::Close { farewell });
    let closed = (vec(op.clone(), 0..120), close, vec(op, 0..30));
    closed.prop_map(|(mut ops, close, after)| {
        ops.push(close);
        ops.extend(after);
        ops
    })
}

/// What happens to a merged stream.
#[derive(Clone, Copy, Debug)]
enum Merge {
    Publish { len: usize },
    Dispatch { len: usize },
    Poll,
}

fn merges() -> impl Strategy<Value = Merge> {
    let len = || prop_oneof![9 => 0..50_usize, 1 => 10_000..70_000_usize];
    prop_oneof![
        len().prop_map(|len| Merge::Publish { len }),
        len().prop_map(|len| Merge::Dispatch { len }),
        Just(Merge::Poll),
    ]
}

/// Both keep their order, nothing is lost, and a personal event stands behind all frames that were
/// published before its dispatch.
fn merges_in_order(steps: &[Merge]) {
    let broadcast = Broadcast::new(Retention::new().with_bytes(64 << 20));
    let (target, stream) = channel_with(Limits::new().with_bytes(64 << 20));
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    let (mut out, mut published, mut dispatched) = (Vec::new(), 0, Vec::new());
    let mut is_waiting = false;
    for step in steps {
        let text = |number, len| format!("{number} {}", "x".repeat(len));
        match *step {
            Merge::Publish { len } => {
                published += 1;
                let event = Event::new(EventType::from_static("all"), text(published, len));
                broadcast.publish(&event).expect("it is open");
            }
            Merge::Dispatch { len } => {
                // How many were published before.
                dispatched.push(published);
                let event = Event::message(text(dispatched.len(), len));
                target.dispatch(&event).expect("it has room");
            }
            Merge::Poll => {
                let polled = merged.poll();
                is_waiting = polled.is_pending();
                if let Poll::Ready(chunk) = polled {
                    out.extend_from_slice(&chunk.expect("it has not ended"));
                }
                continue;
            }
        }
        if std::mem::take(&mut is_waiting) {
            assert!(merged.wakes.take() > 0, "a wake is lost");
        }
    }
    while let Poll::Ready(chunk) = merged.poll() {
        out.extend_from_slice(&chunk.expect("it has not ended"));
    }
    let (mut shared, mut own) = (0, 0);
    let out = String::from_utf8(out).expect("a text");
    for block in out.split_terminator("\n\n") {
        let (is_shared, data) = match block.strip_prefix("event: all\ndata: ") {
            Some(data) => (true, data),
            None => (false, block.strip_prefix("data: ").expect("data")),
        };
        let (number, _) = data.split_once(' ').expect("a number");
        let number: usize = number.parse().expect("a number");
        if is_shared {
            shared += 1;
            assert_eq!(number, shared);
        } else {
            assert!(
                dispatched[own] <= shared,
                "{own} stands in front of {shared}"
            );
            own += 1;
            assert_eq!(number, own);
        }
    }
    assert_eq!((shared, own), (published, dispatched.len()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_subscriber_gets_what_a_plain_list_says(config in configs(), ops in ops()) {
        plays_like_its_model(config, &ops);
    }

    #[test]
    fn personal_events_stand_behind_what_was_published_before_them(steps in vec(merges(), 0..80)) {
        merges_in_order(&steps);
    }
}
