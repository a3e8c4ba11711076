//! The law of the joint sees each rule that is broken: a program of its own, since it expects panics.

mod support;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use sse_proto_relay::Rule;
use support::law;

/// Plays random steps until the law is broken.
fn must_fail(rule: Rule) {
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig {
            cases: 3000,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..ProptestConfig::default()
        },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
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
