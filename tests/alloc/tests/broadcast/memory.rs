//! How much memory a broadcast and its subscribers hold.

use std::sync::Arc;
use std::task::{Poll, Waker};

use allocation_counter::measure;
use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::{Broadcast, Event, Subscription};

use crate::{KIB, Task, held, poll, publish, subscribe};

const MIB: usize = 1024 * KIB;

/// What is retained.
#[derive(Clone, Copy, Debug)]
struct Kept {
    frames: usize,
    bytes: usize,
    topics: usize,
}

impl Kept {
    const DEFAULT: Self = Self {
        frames: 1024,
        bytes: MIB,
        topics: 16_384,
    };

    fn retention(self) -> Retention {
        Retention::new(self.frames, self.bytes).with_remembered_topics(self.topics)
    }

    /// The memory that the documentation of `Retention` promises not to pass.
    fn most(self) -> usize {
        self.bytes / 8 * 9 + MIB + 64 * self.frames + 56 * self.topics
    }
}

#[test]
fn an_idle_subscriber_costs_96_bytes_at_most() {
    for is_private in [false, true] {
        for epoch in [None, Some(1_732_000_000_000)] {
            idle_subscribers(is_private, epoch);
        }
    }
}

fn idle_subscribers(is_private: bool, epoch: Option<u64>) {
    const MANY: usize = 10_000;
    let broadcast = match epoch {
        None => Broadcast::with_key(Retention::default(), Key::number()),
        Some(epoch) => Broadcast::with_epoch(Retention::default(), epoch),
    };
    let waker = Waker::from(Arc::new(Task));
    let mut subscriptions = Vec::new();
    let made = measure(|| {
        subscriptions = subscribe(&broadcast, MANY);
        // Idle after some events, so that all that is held for wakes is there.
        for _ in 0..3 {
            for subscription in &mut subscriptions {
                while poll(subscription, &waker).is_ready() {}
            }
            publish(&broadcast, is_private);
        }
        for subscription in &mut subscriptions {
            while poll(subscription, &waker).is_ready() {}
        }
    });
    let each = (held(made) - 4 * KIB) / MANY;
    println!("{each} bytes, private {is_private}, epoch {epoch:?}");
    assert!(
        each <= 96,
        "{each} bytes, {} of them the type",
        size_of::<Subscription>()
    );
    drop(subscriptions);
}

#[test]
fn ten_thousand_that_lag_cost_no_more_than_idle_ones_and_the_log_no_more_than_promised() {
    const MANY: usize = 10_000;
    let kept = Kept::DEFAULT;
    let waker = Waker::from(Arc::new(Task));
    let mut held_by = None;
    let made = measure(|| {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let mut subscriptions = subscribe(&broadcast, MANY);
        for subscription in &mut subscriptions {
            assert!(poll(subscription, &waker).is_pending());
        }
        for number in 0..5_000_u32 {
            let event = Event::message("x".repeat(300)).with_id(number);
            broadcast.publish(&event).expect("it is open");
        }
        held_by = Some((broadcast, subscriptions));
    });
    assert!(held(made) <= kept.most() + 96 * MANY, "{}", held(made));
    let (broadcast, mut subscriptions) = held_by.expect("made above");
    for subscription in &mut subscriptions {
        assert_eq!(poll(subscription, &waker), Poll::Ready(None));
    }
    assert_eq!(broadcast.statistics().lagged, 10_000);
}

#[test]
fn each_topic_of_a_subscriber_costs_48_bytes_at_most_and_a_topic_200_and_its_name() {
    const MANY: usize = 10_000;
    let waker = Waker::from(Arc::new(Task));
    let names: Vec<_> = (0..MANY).map(|number| format!("{number:0>40}")).collect();
    let idle = |topics: &dyn Fn(usize) -> Vec<String>| {
        let broadcast = Broadcast::with_epoch(Retention::default(), 7);
        let mut subscriptions = Vec::new();
        let made = measure(|| {
            subscriptions = Vec::with_capacity(MANY);
            for number in 0..MANY {
                let options = SubscribeOptions::new().with_topics(topics(number));
                let subscribed = broadcast.subscribe_with(None, &options);
                let mut subscription = subscribed.or_live_untold();
                assert!(poll(&mut subscription, &waker).is_pending());
                subscriptions.push(subscription);
            }
        });
        (held(made) - 4 * KIB) / MANY
    };
    let plain = idle(&|_| Vec::new());
    let shared = idle(&|_| vec!["a".into(), "b".into(), "c".into()]);
    let own = idle(&|number| vec![names[number].clone()]);
    println!("{plain} bytes, {shared} with three shared topics, {own} with one of its own");
    assert!(plain <= 96);
    assert!(shared - plain <= 3 * 48);
    assert!(own - plain <= 48 + 200 + 40);
}

