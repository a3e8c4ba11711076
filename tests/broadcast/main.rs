//! What a broadcast promises beside what its model says (`broadcast_laws.rs`): here chunks and how they
//! are shared, its end, and time.

#![cfg(feature = "std")]

mod merge;
mod merge_ends;
mod others;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use sse_proto::broadcast::{Key, Publication, PublishError, Retention, Subscribed};
use sse_proto::deps::bytes::Bytes;
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventId, Frame, Subscription};
use support::fakes::Reader;

fn broadcast() -> Broadcast {
    Broadcast::with_key(Retention::default(), Key::number())
}

fn live(broadcast: &Broadcast) -> Reader<Subscription> {
    Reader::new(broadcast.subscribe(None).or_live_untold())
}

fn publish(broadcast: &Broadcast, data: &str) {
    broadcast
        .publish(&Event::message(data))
        .expect("it is open");
}

fn now(stream: &mut (impl Stream<Item = Bytes> + Unpin)) -> Bytes {
    stream.next().now_or_never().flatten().expect("a chunk")
}

// Chunks.

#[test]
fn what_waits_is_joined_once_for_all_at_the_same_place() {
    let broadcast = broadcast();
    let mut readers: Vec<_> = (0..100)
        .map(|_| broadcast.subscribe(None).or_live_untold())
        .collect();
    for data in ["1", "2", "3"] {
        publish(&broadcast, data);
    }
    let chunks: Vec<_> = readers.iter_mut().map(now).collect();
    for chunk in &chunks {
        assert_eq!(*chunk, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
        assert_eq!(chunk.as_ptr(), chunks[0].as_ptr(), "the same bytes");
    }
}

#[test]
fn a_chunk_has_64_kib_at_most_and_whole_frames() {
    let retention = Retention::new(10_000, 4 << 20);
    let broadcast = Broadcast::with_key(retention, Key::number());
    let mut reader = broadcast.subscribe(None).or_live_untold();
    let data = "x".repeat(999);
    for _ in 0..3_000 {
        publish(&broadcast, &data);
    }
    let (mut frames, mut chunks) = (0, 0);
    while let Some(Some(chunk)) = reader.next().now_or_never() {
        assert!(chunk.len() <= 64 * 1024, "{}", chunk.len());
        assert_eq!(chunk.len() % 1007, 0, "whole frames");
        assert!(chunk.starts_with(b"data: x") && chunk.ends_with(b"x\n\n"));
        frames += chunk.len() / 1007;
        chunks += 1;
    }
    assert_eq!(frames, 3_000);
    assert!(chunks < 60, "{chunks} chunks of 3 MB");
}

#[test]
fn a_frame_above_64_kib_is_a_chunk_of_its_own_and_is_not_copied() {
    let broadcast = broadcast();
    let mut reader = live(&broadcast);
    let large = Frame::new(&Event::message("x".repeat(100_000)));
    publish(&broadcast, "before");
    let answers = broadcast.publish_all([Publication::new(large.clone())]);
    assert_eq!(answers, [Ok(2)]);
    publish(&broadcast, "behind");
    assert_eq!(reader.chunk(), "data: before\n\n");
    let Poll::Ready(Some(chunk)) = reader.poll() else {
        panic!("no chunk");
    };
    assert_eq!(chunk.as_ptr(), large.as_bytes().as_ptr());
    assert_eq!(reader.chunk(), "data: behind\n\n");
    assert!(reader.is_pending());
}

#[test]
fn whole_segments_are_handed_out_without_a_copy() {
    let retention = Retention::new(10_000, 4 << 20);
    let broadcast = Broadcast::with_epoch(retention, 1);
    for _ in 0..3_000 {
        publish(&broadcast, &"x".repeat(1_000));
    }
    let start = EventId::from_static("1-0");
    let read = || {
        let mut reader = broadcast.subscribe(&start).or_live_untold();
        let mut places = Vec::new();
        while let Some(Some(chunk)) = reader.next().now_or_never() {
            // Kept, so that no other chunk gets the same address.
            places.push(chunk);
        }
        places
    };
    let (first, second) = (read(), read());
    let same = first.iter().zip(&second);
    let same = same
        .filter(|(one, other)| one.as_ptr() == other.as_ptr())
        .count();
    assert!(same >= first.len() - 2, "{same} of {} chunks", first.len());
}

// Refused.

#[test]
fn an_event_that_can_not_be_published_changes_nothing() {
    let assigning = Broadcast::with_epoch(Retention::new(1024, 40), 1);
    let mut reader = live(&assigning);
    let with_id = Event::message("x").with_id(1_u32);
    assert_eq!(assigning.publish(&with_id), Err(PublishError::AssignsIds));
    let frame = Frame::new(&Event::message("x"));
    assert_eq!(
        assigning.publish_all([Publication::new(frame)]),
        [Err(PublishError::AssignsIds)]
    );
    let large = Event::message("x".repeat(40));
    let error = PublishError::TooLarge { len: 56, limit: 40 };
    assert_eq!(assigning.publish(&large), Err(error));
    assert!(reader.is_pending());
    assert_eq!(assigning.statistics().published, 0);
    assert_eq!(assigning.publish(&Event::message("x")), Ok(1));
    assert_eq!(reader.chunk(), "id: 1-1\ndata: x\n\n");
}

#[test]
fn an_id_that_can_not_come_back_changes_nothing() {
    let broadcast = broadcast();
    let mut reader = live(&broadcast);
    let long = "x".repeat(1025);
    for (id, character, offset) in [
        (&*long, None, 1024),
        (" 1", Some(' '), 0),
        ("1 ", Some(' '), 1),
        ("1\t", Some('\t'), 1),
        ("é\u{7F}", Some('\u{7F}'), 2),
        ("a b\u{1}", Some('\u{1}'), 3),
    ] {
        let event = Event::message("x").with_id(EventId::new(id).expect("an event may have it"));
        let all = [Publication::new(Frame::new(&event))];
        let mut results = broadcast.publish_all(all);
        results.push(broadcast.publish(&event));
        results.push(broadcast.publish_to("room", &event));
        for result in results {
            let Err(PublishError::InvalidId(error)) = result else {
                panic!("{id:?}: {result:?}");
            };
            assert_eq!((error.character(), error.offset()), (character, offset));
        }
    }
    assert!(reader.is_pending());
    assert_eq!(broadcast.statistics().published, 0);

    let longest = "x".repeat(1024);
    let ids = [
        "",
        "-1",
        "a b\tc",
        "é\u{20AC}\u{1F600}\u{85}",
        "a, b",
        &longest,
    ];
    let all = ids.map(String::from);
    let key = move |id: &str| all.iter().position(|one| one == id).map(|at| at as u128);
    let broadcast = Broadcast::with_key(Retention::default(), Key::from_fn(key));
    for id in ids {
        let event = Event::message("x").with_id(EventId::new(id).expect("an event may have it"));
        assert!(broadcast.publish(&event).is_ok(), "{id:?}");
    }
}

// Its end.

#[test]
fn the_last_handle_closes_it() {
    let one = broadcast();
    let other = one.clone();
    let mut reader = live(&one);
    publish(&one, "x");
    drop(one);
    assert!(!other.is_closed());
    drop(other);
    assert_eq!(reader.chunk(), "data: x\n\n");
    assert!(reader.has_ended());
    assert_eq!(reader.stream.close_reason(), Some(CloseReason::Closed));
}

#[test]
fn a_subscriber_that_waits_is_woken_by_the_end() {
    let broadcast = broadcast();
    let mut reader = live(&broadcast);
    assert!(reader.is_pending());
    broadcast.close(None);
    assert_eq!(reader.wakes.take(), 1);
    assert!(reader.has_ended());
}

// Time.

#[test]
fn frames_that_are_too_old_are_dropped_by_whatever_comes_next() {
    let seconds = Arc::new(AtomicU64::new(1_700_000_000));
    let clock = Arc::clone(&seconds);
    let minute = Duration::from_secs(60);
    let now = move || Duration::from_secs(clock.load(Ordering::Relaxed));
    let retention = Retention::new(100, 1 << 20).with_max_age(minute, now);
    let broadcast = Broadcast::with_epoch(retention, 7);
    publish(&broadcast, "1");
    let pass = |time| seconds.fetch_add(time, Ordering::Relaxed);
    pass(60);
    let ask = || broadcast.subscribe(EventId::from_static("7-0"));
    assert!(matches!(ask(), Subscribed::Resumed { missed: 1, .. }));
    publish(&broadcast, "2");
    pass(1);
    assert!(matches!(ask(), Subscribed::Gap(_)));
    assert_eq!(broadcast.statistics().retained_frames, 1);
    // A time before the last one changes nothing.
    seconds.fetch_sub(30, Ordering::Relaxed);
    publish(&broadcast, "3");
    assert_eq!(broadcast.statistics().retained_frames, 2);
    pass(30 + 60);
    assert_eq!(broadcast.statistics().retained_frames, 1);
}
