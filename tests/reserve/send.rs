//! `send`: where a dispatch would be refused for want of room, it waits, and then it is a dispatch.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::{FutureExt, StreamExt};
use sse_proto::target::{
    CloseReason, DispatchError, Dispatched, Limits, On, Overflow, channel_with, local_channel_with,
};
use sse_proto::{Event, EventType, Target};

use crate::support::fakes::Wakes;
use crate::{SENT, Waits, full, take};

/// A task that sends.
struct Sends<'a> {
    send: Pin<Box<dyn Future<Output = Result<Dispatched, DispatchError>> + 'a>>,
    wakes: Arc<Wakes>,
}

impl<'a> Sends<'a> {
    fn new(target: &'a Target, event: &'a Event<'a>) -> Self {
        let (send, wakes) = (Box::pin(target.send(event)), Wakes::new());
        let mut sends = Self { send, wakes };
        assert!(sends.poll().is_pending());
        sends
    }

    fn poll(&mut self) -> Poll<Result<Dispatched, DispatchError>> {
        let waker = self.wakes.waker();
        self.send.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.wakes.count()
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("it need not wait")
}

fn one_frame(overflow: Overflow) -> Limits {
    Limits::new().with_max_frames(1).with_overflow(overflow)
}

#[test]
fn with_room_it_is_a_dispatch() {
    let (target, mut stream) = channel_with(Limits::new());
    assert_eq!(now(target.send(&Event::message("1"))), SENT);
    assert_eq!(take(&mut stream), "data: 1\n\n");
}

#[test]
fn senders_and_reservers_stand_in_one_line() {
    let (target, mut stream) = full();
    let (second, fourth) = (Event::message("b"), Event::message("d"));
    let mut first = Waits::new(&target, 9);
    let mut second = Sends::new(&target, &second);
    let mut third = Waits::new(&target, 9);
    let mut fourth = Sends::new(&target, &fourth);
    let woken = |first: &Waits, second: &Sends, third: &Waits, fourth: &Sends| {
        [first.woken(), second.woken(), third.woken(), fourth.woken()]
    };
    take(&mut stream);
    assert_eq!(woken(&first, &second, &third, &fourth), [1, 0, 0, 0]);
    assert!(second.poll().is_pending());
    take(&mut stream);
    assert_eq!(woken(&first, &second, &third, &fourth), [1, 1, 0, 0]);
    assert_eq!(target.dispatch_message("x"), Err(DispatchError::Full));
    assert_eq!(second.poll(), Poll::Ready(SENT));
    assert_eq!(first.permit().dispatch(&Event::message("a")), SENT);
    assert_eq!(take(&mut stream), "data: b\n\ndata: a\n\n");
    assert_eq!(woken(&first, &second, &third, &fourth), [1, 1, 1, 1]);
    assert_eq!(fourth.poll(), Poll::Ready(SENT));
    drop(third.permit());
}

#[test]
fn the_listeners_run_once_and_with_the_room_held() {
    let (target, mut stream) = full();
    let runs = Arc::new(AtomicUsize::new(0));
    let (count, own) = (Arc::clone(&runs), target.downgrade());
    target.listen(On::message(), move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let own = own.upgrade().expect("it is open");
        assert_eq!(own.dispatch_comment("no room"), Err(DispatchError::Full));
    });
    let event = Event::message("3");
    let mut sends = Sends::new(&target, &event);
    assert!(sends.poll().is_pending());
    assert_eq!(runs.load(Ordering::Relaxed), 0, "there is no room yet");
    take(&mut stream);
    assert_eq!(sends.poll(), Poll::Ready(SENT));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[test]
fn a_canceled_event_gives_its_room_to_the_next() {
    let (target, mut stream) = full();
    let tick = EventType::from_static("tick");
    target.listen(On::event_type(&tick), |dispatch| {
        dispatch.prevent_default();
    });
    let (canceled, sent) = (Event::new(tick, ""), Event::message("3"));
    let mut first = Sends::new(&target, &canceled);
    let mut second = Sends::new(&target, &sent);
    take(&mut stream);
    assert_eq!((first.woken(), second.woken()), (1, 0));
    assert_eq!(first.poll(), Poll::Ready(Ok(Dispatched::Canceled)));
    assert_eq!(second.woken(), 1);
    assert_eq!(second.poll(), Poll::Ready(SENT));
}

#[test]
fn a_listener_that_panics_gives_the_room_to_the_next() {
    let (target, mut stream) = full();
    let tick = EventType::from_static("tick");
    target.listen(On::event_type(&tick), |_| {
        resume_unwind(Box::new("a panic"))
    });
    let (panics, sent) = (Event::new(tick, ""), Event::message("3"));
    let mut first = Sends::new(&target, &panics);
    let mut second = Sends::new(&target, &sent);
    take(&mut stream);
    assert!(catch_unwind(AssertUnwindSafe(|| first.poll())).is_err());
    assert_eq!(second.woken(), 1);
    assert_eq!(second.poll(), Poll::Ready(SENT));
}

#[test]
fn dropped_before_it_resolves_it_sends_nothing_and_the_next_moves_up() {
    let (target, mut stream) = full();
    let event = Event::message("3");
    // Without room, and with room that it has not taken.
    for served in [false, true] {
        let leaves = Sends::new(&target, &event);
        let mut next = Waits::new(&target, 9);
        if served {
            take(&mut stream);
            assert_eq!((leaves.woken(), next.woken()), (1, 0));
        }
        let frames = target.queued_frames();
        drop(leaves);
        assert_eq!(target.queued_frames(), frames);
        assert_eq!(next.woken(), usize::from(served));
        assert_eq!(next.poll().is_ready(), served);
    }
}

#[test]
fn polled_again_it_gives_the_same_and_sends_nothing() {
    let (target, mut stream) = channel_with(one_frame(Overflow::Refuse));
    let (first, second) = (Event::message("1"), Event::message("2"));
    let mut sends = target.send(&first);
    assert_eq!(now(&mut sends), SENT);
    assert_eq!(now(&mut sends), SENT);
    let mut waits = Sends::new(&target, &second);
    assert_eq!(take(&mut stream), "data: 1\n\n");
    assert_eq!(waits.poll(), Poll::Ready(SENT));
    assert_eq!(waits.poll(), Poll::Ready(SENT));
    assert_eq!(take(&mut stream), "data: 2\n\n");
    assert_eq!(target.queued_frames(), 0);
}

#[test]
fn what_never_fits_and_what_comes_too_late_is_refused() {
    let limits = one_frame(Overflow::Refuse).with_max_bytes(20);
    let (target, stream) = channel_with(limits);
    let large = Event::message("x".repeat(13));
    let too_large = DispatchError::TooLarge { len: 21, limit: 20 };
    assert_eq!(now(target.send(&large)), Err(too_large));
    let event = Event::message("x");
    assert_eq!(now(target.send(&event)), SENT);
    let mut waits = Sends::new(&target, &event);
    drop(stream);
    assert_eq!(waits.woken(), 1);
    let gone = Err(DispatchError::Closed(CloseReason::ClientGone));
    assert_eq!(waits.poll(), Poll::Ready(gone));
    assert_eq!(now(target.send(&event)), gone);
}

#[test]
fn a_policy_that_drops_makes_room_for_an_event_and_none_for_a_block() {
    for overflow in [Overflow::DropOldest, Overflow::KeepNewest] {
        let (target, mut stream) = channel_with(one_frame(overflow));
        for data in ["1", "2"] {
            assert_eq!(now(target.send(&Event::message(data))), SENT);
        }
        assert_eq!(target.dropped_frames(), 1);
        let block = Event::block().with_comment("3");
        let mut waits = Sends::new(&target, &block);
        assert_eq!(take(&mut stream), "data: 2\n\n");
        assert_eq!(waits.poll(), Poll::Ready(SENT));
        assert_eq!(take(&mut stream), ": 3\n");
    }
}

#[test]
fn a_policy_that_drops_makes_an_event_wait_for_those_before_it_and_for_no_client() {
    for overflow in [Overflow::DropOldest, Overflow::KeepNewest] {
        let (target, mut stream) = channel_with(one_frame(overflow));
        assert_eq!(target.dispatch_message("1"), SENT);
        let first = Waits::new(&target, 9);
        let event = Event::message("2");
        let mut second = Sends::new(&target, &event);
        drop(first);
        assert_eq!(second.woken(), 1, "the client has read nothing");
        assert_eq!(target.dropped_frames(), 0, "it may still be canceled");
        assert_eq!(second.poll(), Poll::Ready(SENT));
        assert_eq!(target.dropped_frames(), 1);
        assert_eq!(take(&mut stream), "data: 2\n\n");
    }
}

#[test]
fn a_policy_that_disconnects_ends_the_stream() {
    let (target, _stream) = channel_with(one_frame(Overflow::Disconnect));
    let event = Event::message("1");
    assert_eq!(now(target.send(&event)), SENT);
    let overflow = Err(DispatchError::Closed(CloseReason::Overflow));
    assert_eq!(now(target.send(&event)), overflow);

    // What others hold is not the client's doing.
    let (target, _stream) = channel_with(one_frame(Overflow::Disconnect));
    let permit = now(target.reserve(9)).expect("there is room");
    let mut waits = Sends::new(&target, &event);
    drop(permit);
    assert_eq!(waits.poll(), Poll::Ready(SENT));
}

#[test]
fn on_one_thread_it_is_the_same() {
    let (target, stream) = local_channel_with(one_frame(Overflow::Refuse));
    let heard = Rc::new(Cell::new(0));
    let count = Rc::clone(&heard);
    target.listen(On::message(), move |_| count.set(count.get() + 1));
    let sends = async move {
        for number in 0..10_u32 {
            let event = Event::message("x").with_id(number);
            assert_eq!(target.send(&event).await, SENT);
        }
    };
    let both = futures::future::join(sends, stream.count());
    let ((), chunks) = futures::executor::block_on(both);
    assert_eq!((chunks, heard.get()), (10, 10));
}
