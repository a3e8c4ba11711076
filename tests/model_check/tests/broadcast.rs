//! A broadcast on threads: whatever the order in which they run, each subscriber gets all frames once
//! and in order, no wake is lost, and a client that comes back has a hole nowhere.

use futures::{Stream, StreamExt};
use shuttle::future::block_on;
use shuttle::thread;
use sse_proto::broadcast::{Arrival, Key, Retention, SubscribeOptions, Subscribed};
use sse_proto::deps::bytes::Bytes;
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventId, Frame, channel};

/// Tries some thousand orders at random, and some with few switches at chosen places.
fn check(work: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(work, 5_000);
    shuttle::check_pct(work, 5_000, 3);
}

fn assigning() -> Broadcast {
    Broadcast::with_epoch(Retention::default(), 1)
}

fn publish(broadcast: &Broadcast) -> u64 {
    broadcast.publish(&Event::message("x")).expect("it is open")
}

/// All that comes up to the end, as text.
fn all(stream: impl Stream<Item = Bytes>) -> String {
    let chunks = block_on(stream.collect::<Vec<_>>());
    String::from_utf8(chunks.concat()).expect("a text")
}

fn frames(numbers: std::ops::RangeInclusive<u64>) -> String {
    numbers
        .map(|number| format!("id: 1-{number}\ndata: x\n\n"))
        .collect()
}

#[test]
fn what_is_published_on_two_threads_reaches_all_once_and_in_order() {
    check(|| {
        let broadcast = assigning();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let subscription = broadcast.subscribe(None).or_live_untold();
                thread::spawn(move || all(subscription))
            })
            .collect();
        for _ in 0..2 {
            let broadcast = broadcast.clone();
            thread::spawn(move || {
                publish(&broadcast);
                publish(&broadcast);
            });
        }
        drop(broadcast);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), frames(1..=4));
        }
    });
}

#[test]
fn a_client_that_comes_back_has_all_once_whatever_is_published_meanwhile() {
    check(|| {
        let broadcast = assigning();
        publish(&broadcast);
        let publisher = broadcast.clone();
        thread::spawn(move || {
            publish(&publisher);
            publish(&publisher);
        });
        let id = EventId::from_static("1-1");
        let Subscribed::Resumed { subscription, .. } = broadcast.subscribe(&id) else {
            panic!("it is there");
        };
        drop(broadcast);
        assert_eq!(all(subscription), frames(2..=3));
    });
}

#[test]
fn ids_of_the_users_are_found_whoever_asks_meanwhile() {
    check(|| {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let publish = |broadcast: &Broadcast, id: u64| {
            let event = Event::message("x").with_id(id);
            broadcast.publish(&event).expect("it is open");
        };
        publish(&broadcast, 1);
        let publisher = broadcast.clone();
        thread::spawn(move || {
            publish(&publisher, 2);
            publish(&publisher, 3);
        });
        let other = broadcast.clone();
        thread::spawn(move || {
            let unknown = other.subscribe(EventId::from_static("4"));
            assert!(matches!(unknown, Subscribed::Ahead(_)));
        });
        let id = EventId::from_static("1");
        let Subscribed::Resumed { subscription, .. } = broadcast.subscribe(&id) else {
            panic!("it is there");
        };
        drop(broadcast);
        assert_eq!(all(subscription), "id: 2\ndata: x\n\nid: 3\ndata: x\n\n");
    });
}

#[test]
fn a_topic_that_comes_and_goes_shows_what_was_published_while_it_was_there() {
    check(|| {
        let broadcast = assigning();
        let subscription = broadcast.subscribe(None).or_live_untold();
        let handle = subscription.handle();
        let publisher = broadcast.clone();
        let publishes = thread::spawn(move || {
            for _ in 0..3 {
                let event = Event::message("x");
                publisher.publish_to("ann", &event).expect("it is open");
            }
        });
        let reader = thread::spawn(move || all(subscription));
        let head = handle
            .add_topic("ann")
            .expect("it is short")
            .expect("ids are assigned");
        publishes.join().unwrap();
        drop(broadcast);
        let first: u64 = head.to_string()[2..].parse().expect("digits");
        assert_eq!(reader.join().unwrap(), frames(first + 1..=3));
    });
}

#[test]
fn a_publication_for_several_topics_wakes_a_subscriber_once_and_loses_no_wake() {
    check(|| {
        let broadcast = assigning();
        let options = SubscribeOptions::new().with_topics(["ann", "bob"]);
        let subscription = broadcast.subscribe_with(None, &options).or_live_untold();
        let reader = thread::spawn(move || all(subscription));
        for topic in ["ann", "bob"] {
            let broadcast = broadcast.clone();
            thread::spawn(move || {
                let event = Event::message("x");
                broadcast.publish_to(topic, &event).expect("it is open");
                publish(&broadcast);
            });
        }
        drop(broadcast);
        assert_eq!(reader.join().unwrap(), frames(1..=4));
    });
}

