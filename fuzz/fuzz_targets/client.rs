//! A reconnecting client does what its plain model does, with a fake server, clock and random numbers.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::client(data));
