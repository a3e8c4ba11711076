//! How much memory a broadcast and its subscribers hold.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use sse_proto::broadcast::{Key, Retention, Scope, SubscribeOptions};
use sse_proto::{Broadcast, Event, EventId, Subscription};

use crate::{KIB, Task, held, poll, publish, subscribe};

const MIB: usize = 1024 * KIB;

/// What is retained.
#[derive(Clone, Copy, Debug)]
struct Kept {
    frames: usize,
    bytes: usize,
    ids: usize,
}

impl Kept {
    const DEFAULT: Self = Self {
        frames: 1024,
        bytes: MIB,
        ids: 4096,
    };

    fn retention(self) -> Retention {
        Retention::new(self.frames, self.bytes).with_remembered_ids(self.ids)
    }

    /// The memory that the documentation of `Retention` promises not to pass.
    fn most(self) -> usize {
        self.bytes / 8 * 9 + 256 * KIB + 192 * self.frames + 128 * self.ids
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
        assert_eq!(broadcast.statistics().lagging, MANY);
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
fn one_that_never_reads_keeps_no_more_than_is_retained() {
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
            ids: 0,
            ..default
        },
        Kept {
            frames: 5_000,
            ids: 50_000,
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
            for scoped in [false, true] {
                let mut held_by = None;
                let made = measure(|| {
                    let broadcast = Broadcast::with_key(kept.retention(), Key::number());
                    let subscription = broadcast.subscribe(None).or_live_untold();
                    let scope = Scope::new("somebody");
                    let unknown = EventId::from_static("none");
                    let (mut bytes, mut number) = (0, 0_u32);
                    while bytes < 2 * kept.bytes && number < 60_000 {
                        let len = lens[number as usize % lens.len()];
                        number += 1;
                        bytes += len;
                        if len > kept.bytes {
                            continue;
                        }
                        let event = Event::message(&text[..len]).with_id(number);
                        let published = if scoped {
                            broadcast.publish_for(&scope, &event)
                        } else {
                            broadcast.publish(&event)
                        };
                        // One above the limit by its fields is refused.
                        let _ = published;
                        // An unknown id brings the index up to date.
                        if number % 1_000 == 0 {
                            drop(broadcast.subscribe(Some(&unknown)));
                        }
                    }
                    drop(broadcast.subscribe(Some(&unknown)));
                    held_by = Some((broadcast, subscription));
                });
                let (held, most) = (held(made), kept.most());
                assert!(held <= most, "{held} of {most}: {kept:?} {lens:?} {scoped}");
                drop(held_by);
            }
        }
    }
}

#[test]
fn a_log_of_scopes_takes_what_is_promised() {
    for (frames, remembered) in [(1_025, 4_097), (8_193, 0), (10, 65_537)] {
        for len in [8, 100, 256] {
            let kept = Kept {
                frames,
                bytes: 4 * MIB,
                ids: remembered,
            };
            let retention = kept.retention().with_max_age(Duration::from_secs(1 << 40));
            let waker = Waker::from(Arc::new(Task));
            let mut held_by = None;
            let made = measure(|| {
                let broadcast = Broadcast::with_key(retention, Key::number());
                let all = SubscribeOptions::new().with_scopes(|_| true);
                let mut plain = broadcast.subscribe(None).or_live_untold();
                let mut sees_all = broadcast.subscribe_with(None, &all).or_live_untold();
                let many = frames + remembered + 10;
                for number in 0..u32::try_from(many).expect("a small number") {
                    broadcast.advance(Duration::from_secs(number.into()));
                    // A text of its own each.
                    let scope = Scope::new(format!("{number:0>len$}"));
                    let event = Event::block().with_id(number);
                    broadcast.publish_for(&scope, &event).expect("it is open");
                }
                // A joined chunk is kept for the other subscribers.
                let unknown = EventId::from_static("none");
                let subscribed = broadcast.subscribe_with(Some(&unknown), &all);
                let mut first = subscribed.or_oldest();
                let behind = broadcast.subscribe(Some(&unknown)).or_oldest();
                let _ = poll(&mut first, &waker);
                let _ = (poll(&mut plain, &waker), poll(&mut sees_all, &waker));
                drop((first, plain, sees_all));
                held_by = Some((broadcast, behind));
            });
            let most = kept.most() + (24 + len) * (frames + remembered);
            let held = held(made);
            assert!(held <= most, "{held} of {most}: {kept:?} {len}");
            drop(held_by);
        }
    }
}