#[test]
fn a_place_in_a_chain_costs_16_bytes_at_most_in_a_log_at_its_limit() {
    const FRAMES: usize = 100_000;
    let names: Vec<_> = (0..10_000).map(|number| format!("user-{number}")).collect();
    let held_by = |topics: usize| {
        let broadcast = Broadcast::with_epoch(Retention::new(FRAMES, 1 << 30), 7);
        let options = SubscribeOptions::new().with_topics(names.iter().map(|name| &**name));
        // So that the topics are no part of the log.
        let subscription = broadcast.subscribe_with(None, &options).or_live_untold();
        let made = measure(|| {
            for number in 0..3 * FRAMES {
                let event = Event::message("x");
                let published = match topics {
                    0 => broadcast.publish(&event),
                    // Some have many frames, and most have few.
                    _ => broadcast.publish_to(&names[number * number % topics], &event),
                };
                published.expect("it is open");
            }
        });
        let bytes = broadcast.statistics().retained_bytes;
        drop(subscription);
        let bytes = usize::try_from(bytes).expect("a small number");
        // An entry of the log takes 48 bytes, in a queue that doubles: 2^17 of them.
        (held(made) - bytes / 8 * 9) / FRAMES
    };
    let all = [held_by(0), held_by(1), held_by(100), held_by(10_000)];
    println!("{all:?} bytes a frame");
    let entry = (48 << 17) / FRAMES;
    assert!(all.iter().all(|each| *each <= entry + 16), "{all:?}");
}

#[test]
fn the_log_takes_what_is_promised_whatever_is_published() {
    let default = Kept::DEFAULT;
    let all = [
        default,
        Kept {
            frames: 100_000,
            bytes: 4 * MIB,
            ..default
        },
        Kept {
            frames: 10,
            bytes: 16 * MIB,
            ..default
        },
        Kept {
            bytes: 40 * KIB,
            topics: 0,
            ..default
        },
    ];
    let lens: [&[usize]; 4] = [
        &[0, 20, 150],
        &[3_000],
        &[100, 20_000, 5_000, 1],
        &[100_000, 30],
    ];
    let text = "x".repeat(100_000);
    for kept in all {
        for lens in lens {
            // For all; for one topic; for a fresh topic each.
            for way in 0..3 {
                let waker = Waker::from(Arc::new(Task));
                let mut held_by = None;
                let made = measure(|| {
                    let broadcast = Broadcast::with_epoch(kept.retention(), 7);
                    // One never reads, and two are behind, so that joined chunks are kept.
                    let never = broadcast.subscribe(None).or_live_untold();
                    let mut reads = subscribe(&broadcast, 3);
                    let (mut bytes, mut number) = (0, 0_usize);
                    while bytes < 2 * kept.bytes && number < 60_000 {
                        let len = lens[number % lens.len()];
                        number += 1;
                        bytes += len;
                        if len > kept.bytes {
                            continue;
                        }
                        let event = Event::message(&text[..len]);
                        // One above the limit by its fields is refused.
                        let _ = match way {
                            0 => broadcast.publish(&event),
                            1 => broadcast.publish_to("somebody", &event),
                            _ => broadcast.publish_to(&format!("{number:0>100}"), &event),
                        };
                        if number % 64 == 0 {
                            let at = number / 64 % 3;
                            if poll(&mut reads[at], &waker) == Poll::Ready(None) {
                                reads[at] = broadcast.subscribe(None).or_live_untold();
                            }
                        }
                    }
                    held_by = Some((broadcast, never, reads));
                });
                let (held, most) = (held(made), kept.most());
                assert!(held <= most, "{held} of {most}: {kept:?} {lens:?} {way}");
                drop(held_by);
            }
        }
    }
}

#[test]
fn two_groups_a_frame_apart_hold_two_chunks_and_not_one_each() {
    const MANY: usize = 700;
    let waker = Waker::from(Arc::new(Task));
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let mut subscriptions = subscribe(&broadcast, MANY);
    let event = Event::message("x".repeat(1_000));
    broadcast.publish(&event).expect("it is open");
    for subscription in subscriptions.iter_mut().step_by(2) {
        assert!(poll(subscription, &waker).is_ready());
    }
    for _ in 0..50 {
        broadcast.publish(&event).expect("it is open");
    }
    let mut chunks = Vec::with_capacity(MANY);
    let made = measure(|| {
        chunks.extend(subscriptions.iter_mut().map(|one| poll(one, &waker)));
    });
    assert!(held(made) < 160 * KIB, "{made:?}");
    drop(chunks);
}
