//! What becomes of an event that finds the queue full: each policy, and what a client gets then.

#![cfg(feature = "std")]

mod holes;
#[path = "../support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use std::task::Poll;

use sse_proto::deps::bytes::Bytes;
use sse_proto::target::{
    CloseReason, DispatchError, Dispatched, Limits, On, Overflow, channel_with,
};
use sse_proto::{Event, EventStream, EventType, Frame, Target};
use support::oracle;

const SENT: Result<Dispatched, DispatchError> = Ok(Dispatched::Sent);

fn limits(overflow: Overflow) -> Limits {
    Limits::new().with_max_frames(3).with_overflow(overflow)
}

fn open(overflow: Overflow) -> (Target, EventStream) {
    channel_with(limits(overflow))
}

/// The next chunk, if something is queued.
fn next_chunk(stream: &mut EventStream) -> Option<Bytes> {
    match stream.try_next() {
        Poll::Ready(chunk) => chunk,
        Poll::Pending => None,
    }
}

fn event<'a>(event_type: &'a str, data: &'a str) -> Event<'a> {
    Event::new(EventType::new(event_type).expect("a valid type"), data)
}

/// All that the client gets: the data of each event, and the last event ID.
fn received(stream: &mut EventStream) -> (Vec<String>, String) {
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(stream) {
        bytes.extend_from_slice(&chunk);
    }
    let (_, last_event_id) = oracle::decode(&bytes, &oracle::Settings::default());
    let data = oracle::events(&bytes).into_iter().map(|said| match said {
        oracle::Said::Event { data, .. } => data,
        other => unreachable!("not an event: {other:?}"),
    });
    (data.collect(), last_event_id)
}

