//! Waiting for room: in order, without overtaking, and nothing is lost when somebody leaves.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel as threads_channel;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::{
    CloseReason, DispatchError, Dispatched, Event, EventStream, Frame, Limits, On, Overflow,
    Permit, Reserve, TargetHandle, channel_with, encoded_len, local_channel_with,
};

const SENT: Result<Dispatched, DispatchError> = Ok(Dispatched::Sent);

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

/// A task that waits for room.
struct Waits {
    reserve: Reserve,
    count: Arc<Count>,
}

impl Waits {
    fn new(target: &TargetHandle, len: usize) -> Self {
        let mut waits = Self {
            reserve: target.reserve(len),
            count: Arc::default(),
        };
        assert!(waits.poll().is_pending());
        waits
    }

    fn poll(&mut self) -> Poll<Result<Permit, DispatchError>> {
        let waker = Waker::from(Arc::clone(&self.count));
        Pin::new(&mut self.reserve).poll(&mut Context::from_waker(&waker))
    }

    fn permit(&mut self) -> Permit {
        match self.poll() {
            Poll::Ready(Ok(permit)) => permit,
            other => panic!("no permit: {other:?}"),
        }
    }

    fn woken(&self) -> usize {
        self.count.get()
    }
}

/// A target with room for two frames, both taken.
fn full() -> (TargetHandle, EventStream) {
    let (target, stream) = channel_with(Limits::new().with_frames(2).with_chunk(1));
    assert_eq!(target.dispatch_message("1"), SENT);
    assert_eq!(target.dispatch_message("2"), SENT);
    (target, stream)
}

fn take(stream: &mut EventStream) -> String {
    let chunk = stream
        .next()
        .now_or_never()
        .flatten()
        .expect("it is queued");
    String::from_utf8(chunk.to_vec()).expect("text")
}

#[test]
fn room_that_is_there_is_given_at_once_and_held() {
    let (target, mut stream) = channel_with(Limits::new().with_frames(2));
    let permit = block_on(target.reserve(64)).expect("there is room");
    assert_eq!(permit.room(), 64);
    assert_eq!(target.dispatch_message("1"), SENT);
    assert_eq!(target.dispatch_message("2"), Err(DispatchError::Full));
    assert_eq!(permit.dispatch(&Event::message("3")), SENT);
    assert_eq!(take(&mut stream), "data: 1\n\ndata: 3\n\n");
}

#[test]
fn a_permit_that_is_dropped_gives_its_room_back() {
    let (target, _stream) = channel_with(Limits::new().with_frames(1));
    drop(block_on(target.reserve(64)));
    assert_eq!(target.dispatch_message("1"), SENT);
}

#[test]
fn who_waits_is_served_in_order_and_woken_once() {
    let (target, mut stream) = full();
    let (mut first, mut second) = (Waits::new(&target, 20), Waits::new(&target, 10));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    take(&mut stream);
    assert_eq!((first.woken(), second.woken()), (1, 0));
    assert!(second.poll().is_pending());
    assert_eq!(first.permit().dispatch(&Event::message("3")), SENT);
    assert_eq!(second.woken(), 0, "the room is in use");
    take(&mut stream);
    assert_eq!(second.permit().dispatch(&Event::message("4")), SENT);
    assert_eq!((first.woken(), second.woken()), (1, 1));
    assert_eq!(
        take(&mut stream) + &take(&mut stream),
        "data: 3\n\ndata: 4\n\n"
    );
}

#[test]
fn nobody_overtakes_who_waits() {
    let limits = Limits::new().with_bytes(100).with_chunk(1);
    let (target, mut stream) = channel_with(limits);
    assert_eq!(target.dispatch_message(&"x".repeat(82)), SENT);
    // There is room for 10 bytes, but the first in line needs more.
    let mut large = Waits::new(&target, 50);
    let mut small = Waits::new(&target, 5);
    assert_eq!(target.dispatch_message("x"), Err(DispatchError::Full));
    assert_eq!(target.dispatch_comment(""), Err(DispatchError::Full));
    let frame = Frame::new(&Event::message("x"));
    assert_eq!(target.dispatch_frame(&frame), Err(DispatchError::Full));
    take(&mut stream);
    assert_eq!((large.woken(), small.woken()), (1, 1));
    assert_eq!(target.dispatch_message("x"), SENT, "nobody waits any more");
    let (_large, _small) = (large.permit(), small.permit());
}

#[test]
fn who_leaves_the_line_lets_those_behind_move_up() {
    let limits = Limits::new().with_bytes(100).with_chunk(1);
    let (target, _stream) = channel_with(limits);
    assert_eq!(target.dispatch_message(&"x".repeat(72)), SENT);
    let large = Waits::new(&target, 50);
    let mut small = Waits::new(&target, 20);
    drop(large);
    assert_eq!(small.woken(), 1);
    assert_eq!(small.permit().room(), 20);
}

