//! What goes on beside those who wait: ends, listeners, other policies, other threads.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel as threads_channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::target::{
    CloseReason, DispatchError, Dispatched, Limits, On, Overflow, channel_with,
};
use sse_proto::{Event, Target};

use crate::{SENT, Waits, full, take};

#[test]
fn who_waits_when_the_stream_ends_is_woken_once_and_told() {
    type End = fn(&Target);
    let ends: [(CloseReason, End); 2] = [
        (CloseReason::Closed, Target::close),
        (CloseReason::Aborted, Target::abort),
    ];
    for (reason, end) in ends {
        let (target, mut stream) = full();
        let mut served = Waits::new(&target, 10);
        let mut waits = Waits::new(&target, 10);
        take(&mut stream);
        end(&target);
        assert_eq!((served.woken(), waits.woken()), (1, 1));
        for one in [&mut served, &mut waits] {
            for _ in 0..2 {
                let outcome = one.poll().map(Result::err);
                assert_eq!(outcome, Poll::Ready(Some(DispatchError::Closed(reason))));
            }
        }
        assert_eq!((served.woken(), waits.woken()), (1, 1));
    }
}

#[test]
fn a_permit_of_a_closed_stream_sends_nothing() {
    let (target, stream) = channel_with(Limits::new());
    let permit = block_on(target.reserve(64)).expect("there is room");
    drop(stream);
    assert_eq!(
        permit.dispatch(&Event::message("x")),
        Err(DispatchError::Closed(CloseReason::ClientGone))
    );
}

#[test]
fn a_canceled_event_gives_its_room_on() {
    let (target, _stream) = channel_with(Limits::new().with_max_frames(1));
    target.listen(On::message(), |dispatch| {
        dispatch.prevent_default();
    });
    let permit = block_on(target.reserve(64)).expect("there is room");
    let mut waits = Waits::new(&target, 64);
    let outcome = permit.dispatch(&Event::message("x"));
    assert_eq!(outcome, Ok(Dispatched::Canceled));
    assert_eq!(waits.woken(), 1);
    drop(waits.permit());
}

#[test]
fn a_listener_that_panics_gives_the_room_on() {
    let (target, _stream) = channel_with(Limits::new().with_max_frames(1));
    target.listen(On::message(), |_| resume_unwind(Box::new("a panic")));
    let permit = block_on(target.reserve(64)).expect("there is room");
    let mut waits = Waits::new(&target, 64);
    let event = Event::message("x");
    assert!(catch_unwind(AssertUnwindSafe(|| permit.dispatch(&event))).is_err());
    assert_eq!(waits.woken(), 1);
    drop(waits.permit());

    // And so does a plain dispatch.
    let own = target.clone();
    let waiting = Arc::new(std::sync::Mutex::new(None));
    let store = Arc::clone(&waiting);
    let (target, _stream) = channel_with(Limits::new().with_max_frames(1));
    let inside = target.clone();
    target.listen(On::message(), move |_| {
        *store.lock().unwrap() = Some(Waits::new(&inside, 10));
        resume_unwind(Box::new("a panic"));
    });
    assert!(catch_unwind(AssertUnwindSafe(|| target.dispatch_message("x"))).is_err());
    let mut waits = waiting.lock().unwrap().take().expect("the listener ran");
    assert_eq!(waits.woken(), 1);
    drop(waits.permit());
    drop(own);
}

#[test]
fn a_listener_that_dispatches_does_not_take_a_permits_room() {
    let (target, mut stream) = channel_with(Limits::new().with_max_frames(1));
    let own = target.clone();
    target.listen(On::message(), move |_| {
        let nested = own.dispatch_message("nested");
        assert!(nested == Err(DispatchError::Full) || nested == Err(DispatchError::TooDeep));
    });
    let permit = block_on(target.reserve(64)).expect("there is room");
    assert_eq!(permit.dispatch(&Event::message("x")), SENT);
    assert_eq!(take(&mut stream), "data: x\n\n");
    target.close();
}

