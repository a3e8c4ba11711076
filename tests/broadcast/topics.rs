//! Topics: who sees what, what cannot be seen, and how a client that cannot be resumed is told.

use std::collections::BTreeSet;
use std::future::ready;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use sse_proto::broadcast::{
    Arrival, Key, PublishError, Retention, SubscribeOptions, Subscribed, TopicTooLong,
};
use sse_proto::target::CloseReason;
use sse_proto::{
    Broadcast, Decoder, Event, EventId, EventStreamExt, EventType, Item, Subscription,
};

use crate::support::fakes::Reader;
use crate::{broadcast, now, publish};

fn with(topics: &[&str]) -> SubscribeOptions {
    SubscribeOptions::new().with_topics(topics.iter().copied())
}

fn live(broadcast: &Broadcast, topics: &[&str]) -> Reader<Subscription> {
    let subscribed = broadcast.subscribe_with(None, &with(topics));
    Reader::new(subscribed.or_live_untold())
}

fn publish_to(broadcast: &Broadcast, topic: &str, data: &str) -> u64 {
    let published = broadcast.publish_to(topic, &Event::message(data));
    published.expect("it is open")
}

// What is seen.

#[test]
fn an_added_topic_shows_nothing_older_and_a_removed_one_takes_back_what_waits() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let mut reader = live(&broadcast, &["ann"]);
    let handle = reader.stream.handle();
    publish_to(&broadcast, "bob", "before");
    assert_eq!(handle.add_topic("bob").unwrap().unwrap(), "7-1");
    for (topic, data) in [("bob", "2"), ("ann", "3"), ("bob", "4")] {
        publish_to(&broadcast, topic, data);
    }
    assert_eq!(handle.lag(), 3);
    assert!(handle.remove_topic("ann"));
    assert_eq!(reader.chunk(), "id: 7-2\ndata: 2\n\nid: 7-4\ndata: 4\n\n");
    // A topic that comes back begins anew.
    publish_to(&broadcast, "bob", "5");
    assert!(handle.remove_topic("bob"));
    assert!(!handle.remove_topic("bob"));
    handle.add_topic("bob").unwrap();
    assert!(reader.is_pending());
    publish_to(&broadcast, "bob", "6");
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "id: 7-6\ndata: 6\n\n");
}

#[test]
fn a_topic_is_taken_back_from_a_chunk_that_was_joined_for_others() {
    let broadcast = broadcast();
    let mut readers: Vec<_> = (0..3).map(|_| live(&broadcast, &["tenant"])).collect();
    for data in ["1", "2"] {
        publish_to(&broadcast, "tenant", data);
    }
    assert_eq!(readers[0].chunk(), "data: 1\n\ndata: 2\n\n");
    readers[1].stream.handle().remove_topic("tenant");
    assert!(readers[1].is_pending());
    assert_eq!(readers[2].chunk(), "data: 1\n\ndata: 2\n\n");
}

#[test]
fn a_resume_delivers_by_the_set_that_it_is_given() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    for topic in ["ann", "bob", "ann", "bob"] {
        publish_to(&broadcast, topic, topic);
    }
    let resume = |topics: &[&str], id| {
        let subscribed = broadcast.subscribe_with(EventId::from_static(id), &with(topics));
        let Subscribed::Resumed {
            mut subscription,
            missed,
        } = subscribed
        else {
            panic!("{id} is known");
        };
        let chunk = subscription.next().now_or_never().flatten();
        (
            missed,
            chunk.map_or(0, |chunk| chunk.len() / "id: 7-1\ndata: ann\n\n".len()),
        )
    };
    // The id of an event of another topic is a place like any other.
    assert_eq!(resume(&["ann"], "7-2"), (1, 1));
    assert_eq!(resume(&["ann", "bob"], "7-1"), (3, 3));
    assert_eq!(resume(&[], "7-1"), (0, 0));
}

