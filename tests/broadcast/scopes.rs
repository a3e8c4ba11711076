//! What a subscriber may see and takes: the rules that the examples in the docs leave out.

use std::task::Poll;

use futures::{FutureExt, StreamExt};
use sse_proto::broadcast::{PublishError, Retention, Scope, SubscribeOptions, Subscribed};
use sse_proto::{Broadcast, Event, EventId, EventType, Frame};

use crate::support::fakes::Reader;
use crate::{broadcast, live, publish};

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
    let broadcast = Broadcast::assigning_ids(Retention::new().with_max_frames(2), 1);
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
    // Of Ann: one that is retained, one that is dropped.
    assert_eq!(ask("1-3"), made_up);
    assert_eq!(ask("1-1"), made_up);
    // Of Bob.
    assert!(!ask("1-4").0 && !ask("1-2").0);
}

/// What a subscriber that sees no scope is told of ids.
fn ask<const N: usize>(broadcast: &Broadcast, ids: [&'static str; N]) -> [&'static str; N] {
    ids.map(
        |id| match broadcast.subscribe(Some(&EventId::from_static(id))) {
            Subscribed::Live(_) => "live",
            Subscribed::Resumed { .. } => "resumed",
            Subscribed::Gap(_) => "gap",
            Subscribed::Unknown(_) => "unknown",
        },
    )
}

#[test]
fn an_assigned_id_is_known_as_long_as_no_frame_with_a_scope_behind_it_is_forgotten() {
    let retention = Retention::new().with_max_frames(1).with_remembered_ids(1);
    let broadcast = Broadcast::assigning_ids(retention, 1);
    let ann = Scope::new("ann");
    let private = || {
        broadcast
            .publish_for(&ann, &Event::message("private"))
            .expect("it is open")
    };
    publish(&broadcast, "1");
    private();
    for data in ["3", "4", "5"] {
        publish(&broadcast, data);
    }
    // The one with a scope is remembered.
    assert_eq!(
        ask(&broadcast, ["1-1", "1-2", "1-3", "1-4"]),
        ["gap", "unknown", "gap", "resumed"]
    );
    private();
    for data in ["7", "8"] {
        publish(&broadcast, data);
    }
    // 2 is forgotten, so it cannot be told from 1. All ids after it are known.
    assert_eq!(
        ask(&broadcast, ["1-1", "1-2", "1-3", "1-5", "1-6", "1-7"]),
        ["unknown", "unknown", "gap", "gap", "unknown", "resumed"]
    );
}

#[test]
fn a_scope_that_is_too_long_is_refused_where_it_is_published_for() {
    let longest = Scope::new("x".repeat(256));
    let longer = Scope::new("x".repeat(257));
    let event = Event::message("x");
    let frame = Frame::new(&event);
    let refused = Err(PublishError::ScopeTooLong);
    let own = broadcast();
    assert_eq!(own.publish_for(&longest, &event), Ok(1));
    assert_eq!(own.publish_for(&longer, &event), refused);
    assert_eq!(own.publish_frame(&frame, Some(&longer)), refused);
    let assigning = Broadcast::assigning_ids(Retention::new(), 1);
    assert_eq!(assigning.publish_for(&longer, &event), refused);
}

#[test]
fn ids_of_frames_that_were_not_for_it_move_the_place_to_resume_at() {
    let broadcast = broadcast();
    let options = SubscribeOptions::new()
        .with_event_types([EventType::from_static("a")])
        .with_id_after(3);
    let mut reader = Reader::new(broadcast.subscribe_with(None, &options).or_live());
    let other = |id: Option<u32>| {
        let event = Event::message("not theirs");
        let event = id.map_or(event.clone(), |id| event.with_id(id));
        broadcast.publish(&event).expect("it is open");
    };
    // Also over several polls, and where the last ones have none.
    other(Some(1));
    assert!(reader.is_pending());
    other(Some(2));
    assert!(reader.is_pending());
    other(None);
    assert_eq!(reader.chunk(), "id: 2\n\n");
    for id in 4..=6 {
        other(Some(id));
    }
    assert_eq!(reader.chunk(), "id: 6\n\n");
    // After a frame for the subscriber the count begins anew.
    other(Some(7));
    other(Some(8));
    let a = Event::new(EventType::from_static("a"), "x").with_id(9_u32);
    broadcast.publish(&a).expect("it is open");
    other(Some(10));
    other(Some(11));
    assert_eq!(reader.chunk(), "event: a\nid: 9\ndata: x\n\n");
    other(None);
    assert_eq!(reader.chunk(), "id: 11\n\n");
    other(None);
    assert!(reader.is_pending());
}

#[test]
fn who_passes_over_many_frames_lets_others_run_and_is_woken_by_itself() {
    let retention = Retention::new()
        .with_max_frames(100_000)
        .with_max_bytes(64 << 20);
    let broadcast = Broadcast::new(retention);
    let types = SubscribeOptions::new().with_event_types([EventType::from_static("a")]);
    for options in [SubscribeOptions::new(), types] {
        let mut reader = Reader::new(broadcast.subscribe_with(None, &options).or_live());
        let somebody = Scope::new("somebody");
        for _ in 0..3_000 {
            let event = Event::message("x".repeat(992));
            broadcast
                .publish_for(&somebody, &event)
                .expect("it is open");
        }
        let a = Event::new(EventType::from_static("a"), "x");
        broadcast.publish(&a).expect("it is open");
        let mut polls = 0;
        let chunk = loop {
            polls += 1;
            match reader.poll() {
                Poll::Pending => assert_eq!(reader.wakes.take(), 1, "it would sleep for ever"),
                Poll::Ready(chunk) => break chunk,
            }
        };
        assert_eq!(chunk.expect("a chunk"), "event: a\ndata: x\n\n");
        assert!((3..6).contains(&polls), "{polls} polls for 47 chunks");
    }
}

#[test]
fn what_is_everybodys_is_picked_once_for_all_at_the_same_place() {
    let ann = Scope::new("ann");
    let shares = |options: [SubscribeOptions; 2], expected: &str| {
        let broadcast = broadcast();
        let mut readers = options.map(|options| {
            let subscribed = broadcast.subscribe_with(None, &options);
            subscribed.or_live()
        });
        publish(&broadcast, "1");
        let event = Event::message("private");
        broadcast.publish_for(&ann, &event).expect("it is open");
        publish(&broadcast, "3");
        let chunks = readers.each_mut().map(|reader| {
            let chunk = reader.next().now_or_never().flatten();
            chunk.expect("a chunk")
        });
        for chunk in &chunks {
            assert_eq!(chunk, expected);
        }
        assert_eq!(chunks[0].as_ptr(), chunks[1].as_ptr(), "the same bytes");
    };
    let plain = SubscribeOptions::new;
    let bob = plain().with_scope(Scope::new("bob"));
    shares([plain(), bob], "data: 1\n\ndata: 3\n\n");
    // A subscriber whose predicates take everything shares the joined chunk.
    let all = || plain().with_scopes(|_| true).with_filter(|_, _| true);
    shares([all(), all()], "data: 1\n\ndata: private\n\ndata: 3\n\n");
}

#[test]
fn an_id_that_recurs_in_another_scope_is_that_ones() {
    let broadcast = broadcast();
    let [ann, bob] = ["ann", "bob"].map(Scope::new);
    let event = Event::message("x").with_id(1_u32);
    broadcast.publish_for(&ann, &event).expect("it is open");
    broadcast.publish_for(&bob, &event).expect("it is open");
    let ask = |scope: &Scope| {
        let options = SubscribeOptions::new().with_scope(scope.clone());
        let id = EventId::from(1_u32);
        matches!(
            broadcast.subscribe_with(Some(&id), &options),
            Subscribed::Resumed { .. }
        )
    };
    assert_eq!([ask(&ann), ask(&bob)], [false, true]);
}

#[test]
fn ids_in_the_place_of_smaller_frames_make_no_chunk_larger() {
    const FRAMES: u64 = 20_000;
    // A block with an id alone is smaller than the id of the place after it.
    for (id_after, private) in [(1, 2), (64, 64)] {
        let retention = Retention::new().with_max_frames(usize::MAX);
        let broadcast = Broadcast::assigning_ids(retention, 1);
        let options = SubscribeOptions::new().with_id_after(id_after);
        let mut reader = Reader::new(broadcast.subscribe_with(None, &options).or_live());
        let ann = Scope::new("ann");
        let mut all = String::new();
        for number in 1..=FRAMES {
            let is_private = number % private == 0;
            let published = if is_private {
                broadcast.publish_for(&ann, &Event::block())
            } else {
                broadcast.publish(&Event::block())
            };
            assert_eq!(published, Ok(number));
            let place = if is_private { "~" } else { "" };
            all.extend(["id: 1-", &number.to_string(), place, "\n\n"]);
        }
        let mut got = String::new();
        while got.len() < all.len() {
            let chunk = reader.chunk();
            assert!(chunk.len() <= 64 * 1024, "{} bytes", chunk.len());
            got += &chunk;
        }
        assert!(got == all, "each frame or its id, in order");
    }
}

#[test]
fn an_id_that_was_asked_for_before_recurs_and_goes() {
    let broadcast = Broadcast::new(Retention::new().with_max_frames(2).with_remembered_ids(2));
    let ask = |id: &'static str| broadcast.subscribe(Some(&EventId::from_static(id)));
    for id in ["a", "b", "c", "a"] {
        let event = Event::message("").with_id(EventId::from_static(id));
        broadcast.publish(&event).expect("it is open");
        // So that the index has it, and not only the log.
        let Subscribed::Resumed { missed: 0, .. } = ask(id) else {
            panic!("{id} is the last");
        };
    }
    assert!(matches!(ask("b"), Subscribed::Resumed { missed: 2, .. }));
    for id in ["d", "e", "f"] {
        let event = Event::message("").with_id(EventId::from_static(id));
        broadcast.publish(&event).expect("it is open");
    }
    // Of seven, two are here and two are remembered: the second `a`, and `d`.
    assert!(matches!(ask("b"), Subscribed::Unknown(_)));
    assert!(matches!(ask("c"), Subscribed::Unknown(_)));
    assert!(matches!(ask("a"), Subscribed::Gap(_)));
    assert!(matches!(ask("d"), Subscribed::Resumed { missed: 2, .. }));
    assert!(matches!(ask("e"), Subscribed::Resumed { missed: 1, .. }));
}
