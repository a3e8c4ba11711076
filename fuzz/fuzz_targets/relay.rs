//! What clients of several nodes receive over one log of an engine that fails: once, in order, or
//! told.
#![no_main]

#[path = "../../crates/relay/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // A play has at most 160 steps.
    support::law::joint(&data[..data.len().min(320)], None);
});
