//! What a broadcast allocates, and that it frees all of it.

use std::sync::Arc;
use std::task::Waker;

use allocation_counter::measure;
use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::{Broadcast, Event, EventType, Frame};

use crate::{KIB, Task, held, poll, subscribe};

#[test]
fn a_delivery_allocates_nothing() {
    const MANY: usize = 10_000;
    let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    let mut subscriptions = subscribe(&broadcast, MANY);
    let wakers: Vec<_> = (0..MANY).map(|_| Waker::from(Arc::new(Task))).collect();
    let mut round = |burst: usize| {
        for _ in 0..burst {
            broadcast.publish(&Event::message("x")).expect("it is open");
        }
        for (subscription, waker) in subscriptions.iter_mut().zip(&wakers) {
            assert!(poll(subscription, waker).is_ready());
            assert!(poll(subscription, waker).is_pending());
        }
    };
    round(1);
    round(8);
    for burst in [1, 8] {
        let made = measure(|| (0..10).for_each(|_| round(burst)));
        // A join for all, what counts its holders, and a list of wakers; now and then a segment.
        assert!(
            made.count_total <= 10 * 3 + 10,
            "{made:?} for 100 000 deliveries"
        );
    }
}

#[test]
fn a_private_event_allocates_its_chunk_and_nothing_else() {
    const MANY: usize = 1_000;
    for assigned in [false, true] {
        let broadcast = if assigned {
            Broadcast::with_epoch(Retention::default(), 1)
        } else {
            Broadcast::with_key(Retention::default(), Key::number())
        };
        let names: Vec<_> = (0..MANY).map(|number| format!("user-{number}")).collect();
        let mut subscriptions: Vec<_> = names
            .iter()
            .map(|name| {
                let options = SubscribeOptions::new().with_topics([&**name]);
                broadcast.subscribe_with(None, &options).or_live_untold()
            })
            .collect();
        let waker = Waker::from(Arc::new(Task));
        let mut round = || {
            for (name, subscription) in names.iter().zip(&mut subscriptions) {
                let event = Event::message("x");
                broadcast.publish_to(name, &event).expect("it is open");
                assert!(poll(subscription, &waker).is_ready());
                assert!(poll(subscription, &waker).is_pending());
            }
        };
        round();
        round();
        let made = measure(round);
        // And now and then a segment of the log.
        assert!(made.count_total <= MANY as u64 + 50, "{made:?}");
    }
}

#[test]
fn publishing_to_nobody_allocates_next_to_nothing() {
    for broadcast in [
        Broadcast::with_key(Retention::default(), Key::number()),
        Broadcast::with_epoch(Retention::default(), 1),
    ] {
        let event = Event::message("a text of no great length");
        for _ in 0..10_000 {
            broadcast.publish(&event).expect("it is open");
        }
        let made = measure(|| {
            for _ in 0..100_000 {
                broadcast.publish(&event).expect("it is open");
            }
        });
        // A segment of 64 KiB now and then.
        assert!(made.count_total < 300, "{made:?}");
    }
}

#[test]
fn what_is_gone_leaves_nothing() {
    let waker = Waker::from(Arc::new(Task));
    let made = measure(|| {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let options = SubscribeOptions::new()
            .with_event_types([EventType::from_static("a")])
            .with_topics(["a"]);
        let mut plain = subscribe(&broadcast, 100);
        let mut filtered = broadcast.subscribe_with(None, &options).or_live_untold();
        for number in 0..5_000_u32 {
            let event = Event::message("x").with_id(number);
            broadcast.publish(&event).expect("it is open");
            if number % 7 == 0 {
                let _ = poll(&mut filtered, &waker);
                for subscription in &mut plain {
                    let _ = poll(subscription, &waker);
                }
            }
        }
        broadcast.close(Some(Frame::new(&Event::message("bye"))));
    });
    assert_eq!((made.count_current, made.bytes_current), (0, 0), "{made:?}");
}

#[test]
fn subscribers_that_come_and_go_leave_nothing_behind() {
    let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    let waker = Waker::from(Arc::new(Task));
    let come_and_go = |many: usize| {
        for _ in 0..many {
            let mut subscription = broadcast.subscribe(None).or_live_untold();
            assert!(poll(&mut subscription, &waker).is_pending());
        }
    };
    come_and_go(10);
    let made = measure(|| come_and_go(100_000));
    assert_eq!((made.count_total, made.bytes_current), (0, 0), "{made:?}");
}

#[test]
fn a_rush_of_subscribers_leaves_nothing_behind_though_one_stays() {
    const MANY: usize = 100_000;
    let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    let waker = Waker::from(Arc::new(Task));
    let mut stays = None;
    let made = measure(|| {
        let mut many = subscribe(&broadcast, MANY);
        for subscription in &mut many {
            assert!(poll(subscription, &waker).is_pending());
        }
        broadcast.publish(&Event::message("x")).expect("it is open");
        stays = many.pop();
    });
    // 24 bytes for each page of 64.
    assert!(held(made) < 64 * KIB, "{made:?}");
    drop(stays);
}

#[test]
fn what_was_joined_goes_with_the_last_who_is_behind() {
    let waker = Waker::from(Arc::new(Task));
    for leaves in ["drops", "reads", "removes the topic", "is sent away"] {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let options = SubscribeOptions::new().with_topics(["tenant"]);
        let mut first = broadcast.subscribe_with(None, &options).or_live_untold();
        let mut second = broadcast.subscribe_with(None, &options).or_live_untold();
        let handle = second.handle();
        for _ in 0..50 {
            let event = Event::message("x".repeat(1_000));
            broadcast.publish_to("tenant", &event).expect("it is open");
        }
        let made = measure(|| {
            // Joined, and kept for the second.
            assert!(poll(&mut first, &waker).is_ready());
            match leaves {
                "drops" => drop(second),
                "reads" => assert!(poll(&mut second, &waker).is_ready()),
                "removes the topic" => assert!(handle.remove_topic("tenant")),
                _ => assert!(handle.close(None)),
            }
        });
        assert!(made.bytes_max > 50_000, "{made:?}");
        assert!(made.bytes_current < 10_000, "{made:?} {leaves}");
    }
}