#[test]
fn one_of_two_groups_that_are_a_frame_apart_does_not_undo_the_joins_of_the_other() {
    let broadcast = broadcast();
    let mut groups: [Vec<_>; 2] =
        [(); 2].map(|()| (0..50).map(|_| live(&broadcast, &[])).collect());
    publish(&broadcast, "0");
    for reader in &mut groups[0] {
        reader.chunk();
    }
    for number in 1..64 {
        publish(&broadcast, &format!("{number}"));
    }
    let [first, second] = &mut groups;
    let mut chunks = [Vec::new(), Vec::new()];
    for (one, other) in first.iter_mut().zip(second) {
        chunks[0].push(now(&mut one.stream));
        chunks[1].push(now(&mut other.stream));
    }
    for chunks in chunks {
        let places: BTreeSet<_> = chunks.iter().map(|chunk| chunk.as_ptr()).collect();
        assert_eq!(places.len(), 1, "the same bytes for all of a group");
    }
}

#[test]
fn subscribers_share_what_waits_of_one_topic_and_join_what_waits_of_several() {
    let broadcast = broadcast();
    let mut readers = [["all", "a"], ["all", "b"]].map(|topics| live(&broadcast, &topics));
    publish_to(&broadcast, "all", "1");
    publish_to(&broadcast, "all", "2");
    let [one, other] = readers.each_mut().map(|reader| now(&mut reader.stream));
    assert_eq!(one.as_ptr(), other.as_ptr(), "the same bytes");
    publish(&broadcast, "3");
    publish_to(&broadcast, "all", "4");
    publish_to(&broadcast, "a", "5");
    let chunks = readers.each_mut().map(Reader::chunk);
    assert_eq!(chunks[0], "data: 3\n\ndata: 4\n\ndata: 5\n\n");
    assert_eq!(chunks[1], "data: 3\n\ndata: 4\n\n");
}

#[test]
fn a_subscriber_of_many_topics_gets_all_in_the_order_of_the_log() {
    let broadcast = broadcast();
    let names: Vec<_> = (0..300).map(|number| format!("topic-{number}")).collect();
    let options = SubscribeOptions::new().with_topics(names.clone());
    let subscribed = broadcast.subscribe_with(None, &options);
    let mut reader = Reader::new(subscribed.or_live_untold());
    let mut expected = String::new();
    for number in 0..900 {
        publish_to(&broadcast, &names[number * 7 % 300], &number.to_string());
        expected.extend(["data: ", &number.to_string(), "\n\n"]);
    }
    assert_eq!(reader.chunk(), expected);
    assert!(reader.is_pending());
}

#[test]
fn what_a_subscriber_takes_not_is_passed_over_in_turns() {
    let broadcast = Broadcast::with_key(Retention::new(100_000, 64 << 20), Key::number());
    let options = SubscribeOptions::new().with_event_types([EventType::from_static("a")]);
    let subscribed = broadcast.subscribe_with(None, &options);
    let mut reader = Reader::new(subscribed.or_live_untold());
    for _ in 0..50_000 {
        publish(&broadcast, "x");
    }
    let a = Event::new(EventType::from_static("a"), "x");
    broadcast.publish(&a).expect("it is open");
    let mut polls = 1;
    while reader.is_pending() {
        assert_eq!(reader.wakes.take(), 1, "it would sleep for ever");
        polls += 1;
        assert!(polls < 10);
    }
    assert!(polls > 1, "others wait for the lock");
    assert_eq!(reader.stream.lag(), 0);
}

// What is not seen.

#[test]
fn what_another_topic_does_is_not_seen_in_frames_counts_gaps_or_wakes() {
    let broadcast = Broadcast::with_epoch(Retention::new(10, 1 << 20), 7);
    let mut reader = live(&broadcast, &["ann"]);
    publish_to(&broadcast, "ann", "1");
    assert_eq!(reader.chunk(), "id: 7-1\ndata: 1\n\n");
    assert!(reader.is_pending());
    // The log drops much of Bob's, and Ann's event.
    for number in 0..100 {
        publish_to(&broadcast, "bob", &number.to_string());
    }
    assert_eq!(reader.wakes.take(), 0);
    assert_eq!(reader.stream.lag(), 0);
    assert!(reader.is_pending());
    let ask =
        |topics: &[&str]| broadcast.subscribe_with(EventId::from_static("7-1"), &with(topics));
    assert!(matches!(
        ask(&["ann"]),
        Subscribed::Resumed { missed: 0, .. }
    ));
    assert!(matches!(ask(&["ann", "bob"]), Subscribed::Gap(_)));
    publish_to(&broadcast, "ann", "102");
    assert_eq!(reader.chunk(), "id: 7-102\ndata: 102\n\n");
}

