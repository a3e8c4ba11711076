//! What a broadcast allocates, and that it frees all of it.

use std::sync::Arc;
use std::task::Waker;

use allocation_counter::measure;
use sse_proto::broadcast::{Key, Retention, Scope, SubscribeOptions};
use sse_proto::{Broadcast, Event, EventType, Frame};

use crate::{KIB, Task, held, poll, publish, subscribe};

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
        // A join for all, and what counts its holders; now and then a segment.
        assert!(
            made.count_total <= 10 * 3 + 2,
            "{made:?} for 100 000 deliveries"
        );
    }
}

#[test]
fn a_private_event_allocates_nothing_at_those_whose_it_is_not() {
    const MANY: usize = 1_000;
    let scoped = |number: usize| {
        let scope = Scope::new(format!("user-{number}"));
        SubscribeOptions::new().with_scope(scope)
    };
    let messages = || {
        let types = [EventType::from_static("message")];
        SubscribeOptions::new().with_event_types(types)
    };
    for epoch in [None, Some(1)] {
        for kind in 0..3 {
            let broadcast = match epoch {
                None => Broadcast::with_key(Retention::default(), Key::number()),
                Some(epoch) => Broadcast::with_epoch(Retention::default(), epoch),
            };
            let options = |number| match kind {
                0 => SubscribeOptions::new(),
                1 => scoped(number),
                _ => messages(),
            };
            let mut subscriptions: Vec<_> = (0..MANY)
                .map(|number| {
                    let subscribed = broadcast.subscribe_with(None, &options(number));
                    subscribed.or_live_untold()
                })
                .collect();
            let waker = Waker::from(Arc::new(Task));
            let mut round = |rounds: usize| {
                for number in 0..rounds {
                    // One in ten is for all.
                    publish(&broadcast, number % 10 != 0);
                    for subscription in &mut subscriptions {
                        while poll(subscription, &waker).is_ready() {}
                    }
                }
            };
            round(100);
            let made = measure(|| round(128));
            // What is shared; and a filter that is asked picks by itself, ids at 64 and 128.
            let most = if kind == 2 && epoch.is_some() {
                128 * 8 + 2 * 4 * MANY
            } else {
                128 * 8
            };
            let most = u64::try_from(most).expect("a small number");
            assert!(
                made.count_total <= most,
                "{} allocations, kind {kind}, epoch {epoch:?}",
                made.count_total
            );
        }
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
        let options = SubscribeOptions::new().with_filter(|_, id| id.is_some());
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
    // Those of a rush are given back with the next events.
    let made = measure(|| {
        let mut many = subscribe(&broadcast, 10_000);
        for subscription in &mut many {
            assert!(poll(subscription, &waker).is_pending());
        }
        drop(many);
        let mut one = broadcast.subscribe(None).or_live_untold();
        for _ in 0..4 {
            while poll(&mut one, &waker).is_ready() {}
            broadcast.publish(&Event::message("x")).expect("it is open");
        }
    });
    assert!(held(made) < 8 * KIB, "{made:?}");
}

#[test]
fn what_was_joined_goes_with_the_last_who_is_behind() {
    let filter = SubscribeOptions::new().with_filter(|_, _| true);
    let waker = Waker::from(Arc::new(Task));
    let skips = SubscribeOptions::new().with_skip_ahead(|_| Event::message("skipped"));
    for (options, leaves) in [
        (SubscribeOptions::new(), "drops"),
        (filter.clone(), "drops"),
        (filter, "reads"),
        (skips, "drops"),
    ] {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let mut first = broadcast.subscribe(None).or_live_untold();
        let mut second = broadcast.subscribe_with(None, &options).or_live_untold();
        for _ in 0..50 {
            let event = Event::message("x".repeat(1_000));
            broadcast.publish(&event).expect("it is open");
        }
        let made = measure(|| {
            // Joined, and kept for the second.
            assert!(poll(&mut first, &waker).is_ready());
            if leaves == "reads" {
                assert!(poll(&mut second, &waker).is_ready());
            } else {
                drop(second);
            }
        });
        assert!(made.bytes_max > 50_000, "{made:?}");
        assert!(made.bytes_current < 10_000, "{made:?} {leaves}");
    }
}
