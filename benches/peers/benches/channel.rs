//! Times of an event through a channel: the delta, one at a time and ten before a poll.

use peers::harness::{Work, compare};
use peers::{channels, works};

fn main() {
    let delta = &works()[0];
    for burst in [1, 10] {
        let measure = Work {
            events: burst,
            bytes: burst as usize * delta.wire.len(),
        };
        let title = format!("{}: channel, {burst} dispatched, then polled", delta.name);
        compare(&title, measure, &mut channels(delta, burst as usize));
    }
}
