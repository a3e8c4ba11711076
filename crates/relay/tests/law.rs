//! The law of the joint, on an engine that is a `Vec`.

mod support;

use proptest::prelude::*;
use sse_proto_relay::Rule;
use support::law;

/// `SSE_PROTO_LAW_CASES` is the number of plays.
fn config() -> ProptestConfig {
    let cases = std::env::var("SSE_PROTO_LAW_CASES");
    ProptestConfig {
        cases: cases.map_or(512, |cases| cases.parse().unwrap()),
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn once_in_order_or_told(steps in proptest::collection::vec(any::<[u8; 2]>(), 0..80)) {
        law::joint(steps.as_flattened(), None);
    }
}

/// Plays random steps until the law is broken.
fn must_fail(rule: Rule) {
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig {
            cases: 3000,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..ProptestConfig::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    std::panic::set_hook(Box::new(|_| {}));
    let steps = proptest::collection::vec(any::<[u8; 2]>(), 40..80);
    let played = runner.run(&steps, |steps| {
        law::joint(steps.as_flattened(), Some(rule));
        Ok(())
    });
    drop(std::panic::take_hook());
    assert!(played.is_err(), "{rule:?} is broken, and the law holds");
}

#[test]
fn the_law_sees_each_broken_rule() {
    for rule in [
        Rule::InclusiveRead,
        Rule::Tag,
        Rule::TellBeforeId,
        Rule::SameKey,
        Rule::CheckAfterBatch,
        Rule::WaitForJoin,
        Rule::TopicsInPages,
    ] {
        must_fail(rule);
    }
}
