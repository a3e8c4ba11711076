//! Foreign code that this crate calls: catches the panics of listeners, and provides a waker that
//! does nothing.

use core::task::Waker;

/// The waker of a caller that polls again in any case and needs no wake.
///
/// A stream of this crate recognizes it and does not keep it. All other streams treat it as a usual
/// waker. There is one `static`, because two copies of one waker need not compare as equal.
pub(crate) static NO_WAKE: &Waker = Waker::noop();

/// Runs several pieces of foreign code, even if some of them panic, and then resumes the first
/// panic.
///
/// If the thread is already unwinding, the panic is swallowed, because a second one would abort the
/// process. Without the feature `std` no panic can be caught: it continues at once.
#[derive(Default)]
pub(crate) struct Panics {
    #[cfg(feature = "std")]
    first: Option<alloc::boxed::Box<dyn core::any::Any + Send>>,
}

impl Panics {
    /// Runs `work` and keeps its panic.
    #[cfg(feature = "std")]
    pub(crate) fn catch(&mut self, work: impl FnOnce()) {
        // `work` borrows nothing of this crate, so no half-done change can be seen.
        if let Err(panic) = std::panic::catch_unwind(core::panic::AssertUnwindSafe(work)) {
            match self.first {
                None => self.first = Some(panic),
                Some(_) => drop_quietly(panic),
            }
        }
    }

    #[cfg(not(feature = "std"))]
    #[expect(clippy::unused_self, reason = "the same shape as with `std`")]
    pub(crate) fn catch(&mut self, work: impl FnOnce()) {
        work();
    }

    /// Resumes the first panic.
    #[cfg_attr(
        not(feature = "std"),
        expect(clippy::unused_self, reason = "the same shape as with `std`")
    )]
    pub(crate) fn go_on(self) {
        #[cfg(feature = "std")]
        if let Some(panic) = self.first {
            if std::thread::panicking() {
                drop_quietly(panic);
            } else {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Drops the payload of a panic. If that drop panics as well, the new payload is leaked.
#[cfg(feature = "std")]
fn drop_quietly(panic: alloc::boxed::Box<dyn core::any::Any + Send>) {
    let dropped = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(panic)));
    if let Err(again) = dropped {
        core::mem::forget(again);
    }
}
