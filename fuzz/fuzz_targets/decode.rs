//! A stream decodes to what the standard says, in any chunks, within its limits.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    support::replay::decode(data);
    if let Some((plan, line, event, stream)) = support::laws_decode::seed(data) {
        let measure = |work: &mut dyn FnMut()| allocation_counter::measure(work).bytes_current;
        support::laws_decode::memory_stays_within_the_limits(stream, &plan, line, event, &measure);
    }
});
