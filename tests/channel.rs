//! A handle and a stream over one target: wakes, ends, and no lock held while others' code runs.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::executor::block_on;
use futures::stream::FusedStream;
use futures::{FutureExt, Stream, StreamExt};
use sse_proto::bytes::Bytes;
use sse_proto::{
    CloseReason, DispatchError, Dispatched, Event, EventStream, EventType, Frame, Limits,
    MAX_DISPATCH_DEPTH, On, TargetHandle, channel, channel_with,
};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(stream: &mut EventStream, count: &Arc<Count>) -> Poll<Option<Bytes>> {
    let waker = Waker::from(Arc::clone(count));
    Pin::new(stream).poll_next(&mut Context::from_waker(&waker))
}

fn tick() -> Event<'static> {
    Event::new(EventType::from_static("tick"), "")
}

#[test]
fn one_poll_takes_all_that_is_queued_as_one_chunk() {
    let (target, mut stream) = channel();
    let count = Arc::default();
    let _ = target.dispatch_message("1");
    let _ = target.dispatch_message("2");
    target.dispatch_comment("3").unwrap();
    let expected = Bytes::from("data: 1\n\ndata: 2\n\n: 3\n\n");
    assert_eq!(poll(&mut stream, &count), Poll::Ready(Some(expected)));
    assert_eq!(poll(&mut stream, &count), Poll::Pending);
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
    let (target, mut stream) = channel_with(Limits::new().with_chunk(100));
    let data = "x".repeat(40);
    for _ in 0..5 {
        let _ = target.dispatch_message(&data).unwrap();
    }
    let _ = target.dispatch_message(&"y".repeat(300)).unwrap();
    target.close();
    let lens: Vec<usize> = block_on(stream.by_ref().map(|chunk| chunk.len()).collect());
    assert_eq!(
        lens,
        [96, 96, 48, 308],
        "whole frames of 48; a larger one goes out whole"
    );
}

#[test]
fn a_dispatch_wakes_the_reader_once() {
    let (target, mut stream) = channel();
    let count = Arc::<Count>::default();
    assert_eq!(poll(&mut stream, &count), Poll::Pending);
    assert_eq!(poll(&mut stream, &count), Poll::Pending);
    let _ = target.dispatch_message("1");
    let _ = target.dispatch_message("2");
    assert_eq!(count.get(), 1);
    assert!(poll(&mut stream, &count).is_ready());
    let _ = target.dispatch_message("3");
    assert_eq!(count.get(), 1, "nobody waits");
}

#[test]
fn the_last_waker_counts() {
    let (target, mut stream) = channel();
    let (first, second) = (Arc::<Count>::default(), Arc::<Count>::default());
    assert!(poll(&mut stream, &first).is_pending());
    assert!(poll(&mut stream, &second).is_pending());
    target.close();
    assert_eq!((first.get(), second.get()), (0, 1));
    assert_eq!(poll(&mut stream, &second), Poll::Ready(None));
}

#[test]
fn a_refused_or_canceled_event_wakes_nobody_twice() {
    let (target, mut stream) = channel_with(Limits::new().with_bytes(20));
    target.listen(On::message(), |dispatch| {
        dispatch.prevent_default();
    });
    let count = Arc::<Count>::default();
    assert!(poll(&mut stream, &count).is_pending());
    assert!(matches!(
        target.dispatch_message("much too long for the queue"),
        Err(DispatchError::TooLarge { len: 35, limit: 20 })
    ));
    assert_eq!(count.get(), 0);
    assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Canceled));
    assert_eq!(count.get(), 0);
    assert!(poll(&mut stream, &count).is_pending());
}

