//! How a merged stream ends: with its target, with the broadcast, with the client.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures::StreamExt;
use futures::channel::oneshot;
use futures::executor::block_on;
use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventStreamExt, EventType, Frame, channel, local_channel};

use crate::support::fakes::Reader;
use crate::{broadcast, publish};

/// Retains all that a test publishes.
fn roomy() -> Broadcast {
    Broadcast::with_key(Retention::new(100_000, 64 << 20), Key::number())
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
fn closing_the_target_ends_the_merged_stream_and_the_subscription() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
    let broadcast = Broadcast::with_key(Retention::new(1, 64 << 20), Key::number());
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
    publish(&broadcast, "1");
    publish(&broadcast, "2");
    assert!(merged.has_ended());
    assert_eq!(target.close_reason(), Some(CloseReason::Overflow));
}

#[test]
fn dropping_a_merged_stream_is_a_client_that_is_gone() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let merged = broadcast.subscribe(None).or_live_untold().merge(stream);
    drop(merged);
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    assert_eq!(broadcast.statistics().subscribers, 0);
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
        let subscription = broadcast.subscribe_with(None, &options).or_live_untold();
        let mut merged = Reader::new(subscription.merge(stream));
        broadcast
            .publish_to("bob", &Event::message("secret"))
            .expect("it is open");
        target.close();
        assert!(merged.has_ended());
    }
}

#[test]
fn nothing_follows_an_abort_while_a_personal_event_waits_for_its_turn() {
    for close_before in [false, true] {
        let broadcast = roomy();
        let (target, stream) = channel();
        let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
        publish_many(&broadcast, 300);
        target.dispatch_message("own").expect("it is open");
        // So large that it is no part of the chunk before.
        let own_too = Frame::new(&Event::message("x".repeat(5_000)));
        target.dispatch_frame(&own_too).expect("it is open");
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
    let broadcast = Broadcast::with_key(Retention::new(200, 64 << 20), Key::number());
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
    let subscription = broadcast.subscribe_with(None, &only("a")).or_live_untold();
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
fn the_farewell_of_a_broadcast_that_was_closed_comes_though_the_target_is_closed_too() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
        let (shut_down, ended) = oneshot::channel::<()>();
        let merged = broadcast
            .subscribe(None)
            .or_live_untold()
            .merge(stream)
            .until(ended);
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

#[test]
fn a_client_that_is_sent_away_gets_only_the_farewell() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let subscription = broadcast.subscribe(None).or_live_untold();
    let handle = subscription.handle();
    let mut merged = Reader::new(subscription.merge(stream));
    publish(&broadcast, "1");
    target.dispatch_message("own").expect("it is open");
    assert!(handle.close(Some(Frame::new(&Event::message("bye")))));
    assert_eq!(merged.chunk(), "data: bye\n\n");
    assert!(merged.has_ended());
    assert_eq!(target.close_reason(), Some(CloseReason::SentAway));
}