#[test]
fn refuse_is_the_default_and_keeps_what_is_queued() {
    let (target, mut stream) = channel_with(Limits::new().with_max_frames(3));
    for data in ["1", "2", "3"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    assert_eq!(target.dispatch_message("4"), Err(DispatchError::Full));
    assert_eq!(target.dropped_frames(), 0);
    assert_eq!(received(&mut stream).0, ["1", "2", "3"]);
}

#[test]
fn drop_oldest_keeps_the_newest_in_order() {
    let (target, mut stream) = open(Overflow::DropOldest);
    for data in ["1", "2", "3", "4", "5"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    assert_eq!((target.queued_frames(), target.dropped_frames()), (3, 2));
    assert_eq!(received(&mut stream).0, ["3", "4", "5"]);
}

#[test]
fn drop_oldest_drops_as_many_as_a_large_event_needs() {
    let limits = Limits::new()
        .with_max_bytes(100)
        .with_overflow(Overflow::DropOldest);
    let (target, _stream) = channel_with(limits);
    for _ in 0..10 {
        assert_eq!(target.dispatch_message("xx"), SENT);
    }
    assert_eq!((target.queued_bytes(), target.dropped_frames()), (100, 0));
    assert_eq!(target.dispatch_message(&"y".repeat(60)), SENT);
    assert_eq!((target.queued_bytes(), target.dropped_frames()), (98, 7));
}

#[test]
fn keep_newest_replaces_the_queued_one_of_its_type_and_comes_last() {
    let (target, mut stream) = open(Overflow::KeepNewest);
    for (event_type, data) in [("a", "a1"), ("b", "b1"), ("message", "m1"), ("b", "b2")] {
        assert_eq!(target.dispatch(&event(event_type, data)), SENT);
    }
    assert_eq!(target.dispatch_message("m2"), SENT, "a message has no type");
    assert_eq!(target.dropped_frames(), 2);
    assert_eq!(received(&mut stream).0, ["a1", "b2", "m2"]);
}

#[test]
fn keep_newest_replaces_nothing_before_the_queue_is_full() {
    let (target, mut stream) = open(Overflow::KeepNewest);
    for data in ["1", "2", "3"] {
        assert_eq!(target.dispatch(&event("a", data)), SENT);
    }
    assert_eq!(received(&mut stream).0, ["1", "2", "3"]);
}

#[test]
fn keep_newest_drops_the_oldest_of_another_type_where_its_own_is_not_enough() {
    let limits = Limits::new()
        .with_max_bytes(64)
        .with_overflow(Overflow::KeepNewest);
    let (target, mut stream) = channel_with(limits);
    for (event_type, data) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        assert_eq!(target.dispatch(&event(event_type, data)), SENT);
    }
    let large = "x".repeat(30);
    assert_eq!(target.dispatch(&event("a", &large)), SENT, "48 bytes");
    assert_eq!(target.dropped_frames(), 3);
    assert_eq!(received(&mut stream).0, [large]);
    assert_eq!(target.dispatch(&event("b", "b2")), SENT);
    assert_eq!(target.dispatch(&event("c", &"y".repeat(34))), SENT);
    assert_eq!(received(&mut stream).0, ["y".repeat(34)]);
}

#[test]
fn disconnect_ends_the_stream_drops_the_queue_and_tells_everybody() {
    let (target, stream) = channel_with(limits(Overflow::Disconnect));
    let told = Arc::new(Mutex::new(Vec::new()));
    let (tell, own) = (Arc::clone(&told), target.clone());
    target.on_close(move |reason| {
        assert!(own.is_closed());
        tell.lock().unwrap().push(reason);
    });
    target.listen(On::every_event(), |_| {});
    let closed = target.closed();
    for data in ["1", "2", "3"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    let overflow = Err(DispatchError::Closed(CloseReason::Overflow));
    assert_eq!(target.dispatch_message("4"), overflow);
    assert_eq!(target.dispatch_message("5"), overflow);
    assert_eq!(*told.lock().unwrap(), [CloseReason::Overflow]);
    assert_eq!(
        futures::executor::block_on(closed),
        CloseReason::Overflow,
        "who waits for the end knows"
    );
    assert!(!target.is_drained());
    assert_eq!(target.queued_frames(), 0);
    assert!(futures::executor::block_on_stream(stream).next().is_none());
}

#[test]
fn disconnect_wakes_the_reader_and_a_comment_disconnects_too() {
    use futures::FutureExt;
    use futures::StreamExt;
    let limits = Limits::new()
        .with_max_bytes(16)
        .with_overflow(Overflow::Disconnect);
    let (target, mut stream) = channel_with(limits);
    assert_eq!(stream.next().now_or_never(), None);
    assert_eq!(target.dispatch_message("12345678"), SENT);
    let overflow = Err(DispatchError::Closed(CloseReason::Overflow));
    assert_eq!(target.dispatch_comment("13 bytes"), overflow);
    assert_eq!(stream.next().now_or_never(), Some(None));
}

#[test]
fn what_is_larger_than_the_queue_is_too_large_and_drops_nothing() {
    for overflow in [
        Overflow::Refuse,
        Overflow::DropOldest,
        Overflow::KeepNewest,
        Overflow::Disconnect,
    ] {
        let limits = Limits::new().with_max_bytes(20).with_overflow(overflow);
        let (target, _stream) = channel_with(limits);
        assert_eq!(target.dispatch_message("x"), SENT);
        let too_large = DispatchError::TooLarge { len: 21, limit: 20 };
        assert_eq!(target.dispatch_message(&"x".repeat(13)), Err(too_large));
        assert_eq!((target.queued_frames(), target.is_closed()), (1, false));
    }
}

#[test]
fn comments_and_blocks_push_no_event_out_and_are_pushed_out() {
    for overflow in [Overflow::DropOldest, Overflow::KeepNewest] {
        let (target, mut stream) = open(overflow);
        assert_eq!(target.dispatch_comment("dropped later"), Ok(()));
        for data in ["1", "2"] {
            assert_eq!(target.dispatch_message(data), SENT);
        }
        let full = Err(DispatchError::Full);
        assert_eq!(target.dispatch_comment(""), full);
        let id_only = Event::block().with_id(7_u32);
        assert_eq!(target.dispatch(&id_only).map(|_| ()), full);
        assert_eq!(target.dispatch_frame(&Frame::new(&id_only)), full);
        // A type alone fires nothing.
        let typed = Event::block().with_event_type(EventType::from_static("a"));
        assert_eq!(target.dispatch_frame(&Frame::new(&typed)), full);
        assert_eq!(target.dropped_frames(), 0);
        let frame = Frame::new(&Event::message("3").with_comment("with\na comment"));
        assert_eq!(target.dispatch_frame(&frame), Ok(()));
        assert_eq!(target.dropped_frames(), 1);
        let expected = if matches!(overflow, Overflow::DropOldest) {
            vec!["1", "2", "3"]
        } else {
            // The oldest message, and not the comment.
            vec!["2", "3"]
        };
        assert_eq!(received(&mut stream).0, expected);
    }
}

#[test]
fn a_canceled_event_drops_nothing() {
    for overflow in [Overflow::DropOldest, Overflow::KeepNewest] {
        let (target, mut stream) = open(overflow);
        for data in ["1", "2", "3"] {
            assert_eq!(target.dispatch_message(data), SENT);
        }
        let id = target.listen(On::every_event(), |dispatch| {
            dispatch.prevent_default();
        });
        assert_eq!(target.dispatch_message("4"), Ok(Dispatched::Canceled));
        assert_eq!(target.dropped_frames(), 0);
        target.remove_listener(id);
        assert_eq!(received(&mut stream).0, ["1", "2", "3"]);
    }
}

#[test]
fn full_is_what_finds_no_room_beside_dispatches_under_way() {
    let (target, stream) = channel_with(
        Limits::new()
            .with_max_frames(1)
            .with_overflow(Overflow::DropOldest),
    );
    let own = target.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    target.listen(On::message(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        assert_eq!(own.dispatch_message("nested"), Err(DispatchError::Full));
    });
    assert_eq!(target.dispatch_message("1"), SENT);
    assert_eq!(target.dispatch_message("2"), SENT);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!((target.queued_frames(), target.dropped_frames()), (1, 1));
    drop(stream);
}

#[test]
fn the_marker_goes_out_once_for_each_gap_before_what_is_left() {
    let (target, mut stream) = open(Overflow::DropOldest);
    target
        .set_gap_marker(Some(Frame::new(&Event::message("gap"))))
        .unwrap();
    for data in ["1", "2", "3"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    assert_eq!(received(&mut stream).0, ["1", "2", "3"], "no gap yet");
    for data in ["4", "5", "6", "7", "8"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    assert_eq!((target.queued_frames(), target.queued_bytes()), (3, 27));
    assert_eq!(received(&mut stream).0, ["gap", "6", "7", "8"]);
    assert_eq!(target.dispatch_message("9"), SENT);
    assert_eq!(received(&mut stream).0, ["9"]);

    target.set_gap_marker(None).unwrap();
    for data in ["1", "2", "3", "4"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    assert_eq!(received(&mut stream).0, ["2", "3", "4"]);
    assert_eq!(target.dropped_frames(), 3);
}

#[test]
fn no_marker_follows_an_end_that_drops_the_queue() {
    let (target, mut stream) = open(Overflow::DropOldest);
    target
        .set_gap_marker(Some(Frame::new(&Event::message("gap"))))
        .unwrap();
    for data in ["1", "2", "3", "4"] {
        assert_eq!(target.dispatch_message(data), SENT);
    }
    target.abort();
    assert_eq!(next_chunk(&mut stream), None);
    assert_eq!(target.dropped_frames(), 1);
}

#[test]
fn the_client_holds_the_last_event_id_of_the_last_event_that_it_got() {
    let (target, mut stream) = open(Overflow::DropOldest);
    let numbered = |number: u32| Event::message("x").with_id(number);
    for number in 1..=3 {
        assert_eq!(target.dispatch(&numbered(number)), SENT);
    }
    assert_eq!(received(&mut stream).1, "3");
    for number in 4..=9 {
        assert_eq!(target.dispatch(&numbered(number)), SENT);
    }
    // Of 4 to 9, the first three are lost, and nothing that it sends asks for them.
    assert_eq!(next_chunk(&mut stream).unwrap().len(), 3 * 15);
    assert_eq!(target.dropped_frames(), 3);
    for number in 10..=12 {
        assert_eq!(target.dispatch(&numbered(number)), SENT);
    }
    assert_eq!(target.dispatch_message("without an id"), SENT);
    let (data, id) = received(&mut stream);
    assert_eq!((data.len(), id.as_str()), (3, "12"));
}