#[test]
fn a_quiet_user_of_ten_thousand_comes_back_without_a_gap() {
    const USERS: u64 = 10_000;
    let broadcast = Broadcast::with_epoch(Retention::new(1_000, 1 << 20), 7);
    let user = |number: u64| format!("user-{number}");
    for number in 0..USERS {
        // Each gets an event and leaves.
        publish_to(&broadcast, &user(number), "x");
    }
    for number in 0..10_000 {
        publish_to(&broadcast, &user(number % 100), "x");
    }
    for number in 100..USERS {
        let id = EventId::new(format!("7-{}", number + 1)).unwrap();
        let subscribed = broadcast.subscribe_with(id, &with(&[&user(number)]));
        assert!(
            matches!(subscribed, Subscribed::Resumed { missed: 0, .. }),
            "{number}"
        );
        // Before its event, which is lost.
        let id = EventId::new(format!("7-{number}")).unwrap();
        let subscribed = broadcast.subscribe_with(id, &with(&[&user(number)]));
        assert!(matches!(subscribed, Subscribed::Gap(_)), "{number}");
    }
}

#[test]
fn a_merged_number_may_make_a_gap_false_and_hides_none() {
    let retention = Retention::new(1, 1 << 20).with_remembered_topics(2);
    let broadcast = Broadcast::with_epoch(retention, 7);
    for topic in ["a", "b", "c", "d", "e"] {
        publish_to(&broadcast, topic, "x");
    }
    let gap = |topic: &str, id: &'static str| {
        let subscribed = broadcast.subscribe_with(EventId::from_static(id), &with(&[topic]));
        matches!(subscribed, Subscribed::Gap(_))
    };
    // Lost are 1 to 4, and at most the last of them are told from each other.
    for (at, topic) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let before: &'static str = ["7-0", "7-1", "7-2", "7-3"][at];
        assert!(gap(topic, before), "{topic} is lost after {before}");
    }
    assert!(gap("never", "7-0"), "as if it were merged");
    assert!(!gap("d", "7-4") && !gap("never", "7-4") && !gap("c", "7-3"));
}

// Names.

#[test]
fn a_name_has_256_bytes_at_most() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let (longest, longer) = ("x".repeat(256), "x".repeat(257));
    let event = Event::message("x");
    assert_eq!(broadcast.publish_to(&longest, &event), Ok(1));
    assert_eq!(
        broadcast.publish_to(&longer, &event),
        Err(PublishError::TopicTooLong)
    );
    let subscribed = broadcast.subscribe_with(None, &with(&[&longest, &longer, &longest]));
    let handle = subscribed.or_live_untold().handle();
    drop(handle);
    let subscription = broadcast.subscribe_with(None, &with(&[&longest, &longer]));
    let subscription = subscription.or_live_untold();
    assert_eq!(*subscription.handle().topics(), [longest.into()]);
    let refused: TopicTooLong = subscription.handle().add_topic(&longer).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the name of the topic takes 257 bytes, more than 256"
    );
}

// The end of one.

#[test]
fn a_handle_learns_the_reason_of_each_end() {
    let broadcast = Broadcast::with_epoch(Retention::new(1, 1 << 20), 7);
    let closed = |handle: &sse_proto::broadcast::Handle| handle.closed().now_or_never();
    let mut readers: Vec<_> = (0..4).map(|_| live(&broadcast, &["ann"])).collect();
    let handles: Vec<_> = readers
        .iter()
        .map(|reader| reader.stream.handle())
        .collect();
    assert!(handles.iter().all(|handle| closed(handle).is_none()));
    assert_eq!(broadcast.subscribers_of("ann"), 4);
    assert!(handles[0].close(None));
    assert!(!handles[0].close(None), "it is closed");
    assert_eq!(
        broadcast.subscribers_of("ann"),
        3,
        "it does not count any more"
    );
    assert!(readers[0].has_ended());
    publish(&broadcast, "1");
    publish(&broadcast, "2");
    assert!(readers[1].has_ended());
    drop(readers.remove(2));
    broadcast.close(None);
    let last = readers.last_mut().unwrap();
    // It lags, too.
    assert!(last.has_ended());
    let reasons: Vec<_> = handles
        .iter()
        .map(|handle| closed(handle).unwrap())
        .collect();
    let lagged = CloseReason::Overflow;
    assert_eq!(
        reasons,
        [
            CloseReason::SentAway,
            lagged,
            CloseReason::ClientGone,
            lagged
        ]
    );
    assert_eq!(
        handles[2].add_topic("bob").unwrap().unwrap(),
        "7-2",
        "without effect"
    );
    assert_eq!(broadcast.subscribers_of("bob"), 0);
}

