//! What a delivered event costs, from `publish` through `poll_next` of each subscriber, each with a waker of its own that is
//! registered again each time. And publishing to nobody, catching up, and a publisher on a thread of its own.
//!
//! `cargo bench --bench broadcast`; an argument picks the comparisons whose title contains it. Others do the same work in
//! `benches/peers`.

#[path = "harness/mod.rs"]
pub mod harness;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use harness::{Candidate, Role, Work, compare};
use sse_proto::{
    Broadcast, Event, EventId, EventType, Frame, Retention, Scope, SubscribeOptions, Subscription,
    channel,
};

const DATA: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" the quick brown fox jumps over a dog!!"}}"#;

fn main() {
    for subscribers in [1, 100, 10_000] {
        for burst in [1, 8, 64] {
            deliver(subscribers, burst);
        }
    }
    private_events();
    publish_to_nobody();
    catch_up();
    find_ids();
    two_threads();
}

fn delta() -> Event<'static> {
    Event::new(EventType::from_static("content_block_delta"), DATA)
}

/// A task: whether it was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task<S = Subscription> {
    woken: Arc<Woken>,
    waker: Waker,
    subscription: S,
}

impl<S: Stream<Item = Bytes> + Unpin> Task<S> {
    fn new(subscription: S) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self {
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            subscription,
        }
    }

    /// Runs it if it was woken, as an executor does, and returns how many bytes came.
    fn run(&mut self) -> usize {
        let mut bytes = 0;
        if self.woken.0.load(Ordering::Relaxed) {
            self.woken.0.store(false, Ordering::Relaxed);
            let mut cx = Context::from_waker(&self.waker);
            while let Poll::Ready(Some(chunk)) = Pin::new(&mut self.subscription).poll_next(&mut cx)
            {
                bytes += chunk.len();
            }
        }
        bytes
    }
}

