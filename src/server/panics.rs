//! Going on after a panic of somebody else's code.

/// Runs pieces of other people's code one after the other, all of them, and lets the first panic
/// go on at the end.
///
/// Where a panic is on its way already, as in the drop of a stream while a thread unwinds, another
/// one would abort the process; it is swallowed. Without the feature `std` nothing can be caught: a
/// panic goes on at once.
#[derive(Default)]
pub(crate) struct Panics {
    #[cfg(feature = "std")]
    first: Option<alloc::boxed::Box<dyn core::any::Any + Send>>,
}

impl Panics {
    #[cfg(feature = "std")]
    pub(crate) fn catch(&mut self, work: impl FnOnce()) {
        // Nothing of ours is borrowed by `work`, so nothing of ours is seen half done.
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

    /// Whether there is something to go on.
    #[cfg_attr(
        not(feature = "std"),
        expect(clippy::unused_self, reason = "the same shape as with `std`")
    )]
    pub(crate) fn any(&self) -> bool {
        #[cfg(feature = "std")]
        return self.first.is_some();
        #[cfg(not(feature = "std"))]
        false
    }

    #[cfg_attr(
        not(feature = "std"),
        expect(clippy::unused_self, reason = "the same shape as with `std`")
    )]
    pub(crate) fn go_on(self) {
        #[cfg(feature = "std")]
        if let Some(panic) = self.first {
            if std::thread::panicking() {
                core::mem::forget(panic);
            } else {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Drops what a panic carried. That may panic as well; what it carries then is not dropped any more.
#[cfg(feature = "std")]
fn drop_quietly(panic: alloc::boxed::Box<dyn core::any::Any + Send>) {
    let dropped = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(panic)));
    if let Err(again) = dropped {
        core::mem::forget(again);
    }
}