#[test]
fn who_was_served_and_leaves_passes_the_room_on() {
    let (target, mut stream) = full();
    let first = Waits::new(&target, 10);
    let mut second = Waits::new(&target, 10);
    take(&mut stream);
    assert_eq!((first.woken(), second.woken()), (1, 0));
    drop(first);
    assert_eq!(second.woken(), 1);
    drop(second.permit());
    assert_eq!(target.dispatch_message("3"), SENT);
}

#[test]
fn a_permit_that_is_dropped_or_used_for_less_serves_the_next() {
    let limits = Limits::new().with_bytes(100);
    let (target, _stream) = channel_with(limits);
    let permit = block_on(target.reserve(100)).expect("there is room");
    let mut waits = Waits::new(&target, 80);
    assert_eq!(permit.dispatch(&Event::message("x")), SENT);
    assert_eq!(waits.woken(), 1);
    let permit = waits.permit();
    let mut waits = Waits::new(&target, 80);
    drop(permit);
    assert_eq!(waits.permit().room(), 80);
}

#[test]
fn an_event_larger_than_its_permit_is_too_large_and_nothing_is_sent() {
    let (target, _stream) = channel_with(Limits::new());
    let event = Event::message("x".repeat(20));
    let too_large = DispatchError::TooLarge { len: 28, limit: 27 };
    let permit = || block_on(target.reserve(27)).expect("there is room");
    assert_eq!(permit().dispatch(&event), Err(too_large));
    assert_eq!(permit().dispatch_frame(&Frame::new(&event)), Err(too_large));
    target.listen(On::message(), |_| panic!("it is refused before"));
    assert_eq!(permit().dispatch(&event), Err(too_large));
    assert_eq!(target.queued_frames(), 0);
}

#[test]
fn what_never_fits_is_too_large_at_once_also_behind_others() {
    let (target, _stream) = full();
    let _waits = Waits::new(&target, 10);
    let limit = Limits::new().bytes();
    let len = limit + 1;
    let outcome = target.reserve(len).now_or_never().expect("at once");
    assert_eq!(outcome.err(), Some(DispatchError::TooLarge { len, limit }));
}

#[test]
fn who_waits_when_the_stream_ends_is_woken_once_and_told() {
    for reason in [CloseReason::Closed, CloseReason::Aborted] {
        let (target, mut stream) = full();
        let mut served = Waits::new(&target, 10);
        let mut waits = Waits::new(&target, 10);
        take(&mut stream);
        target.end(reason);
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
    let (target, _stream) = channel_with(Limits::new().with_frames(1));
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
    let (target, _stream) = channel_with(Limits::new().with_frames(1));
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
    let (target, _stream) = channel_with(Limits::new().with_frames(1));
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
    let (target, mut stream) = channel_with(Limits::new().with_frames(1));
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
        let limits = Limits::new().with_frames(2).with_chunk(1);
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
        assert_eq!(take(&mut stream), "data: 3\n\n");
        drop(waits.permit());
        assert_eq!(take(&mut stream), "data: 5\n\n");
    }
}

#[test]
fn where_overflow_disconnects_a_permit_waits_and_a_dispatch_disconnects() {
    let limits = Limits::new().with_frames(1);
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
fn the_last_waker_counts() {
    let (target, mut stream) = full();
    let mut waits = Waits::new(&target, 10);
    let first = std::mem::take(&mut waits.count);
    assert!(waits.poll().is_pending());
    take(&mut stream);
    assert_eq!((first.get(), waits.woken()), (0, 1));
}

#[test]
fn polled_again_after_it_resolved_it_asks_for_as_much_again() {
    let (target, _stream) = channel_with(Limits::new().with_bytes(100));
    let mut reserve = pin!(target.reserve(40));
    let mut again = || {
        reserve
            .as_mut()
            .now_or_never()
            .map(|permit| permit.unwrap())
    };
    let (first, second) = (again(), again());
    assert!(first.is_some() && second.is_some() && again().is_none());
}

#[test]
fn it_keeps_the_target_open_as_a_handle_does() {
    let (target, stream) = channel_with(Limits::new());
    let permit = block_on(target.reserve(64)).expect("there is room");
    let weak = target.downgrade();
    drop(target);
    assert!(weak.upgrade().is_some());
    drop(permit);
    assert!(weak.upgrade().is_none());
    drop(stream);
}

#[test]
fn a_local_one_is_the_same() {
    block_on(async {
        let (target, mut stream) = local_channel_with(Limits::new().with_frames(1));
        assert_eq!(target.dispatch_message("1"), SENT);
        let event = Event::message("2");
        let sends = async {
            let permit = target.reserve(encoded_len(&event)).await.expect("open");
            permit.dispatch(&event)
        };
        let reads = async { [stream.next().await, stream.next().await] };
        let (sent, read) = futures::future::join(sends, reads).await;
        assert_eq!(sent, SENT);
        assert_eq!(read.map(Option::unwrap), ["data: 1\n\n", "data: 2\n\n"]);
    });
}

#[test]
fn many_threads_wait_and_all_are_served() {
    const THREADS: usize = 4;
    const EVENTS: usize = 2_000;
    let (done, wait) = threads_channel();
    std::thread::spawn(move || {
        let (target, stream) = channel_with(Limits::new().with_frames(3));
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
        .with_bytes(100)
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
