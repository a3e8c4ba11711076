//! What it costs to come back: to read a log from its start, and to find the id.

use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::{Broadcast, EventId, EventType, Frame};

use crate::delta;
use crate::harness::{Candidate, Role, Work, compare};
use crate::task::Task;

/// A log of 100 000 events, read from its start.
pub(crate) fn catch_up() {
    const EVENTS: u32 = 100_000;
    let retention = Retention::new(EVENTS as usize, 64 * 1024 * 1024);
    let broadcast = Broadcast::with_epoch(retention, 1);
    for _ in 0..EVENTS {
        broadcast.publish(&delta()).expect("it is open");
    }
    let bytes = usize::try_from(broadcast.statistics().retained_bytes).expect("it is in memory");
    let start = EventId::from_static("1-0");
    let types =
        SubscribeOptions::new().with_event_types([EventType::from_static("content_block_delta")]);
    let read = |options: &SubscribeOptions| {
        let subscribed = broadcast.subscribe_with(&start, options);
        let read = Task::new(subscribed.or_live_untold()).run();
        assert_eq!(read, bytes, "all of it");
    };
    let one = Frame::new(&delta()).into_bytes();
    compare(
        "catch up, 100 000 events",
        Work {
            events: EVENTS,
            bytes,
        },
        &mut [
            Candidate::new(
                Role::Limit,
                "an event at a time: clones of Bytes",
                move || (0..EVENTS).map(|_| one.clone().len()).sum::<usize>(),
            ),
            Candidate::new(Role::Ours, "Broadcast", || read(&SubscribeOptions::new())),
            Candidate::new(Role::Ours, "Broadcast, event types chosen", || read(&types)),
        ],
    );
}

/// Coming back with an id, assigned or the user's, in logs of different lengths: it should not matter.
pub(crate) fn find_ids() {
    let logs = [1_000_u32, 10_000, 100_000].map(|frames| {
        let retention = Retention::new(frames as usize, 64 * 1024 * 1024);
        let (assigning, own) = (
            Broadcast::with_epoch(retention.clone(), 1),
            Broadcast::with_key(retention, Key::number()),
        );
        for number in 1..=frames {
            assigning.publish(&delta()).expect("it is open");
            own.publish(&delta().with_id(number)).expect("it is open");
        }
        (frames, assigning, own)
    });
    let mut candidates = Vec::new();
    for (frames, assigning, own) in &logs {
        let mut ask = |name, broadcast: &Broadcast, ids: [String; 8]| {
            let ids = ids.map(|id| EventId::new(id).expect("digits"));
            let broadcast = broadcast.clone();
            let mut next = 0;
            let ask = move || {
                next = (next + 1) % 8;
                let subscribed = broadcast.subscribe(&ids[next]);
                assert!(matches!(
                    subscribed,
                    sse_proto::broadcast::Subscribed::Resumed { .. }
                ));
            };
            let name = format!("{frames} frames, ids {name}");
            candidates.push(Candidate::new(Role::Ours, name, ask));
        };
        // Spread over the log.
        let number = |part: usize| *frames as usize / 8 * part + 1;
        ask(
            "assigned",
            assigning,
            std::array::from_fn(|part| format!("1-{}", number(part))),
        );
        ask(
            "of the user's",
            own,
            std::array::from_fn(|part| number(part).to_string()),
        );
    }
    let work = Work {
        events: 1,
        bytes: 0,
    };
    compare("subscribe behind an id, and leave", work, &mut candidates);
}
