//! A stream in any stack of adapters lives as its plain model does, and no wake is lost.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::life(data));
