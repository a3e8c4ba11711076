//! A text splits as the standard splits it, in one piece and in two.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::lines(data));
