//! A stream that runs allocates nothing for each event, and one that is gone leaves nothing.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use futures::{FutureExt, Stream};
use sse_proto::target::{Limits, On, Overflow, channel_with};
use sse_proto::{Event, EventStream, EventType, Frame, channel, local_channel};

/// What a language model's answer is made of: about 150 bytes on the wire.
fn delta() -> Event<'static> {
    const DELTA: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" and so it goes on and on, a word or two"}}"#;
    Event::new(EventType::from_static("delta"), black_box(DELTA))
}

fn next(stream: &mut EventStream) -> Bytes {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(stream).poll_next(&mut cx) {
        Poll::Ready(Some(chunk)) => chunk,
        other => panic!("no chunk: {other:?}"),
    }
}

fn assert_nothing_left(left: AllocationInfo) {
    assert_eq!((left.count_current, left.bytes_current), (0, 0), "{left:?}");
}

#[test]
fn an_event_allocates_nothing_when_the_consumer_drops_a_chunk_before_the_next_dispatch() {
    let (target, mut stream) = channel();
    for _ in 0..100 {
        assert!(target.dispatch(&delta()).is_ok());
        drop(next(&mut stream));
    }
    let made = measure(|| {
        for _ in 0..10_000 {
            assert!(target.dispatch(&delta()).is_ok());
            drop(next(&mut stream));
        }
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_burst_of_events_allocates_nothing_once_one_of_its_size_went_through() {
    let (target, mut stream) = channel();
    let burst = |stream: &mut EventStream| {
        for _ in 0..20 {
            assert!(target.dispatch(&delta()).is_ok());
        }
        drop(next(stream));
    };
    burst(&mut stream);
    burst(&mut stream);
    let made = measure(|| {
        for _ in 0..1_000 {
            burst(&mut stream);
        }
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn at_most_one_allocation_in_ten_events_when_the_consumer_holds_one_chunk() {
    const EVENTS: u64 = 10_000;
    let (target, mut stream) = channel();
    let mut held = Bytes::new();
    let made = measure(|| {
        for _ in 0..EVENTS {
            assert!(target.dispatch(&delta()).is_ok());
            held = next(&mut stream);
        }
    });
    assert!(made.count_total <= EVENTS / 10, "{made:?}");
    assert!(!held.is_empty());
}

/// A list that was copied for each of them would take quadratic time for all.
#[test]
fn removing_a_listener_copies_no_list() {
    for is_newest_first in [false, true] {
        let (target, _stream) = channel();
        let mut ids: Vec<_> = (0..10_000)
            .map(|_| target.listen(On::every_event(), |_| {}))
            .collect();
        if is_newest_first {
            ids.reverse();
        }
        let removed = measure(|| {
            for id in &ids {
                assert!(target.remove_listener(*id));
            }
        });
        assert_eq!(removed.count_total, 0);
        assert!(ids.iter().all(|id| !target.remove_listener(*id)));
    }
}

#[test]
fn an_event_that_listeners_hear_allocates_nothing() {
    let (target, mut stream) = channel();
    target.listen(On::every_event(), |dispatch| {
        black_box(dispatch.event().data());
    });
    target.listen(On::message(), |dispatch| {
        dispatch.prevent_default();
    });
    let mut both = || {
        assert!(target.dispatch(&delta()).is_ok());
        assert!(target.dispatch_message("canceled").is_ok());
        drop(next(&mut stream));
    };
    both();
    let made = measure(|| (0..1_000).for_each(|_| both()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_shared_frame_allocates_nothing_in_the_targets_that_take_it() {
    for data in ["small".to_owned(), "large".repeat(2_000)] {
        let frame = Frame::new(&Event::message(data));
        let mut channels: Vec<_> = (0..50).map(|_| local_channel()).collect();
        let mut round = || {
            for (target, stream) in &mut channels {
                assert!(target.dispatch_frame(&frame).is_ok());
                assert!(matches!(stream.try_next(), Poll::Ready(Some(_))));
            }
        };
        round();
        round();
        let made = measure(|| (0..100).for_each(|_| round()));
        assert_eq!(made.count_total, 0);
    }
}

#[test]
fn a_refused_event_allocates_nothing() {
    let (target, stream) = channel();
    while target.dispatch(&delta()).is_ok() {}
    let made = measure(|| {
        for _ in 0..1_000 {
            assert!(target.dispatch(&delta()).is_err());
        }
    });
    assert_eq!(made.count_total, 0);
    drop(stream);
    let made = measure(|| assert!(target.dispatch(&delta()).is_err()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_full_queue_that_drops_the_oldest_allocates_once_in_a_hundred_events_at_most() {
    const EVENTS: u64 = 20_000;
    let (target, _stream) = channel_with(Limits::new().with_overflow(Overflow::DropOldest));
    while target.dropped_frames() == 0 {
        assert!(target.dispatch(&delta()).is_ok());
    }
    let made = measure(|| {
        for _ in 0..EVENTS {
            assert!(target.dispatch(&delta()).is_ok());
        }
    });
    assert!(made.count_total <= EVENTS / 100, "{made:?}");
}

#[test]
fn a_permit_that_need_not_wait_allocates_nothing() {
    let (target, mut stream) = channel();
    let mut send = || {
        let permit = target.reserve(256).now_or_never();
        let permit = permit.and_then(Result::ok).expect("there is room");
        assert!(permit.dispatch(&delta()).is_ok());
        drop(next(&mut stream));
    };
    send();
    let made = measure(|| (0..1_000).for_each(|_| send()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_send_that_need_not_wait_allocates_nothing() {
    let (target, mut stream) = channel();
    let mut send = || {
        let event = delta();
        let sent = target.send(&event).now_or_never();
        assert!(sent.is_some_and(|sent| sent.is_ok()));
        drop(next(&mut stream));
    };
    send();
    let made = measure(|| (0..1_000).for_each(|_| send()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_million_who_waited_for_room_and_left_leave_nothing() {
    let (target, _stream) = channel_with(Limits::new().with_max_frames(1));
    assert!(target.dispatch(&delta()).is_ok());
    assert!(target.reserve(9).now_or_never().is_none());
    let made = measure(|| {
        for _ in 0..1_000_000 {
            assert!(target.reserve(9).now_or_never().is_none());
            assert!(target.send(&delta()).now_or_never().is_none());
        }
    });
    assert!(made.bytes_current <= 0 && made.bytes_max < 4096, "{made:?}");
}

#[test]
fn a_poll_that_is_pending_allocates_nothing() {
    let (_target, mut stream) = channel();
    let mut cx = Context::from_waker(Waker::noop());
    let made = measure(|| {
        for _ in 0..1_000 {
            assert!(Pin::new(&mut stream).poll_next(&mut cx).is_pending());
        }
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_channel_takes_less_than_360_bytes_before_its_first_event() {
    let mut ends = None;
    let made = measure(|| ends = Some(channel()));
    let inline = size_of_val(&ends) as u64;
    // Nothing was freed in between, so the most is what is held.
    assert!(made.bytes_max + inline < 360, "{made:?} and {inline}");
}

#[test]
fn ten_thousand_channels_opened_used_and_dropped_leave_nothing() {
    let life = |number: u32| {
        let (target, mut stream) = channel();
        let weak = target.downgrade();
        target.listen(On::every_event(), move |_| drop(weak.upgrade()));
        target.on_close(|_| {});
        target.on_error(|_| {});
        let closed = target.closed();
        assert!(target.dispatch(&delta()).is_ok());
        drop(next(&mut stream));
        assert!(target.dispatch_message("x".repeat(10_000).as_str()).is_ok());
        assert!(target.dispatch_comment("left in the queue").is_ok());
        // Each way to end it.
        match number % 6 {
            0 => drop(stream),
            1 => target.close(),
            2 => target.abort(),
            3 => target.fail("broken"),
            4 => stream.fail("broken"),
            _ => drop(target),
        }
        drop(closed);
    };
    // What a thread keeps for all of its targets is there from the first one on.
    life(0);
    assert_nothing_left(measure(|| (0..10_000).for_each(life)));
}

#[test]
fn a_million_closed_futures_made_and_dropped_leave_nothing() {
    let (target, _stream) = channel();
    let mut cx = Context::from_waker(Waker::noop());
    let made = measure(|| {
        for _ in 0..1_000_000 {
            let mut closed = target.closed();
            assert!(Pin::new(&mut closed).poll(&mut cx).is_pending());
        }
    });
    // Less than ten of them.
    assert!(made.bytes_max < 1024, "{made:?}");
}

#[test]
fn closed_futures_that_come_and_go_beside_some_that_stay_leave_nothing() {
    let (target, _stream) = channel();
    let stay: Vec<_> = (0..100).map(|_| target.closed()).collect();
    let made = measure(|| {
        for _ in 0..100_000 {
            drop(target.closed());
        }
    });
    // Less than as many as there are that stay.
    assert!(made.bytes_current < 16 * 1024, "{made:?}");
    drop(stay);
}
