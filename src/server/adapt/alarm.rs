//! A timer and its current sleep.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use pin_project_lite::pin_project;

use crate::server::foreign::NO_WAKE;
use crate::sync::{AtomicBool, Ordering};
use crate::timer::Timer;

pin_project! {
    /// Becomes ready when a duration has elapsed. The next poll sets it again.
    ///
    /// The sleep is polled when it is set, when it has woken, and when another task polls. Any other
    /// poll costs two comparisons, because a poll of a runtime's sleep takes a lock or more.
    pub(super) struct Alarm<T: Timer> {
        // None if the alarm is off, and after the end.
        timer: Option<T>,
        duration: Duration,
        #[pin]
        sleep: Option<T::Sleep>,
        // Outlives the sleep, so that the next one allocates nothing. None before the first sleep.
        bell: Option<Arc<Bell>>,
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
            bell: None,
        }
    }

    /// Sets the alarm if it is not set. Returns `Ready` and unsets the alarm once the duration has
    /// elapsed.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let (true, Some(bell)) = (self.sleep.is_some(), &self.bell) {
            if bell.is_for(cx.waker()) && !bell.has_rung.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        self.poll_sleep(cx)
    }

    #[inline(never)]
    fn poll_sleep(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let (true, Some(timer)) = (this.sleep.is_none(), this.timer) {
            this.sleep.set(Some(timer.sleep(*this.duration)));
        }
        let Some(sleep) = this.sleep.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        // Taken out, so that a sleep that panics in its poll is polled again next time.
        let bell = match this.bell.take() {
            Some(bell) if bell.is_for(cx.waker()) => bell,
            _ => Bell::new(cx.waker()),
        };
        bell.has_rung.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&bell));
        let polled = sleep.poll(&mut Context::from_waker(&waker));
        *this.bell = Some(bell);
        if polled.is_pending() {
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
        *this.bell = None;
        this.sleep.set(None);
        *this.timer = None;
    }

    #[inline]
    pub(super) fn is_off(&self) -> bool {
        self.timer.is_none()
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.sleep.is_some()
    }

    pub(super) fn duration(&self) -> Duration {
        self.duration
    }
}

/// The waker of a sleep: remembers that it was called, and wakes the task.
///
/// It is for one task. So it needs no lock, and another task that polls gets another one.
struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl Bell {
    fn new(task: &Waker) -> Arc<Self> {
        Arc::new(Self {
            has_rung: AtomicBool::new(false),
            task: task.clone(),
        })
    }

    /// Returns whether it wakes `task`, or `task` need not be woken.
    #[inline]
    fn is_for(&self, task: &Waker) -> bool {
        self.task.will_wake(task) || NO_WAKE.will_wake(task)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}
