//! Code that panics: what was promised to others holds all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::channel;
use sse_proto::target::{CloseReason, Dispatched, On};

#[test]
fn everybody_is_told_of_the_end_whoever_panics() {
    let (target, stream) = channel();
    let ran = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second", "third"] {
        let ran = Arc::clone(&ran);
        target.on_close(move |reason| {
            ran.lock().unwrap().push((name, reason));
            assert_ne!(name, "second", "a listener's panic");
        });
    }
    let closed = target.closed();

    let dropped = catch_unwind(AssertUnwindSafe(|| drop(stream)));
    assert!(dropped.is_err(), "the first panic goes on");
    let gone = CloseReason::ClientGone;
    assert_eq!(
        *ran.lock().unwrap(),
        [("first", gone), ("second", gone), ("third", gone)]
    );
    assert_eq!(closed.now_or_never(), Some(gone));
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
