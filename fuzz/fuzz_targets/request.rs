//! The last event ID of any request is read like a naive reader does; what a broadcast publishes comes back.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::request(data));
