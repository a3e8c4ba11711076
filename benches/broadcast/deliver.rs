//! What it costs to deliver: to all, and to one of many.

use bytes::Bytes;
use sse_proto::broadcast::{Key, Retention, Scope, SubscribeOptions};
use sse_proto::{Broadcast, EventType, Frame, channel};

use crate::delta;
use crate::harness::{Candidate, Role, Work, compare};
use crate::task::{Task, tasks};

pub(crate) fn deliver(subscribers: usize, burst: usize) {
    let plain = SubscribeOptions::new();
    let broadcast = || Broadcast::with_key(Retention::default(), Key::number());
    let types = plain
        .clone()
        .with_event_types([EventType::from_static("content_block_delta")]);
    let scoped = plain.clone().with_scope(Scope::new("somebody"));
    let shared = Frame::new(&delta()).into_bytes();
    let mut bytes: Vec<Bytes> = vec![Bytes::new(); subscribers];
    compare(
        &format!("deliver: {subscribers} subscribers, bursts of {burst}"),
        Work {
            events: u32::try_from(subscribers * burst).expect("a small number"),
            bytes: shared.len() * subscribers * burst,
        },
        &mut [
            Candidate::new(
                Role::Limit,
                "a clone of Bytes, kept until the next",
                move || {
                    for one in &mut bytes {
                        *one = shared.clone();
                    }
                },
            ),
            Candidate::new(
                Role::Ours,
                "Broadcast",
                exchange(broadcast(), burst, &plain, subscribers),
            ),
            Candidate::new(
                Role::Ours,
                "Broadcast, ids assigned",
                exchange(
                    Broadcast::with_epoch(Retention::default(), 1),
                    burst,
                    &plain,
                    subscribers,
                ),
            ),
            Candidate::new(
                Role::Ours,
                "Broadcast, event types chosen",
                exchange(broadcast(), burst, &types, subscribers),
            ),
            Candidate::new(
                Role::Ours,
                "Broadcast, with a scope",
                exchange(broadcast(), burst, &scoped, subscribers),
            ),
        ],
    );
}

/// One event for a scope, each time another one: all subscribers are woken, and all but one skip it. And the same event
/// through the target of a merged stream, which wakes that one alone.
pub(crate) fn private_events() {
    const SUBSCRIBERS: u32 = 10_000;
    let user = |number: u32| Scope::new(format!("user-{number}"));
    let event = delta();
    let each = |options: &dyn Fn(u32) -> SubscribeOptions| {
        let broadcast = Broadcast::with_epoch(Retention::default(), 1);
        let event = delta();
        let mut tasks: Vec<_> = (0..SUBSCRIBERS)
            .map(|number| {
                Task::new(
                    broadcast
                        .subscribe_with(None, &options(number))
                        .or_live_untold(),
                )
            })
            .collect();
        for task in &mut tasks {
            task.run();
        }
        let mut next = 0;
        move || {
            next = (next + 1) % SUBSCRIBERS;
            broadcast
                .publish_for(&user(next), &event)
                .expect("it is open");
            tasks.iter_mut().map(Task::run).sum::<usize>()
        }
    };
    let broadcast = Broadcast::with_epoch(Retention::default(), 1);
    let mut targets = Vec::new();
    let mut merged: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let (target, stream) = channel();
            targets.push(target);
            Task::new(broadcast.subscribe(None).or_live_untold().merge(stream))
        })
        .collect();
    for task in &mut merged {
        task.run();
    }
    let mut next = 0;
    compare(
        "an event of one of 10 000 subscribers",
        Work {
            events: SUBSCRIBERS,
            bytes: Frame::new(&event).as_bytes().len(),
        },
        &mut [
            Candidate::new(
                Role::Ours,
                "publish_for, nobody has a scope",
                each(&|_| SubscribeOptions::new()),
            ),
            Candidate::new(
                Role::Ours,
                "publish_for, each has a scope",
                each(&|number| SubscribeOptions::new().with_scope(user(number))),
            ),
            Candidate::new(
                Role::Ours,
                "publish_for, a predicate each",
                each(&|number| {
                    let mine = user(number);
                    SubscribeOptions::new()
                        .with_scopes(move |scope| scope.as_str() == mine.as_str())
                }),
            ),
            Candidate::new(Role::Ours, "merge, the target of one", || {
                next = (next + 1) % targets.len();
                targets[next].dispatch(&event).expect("it has room");
                merged.iter_mut().map(Task::run).sum::<usize>()
            }),
        ],
    );
}

fn exchange(
    broadcast: Broadcast,
    burst: usize,
    options: &SubscribeOptions,
    subscribers: usize,
) -> impl FnMut() {
    let mut tasks = tasks(&broadcast, subscribers, options);
    let event = delta();
    move || {
        for _ in 0..burst {
            broadcast.publish(&event).expect("it is open");
        }
        let bytes: usize = tasks.iter_mut().map(Task::run).sum();
        assert!(bytes > 0, "nobody was left out");
    }
}
