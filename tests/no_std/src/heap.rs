//! A heap of one fixed block: what is freed last can be used again, and nothing else.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 256 * 1024;

#[repr(align(16))]
pub(crate) struct Heap {
    block: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

impl Heap {
    #[expect(clippy::large_stack_arrays, reason = "made in a static, on no stack")]
    pub(crate) const fn new() -> Self {
        Self {
            block: UnsafeCell::new([0; SIZE]),
            used: AtomicUsize::new(0),
        }
    }
}

// SAFETY: the block is reached only through `alloc`, which hands out each part once.
unsafe impl Sync for Heap {}

// SAFETY: `alloc` moves `used` on in one atomic step, so the parts it hands out never overlap and
// lie within the block; `dealloc` moves it back only over the part that was handed out last.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // The block's own alignment is all there is.
        if layout.align() > align_of::<Self>() {
            return ptr::null_mut();
        }
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let Some(start) = used.checked_next_multiple_of(layout.align()) else {
                return ptr::null_mut();
            };
            let Some(end) = start.checked_add(layout.size()).filter(|&end| end <= SIZE) else {
                return ptr::null_mut();
            };
            let moved =
                self.used
                    .compare_exchange_weak(used, end, Ordering::AcqRel, Ordering::Relaxed);
            match moved {
                // SAFETY: `start` is at most `SIZE`, so the result is in the block or at its end.
                Ok(_) => return unsafe { self.block.get().cast::<u8>().add(start) },
                Err(other) => used = other,
            }
        }
    }

    unsafe fn dealloc(&self, part: *mut u8, layout: Layout) {
        let start = part.addr() - self.block.get().addr();
        let _ = self.used.compare_exchange(
            start + layout.size(),
            start,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}