fn tasks(broadcast: &Broadcast, subscribers: usize, options: &SubscribeOptions) -> Vec<Task> {
    let mut tasks: Vec<_> = (0..subscribers)
        .map(|_| Task::new(broadcast.subscribe_with(None, options).or_live()))
        .collect();
    for task in &mut tasks {
        task.run();
    }
    tasks
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

fn deliver(subscribers: usize, burst: usize) {
    let plain = SubscribeOptions::new();
    let broadcast = || Broadcast::new(Retention::new());
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
                    Broadcast::assigning_ids(Retention::new(), 1),
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

/// One event of somebody's, each time another one's, for which all who subscribe are woken and pass over it but one. And
/// the same event by the target of a merged stream, which wakes that one alone.
fn private_events() {
    const SUBSCRIBERS: u32 = 10_000;
    let user = |number: u32| Scope::new(format!("user-{number}"));
    let event = delta();
    let each = |options: &dyn Fn(u32) -> SubscribeOptions| {
        let broadcast = Broadcast::assigning_ids(Retention::new(), 1);
        let event = delta();
        let mut tasks: Vec<_> = (0..SUBSCRIBERS)
            .map(|number| Task::new(broadcast.subscribe_with(None, &options(number)).or_live()))
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
    let broadcast = Broadcast::assigning_ids(Retention::new(), 1);
    let mut targets = Vec::new();
    let mut merged: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let (target, stream) = channel();
            targets.push(target);
            Task::new(broadcast.subscribe(None).or_live().merge(stream))
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
            bytes: Frame::new(&event).len(),
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
                    SubscribeOptions::new().with_scopes(move |scope| *scope == mine)
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

fn publish_to_nobody() {
    let event = delta();
    let (assigned, own, without) = (
        Broadcast::assigning_ids(Retention::new(), 1),
        Broadcast::new(Retention::new()),
        Broadcast::new(Retention::new()),
    );
    let forgetful = Broadcast::new(Retention::new().with_remembered_ids(0));
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let (mut first, mut number) = (0_u64, 0_u64);
    let wire = Frame::new(&event);
    compare(
        "publish, nobody subscribed",
        Work {
            events: 1,
            bytes: wire.len(),
        },
        &mut [
            Candidate::new(Role::Limit, "encode into a buffer", || {
                if buffer.len() > 60 * 1024 {
                    buffer.clear();
                }
                sse_proto::encode(&event, &mut buffer);
            }),
            Candidate::new(Role::Ours, "Frame::new", || Frame::new(&event)),
            Candidate::new(Role::Ours, "publish, no id", || without.publish(&event)),
            Candidate::new(Role::Ours, "publish, ids assigned", || {
                assigned.publish(&event)
            }),
            Candidate::new(Role::Ours, "publish, ids of the user's", || {
                first += 1;
                own.publish(&delta().with_id(first))
            }),
            Candidate::new(Role::Ours, "the same, none remembered", || {
                number += 1;
                forgetful.publish(&delta().with_id(number))
            }),
            Candidate::new(Role::Ours, "Frame::new with id", || {
                Frame::new(&delta().with_id(1_000_000_u64))
            }),
            Candidate::new(Role::Ours, "publish_frame", || without.publish_frame(&wire)),
        ],
    );
}

/// A log of 100 000 events, read from its start.
fn catch_up() {
    const EVENTS: u32 = 100_000;
    let retention = Retention::new()
        .with_frames(EVENTS as usize)
        .with_bytes(64 * 1024 * 1024);
    let broadcast = Broadcast::assigning_ids(retention, 1);
    for _ in 0..EVENTS {
        broadcast.publish(&delta()).expect("it is open");
    }
    let bytes = usize::try_from(broadcast.statistics().retained_bytes).expect("it is in memory");
    let start = EventId::from_static("1-0~");
    let types =
        SubscribeOptions::new().with_event_types([EventType::from_static("content_block_delta")]);
    let read = |options: &SubscribeOptions| {
        let subscribed = broadcast.subscribe_with(Some(&start), options);
        let read = Task::new(subscribed.or_live()).run();
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
fn find_ids() {
    let logs = [1_000_u32, 10_000, 100_000].map(|frames| {
        let retention = Retention::new()
            .with_frames(frames as usize)
            .with_bytes(64 * 1024 * 1024);
        let (assigning, own) = (
            Broadcast::assigning_ids(retention, 1),
            Broadcast::new(retention),
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
            let ids = ids.map(|id| EventId::try_from(id).expect("digits"));
            let broadcast = broadcast.clone();
            let mut next = 0;
            let ask = move || {
                next = (next + 1) % 8;
                let subscribed = broadcast.subscribe(Some(&ids[next]));
                assert!(matches!(subscribed, sse_proto::Subscribed::Resumed { .. }));
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

/// Not interleaved, since each run has two threads: one publishes as fast as it can or in step with the slowest, one runs the
/// tasks.
fn two_threads() {
    if !std::env::args().any(|argument| argument == "--bench")
        || std::env::args()
            .skip(1)
            .any(|argument| !argument.starts_with('-') && !"two threads".contains(&argument))
    {
        return;
    }
    println!("\ntwo threads, a second each");
    println!(
        "  {:<36}{:>14}{:>14}{:>20}{:>16}",
        "", "published/s", "ns a publish", "delivered/s", "ns a delivery"
    );
    for subscribers in [0, 1, 100, 1_000, 10_000] {
        run_two_threads(subscribers, 0);
        if subscribers > 0 {
            run_two_threads(subscribers, 8);
        }
    }
}

/// The publisher waits while the slowest is more than `window` frames behind, if that is not 0.
fn run_two_threads(subscribers: usize, window: u64) {
    let retention = Retention::new()
        .with_frames(100_000)
        .with_bytes(64 * 1024 * 1024);
    let broadcast = Broadcast::new(retention);
    let skip = SubscribeOptions::new().with_skip_ahead(|_| Event::message("skipped"));
    let mut tasks = tasks(&broadcast, subscribers, &skip);
    let len = Frame::new(&delta()).len();
    let second = Duration::from_secs(1);
    let reads = thread::spawn(move || {
        let (start, mut bytes) = (Instant::now(), 0_usize);
        while start.elapsed() < second && !tasks.is_empty() {
            bytes += tasks.iter_mut().map(Task::run).sum::<usize>();
        }
        bytes / len
    });
    let (start, mut published, mut spent) = (Instant::now(), 0_u32, Duration::ZERO);
    while start.elapsed() < second {
        let before = Instant::now();
        for _ in 0..8 {
            broadcast.publish(&delta()).expect("it is open");
        }
        spent += before.elapsed();
        published += 8;
        while window > 0 && broadcast.statistics().most_behind > window && start.elapsed() < second
        {
            thread::yield_now();
        }
    }
    let delivered = reads.join().expect("it does not panic");
    let how = if window == 0 {
        "as fast as it goes"
    } else {
        "in step"
    };
    println!(
        "  {:<36}{published:>14}{:>14}{delivered:>20}{:>16.1}",
        format!("{subscribers} subscribers, {how}"),
        spent.as_nanos() / u128::from(published.max(1)),
        second.as_secs_f64() * 1e9 / f64::from(u32::try_from(delivered.max(1)).unwrap_or(u32::MAX)),
    );
}
