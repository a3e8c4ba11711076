//! A handle and a stream over one target: wakes, ends, and no lock held while others' code runs.

#![cfg(feature = "std")]

mod listeners;
#[path = "../support/mod.rs"]
mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::executor::block_on;
use futures::stream::FusedStream;
use futures::{FutureExt, Stream, StreamExt};
use sse_proto::deps::bytes::Bytes;
use sse_proto::target::{CloseReason, DispatchError, Dispatched, Limits, On, channel_with};
use sse_proto::{Event, EventStream, EventType, Frame, Target, channel};
use support::fakes::Wakes;

fn poll(stream: &mut EventStream, wakes: &Arc<Wakes>) -> Poll<Option<Bytes>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(&wakes.waker()))
}

fn tick() -> Event<'static> {
    Event::new(EventType::from_static("tick"), "")
}

#[test]
fn one_poll_takes_all_that_is_queued_as_one_chunk() {
    let (target, mut stream) = channel();
    let wakes = Wakes::new();
    let _ = target.dispatch_message("1");
    let _ = target.dispatch_message("2");
    target.dispatch_comment("3").unwrap();
    let expected = Bytes::from("data: 1\n\ndata: 2\n\n: 3\n");
    assert_eq!(poll(&mut stream, &wakes), Poll::Ready(Some(expected)));
    assert_eq!(poll(&mut stream, &wakes), Poll::Pending);
}

#[test]
fn one_poll_takes_events_of_any_size_together_up_to_its_budget() {
    let (target, mut stream) = channel();
    let mut queued = 0;
    for len in [1_000, 5_000, 10, 20_000, 3_000, 30_000] {
        target.dispatch_message(&"x".repeat(len)).unwrap();
        queued += len + 8;
    }
    assert_eq!(block_on(stream.next()).unwrap().len(), queued);
}

#[test]
fn a_poll_never_cuts_a_frame_and_keeps_to_its_budget() {
    const BUDGET: usize = 64 * 1024;
    let (target, mut stream) = channel();
    let data = "x".repeat(992);
    for _ in 0..200 {
        let _ = target.dispatch_message(&data).unwrap();
    }
    let frame = Frame::new(&Event::message("y".repeat(5_000)));
    target.dispatch_frame(&frame).unwrap();
    let _ = target.dispatch_message(&data).unwrap();
    let _ = target.dispatch_message(&"z".repeat(100_000)).unwrap();
    target.close();
    let lens: Vec<usize> = block_on(stream.by_ref().map(|chunk| chunk.len()).collect());
    let full = BUDGET / 1_000 * 1_000;
    assert_eq!(
        lens,
        [full, full, full, 200_000 - 3 * full, 5_008, 1_000, 100_008],
        "whole frames of 1000; a large shared one by itself; a larger one whole"
    );
}

#[test]
fn a_dispatch_wakes_the_reader_once() {
    let (target, mut stream) = channel();
    let wakes = Wakes::new();
    assert_eq!(poll(&mut stream, &wakes), Poll::Pending);
    assert_eq!(poll(&mut stream, &wakes), Poll::Pending);
    let _ = target.dispatch_message("1");
    let _ = target.dispatch_message("2");
    assert_eq!(wakes.count(), 1);
    assert!(poll(&mut stream, &wakes).is_ready());
    let _ = target.dispatch_message("3");
    assert_eq!(wakes.count(), 1, "nobody waits");
}

#[test]
fn the_last_waker_counts() {
    let (target, mut stream) = channel();
    let (first, second) = (Wakes::new(), Wakes::new());
    assert!(poll(&mut stream, &first).is_pending());
    assert!(poll(&mut stream, &second).is_pending());
    target.close();
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(poll(&mut stream, &second), Poll::Ready(None));
}

#[test]
fn a_refused_or_canceled_event_wakes_nobody_twice() {
    let (target, mut stream) = channel_with(Limits::new().with_max_bytes(20));
    target.listen(On::message(), |dispatch| {
        dispatch.prevent_default();
    });
    let wakes = Wakes::new();
    assert!(poll(&mut stream, &wakes).is_pending());
    assert!(matches!(
        target.dispatch_message("much too long for the queue"),
        Err(DispatchError::TooLarge { len: 35, limit: 20 })
    ));
    assert_eq!(wakes.count(), 0);
    assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Canceled));
    assert_eq!(wakes.count(), 0);
    assert!(poll(&mut stream, &wakes).is_pending());
}

