//! The merge of a subscription with a connection's own target: order, ids, and the end of both.

#![cfg(feature = "std")]

mod support;

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::futures_core::stream::FusedStream;
use sse_proto::{
    Broadcast, CloseReason, DispatchError, Event, EventType, Frame, Limits, Overflow, Retention,
    Scope, SubscribeOptions, channel, channel_with, local_channel,
};
use support::fakes::Reader;

fn broadcast() -> Broadcast {
    Broadcast::new(Retention::new())
}

fn publish(broadcast: &Broadcast, data: &str) {
    broadcast
        .publish(&Event::message(data))
        .expect("it is open");
}

#[test]
fn a_personal_event_stands_behind_what_was_published_before_it() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    assert!(merged.is_pending());
    publish(&broadcast, "1");
    target.dispatch_message("own").expect("it is open");
    publish(&broadcast, "2");
    let wire = merged.chunk() + &merged.chunk();
    assert_eq!(wire, "data: 1\n\ndata: 2\n\ndata: own\n\n");
    assert!(merged.is_pending());
    target.dispatch_message("own").expect("it is open");
    assert_eq!(merged.wakes.take(), 1);
    assert_eq!(merged.chunk(), "data: own\n\n");
    publish(&broadcast, "3");
    assert_eq!(merged.chunk(), "data: 3\n\n");
}

#[test]
fn a_personal_event_waits_for_all_chunks_in_front_of_it_and_for_no_more() {
    let retention = Retention::new().with_frames(10_000).with_bytes(4 << 20);
    let broadcast = Broadcast::new(retention);
    let (target, stream) = local_channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    for _ in 0..2_000 {
        publish(&broadcast, &"x".repeat(92));
    }
    target.dispatch_message("own").expect("it is open");
    let mut before = 0;
    loop {
        let chunk = merged.chunk();
        if chunk == "data: own\n\n" {
            break;
        }
        before += chunk.len() / 100;
        // However fast they come.
        for _ in 0..1_000 {
            publish(&broadcast, &"x".repeat(92));
        }
    }
    assert!(
        (2_000..4_000).contains(&before),
        "{before} frames in front of it"
    );
}

#[test]
fn what_is_personal_has_no_id() {
    let broadcast = broadcast();
    let (target, stream) = channel_with(Limits::new().with_frames(1));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    target.listen(sse_proto::On::every_event(), move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    let event = Event::message("x").with_id(1_u32);
    let frame = Frame::new(&event);
    let refused = Err(DispatchError::HasId);
    assert_eq!(
        target.dispatch(&event),
        refused.map(|()| sse_proto::Dispatched::Sent)
    );
    assert_eq!(target.dispatch_frame(&frame), refused);
    // The room of a permit that is refused is the next one's.
    for as_frame in [false, true] {
        let permit = target
            .reserve(20)
            .now_or_never()
            .expect("there is room")
            .expect("it is open");
        let mut waits = target.reserve(20);
        assert!((&mut waits).now_or_never().is_none());
        let outcome = if as_frame {
            permit.dispatch_frame(&frame)
        } else {
            permit.dispatch(&event).map(|_| ())
        };
        assert_eq!(outcome, refused);
        assert!(waits.now_or_never().expect("there is room").is_ok());
    }
    assert_eq!(heard.load(Ordering::Relaxed), 0, "no listener has run");
    assert!(merged.is_pending());
    target.close();
    let closed = Err(DispatchError::Closed(CloseReason::Closed));
    assert_eq!(target.dispatch_frame(&frame), closed);
}

#[test]
fn closing_the_target_ends_the_merged_stream_and_the_subscription() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    assert!(merged.is_pending());
    target.dispatch_message("bye").expect("it is open");
    target.close();
    assert_eq!(merged.chunk(), "data: bye\n\n");
    assert!(merged.has_ended());
    assert!(target.is_drained());
    assert_eq!(broadcast.statistics().subscribers, 0);
}

