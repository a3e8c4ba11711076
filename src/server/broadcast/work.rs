//! Counts what the law of topics bounds: wakes, frames that are looked at, bytes that are copied.

pub(super) use counts::*;

#[cfg(not(test))]
mod counts {
    #[inline]
    pub(crate) fn wake(_wakes: impl FnOnce() -> usize) {}

    #[inline]
    pub(crate) fn look(_frames: usize) {}

    #[inline]
    pub(crate) fn copy(_bytes: usize) {}
}

#[cfg(test)]
mod counts {
    use core::cell::Cell;
    use std::thread_local;

    thread_local! {
        static WORK: Cell<Work> = const { Cell::new(Work { wakes: 0, frames: 0, bytes: 0 }) };
    }

    /// The work since it was last taken, on this thread.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Work {
        pub(crate) wakes: usize,
        pub(crate) frames: usize,
        pub(crate) bytes: usize,
    }

    fn add(wakes: usize, frames: usize, bytes: usize) {
        let now = WORK.get();
        WORK.set(Work {
            wakes: now.wakes + wakes,
            frames: now.frames + frames,
            bytes: now.bytes + bytes,
        });
    }

    pub(crate) fn wake(wakes: impl FnOnce() -> usize) {
        add(wakes(), 0, 0);
    }

    pub(crate) fn look(frames: usize) {
        add(0, frames, 0);
    }

    pub(crate) fn copy(bytes: usize) {
        add(0, 0, bytes);
    }

    pub(crate) fn take() -> Work {
        WORK.replace(Work {
            wakes: 0,
            frames: 0,
            bytes: 0,
        })
    }
}
