//! What a broadcast promises beside what its model says (`broadcast_laws.rs`): chunks and how they are
//! shared, other people's code, and the merge with a connection's own target.

#![cfg(feature = "std")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use sse_proto::adapt::EventStreamExt;
use sse_proto::bytes::Bytes;
use sse_proto::futures_core::stream::FusedStream;
use sse_proto::{
    Broadcast, CloseReason, DispatchError, Event, EventId, EventType, Frame, Limits, PublishError,
    Retention, Scope, SubscribeOptions, Subscribed, Subscription, SubscriptionEnd, channel,
    channel_with, local_channel,
};
use support::fakes::{Reader, Wakes};

fn broadcast() -> Broadcast {
    Broadcast::new(Retention::new())
}

fn live(broadcast: &Broadcast) -> Reader<Subscription> {
    Reader::new(broadcast.subscribe(None).or_live())
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
        .map(|_| broadcast.subscribe(None).or_live())
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
    let retention = Retention::new().with_frames(10_000).with_bytes(4 << 20);
    let broadcast = Broadcast::new(retention);
    let mut reader = broadcast.subscribe(None).or_live();
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
    broadcast.publish_frame(&large).expect("it is open");
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
    let retention = Retention::new().with_frames(10_000).with_bytes(4 << 20);
    let broadcast = Broadcast::assigning_ids(retention, 1);
    for _ in 0..3_000 {
        publish(&broadcast, &"x".repeat(1_000));
    }
    let start = EventId::from_static("1-0~");
    let read = || {
        let mut reader = broadcast.subscribe(Some(&start)).or_live();
        let mut places = Vec::new();
        while let Some(Some(chunk)) = reader.next().now_or_never() {
            // Kept, so that no other chunk comes to stand there.
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
    let assigning = Broadcast::assigning_ids(Retention::new().with_bytes(40), 1);
    let mut reader = live(&assigning);
    let with_id = Event::message("x").with_id(1_u32);
    assert_eq!(assigning.publish(&with_id), Err(PublishError::HasId));
    let frame = Frame::new(&Event::message("x"));
    assert_eq!(assigning.publish_frame(&frame), Err(PublishError::IsFrame));
    let large = Event::message("x".repeat(40));
    let error = PublishError::TooLarge { len: 56, limit: 40 };
    assert_eq!(assigning.publish(&large), Err(error));
    assert!(reader.is_pending());
    assert_eq!(assigning.statistics().published, 0);
    assert_eq!(assigning.publish(&Event::message("x")), Ok(1));
    assert_eq!(reader.chunk(), "id: 1-1\ndata: x\n\n");
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
    assert_eq!(reader.stream.end(), Some(SubscriptionEnd::Closed));
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

// Whom it serves: the example of each rule in the docs is the test of it. Here what they leave out.

#[test]
fn a_plain_subscriber_gets_nothing_of_anybodys() {
    let broadcast = broadcast();
    let mut reader = live(&broadcast);
    let ann = Scope::new("ann");
    broadcast
        .publish_for(&ann, &Event::message("secret"))
        .expect("it is open");
    assert!(reader.is_pending());
    publish(&broadcast, "public");
    assert_eq!(reader.chunk(), "data: public\n\n");
}

#[test]
fn a_foreign_id_is_told_from_a_made_up_one_by_nothing() {
    let broadcast = Broadcast::assigning_ids(Retention::new().with_frames(2), 1);
    let bob = SubscribeOptions::new().with_scope(Scope::new("bob"));
    for scope in ["ann", "bob", "ann", "bob"] {
        let event = Event::message(scope);
        broadcast
            .publish_for(&Scope::new(scope), &event)
            .expect("it is open");
    }
    let ask = |id| {
        let subscribed = broadcast.subscribe_with(Some(&EventId::from_static(id)), &bob);
        let text = format!("{subscribed:?}");
        (matches!(subscribed, Subscribed::Unknown(_)), text)
    };
    let made_up = ask("1-99");
    assert!(made_up.0);
    // Ann's: one that is retained, one that is gone.
    assert_eq!(ask("1-3"), made_up);
    assert_eq!(ask("1-1"), made_up);
    // His own.
    assert!(!ask("1-4").0 && !ask("1-2").0);
}

// Other people's code.

/// Uses its broadcast when it is woken, cloned away and dropped: a deadlock if the lock is held.
struct Meddler {
    broadcast: Broadcast,
    panics: AtomicBool,
    woken: AtomicUsize,
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        self.broadcast.statistics();
        assert!(!self.panics.load(Ordering::Relaxed), "a waker's panic");
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.broadcast.statistics();
    }
}

fn meddler(broadcast: &Broadcast, panics: bool) -> Arc<Meddler> {
    Arc::new(Meddler {
        broadcast: broadcast.clone(),
        panics: AtomicBool::new(panics),
        woken: AtomicUsize::new(0),
    })
}

#[test]
fn wakers_run_and_are_dropped_without_the_lock() {
    let broadcast = broadcast();
    let mut subscription = broadcast.subscribe(None).or_live();
    for last in 0..4 {
        let waker = Waker::from(meddler(&broadcast, false));
        let mut cx = Context::from_waker(&waker);
        while subscription.poll_next_unpin(&mut cx).is_ready() {}
        drop(waker);
        // Only the broadcast holds it now. It goes by a wake, another waker, a drop, or the end.
        match last {
            0 => publish(&broadcast, "x"),
            1 => {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(subscription.poll_next_unpin(&mut cx).is_pending());
            }
            2 => subscription = broadcast.subscribe(None).or_live(),
            _ => broadcast.close(None),
        }
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_being_woken() {
    let broadcast = broadcast();
    let mut subscriptions: Vec<_> = (0..3)
        .map(|_| broadcast.subscribe(None).or_live())
        .collect();
    let meddlers: Vec<_> = (0..3).map(|at| meddler(&broadcast, at == 1)).collect();
    for (subscription, meddler) in subscriptions.iter_mut().zip(&meddlers) {
        let waker = Waker::from(Arc::clone(meddler));
        assert!(
            subscription
                .poll_next_unpin(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let published = catch_unwind(AssertUnwindSafe(|| publish(&broadcast, "x")));
    assert!(published.is_err(), "the panic goes on to who published");
    for meddler in &meddlers {
        assert_eq!(meddler.woken.load(Ordering::Relaxed), 1);
        meddler.panics.store(false, Ordering::Relaxed);
    }
    for subscription in &mut subscriptions {
        assert_eq!(now(subscription), "data: x\n\n");
    }
    publish(&broadcast, "y");
    assert_eq!(now(&mut subscriptions[1]), "data: y\n\n");
}

#[test]
fn a_predicate_may_use_the_broadcast_and_may_panic_and_nothing_is_lost() {
    let broadcast = broadcast();
    let (panics, used) = (Arc::new(AtomicBool::new(true)), broadcast.clone());
    let asked = Arc::clone(&panics);
    let options = SubscribeOptions::new().with_filter(move |frame| {
        used.statistics();
        assert!(!asked.load(Ordering::Relaxed), "a predicate's panic");
        frame.event_type() == Some("a")
    });
    let mut subscription = broadcast.subscribe_with(None, &options).or_live();
    drop(options);
    let a = |data| Event::new(EventType::from_static("a"), data);
    broadcast.publish(&a("1")).expect("it is open");
    publish(&broadcast, "2");
    broadcast.publish(&a("3")).expect("it is open");
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| now(&mut subscription))).is_err());
    }
    panics.store(false, Ordering::Relaxed);
    assert_eq!(
        now(&mut subscription),
        "event: a\ndata: 1\n\nevent: a\ndata: 3\n\n"
    );
    assert_eq!(broadcast.statistics().most_behind, 0);
}

#[test]
fn a_panic_about_what_was_skipped_leaves_the_subscriber_at_the_oldest() {
    let broadcast = Broadcast::new(Retention::new().with_frames(1));
    let options = SubscribeOptions::new().with_skip_ahead(|_| panic!("the caller's"));
    let mut subscription = broadcast.subscribe_with(None, &options).or_live();
    publish(&broadcast, "1");
    publish(&broadcast, "2");
    assert!(catch_unwind(AssertUnwindSafe(|| now(&mut subscription))).is_err());
    assert_eq!(now(&mut subscription), "data: 2\n\n");
}

#[test]
fn who_asks_only_for_what_is_there_takes_no_wake_from_the_task_that_waits() {
    let broadcast = broadcast();
    // Behind what it gives, it asks for more that is there already.
    let mut reader = Reader::new(broadcast.subscribe(None).or_live().coalesce(100));
    publish(&broadcast, "1");
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
    publish(&broadcast, "2");
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "data: 2\n\n");
}

#[test]
fn each_poll_of_another_task_is_the_one_that_is_woken() {
    let broadcast = broadcast();
    let mut subscription = broadcast.subscribe(None).or_live();
    let tasks: Vec<_> = (0..3).map(|_| Wakes::new()).collect();
    for task in &tasks {
        let waker = task.waker();
        assert!(
            subscription
                .poll_next_unpin(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    publish(&broadcast, "x");
    let woken: Vec<_> = tasks.iter().map(|task| task.take()).collect();
    assert_eq!(woken, [0, 0, 1]);
}

// The merge.

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

// Time.

#[test]
fn a_time_before_the_last_one_changes_nothing() {
    let second = Duration::from_secs(1);
    let broadcast = Broadcast::new(Retention::new().with_age(second));
    broadcast.advance(5 * second);
    publish(&broadcast, "1");
    broadcast.advance(2 * second);
    publish(&broadcast, "2");
    broadcast.advance(6 * second);
    assert_eq!(broadcast.statistics().retained_frames, 2);
    broadcast.advance(7 * second);
    assert_eq!(broadcast.statistics().retained_frames, 0);
}
