//! Times of an event from one source to each of many clients: the delta, one at a time and in bursts.

use peers::harness::{Work, compare};
use peers::{broadcasts, works};

fn main() {
    let delta = &works()[0];
    for clients in [1, 100, 10_000_usize] {
        for burst in [1, 8, 64_usize] {
            let measure = Work {
                events: u32::try_from(clients * burst).expect("a small number"),
                bytes: clients * burst * delta.wire.len(),
            };
            let title = format!("{}: {clients} clients, bursts of {burst}", delta.name);
            compare(&title, measure, &mut broadcasts(delta, clients, burst));
        }
    }
}
