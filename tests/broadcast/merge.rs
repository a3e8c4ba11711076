//! The merge of a subscription with a connection's own target: order, and ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use sse_proto::broadcast::{Key, Retention};
use sse_proto::target::{CloseReason, DispatchError, Limits, Overflow, channel_with};
use sse_proto::{Broadcast, Event, Frame, channel, local_channel};

use crate::support::fakes::Reader;
use crate::{broadcast, publish};

#[test]
fn a_personal_event_stands_behind_what_was_published_before_it() {
    let broadcast = broadcast();
    let (target, stream) = channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
    let retention = Retention::new(10_000, 4 << 20);
    let broadcast = Broadcast::with_key(retention, Key::number());
    let (target, stream) = local_channel();
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
        // Frames keep coming, and do not delay it.
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
    let (target, stream) = channel_with(Limits::new().with_max_frames(1));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    target.listen(sse_proto::target::On::every_event(), move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
    let event = Event::message("x").with_id(1_u32);
    let frame = Frame::new(&event);
    let refused = Err(DispatchError::HasId);
    assert_eq!(
        target.dispatch(&event),
        refused.map(|()| sse_proto::target::Dispatched::Sent)
    );
    assert_eq!(target.dispatch_frame(&frame), refused);
    // After a refusal, the room of the permit goes to the next one.
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
fn a_gap_marker_with_an_id_is_refused_once_merged() {
    let broadcast = broadcast();
    let limits = Limits::new()
        .with_max_frames(1)
        .with_overflow(Overflow::DropOldest);
    let (target, stream) = channel_with(limits);
    let marker = |event| Some(Frame::new(&event));
    let with_id = || marker(Event::message("lost").with_id(9_u32));
    assert_eq!(target.set_gap_marker(with_id()), Ok(()));
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
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
    let mut merged = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
    assert_eq!(merged.chunk(), "id: 9\ndata: x\n\n");
}
