//! An event arrives once and normalized, and all ways to encode it agree.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::encode(data));
