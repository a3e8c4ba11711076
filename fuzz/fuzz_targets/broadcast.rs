//! Each subscriber of a broadcast gets exactly what a plain list says, and a client that comes back
//! misses nothing and has nothing twice.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::replay::broadcast(data));
