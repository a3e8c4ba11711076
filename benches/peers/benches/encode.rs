//! Times: every way of every work, everybody in one run.

use peers::harness::{self, compare};
use peers::{Way, candidates, works};

fn main() {
    println!(
        "The same ready-made texts for everybody; axum and sse-stream append to no buffer of the caller's."
    );
    for way in Way::ALL {
        for work in works() {
            let measure = harness::Work {
                events: 1,
                bytes: work.wire.len(),
            };
            compare(
                &format!("{}: {}", work.name, way.name()),
                measure,
                &mut candidates(work, way),
            );
        }
    }
}