#[test]
fn closing_twice_wakes_once() {
    let (target, mut stream) = channel();
    let wakes = Wakes::new();
    assert!(poll(&mut stream, &wakes).is_pending());
    target.close();
    target.close();
    target.abort();
    assert_eq!(wakes.count(), 1);
    assert_eq!(target.close_reason(), Some(CloseReason::Closed));
}

#[test]
fn the_last_handles_drop_lets_the_stream_drain_and_end() {
    let (target, mut stream) = channel();
    let other = target.clone();
    let _ = target.dispatch_message("last words");
    drop(target);
    assert!(!stream.is_terminated());
    drop(other);
    assert!(!stream.is_terminated(), "something is left to deliver");
    assert_eq!(block_on(stream.next()).unwrap(), "data: last words\n\n");
    assert!(stream.is_terminated());
    assert_eq!(block_on(stream.next()), None);
}

#[test]
fn a_weak_handle_keeps_nothing_open() {
    let (target, mut stream) = channel();
    let weak = target.downgrade();
    assert!(weak.upgrade().unwrap().dispatch_message("x").is_ok());
    drop(target);
    assert!(weak.upgrade().is_none());
    assert_eq!(block_on(stream.next()).unwrap(), "data: x\n\n");
    assert_eq!(block_on(stream.next()), None);
    drop(stream);
    assert!(weak.upgrade().is_none());
}

#[test]
fn every_closed_future_resolves_with_the_first_reason() {
    let (target, stream) = channel();
    let waiting: Vec<_> = (0..10).map(|_| target.closed()).collect();
    let early = target.closed();
    assert_eq!(early.now_or_never(), None);
    target.fail("broken");
    drop(stream);
    for future in waiting {
        assert_eq!(block_on(future), CloseReason::Failed);
    }
    assert_eq!(block_on(target.closed()), CloseReason::Failed);
}

#[test]
fn abort_drops_the_queue_and_close_does_not() {
    let (target, mut stream) = channel();
    let _ = target.dispatch_message("x");
    target.close();
    assert!(!target.is_drained());
    assert_eq!(block_on(stream.next()).unwrap(), "data: x\n\n");
    assert!(target.is_drained());

    let (target, mut stream) = channel();
    let _ = target.dispatch_message("x");
    target.abort();
    assert_eq!(block_on(stream.next()), None);
    assert!(!target.is_drained());
}

#[test]
fn full_is_told_before_any_listener_runs() {
    let (target, _stream) = channel_with(Limits::new().with_max_frames(1));
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    target.listen(On::every_event(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(target.dispatch_message("1"), Ok(Dispatched::Sent));
    assert_eq!(target.dispatch_message("2"), Err(DispatchError::Full));
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn limits_without_bounds_hold() {
    let most = Limits::new()
        .with_max_frames(usize::MAX)
        .with_max_bytes(usize::MAX);
    let (target, mut stream) = channel_with(most);
    target.listen(On::message(), |_| {});
    for _ in 0..100 {
        target.dispatch_message("x").unwrap();
        target.dispatch_frame(&Frame::new(&tick())).unwrap();
    }
    assert_eq!(block_on(stream.next()).unwrap().len(), 100 * (9 + 20));
}

#[test]
fn a_waker_may_use_the_target() {
    struct Reenters(Target);
    impl Wake for Reenters {
        fn wake(self: Arc<Self>) {
            assert!(!self.0.is_closed());
            self.0.dispatch_comment("from the waker").unwrap();
        }
    }
    let (target, mut stream) = channel();
    let waker = Waker::from(Arc::new(Reenters(target.clone())));
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut stream).poll_next(&mut context).is_pending());
    assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent));
    assert_eq!(
        block_on(stream.next()).unwrap(),
        "data: x\n\n: from the waker\n"
    );
}

#[test]
fn handles_work_from_many_threads() {
    let (target, stream) = channel_with(Limits::new().with_max_frames(100_000));
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let target = target.clone();
            scope.spawn(move || {
                for n in 0..1_000_u32 {
                    let id = u64::from(thread) << 32 | u64::from(n);
                    let sent = target.dispatch(&Event::message("x").with_id(id));
                    assert_eq!(sent, Ok(Dispatched::Sent));
                }
            });
        }
        drop(target);
        let bytes = block_on(stream.map(|chunk| chunk.to_vec()).concat());
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("data: x\n\n").count(), 4_000);
        for thread in 0..4_u64 {
            let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
            let own: Vec<u64> = ids
                .map(|id| id.parse().unwrap())
                .filter(|id| id >> 32 == thread)
                .collect();
            assert!(
                own.is_sorted() && own.len() == 1_000,
                "each thread's events in order"
            );
        }
    });
}