#[test]
fn who_is_sent_away_gets_the_farewell_last_and_the_reason_is_told() {
    check(|| {
        let broadcast = assigning();
        let subscription = broadcast.subscribe(None).or_live_untold();
        let handle = subscription.handle();
        let reader = thread::spawn(move || all(subscription));
        let publisher = broadcast.clone();
        thread::spawn(move || publish(&publisher));
        let waits = handle.clone();
        let reason = thread::spawn(move || block_on(waits.closed()));
        assert!(handle.close(Some(Frame::new(&Event::message("bye")))));
        let got = reader.join().unwrap();
        assert!(
            got == "data: bye\n\n" || got == frames(1..=1) + "data: bye\n\n",
            "{got}"
        );
        assert_eq!(reason.join().unwrap(), CloseReason::SentAway);
        drop(broadcast);
    });
}

#[test]
fn an_id_that_is_waited_for_comes_whoever_publishes_it() {
    check(|| {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let publisher = broadcast.clone();
        thread::spawn(move || {
            for id in [1_u32, 2] {
                let event = Event::message("x").with_id(id);
                publisher.publish(&event).expect("it is open");
            }
        });
        let id = EventId::from(2_u32);
        assert_eq!(block_on(broadcast.reached(&id)), Arrival::In);
        let subscribed = broadcast.subscribe(&id);
        assert!(matches!(subscribed, Subscribed::Resumed { missed: 0, .. }));
    });
}

#[test]
fn a_held_subscription_joins_without_a_hole_whatever_is_published_meanwhile() {
    check(|| {
        let broadcast = assigning();
        publish(&broadcast);
        let held = broadcast.hold(&SubscribeOptions::new());
        let publisher = broadcast.clone();
        thread::spawn(move || {
            publish(&publisher);
            publish(&publisher);
        });
        let subscription = held
            .join(&EventId::from_static("1-1"))
            .expect("it is there");
        drop(broadcast);
        assert_eq!(all(subscription), frames(2..=3));
    });
}

#[test]
fn who_lags_is_told_and_goes_on_at_the_oldest() {
    check(|| {
        let broadcast = Broadcast::with_epoch(Retention::new(1, 1 << 20), 1);
        let lost = Frame::new(&Event::message("lost"));
        let options = SubscribeOptions::new().with_skip_ahead(lost);
        let subscription = broadcast.subscribe_with(None, &options).or_live_untold();
        let reader = thread::spawn(move || all(subscription));
        let publisher = broadcast.clone();
        thread::spawn(move || {
            for _ in 0..3 {
                publish(&publisher);
            }
        });
        drop(broadcast);
        let got = reader.join().unwrap();
        // What is missing is told where it is missing.
        let mut next = 1;
        let mut told = false;
        for block in got.split_terminator("\n\n") {
            match block.strip_prefix("id: 1-") {
                None => told = true,
                Some(rest) => {
                    let number: u64 = rest[..1].parse().unwrap();
                    assert_eq!(number > next, told, "{got}");
                    (next, told) = (number + 1, false);
                }
            }
        }
        assert_eq!(next, 4, "{got}");
    });
}

#[test]
fn subscribers_come_and_go_while_others_wait() {
    check(|| {
        let broadcast = assigning();
        let subscription = broadcast.subscribe(None).or_live_untold();
        let reader = thread::spawn(move || all(subscription));
        let others = broadcast.clone();
        thread::spawn(move || {
            let mut gone = others.subscribe(None).or_live_untold();
            let polled = futures::FutureExt::now_or_never(gone.next());
            drop((gone, polled));
            let mut waits = others.subscribe(None).or_live_untold();
            drop(others);
            block_on(async { while waits.next().await.is_some() {} });
        });
        publish(&broadcast);
        broadcast.close(Some(Frame::new(&Event::message("bye"))));
        assert_eq!(reader.join().unwrap(), frames(1..=1) + "data: bye\n\n");
        assert!(broadcast.is_closed());
    });
}

#[test]
fn a_personal_event_stands_behind_what_its_thread_published_before() {
    check(|| {
        let broadcast = assigning();
        let (target, stream) = channel();
        let merged = broadcast.subscribe(None).or_live_untold().merge(stream);
        let other = broadcast.clone();
        thread::spawn(move || publish(&other));
        thread::spawn(move || {
            let number = publish(&broadcast);
            let text = format!("behind {number}");
            target.dispatch_message(&text).expect("it is open");
            // The end of the target is the end of the stream.
            target.close();
        });
        let got = all(merged);
        let at = got.find("data: behind ").expect("it was dispatched");
        let number = &got[at + 13..at + 14];
        let frame = format!("id: 1-{number}\n");
        assert!(got.find(&frame).is_some_and(|before| before < at), "{got}");
    });
}

#[test]
fn large_events_get_their_ids_in_order_though_they_are_encoded_before() {
    check(|| {
        // Large is above a kilobyte here. The ids grow by a digit on the way.
        let broadcast = Broadcast::with_epoch(Retention::new(1024, 8 * 1024), 1);
        let mut reader = broadcast.subscribe(None).or_live_untold();
        for _ in 0..8 {
            publish(&broadcast);
        }
        assert_eq!(block_on(reader.next()).unwrap(), frames(1..=8));
        let large = "y".repeat(1_100);
        for _ in 0..2 {
            let (broadcast, large) = (broadcast.clone(), large.clone());
            thread::spawn(move || {
                let event = Event::message(&*large);
                broadcast.publish(&event).expect("it is open");
                publish(&broadcast);
            });
        }
        drop(broadcast);
        let wire = all(reader).replace(&large, "x");
        assert_eq!(wire, frames(9..=12));
    });
}
