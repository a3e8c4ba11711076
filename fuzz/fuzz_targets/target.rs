//! A target does what its plain model does, panicking listeners included.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::target(data));
