//! Proves by linking that `sse-proto` needs no std, and by running that it works without.
//!
//! A build of the library with `--no-default-features` proves nothing: on a host that has std, a
//! stray `extern crate std` passes it. This program brings its own panic handler, so a std that
//! comes in anywhere is a second one (E0152): `--features std` shows that, and must not build.
//!
//! Exits with 0, or with the number of the step that went wrong.
#![no_std]
#![no_main]

extern crate alloc;

mod heap;
mod round_trip;

use core::ffi::{c_char, c_int};
use core::panic::PanicInfo;

#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

/// What the start-up code of C calls.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    match round_trip::run() {
        Ok(()) => 0,
        Err(step) => step,
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    // SAFETY: `abort` takes nothing and never returns.
    unsafe { abort() }
}

/// Named by the parts of `core` and `alloc` that were compiled to unwind; never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The prebuilt `alloc` refers to it from its landing pads, which nothing enters: a panic aborts.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
