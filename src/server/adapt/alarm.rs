//! A timer and its current sleep.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use pin_project_lite::pin_project;

use crate::timer::Timer;

pin_project! {
    /// Becomes ready when a duration has elapsed. The next poll sets it again.
    pub(super) struct Alarm<T: Timer> {
        // None if the alarm is off, and after the end.
        timer: Option<T>,
        duration: Duration,
        #[pin]
        sleep: Option<T::Sleep>,
    }
}

impl<T: Timer> Alarm<T> {
    /// Returns an alarm that is not set. A duration of zero turns it off for good.
    pub(super) fn new(duration: Duration, timer: T) -> Self {
        Self {
            timer: (!duration.is_zero()).then_some(timer),
            duration,
            ..Self::off()
        }
    }

    /// Returns an alarm that is off for good.
    pub(super) fn off() -> Self {
        Self {
            timer: None,
            duration: Duration::ZERO,
            sleep: None,
        }
    }

    /// Sets the alarm if it is not set. Returns `Ready` and unsets the alarm once the duration has
    /// elapsed.
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

    /// Drops the sleep: the alarm is no longer set.
    #[inline]
    pub(super) fn disarm(self: Pin<&mut Self>) {
        if self.sleep.is_some() {
            self.project().sleep.set(None);
        }
    }

    /// Drops the timer: the alarm is off for good.
    pub(super) fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.sleep.set(None);
        *this.timer = None;
    }

    #[inline]
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
