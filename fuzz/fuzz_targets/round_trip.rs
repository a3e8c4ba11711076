//! What is encoded comes back from the decoder, normalized and nothing else, in any chunks.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::round_trip(data));
