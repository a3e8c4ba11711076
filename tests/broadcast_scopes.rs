//! Whom a broadcast serves. The example of each rule in the docs is the test of it; here is what they
//! leave out.

#![cfg(feature = "std")]

mod support;

use sse_proto::{
    Broadcast, Event, EventId, Frame, PublishError, Retention, Scope, SubscribeOptions, Subscribed,
    Subscription,
};
use support::fakes::Reader;

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

/// What is said of ids to one who sees no scope.
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
    let retention = Retention::new().with_frames(1).with_remembered_ids(1);
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
    // 2 is forgotten: so it can't be told from 1. Behind it all is known.
    assert_eq!(
        ask(&broadcast, ["1-1", "1-2", "1-3", "1-5", "1-6", "1-7"]),
        ["unknown", "unknown", "gap", "gap", "unknown", "resumed"]
    );
}

#[test]
fn a_scope_that_is_too_long_is_refused_where_it_is_published_for() {
    let longest = Scope::new("x".repeat(Scope::MAX_LEN));
    let longer = Scope::new("x".repeat(Scope::MAX_LEN + 1));
    let event = Event::message("x");
    let frame = Frame::new(&event);
    let refused = Err(PublishError::ScopeTooLong { len: 257 });
    let own = broadcast();
    assert_eq!(own.publish_for(&longest, &event), Ok(1));
    assert_eq!(own.publish_for(&longer, &event), refused);
    assert_eq!(own.publish_frame_for(&longer, &frame), refused);
    let assigning = Broadcast::assigning_ids(Retention::new(), 1);
    assert_eq!(assigning.publish_for(&longer, &event), refused);
}