#[test]
fn closing_the_broadcast_closes_the_target_and_the_farewell_is_last() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    let seen = Arc::new(Mutex::new(None));
    let reason = Arc::clone(&seen);
    target.on_close(move |why| *reason.lock().unwrap() = Some(why));
    publish(&broadcast, "1");
    target.dispatch_message("own").expect("it is open");
    broadcast.close(Some(Frame::new(&Event::message("bye"))));
    let chunks = [merged.chunk(), merged.chunk(), merged.chunk()];
    assert_eq!(chunks, ["data: 1\n\n", "data: own\n\n", "data: bye\n\n"]);
    assert!(merged.has_ended());
    assert_eq!(*seen.lock().unwrap(), Some(CloseReason::Closed));
}

#[test]
fn a_merged_subscriber_that_lags_ends_its_target() {
    let broadcast = Broadcast::new(Retention::new().with_frames(1));
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    publish(&broadcast, "1");
    publish(&broadcast, "2");
    assert!(merged.has_ended());
    assert_eq!(target.close_reason(), Some(CloseReason::Overflow));
}

#[test]
fn dropping_a_merged_stream_is_a_client_that_is_gone() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let merged = broadcast.subscribe(None).or_live().merge(stream);
    assert!(!merged.is_terminated());
    drop(merged);
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    assert_eq!(broadcast.statistics().subscribers, 0);
}

/// Retains all that a test publishes.
fn roomy() -> Broadcast {
    Broadcast::new(Retention::new().with_frames(100_000).with_bytes(64 << 20))
}

/// A thousand bytes each.
fn publish_many(broadcast: &Broadcast, many: usize) {
    for _ in 0..many {
        publish(broadcast, &"x".repeat(992));
    }
}

fn only(event_type: &'static str) -> SubscribeOptions {
    SubscribeOptions::new().with_event_types([EventType::from_static(event_type)])
}

#[test]
fn a_closed_target_ends_the_stream_behind_frames_of_others() {
    for filtered in [false, true] {
        let broadcast = broadcast();
        let (target, stream) = channel();
        let options = if filtered {
            only("a")
        } else {
            SubscribeOptions::new()
        };
        let subscription = broadcast.subscribe_with(None, &options).or_live();
        let mut merged = Reader::new(subscription.merge(stream));
        broadcast
            .publish_for(&Scope::new("bob"), &Event::message("secret"))
            .expect("it is open");
        target.close();
        assert!(merged.has_ended());
    }
}

#[test]
fn nothing_follows_an_abort_while_a_personal_event_waits_for_its_turn() {
    for close_before in [false, true] {
        let broadcast = roomy();
        let (target, stream) = channel_with(Limits::new().with_chunk(1));
        let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
        publish_many(&broadcast, 300);
        target.dispatch_message("own").expect("it is open");
        target.dispatch_message("own too").expect("it is open");
        merged.chunk();
        if close_before {
            // It would still deliver.
            target.close();
        }
        target.abort();
        assert!(merged.has_ended());
    }
}

#[test]
fn nothing_follows_a_lag_while_a_personal_event_waits_for_its_turn() {
    let broadcast = Broadcast::new(Retention::new().with_frames(200).with_bytes(64 << 20));
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    publish_many(&broadcast, 200);
    target.dispatch_message("own").expect("it is open");
    merged.chunk();
    publish_many(&broadcast, 200);
    assert!(merged.has_ended());
    assert_eq!(target.close_reason(), Some(CloseReason::Overflow));
}

