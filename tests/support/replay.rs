//! What each fuzz target does with its bytes; the stable tests do the same with the seeds.

use super::input::Input;
use super::laws::{arrives_normalized, encodes_exactly, splits_the_same, takes_text_only};
use super::play::{plays_like_its_model, read};

/// The first byte is the cut, the rest the text.
pub fn lines(data: &[u8]) {
    let mut input = Input(data);
    let cut = usize::from(input.byte());
    splits_the_same(&String::from_utf8_lossy(input.0), cut);
    takes_text_only(input.0, cut);
}

/// `type|id|nanoseconds|comment|data`.
pub fn encode(data: &[u8]) {
    let parts = Input(data).parts();
    let event = parts.event();
    arrives_normalized(&event);
    encodes_exactly(&event);
}

/// Limits, then operations, a byte for each choice.
pub fn target(data: &[u8]) {
    let (rules, operations) = read(data);
    plays_like_its_model(rules, &operations);
}