#[test]
fn who_waits_for_the_end_is_woken() {
    let broadcast = broadcast();
    let subscription = broadcast.subscribe(None).or_live_untold();
    let handle = subscription.handle();
    let waits = std::thread::spawn(move || futures::executor::block_on(handle.closed()));
    drop(subscription);
    assert_eq!(waits.join().unwrap(), CloseReason::ClientGone);
}

// Told.

/// The id with which a client comes back that got these bytes, and whether it was told.
fn client(bytes: &[u8], id: &str) -> (String, bool) {
    let (mut id, mut told) = (id.to_owned(), false);
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(bytes);
    while let Some(item) = items.next().expect("it is well-formed") {
        if let Item::Event(event) = item {
            told |= event.event_type() == "reset";
            event.last_event_id().clone_into(&mut id);
        }
    }
    (id, told)
}

#[test]
fn a_restart_that_is_cut_at_any_byte_is_told_at_last() {
    let reset = Event::new(EventType::from_static("reset"), "");
    for assigned in [true, false] {
        let retention = Retention::new(3, 1 << 20);
        let broadcast = if assigned {
            Broadcast::with_epoch(retention, 7)
        } else {
            Broadcast::with_key(retention, Key::ms_seq())
        };
        for number in 1..=9 {
            let mut event = Event::message("x");
            if !assigned {
                event = event.with_id(EventId::new(format!("7-{number}")).unwrap());
            }
            broadcast.publish(&event).expect("it is open");
        }
        for from_oldest in [true, false] {
            for old in ["7-1", "8-1"] {
                let ask = |id: &str| {
                    let subscribed = broadcast.subscribe(EventId::new(id.to_owned()).unwrap());
                    let resumes = matches!(subscribed, Subscribed::Resumed { .. });
                    let mut subscription = if from_oldest {
                        subscribed.or_oldest(&reset)
                    } else {
                        subscribed.or_live(&reset)
                    };
                    let mut wire = Vec::new();
                    while let Some(Some(chunk)) = subscription.next().now_or_never() {
                        wire.extend_from_slice(&chunk);
                    }
                    (resumes, wire)
                };
                let (resumes, wire) = ask(old);
                assert!(!resumes && client(&wire, old).1);
                for cut in 0..=wire.len() {
                    let (id, told) = client(&wire[..cut], old);
                    let (resumes, second) = ask(&id);
                    // Told before it got an id, or told the next time.
                    assert!(told || client(&second, &id).1, "cut at {cut} of {wire:?}");
                    assert_eq!(told, resumes, "cut at {cut}: {id}");
                }
            }
        }
    }
}

#[test]
fn a_client_that_is_ahead_is_resumed_once_the_log_is_there() {
    let broadcast = broadcast();
    let id = |id: u32| EventId::from(id);
    let publish = |one: u32| {
        broadcast
            .publish(&Event::message("x").with_id(one))
            .unwrap()
    };
    // An empty log knows nothing.
    assert!(matches!(broadcast.subscribe(id(5)), Subscribed::Unknown(_)));
    publish(4);
    let Subscribed::Ahead(restart) = broadcast.subscribe(id(5)) else {
        panic!("it is ahead");
    };
    drop(restart);
    let reached = broadcast.reached(&id(5));
    publish(5);
    assert_eq!(reached.now_or_never(), Some(Arrival::In));
    assert!(matches!(
        broadcast.subscribe(id(5)),
        Subscribed::Resumed { missed: 0, .. }
    ));
    // A text that is no number of the log, and one between two.
    publish(7);
    assert!(matches!(
        broadcast.subscribe(EventId::from_static("05")),
        Subscribed::Unknown(_)
    ));
    assert!(matches!(broadcast.subscribe(id(6)), Subscribed::Unknown(_)));
}

