//! Server-sent events in firmware: one loop, no std, no heap, buffers of a fixed size.
//!
//! `server.rs` is the firmware, over the traits of `embedded-io`. `board.rs` takes the place of a
//! board support crate; here the board is the host machine, through the sockets of the C library.
//! `client.rs` writes the events to the wire, with `encode_to_slice` into a fixed buffer.
//!
//! ```sh
//! cargo run --manifest-path examples/bare-metal/Cargo.toml    # prints its address; any input ends it
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

/// The crate needs a global allocator to link, because other parts of it allocate. This one has no
/// memory, so an allocation ends the program.
struct NoHeap;

// SAFETY: it never returns memory.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;

/// The entry point that the C start-up code calls.
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

/// The prebuilt `core` and `alloc`, which were compiled to unwind, refer to it. It is never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The landing pads of the prebuilt `alloc` refer to it. They never run, because a panic aborts.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    board::abort()
}