#[test]
fn a_shutdown_delivers_what_stands_behind_many_frames_of_others() {
    let broadcast = roomy();
    let (_target, stream) = channel();
    let subscription = broadcast.subscribe_with(None, &only("a")).or_live();
    let bye = Frame::new(&Event::message("bye"));
    let merged = subscription.merge(stream).until(ready(()));
    let merged = merged.with_farewell(bye);
    publish_many(&broadcast, 3_000);
    let last = Event::new(EventType::from_static("a"), "last");
    broadcast.publish(&last).expect("it is open");
    let chunks = block_on(merged.collect::<Vec<_>>());
    assert_eq!(chunks, ["event: a\ndata: last\n\n", "data: bye\n\n"]);
}

#[test]
fn it_says_that_it_has_ended_only_when_it_has() {
    let broadcast = roomy();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    publish_many(&broadcast, 300);
    target.close();
    while let Poll::Ready(Some(_)) = {
        assert!(!merged.stream.is_terminated());
        merged.poll()
    } {}
    assert!(merged.has_ended());
}

#[test]
fn a_gap_marker_with_an_id_is_refused_once_merged() {
    let broadcast = broadcast();
    let limits = Limits::new()
        .with_frames(1)
        .with_overflow(Overflow::DropOldest);
    let (target, stream) = channel_with(limits);
    let marker = |event| Some(Frame::new(&event));
    let with_id = || marker(Event::message("lost").with_id(9_u32));
    assert_eq!(target.set_gap_marker(with_id()), Ok(()));
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    let without = marker(Event::message("lost"));
    assert_eq!(target.set_gap_marker(without), Ok(()));
    assert_eq!(target.set_gap_marker(with_id()), Err(DispatchError::HasId));
    for data in ["1", "2"] {
        target.dispatch_message(data).expect("it is open");
    }
    let wire = merged.chunk() + &merged.chunk();
    assert_eq!(wire, "data: lost\n\ndata: 2\n\n");
}

#[test]
fn what_was_queued_before_the_merge_goes_out_as_it_is() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let before = Event::message("x").with_id(9_u32);
    target.dispatch(&before).expect("it is open");
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    assert_eq!(merged.chunk(), "id: 9\ndata: x\n\n");
}

#[test]
fn the_farewell_of_a_broadcast_that_was_closed_comes_though_the_target_is_closed_too() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live().merge(stream));
    publish(&broadcast, "1");
    broadcast.close(Some(Frame::new(&Event::message("bye"))));
    target.close();
    assert_eq!(
        [merged.chunk(), merged.chunk()],
        ["data: 1\n\n", "data: bye\n\n"]
    );
    assert!(merged.has_ended());
}

#[test]
fn there_is_one_farewell_in_whatever_order_all_ends() {
    for order in 0..4 {
        let broadcast = broadcast();
        let (target, stream) = local_channel();
        let (shut_down, shutdown) = oneshot::channel::<()>();
        let merged = broadcast
            .subscribe(None)
            .or_live()
            .merge(stream)
            .until(shutdown);
        let merged = merged.with_farewell(Frame::new(&Event::message("bye: until")));
        let mut merged = Reader::new(merged);
        target.dispatch_message("own").expect("it is open");
        publish(&broadcast, "all");
        let close = || broadcast.close(Some(Frame::new(&Event::message("bye: broadcast"))));
        let mut wire = String::new();
        let mut shut_down = Some(shut_down);
        let mut shut_down = || shut_down.take().map(|now| now.send(()));
        match order {
            0 => {
                close();
                wire += &merged.chunk();
                shut_down();
            }
            1 => {
                shut_down();
                close();
            }
            2 => {
                shut_down();
                wire += &merged.chunk();
                close();
            }
            _ => {
                close();
                wire += &merged.chunk();
                wire += &merged.chunk();
                target.close();
                shut_down();
            }
        }
        while let Poll::Ready(Some(chunk)) = merged.poll() {
            wire += std::str::from_utf8(&chunk).expect("a text");
        }
        assert!(
            wire.starts_with("data: all\n\ndata: own\n\ndata: bye: "),
            "{order}: {wire}"
        );
        assert_eq!(wire.matches("bye").count(), 1, "{order}: {wire}");
    }
}