#[test]
fn keys_read_their_ids_and_no_other_text() {
    let published = |key: fn() -> Key, ids: &[&'static str]| {
        let broadcast = Broadcast::with_key(Retention::default(), key());
        let publish = |id: &&'static str| {
            let event = Event::message("x").with_id(EventId::from_static(id));
            broadcast.publish(&event).map(|_| ())
        };
        ids.iter().map(publish).collect::<Vec<_>>()
    };
    let (no_key, late) = (Err(PublishError::NoKey), Err(PublishError::OutOfOrder));
    assert_eq!(
        published(
            Key::number,
            &["0", "00", "9", "10", "+11", "-1", "1e3", "", "0x1"]
        ),
        [
            Ok(()),
            late,
            Ok(()),
            Ok(()),
            no_key,
            Err(PublishError::NoKey),
            Err(PublishError::NoKey),
            Err(PublishError::NoKey),
            Err(PublishError::NoKey)
        ]
    );
    assert_eq!(
        published(
            Key::ms_seq,
            &["5-9", "5-10", "6-0", "5-11", "6", "6-", "6-1-2"]
        ),
        [
            Ok(()),
            Ok(()),
            Ok(()),
            Err(PublishError::OutOfOrder),
            Err(PublishError::NoKey),
            Err(PublishError::NoKey),
            Err(PublishError::NoKey)
        ]
    );
    assert_eq!(
        published(
            Key::ulid,
            &[
                "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "01arz3ndektsv4rrffq69g5faw",
                "01ARZ3NDEKTSV4RRFFQ69G5FAU",
                "81ARZ3NDEKTSV4RRFFQ69G5FAV",
                "01ARZ3NDEKTSV4RRFFQ69G5FA",
            ]
        ),
        [
            Ok(()),
            Ok(()),
            Err(PublishError::NoKey),
            Err(PublishError::NoKey),
            Err(PublishError::NoKey)
        ]
    );
}

// Places.

#[test]
fn a_quiet_client_is_told_its_place_once_and_never_before_what_waits() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let options = with(&["ann"]).with_place(EventType::from_static("place"), "{}");
    let at_once = |_: Duration| ready(());
    let mut subscription = broadcast.subscribe_with(None, &options).or_live_untold();
    assert!(subscription.next().now_or_never().is_none());
    publish_to(&broadcast, "bob", "1");
    let mut body = Reader::new(subscription.keep_alive(Duration::from_secs(15), at_once));
    assert_eq!(body.chunk(), "event: place\nid: 7-1\ndata: {}\n\n");
    assert_eq!(body.chunk(), ": keep-alive comment\n");
    publish_to(&broadcast, "ann", "2");
    assert_eq!(body.chunk(), "id: 7-2\ndata: 2\n\n");
    // The client has that id.
    assert_eq!(body.chunk(), ": keep-alive comment\n");
    publish_to(&broadcast, "bob", "3");
    assert_eq!(body.chunk(), "event: place\nid: 7-3\ndata: {}\n\n");
}

#[test]
fn a_place_does_not_overtake_what_an_adapter_holds_back() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let options = with(&["ann"]).with_place(EventType::from_static("place"), "");
    let subscription = broadcast.subscribe_with(None, &options).or_live_untold();
    let never = |_: Duration| futures::future::pending::<()>();
    let at_once = |_: Duration| ready(());
    let second = Duration::from_secs(1);
    let body = subscription
        .coalesce(1 << 16)
        .linger(second, never)
        .keep_alive(second, at_once);
    let mut body = Reader::new(body);
    publish_to(&broadcast, "ann", "1");
    publish_to(&broadcast, "bob", "2");
    assert_eq!(body.chunk(), ": keep-alive comment\n");
}
