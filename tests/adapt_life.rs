//! A stream in any stack of adapters lives as its plain model does: its bytes pass in order, only
//! whole blocks stand between them and only where a block ends, nothing follows the end, and no
//! wake is lost.

mod support;

use proptest::prelude::*;
use support::life::{Adapter, Step, lives_like_its_model};

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
        4 => chunk().prop_map(Step::Feed),
        3 => (0..6_u8).prop_map(Step::Advance),
        9 => Just(Step::Poll),
        1 => Just(Step::Move),
        1 => Just(Step::Signal),
        1 => Just(Step::End),
    ]
}

/// A stream cut anywhere: pieces of blocks, with every end of a line, rarely of no byte.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just("data: 1\n\n"),
        2 => Just("\n"),
        1 => Just("\r"),
        1 => Just("\r\n"),
        1 => Just("id: 7"),
        1 => Just("\u{2028}"),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_stream_in_any_stack_of_adapters_lives_like_its_model(
        adapters in proptest::collection::vec(adapter(), 0..6),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        lives_like_its_model(&adapters, &steps);
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
            [Step::Feed(chunk), Step::Poll, Step::Advance(1), Step::Poll, Step::Poll]
        });
        lives_like_its_model(&adapters, &steps.collect::<Vec<_>>());
    }
}