#[test]
fn closing_twice_wakes_once() {
    let (target, mut stream) = channel();
    let count = Arc::<Count>::default();
    assert!(poll(&mut stream, &count).is_pending());
    target.close();
    target.close();
    target.abort();
    assert_eq!(count.get(), 1);
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
    let (target, _stream) = channel_with(Limits::new().with_frames(1));
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
fn listeners_do_not_see_blocks_frames_and_comments() {
    let (target, _stream) = channel();
    target.listen(On::every_event(), |_| panic!("this is no event"));
    assert_eq!(
        target.dispatch(&Event::block().with_id(1_u8)),
        Ok(Dispatched::Sent)
    );
    target
        .dispatch_frame(&Frame::new(&Event::message("x")))
        .unwrap();
    target.dispatch_comment("x").unwrap();
}

/// Dispatches one `tick` and returns which of the listeners ran.
fn heard(
    add: impl FnOnce(&TargetHandle, &dyn Fn(&'static str) -> Box<dyn Fn() + Send + Sync>),
) -> (Vec<&'static str>, Dispatched) {
    let (target, _stream) = channel();
    let ran = Arc::new(Mutex::new(Vec::new()));
    add(&target, &|name| {
        let ran = Arc::clone(&ran);
        Box::new(move || ran.lock().unwrap().push(name))
    });
    let sent = target.dispatch(&tick()).unwrap();
    let ran = ran.lock().unwrap().clone();
    (ran, sent)
}

#[test]
fn listeners_of_one_type_and_of_all_run_in_the_order_of_their_registration() {
    let order = heard(|target, ran| {
        let (all, own, other, last) = (ran("all"), ran("own"), ran("other"), ran("last"));
        let on_tick = || On::event_type(&EventType::from_static("tick"));
        target.listen(On::every_event(), move |_| all());
        target.listen(on_tick(), move |_| own());
        target.listen(On::message(), move |_| other());
        target.listen(On::every_event(), move |_| last());
    });
    assert_eq!(order, (vec!["all", "own", "last"], Dispatched::Sent));
}

#[test]
fn after_prevent_default_later_listeners_still_run() {
    let canceled = heard(|target, ran| {
        let (first, second) = (ran("first"), ran("second"));
        target.listen(On::every_event(), move |dispatch| {
            first();
            dispatch.prevent_default();
        });
        target.listen(On::every_event(), move |dispatch| {
            second();
            assert!(dispatch.is_canceled());
        });
    });
    assert_eq!(canceled, (vec!["first", "second"], Dispatched::Canceled));
}

#[test]
fn after_stop_immediate_propagation_no_listener_runs_and_the_event_is_sent() {
    let stopped = heard(|target, ran| {
        let (first, second) = (ran("first"), ran("second"));
        target.listen(On::every_event(), move |dispatch| {
            first();
            dispatch.stop_immediate_propagation();
        });
        target.listen(On::every_event(), move |_| second());
    });
    assert_eq!(stopped, (vec!["first"], Dispatched::Sent));
}

#[test]
fn what_is_not_cancelable_is_sent() {
    let (target, _stream) = channel();
    target.listen(On::every_event(), |dispatch| {
        dispatch.prevent_default();
        assert!(!dispatch.is_canceled());
    });
    assert_eq!(
        target.dispatch(&tick().with_cancelable(false)),
        Ok(Dispatched::Sent)
    );
}

#[test]
fn a_once_listener_hears_one_event() {
    let (target, _stream) = channel();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    target.listen(On::every_event().once(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    for _ in 0..3 {
        target.dispatch_message("x").unwrap();
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn limits_without_bounds_hold() {
    let most = Limits::new()
        .with_frames(usize::MAX)
        .with_bytes(usize::MAX)
        .with_chunk(usize::MAX);
    let (target, mut stream) = channel_with(most.with_idle_capacity(usize::MAX));
    target.listen(On::message(), |_| {});
    for _ in 0..100 {
        target.dispatch_message("x").unwrap();
        target.dispatch_frame(&Frame::new(&tick())).unwrap();
    }
    assert_eq!(block_on(stream.next()).unwrap().len(), 100 * (9 + 20));
}

#[test]
fn a_listener_uses_its_own_target() {
    let (target, mut stream) = channel();
    let own = target.clone();
    let id = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&id);
    *id.lock().unwrap() = Some(target.listen(
        On::event_type(&EventType::from_static("tick")),
        move |_| {
            assert_eq!(own.dispatch_message("nested"), Ok(Dispatched::Sent));
            let late = own.listen(On::every_event(), |_| panic!("added during the dispatch"));
            assert!(own.remove_listener(late));
            assert!(own.remove_listener(seen.lock().unwrap().unwrap()));
        },
    ));
    assert_eq!(target.dispatch(&tick()), Ok(Dispatched::Sent));
    assert_eq!(
        block_on(stream.next()).unwrap(),
        "data: nested\n\nevent: tick\ndata: \n\n",
        "the order of the commits"
    );
    drop(target);
    assert_eq!(
        block_on(stream.next()),
        None,
        "the removed listener held the last handle"
    );
}

#[test]
fn dispatches_within_each_other_have_a_limit_and_threads_do_not_share_it() {
    let (target, _stream) = channel();
    let weak = target.downgrade();
    let deepest = Arc::new(AtomicUsize::new(0));
    let depth = Arc::clone(&deepest);
    target.listen(On::message(), move |_| {
        depth.fetch_add(1, Ordering::SeqCst);
        match weak.upgrade().unwrap().dispatch_message("deeper") {
            Ok(sent) => assert_eq!(sent, Dispatched::Sent),
            Err(error) => assert_eq!(error, DispatchError::TooDeep),
        }
    });
    assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent));
    assert_eq!(deepest.load(Ordering::SeqCst), MAX_DISPATCH_DEPTH);

    let (target, _stream) = channel();
    let meet = Arc::new(std::sync::Barrier::new(2 * MAX_DISPATCH_DEPTH));
    let all = Arc::clone(&meet);
    target.listen(On::message(), move |_| _ = all.wait());
    std::thread::scope(|scope| {
        for _ in 0..2 * MAX_DISPATCH_DEPTH {
            let target: TargetHandle = target.clone();
            scope.spawn(move || assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent)));
        }
    });
}

#[test]
fn a_listener_that_panics_leaves_the_target_whole() {
    let (target, mut stream) = channel_with(Limits::new().with_frames(1));
    let id = target.listen(On::message(), |_| panic!("a listener's panic"));
    let dispatch = || target.dispatch_message("x");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(dispatch)).is_err());
    assert!(target.remove_listener(id));
    assert_eq!(
        target.dispatch_message("y"),
        Ok(Dispatched::Sent),
        "the room came back"
    );
    assert_eq!(block_on(stream.next()).unwrap(), "data: y\n\n");
}

#[test]
fn a_close_listener_that_panics_leaves_the_target_closed() {
    let (target, stream) = channel();
    let closed = target.closed();
    target.on_close(|_| panic!("a listener's panic"));
    let end = || drop(stream);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(end)).is_err());
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    assert_eq!(
        block_on(closed),
        CloseReason::ClientGone,
        "told before the listeners"
    );
}

#[test]
fn a_waker_may_use_the_target() {
    struct Reenters(TargetHandle);
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
        "data: x\n\n: from the waker\n\n"
    );
}

#[test]
fn a_listener_that_holds_its_target_goes_when_the_client_goes() {
    let (target, stream) = channel();
    let held = Arc::new(());
    let (own, witness) = (target.clone(), Arc::clone(&held));
    target.listen(On::every_event(), move |_| _ = (&own, &witness));
    drop(target);
    assert_eq!(Arc::strong_count(&held), 2);
    drop(stream);
    assert_eq!(Arc::strong_count(&held), 1, "no cycle outlives the end");
}

#[test]
fn handles_work_from_many_threads() {
    let (target, stream) = channel_with(Limits::new().with_frames(100_000));
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
