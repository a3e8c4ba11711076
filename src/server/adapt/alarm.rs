//! A timer, and the one sleep of it that an adapter waits for.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use pin_project_lite::pin_project;

use crate::timer::Timer;

pin_project! {
    /// Rings once a duration is over, each time that it is set anew.
    pub(super) struct Alarm<T: Timer> {
        // None where there is nothing to wait for, and after the end.
        timer: Option<T>,
        duration: Duration,
        #[pin]
        sleep: Option<T::Sleep>,
    }
}

impl<T: Timer> Alarm<T> {
    /// An alarm without a duration is off for good.
    pub(super) fn new(duration: Duration, timer: T) -> Self {
        Self {
            timer: (!duration.is_zero()).then_some(timer),
            duration,
            sleep: None,
        }
    }

    /// Sets it unless it is set; ready once it rings, when it is no longer set.
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let (true, Some(timer)) = (this.sleep.is_none(), this.timer) {
            this.sleep.set(Some(timer.sleep(*this.duration)));
        }
        let sleep = this.sleep.as_mut().as_pin_mut();
        if sleep.is_none_or(|sleep| sleep.poll(cx).is_pending()) {
            return Poll::Pending;
        }
        this.sleep.set(None);
        Poll::Ready(())
    }

    /// Sets it no longer.
    #[inline]
    pub(super) fn disarm(self: Pin<&mut Self>) {
        if self.sleep.is_some() {
            self.project().sleep.set(None);
        }
    }

    /// Turns it off for good.
    pub(super) fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.sleep.set(None);
        *this.timer = None;
    }

    pub(super) fn is_off(&self) -> bool {
        self.timer.is_none()
    }

    pub(super) fn is_set(&self) -> bool {
        self.sleep.is_some()
    }

    pub(super) fn duration(&self) -> Duration {
        self.duration
    }
}
