//! Allocations an event: every way of every work.

#![expect(
    clippy::cast_precision_loss,
    reason = "two digits of each figure are printed"
)]

use peers::harness::Candidate;
use peers::{Way, candidates, channels, works};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    println!(
        "{:<48}{:>12}{:>15}{:>12}",
        "", "allocations", "reallocations", "bytes"
    );
    for way in Way::ALL {
        for work in works() {
            let title = format!("{}: {}", work.name, way.name());
            count(&title, 1, candidates(work, way));
        }
    }
    let delta = &works()[0];
    for burst in [1, 10] {
        let title = format!("{}: channel, {burst} dispatched, then polled", delta.name);
        count(&title, burst, channels(delta, burst));
    }
}

/// Prints the figures an event of each candidate, whose iterations handle `events` of them.
fn count(title: &str, events: usize, candidates: Vec<Candidate<'_>>) {
    println!("\n{title}");
    for mut candidate in candidates {
        candidate.run(WARM_UP);
        let region = Region::new(ALLOCATOR);
        candidate.run(ITERATIONS);
        let counted = region.change();
        let an_event = |count: usize| count as f64 / (ITERATIONS as f64 * events as f64);
        println!(
            "  {:<46}{:>12.2}{:>15.2}{:>12.0}",
            candidate.name(),
            an_event(counted.allocations),
            an_event(counted.reallocations),
            an_event(counted.bytes_allocated),
        );
    }
}

const WARM_UP: u64 = 100;
const ITERATIONS: u64 = 1000;
