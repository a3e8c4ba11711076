//! Waiting for room: in order, without overtaking, and nothing is lost when somebody leaves.

#![cfg(feature = "std")]

mod beside;
mod send;
#[path = "../support/mod.rs"]
mod support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::target::{
    DispatchError, Dispatched, Limits, On, Permit, channel_with, local_channel_with,
};
use sse_proto::{Event, EventStream, Frame, Target};
use support::fakes::Wakes;

const SENT: Result<Dispatched, DispatchError> = Ok(Dispatched::Sent);

/// A task that waits for room.
struct Waits {
    reserve: Pin<Box<dyn Future<Output = Result<Permit, DispatchError>> + Send>>,
    wakes: Arc<Wakes>,
}

impl Waits {
    fn new(target: &Target, len: usize) -> Self {
        let mut waits = Self {
            reserve: Box::pin(target.reserve(len)),
            wakes: Wakes::new(),
        };
        assert!(waits.poll().is_pending());
        waits
    }

    fn poll(&mut self) -> Poll<Result<Permit, DispatchError>> {
        let waker = self.wakes.waker();
        self.reserve.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn permit(&mut self) -> Permit {
        match self.poll() {
            Poll::Ready(Ok(permit)) => permit,
            other => panic!("no permit: {other:?}"),
        }
    }

    fn woken(&self) -> usize {
        self.wakes.count()
    }
}

/// A target with room for two frames, both taken, and so large that each is a chunk of its own.
fn full() -> (Target, EventStream) {
    let (target, stream) = channel_with(Limits::new().with_max_frames(2));
    for data in ["1", "2"] {
        let frame = Frame::new(&Event::message(data.repeat(5_000)));
        assert_eq!(target.dispatch_frame(&frame), Ok(()));
    }
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
    let (target, mut stream) = channel_with(Limits::new().with_max_frames(2));
    let permit = block_on(target.reserve(64)).expect("there is room");
    assert_eq!(permit.room(), 64);
    assert_eq!(target.dispatch_message("1"), SENT);
    assert_eq!(target.dispatch_message("2"), Err(DispatchError::Full));
    assert_eq!(permit.dispatch(&Event::message("3")), SENT);
    assert_eq!(take(&mut stream), "data: 1\n\ndata: 3\n\n");
}

#[test]
fn a_permit_that_is_dropped_gives_its_room_back() {
    let (target, _stream) = channel_with(Limits::new().with_max_frames(1));
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
    assert_eq!(take(&mut stream), "data: 3\n\ndata: 4\n\n");
}

#[test]
fn nobody_overtakes_who_waits() {
    let limits = Limits::new().with_max_bytes(100);
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
    let limits = Limits::new().with_max_bytes(100);
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
    let limits = Limits::new().with_max_bytes(100);
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
    let limit = 1 << 20;
    let len = limit + 1;
    let outcome = target.reserve(len).now_or_never().expect("at once");
    assert_eq!(outcome.err(), Some(DispatchError::TooLarge { len, limit }));
}

#[test]
fn the_last_waker_counts() {
    let (target, mut stream) = full();
    let mut waits = Waits::new(&target, 10);
    let first = std::mem::take(&mut waits.wakes);
    assert!(waits.poll().is_pending());
    take(&mut stream);
    assert_eq!((first.count(), waits.woken()), (0, 1));
}

#[test]
fn polled_again_after_it_resolved_it_asks_for_as_much_again() {
    let (target, _stream) = channel_with(Limits::new().with_max_bytes(100));
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
        let (target, mut stream) = local_channel_with(Limits::new().with_max_frames(1));
        assert_eq!(target.dispatch_message("1"), SENT);
        let event = Event::message("2");
        let sends = async {
            let permit = target.reserve(event.encoded_len()).await.expect("open");
            permit.dispatch(&event)
        };
        let reads = async { [stream.next().await, stream.next().await] };
        let (sent, read) = futures::future::join(sends, reads).await;
        assert_eq!(sent, SENT);
        assert_eq!(read.map(Option::unwrap), ["data: 1\n\n", "data: 2\n\n"]);
    });
}
