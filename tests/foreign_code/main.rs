//! Other people's code (listeners, wakers, errors, what they captured and what they format into) runs
//! without a lock, may use the target it came from, and may panic.

#![cfg(feature = "std")]

mod panics;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::{self, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, channel as threads_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::{FutureExt, Stream};
use sse_proto::target::{CloseReason, Dispatched, On};
use sse_proto::{EventStream, Target, channel};

/// Runs `work` on a thread of its own, so that a deadlock is a failure and not a hang.
fn no_deadlock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = threads_channel();
    std::thread::spawn(move || done.send(work()));
    match wait.recv_timeout(Duration::from_secs(60)) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("a deadlock"),
        Err(RecvTimeoutError::Disconnected) => panic!("a panic, told above"),
    }
}

/// Uses its target whenever it is dropped, printed, woken or formatted into.
struct Meddler(Target);

impl Meddler {
    fn meddle(&self) {
        // Whether it is taken does not matter.
        let _ = self.0.dispatch_comment("meddled");
        let id = self.0.listen(On::every_event(), |_| {});
        self.0.remove_listener(id);
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

impl fmt::Debug for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meddle();
        f.write_str("Meddler")
    }
}

impl fmt::Display for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meddle();
        f.write_str("a meddler")
    }
}

impl std::error::Error for Meddler {}

impl fmt::Write for Meddler {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        self.meddle();
        Ok(())
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
    }
}

fn poll(stream: &mut EventStream, waker: &Waker) -> Poll<Option<sse_proto::deps::bytes::Bytes>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

#[test]
fn what_a_listener_captured_is_dropped_without_the_lock() {
    no_deadlock(|| {
        let (target, stream) = channel();
        let holds = |target: &Target| {
            let meddler = Meddler(target.clone());
            move || _ = &meddler
        };
        let (first, once, close, error) = (
            holds(&target),
            holds(&target),
            holds(&target),
            holds(&target),
        );
        let id = target.listen(On::message(), move |_| first());
        target.remove_listener(id);
        target.listen(On::message().once(), move |_| once());
        assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent));
        target.on_close(move |_| close());
        target.on_error(move |_| error());
        drop(stream);
        let (late, late_close) = (holds(&target), holds(&target));
        target.listen(On::message(), move |_| late());
        target.on_close(move |_| late_close());
    });
}

#[test]
fn an_error_that_comes_too_late_is_dropped_without_the_lock() {
    no_deadlock(|| {
        let (target, stream) = channel();
        target.close();
        target.fail(Meddler(target.clone()));
        stream.fail(Meddler(target.clone()));
        assert_eq!(target.close_reason(), Some(CloseReason::Closed));
    });
}

#[test]
fn a_target_is_printed_without_the_lock() {
    no_deadlock(|| {
        let (target, stream) = channel();
        write!(Meddler(target.clone()), "{target:?} {stream:?}").unwrap();
        target.fail(Meddler(target.clone()));
        write!(Meddler(target.clone()), "{target:?} {stream:?}").unwrap();
    });
}

#[test]
fn wakers_are_dropped_and_woken_without_the_lock() {
    no_deadlock(|| {
        let (target, mut stream) = channel();
        for _ in 0..3 {
            // Each poll replaces the waker of the one before.
            let meddler = Waker::from(Arc::new(Meddler(target.clone())));
            while poll(&mut stream, &meddler).is_ready() {}
        }
        let mut closed = target.closed();
        let meddler = Waker::from(Arc::new(Meddler(target.clone())));
        assert!(
            closed
                .poll_unpin(&mut Context::from_waker(&meddler))
                .is_pending()
        );
        target.close();
    });
}

#[test]
fn futures_of_the_end_come_and_go_on_many_threads() {
    no_deadlock(|| {
        let (target, _stream) = channel();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let waker = Waker::from(Arc::new(Meddler(target.clone())));
                    let mut context = Context::from_waker(&waker);
                    for _ in 0..100_000 {
                        let mut closed = target.closed();
                        assert!(Pin::new(&mut closed).poll(&mut context).is_pending());
                    }
                });
            }
        });
    });
}

#[test]
fn a_close_listener_that_an_earlier_one_removes_does_not_run() {
    let (target, stream) = channel();
    let id = Arc::new(Mutex::new(None));
    let (later, own) = (Arc::clone(&id), target.clone());
    target.on_close(move |_| {
        let later = later.lock().unwrap().take().expect("it was added");
        assert!(own.remove_listener(later));
        assert!(!own.remove_listener(later));
    });
    *id.lock().unwrap() = Some(target.on_close(|_| panic!("it was removed")));
    drop(stream);
}

#[test]
fn a_close_listener_that_comes_too_late_runs_at_once() {
    let (target, stream) = channel();
    stream.fail("broken");
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (close, error) = (Arc::clone(&ran), Arc::clone(&ran));
    target.on_close(move |reason| close.lock().unwrap().push(reason.to_string()));
    target.on_error(move |e| error.lock().unwrap().push(e.to_string()));
    assert_eq!(*ran.lock().unwrap(), ["failed", "broken"]);
}

#[test]
fn targets_do_not_share_their_depth() {
    let (inner, _inner_stream) = channel();
    inner.listen(On::message(), |_| {});
    let (outer, _outer_stream) = channel();
    let (own, other) = (outer.downgrade(), inner.clone());
    outer.listen(On::message(), move |_| {
        // As deep as it may be in the one, the other one has not begun.
        assert_eq!(other.dispatch_message("x"), Ok(Dispatched::Sent));
        let _ = own.upgrade().unwrap().dispatch_message("deeper");
    });
    assert_eq!(outer.dispatch_message("x"), Ok(Dispatched::Sent));
}
