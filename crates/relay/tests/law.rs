//! The law of the joint, on an engine that is a `Vec`.

mod support;

use proptest::prelude::*;
use support::law;

/// `SSE_PROTO_LAW_CASES` is the number of plays.
fn config() -> ProptestConfig {
    let cases = std::env::var("SSE_PROTO_LAW_CASES");
    ProptestConfig {
        cases: cases.map_or(2048, |cases| cases.parse().unwrap()),
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

#[test]
fn the_seeds_of_the_fuzzer() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/relay");
    let mut count = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        law::joint(&std::fs::read(seed.unwrap().path()).unwrap(), None);
        count += 1;
    }
    assert!(count > 0);
}
