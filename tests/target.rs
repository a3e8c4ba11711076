//! A target does what its plain model does, whatever is asked of it, in whatever order.

#![cfg(feature = "std")]

mod support;

use proptest::prelude::*;
use support::play::{plays_like_its_model, read};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_target_plays_like_its_model(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (rules, operations) = read(&data);
        plays_like_its_model(rules, &operations);
    }
}
