//! Server-sent events as a firmware sends them: one loop, no std, no heap, buffers of a fixed size.
//!
//! `server.rs` is the firmware, over the traits of `embedded-io`. `board.rs` is what a board's own
//! crate would be; this one is the machine that it runs on, through the C library's sockets.
//! `client.rs` is where events meet the wire: `encode_to_slice` into a buffer of its own.
//!
//! ```sh
//! cargo run --manifest-path examples/bare-metal/Cargo.toml    # says at which port it listens; any input ends it
//! curl -N http://127.0.0.1:PORT/events
//! ```
#![no_std]
#![no_main]

mod board;
mod client;
mod log;
mod server;

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_int};
use core::panic::PanicInfo;
use core::ptr;

/// There is none: the crate names one, since other parts of it need it, and this ends the program if
/// anybody asks.
struct NoHeap;

// SAFETY: it never hands out memory.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;

/// What the start-up code of C calls.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    match board::Host::new() {
        Some(mut host) => {
            server::run(&mut host);
            0
        }
        None => 1,
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    board::abort()
}

/// Named by the parts of `core` and `alloc` that were compiled to unwind; never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The prebuilt `alloc` refers to it from its landing pads, which nothing enters: a panic aborts.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    board::abort()
}
