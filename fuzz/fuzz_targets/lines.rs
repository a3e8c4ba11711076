//! The encoder and the decoder split a text into lines as one naive splitter does, in one piece and in two.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::lines(data));
