//! What it costs to deliver to all.

use bytes::Bytes;
use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::{Broadcast, EventType, Frame};

use crate::delta;
use crate::harness::{Candidate, Role, Work, compare};
use crate::task::{Task, tasks};

pub(crate) fn deliver(subscribers: usize, burst: usize) {
    let plain = SubscribeOptions::new();
    let broadcast = || Broadcast::with_key(Retention::default(), Key::number());
    let types = plain
        .clone()
        .with_event_types([EventType::from_static("content_block_delta")]);
    let topic = plain.clone().with_topics(["somebody"]);
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
                "Broadcast, with a topic",
                exchange(broadcast(), burst, &topic, subscribers),
            ),
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
