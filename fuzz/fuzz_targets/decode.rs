//! A stream decodes to what the standard says, in any chunks, within its limits.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::decode(data));
