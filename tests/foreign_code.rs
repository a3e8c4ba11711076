//! Other people's code (listeners, wakers, errors, what they captured and what they format into) runs
//! without a lock, may use the target it came from, and may panic.

use std::fmt::{self, Write as _};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel as threads_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures::{FutureExt, Stream, StreamExt};
use sse_proto::bytes::Bytes;
use sse_proto::{
    CloseReason, Dispatched, EventStream, Limits, On, TargetHandle, channel, channel_with,
};

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
struct Meddler(TargetHandle);

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

fn poll(stream: &mut EventStream, waker: &Waker) -> Poll<Option<sse_proto::bytes::Bytes>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

#[test]
fn what_a_listener_captured_is_dropped_without_the_lock() {
    no_deadlock(|| {
        let (target, stream) = channel();
        let holds = |target: &TargetHandle| {
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

/// Panics when it is woken.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker's panic");
    }
}

#[test]
fn everybody_is_told_of_the_end_whoever_panics() {
    let (target, mut stream) = channel();
    let ran = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second", "third"] {
        let ran = Arc::clone(&ran);
        target.on_close(move |reason| {
            ran.lock().unwrap().push((name, reason));
            assert_ne!(name, "second", "a listener's panic");
        });
    }
    let panics = Waker::from(Arc::new(Panics));
    let mut context = Context::from_waker(&panics);
    assert!(poll(&mut stream, &panics).is_pending());
    let (mut early, late) = (target.closed(), target.closed());
    assert!(early.poll_unpin(&mut context).is_pending());

    let dropped = catch_unwind(AssertUnwindSafe(|| drop(stream)));
    assert!(dropped.is_err(), "the first panic goes on");
    let gone = CloseReason::ClientGone;
    assert_eq!(
        *ran.lock().unwrap(),
        [("first", gone), ("second", gone), ("third", gone)]
    );
    assert_eq!(late.now_or_never(), Some(gone));
    assert_eq!(early.now_or_never(), Some(gone));
}

#[test]
fn a_stream_that_is_dropped_by_a_panic_tells_its_listeners_and_does_not_abort() {
    let (target, stream) = channel();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    target.on_close(|_| panic!("a listener's panic"));
    target.on_close(move |_| _ = count.fetch_add(1, Ordering::SeqCst));
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _stream = stream;
        panic!("the connection's task panics");
    }));
    let panic = unwound.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the connection's task panics"));
    assert_eq!(ran.load(Ordering::SeqCst), 1);
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
fn listeners_that_ran_once_are_let_go_also_when_they_panic() {
    let (target, _stream) = channel();
    let held = Arc::new(());
    for _ in 0..100 {
        let holds = Arc::clone(&held);
        target.listen(On::message().once(), move |_| {
            let _ = &holds;
            std::panic::resume_unwind(Box::new("a listener's panic"));
        });
        let dispatch = || target.dispatch_message("x");
        assert!(catch_unwind(AssertUnwindSafe(dispatch)).is_err());
        assert!(
            Arc::strong_count(&held) <= 2,
            "at most the last one is held"
        );
    }
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
fn a_listener_that_panics_gives_its_depth_back() {
    let (target, mut stream) = channel();
    let id = target.listen(On::message(), |_| {
        std::panic::resume_unwind(Box::new("panic"))
    });
    for _ in 0..100 {
        let dispatch = || target.dispatch_message("x");
        assert!(catch_unwind(AssertUnwindSafe(dispatch)).is_err());
    }
    target.remove_listener(id);
    target.listen(On::message(), |_| {});
    assert_eq!(target.dispatch_message("y"), Ok(Dispatched::Sent));
    assert_eq!(block_on(stream.next()).unwrap(), "data: y\n\n");
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

#[test]
fn a_payload_that_panics_in_its_drop_keeps_no_listener_from_being_told() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a payload's panic"));
        }
    }
    let (target, _stream) = channel();
    let told = Arc::new(AtomicUsize::new(0));
    target.on_close(|_| std::panic::resume_unwind(Box::new(1)));
    target.on_close(|_| std::panic::resume_unwind(Box::new(Bomb)));
    let tell = Arc::clone(&told);
    target.on_close(move |_| _ = tell.fetch_add(1, Ordering::Relaxed));
    let panic = catch_unwind(AssertUnwindSafe(|| target.close())).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&1), "the first one");
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

struct Unwinds;

impl Wake for Unwinds {
    fn wake(self: Arc<Self>) {
        std::panic::resume_unwind(Box::new("a waker's panic"));
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_served_and_costs_the_reader_no_chunk() {
    let (target, mut stream) = channel_with(Limits::new().with_frames(2));
    for data in ["1", "2"] {
        target.dispatch_message(data).unwrap();
    }
    let waker = Waker::from(Arc::new(Unwinds));
    let mut first = Box::pin(target.reserve(10));
    let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut second = Box::pin(target.reserve(10));
    let polled = second.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());

    let mut poll = || Pin::new(&mut stream).poll_next(&mut Context::from_waker(Waker::noop()));
    let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
    assert_eq!(poll(), Poll::Ready(Some(chunk)));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    // The panic is not lost: it goes on where nothing else is.
    assert!(catch_unwind(AssertUnwindSafe(&mut poll)).is_err());
    assert_eq!(poll(), Poll::Pending);
    target.close();
    assert_eq!(poll(), Poll::Ready(None));
    assert!(target.is_drained());
}
