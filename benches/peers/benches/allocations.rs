//! Allocations an event: every way of every work.

#![expect(
    clippy::cast_precision_loss,
    reason = "two digits of each figure are printed"
)]

use peers::harness::Candidate;
use peers::{Way, candidates, channels, decoders, works};
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
            count(&title, 1, ITERATIONS, candidates(work, way));
        }
    }
    let delta = &works()[0];
    for burst in [1, 10] {
        let title = format!("{}: channel, {burst} dispatched, then polled", delta.name);
        count(&title, burst, ITERATIONS, channels(delta, burst));
    }
    // A stream has thousands of events, a new decoder reads it, and each stream after it does the same.
    for stream in decoders() {
        let events = stream.work.events as usize;
        count(&stream.title, events, 2, stream.candidates);
    }
}

/// Prints the figures an event of each candidate, whose iterations handle `events` of them.
fn count(title: &str, events: usize, iterations: u64, candidates: Vec<Candidate<'_>>) {
    println!("\n{title}");
    for mut candidate in candidates {
        candidate.run(WARM_UP.min(iterations));
        let region = Region::new(ALLOCATOR);
        candidate.run(iterations);
        let counted = region.change();
        let an_event = |count: usize| count as f64 / (iterations as f64 * events as f64);
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