#[test]
fn where_the_oldest_are_dropped_permits_wait_all_the_same_and_are_never_dropped_for() {
    for overflow in [Overflow::DropOldest, Overflow::KeepNewest] {
        let limits = Limits::new().with_max_frames(2);
        let (target, mut stream) = channel_with(limits.with_overflow(overflow));
        let permit = block_on(target.reserve(64)).expect("there is room");
        for data in ["1", "2", "3"] {
            assert_eq!(target.dispatch_message(data), SENT);
        }
        assert_eq!((target.queued_frames(), target.dropped_frames()), (1, 2));
        let mut waits = Waits::new(&target, 10);
        assert_eq!(
            target.dispatch_message("4"),
            Err(DispatchError::Full),
            "somebody waits"
        );
        assert_eq!(permit.dispatch(&Event::message("5")), SENT);
        assert_eq!(target.dropped_frames(), 2, "its room was held");
        assert_eq!(waits.woken(), 0);
        assert_eq!(take(&mut stream), "data: 3\n\ndata: 5\n\n");
        drop(waits.permit());
    }
}

#[test]
fn where_overflow_disconnects_a_permit_waits_and_a_dispatch_disconnects() {
    let limits = Limits::new().with_max_frames(1);
    let (target, _stream) = channel_with(limits.with_overflow(Overflow::Disconnect));
    assert_eq!(target.dispatch_message("1"), SENT);
    let mut waits = Waits::new(&target, 10);
    assert!(!target.is_closed());
    let overflow = DispatchError::Closed(CloseReason::Overflow);
    assert_eq!(target.dispatch_message("2"), Err(overflow));
    assert_eq!(waits.woken(), 1);
    assert_eq!(waits.poll().map(Result::err), Poll::Ready(Some(overflow)));
}

#[test]
fn many_threads_wait_and_all_are_served() {
    const THREADS: usize = 4;
    const EVENTS: usize = 2_000;
    let (done, wait) = threads_channel();
    std::thread::spawn(move || {
        let (target, stream) = channel_with(Limits::new().with_max_frames(3));
        let read = std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let target = target.clone();
                scope.spawn(move || {
                    for number in 0..EVENTS {
                        let permit = block_on(target.reserve(9)).expect("it is open");
                        if number % 7 == 0 {
                            // Somebody gives up, with room and without.
                            drop(permit);
                            let _ = target.reserve(9).now_or_never();
                            continue;
                        }
                        assert_eq!(permit.dispatch(&Event::message("x")), SENT);
                    }
                });
            }
            drop(target);
            block_on(stream.map(|chunk| chunk.len()).collect::<Vec<_>>())
        });
        done.send(read.iter().sum::<usize>())
    });
    let sent = THREADS * (0..EVENTS).filter(|number| number % 7 > 0).count();
    let read = wait.recv_timeout(Duration::from_secs(120));
    assert_eq!(read, Ok(9 * sent), "no wake is lost");
}

#[test]
fn what_others_hold_or_wait_for_disconnects_nobody() {
    let limits = Limits::new()
        .with_max_bytes(100)
        .with_overflow(Overflow::Disconnect);
    let (target, _stream) = channel_with(limits);
    let sixty_eight = "x".repeat(60);
    target.dispatch_message(&sixty_eight).unwrap();
    let mut waits = Box::pin(target.reserve(50));
    let polled = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    assert_eq!(target.dispatch_message("y"), Err(DispatchError::Full));
    drop(waits);
    let held = Box::pin(target.reserve(30))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(target.dispatch_message("y"), Err(DispatchError::Full));
    drop(held);
    assert_eq!(target.dispatch_message("y"), Ok(Dispatched::Sent));
    // The client is too slow.
    let overflow = DispatchError::Closed(CloseReason::Overflow);
    assert_eq!(target.dispatch_message(&sixty_eight), Err(overflow));
}
