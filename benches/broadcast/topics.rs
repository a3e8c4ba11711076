//! Events of one of many, and of some of many, beside the same built by hand: a map of channels.

use std::collections::HashMap;

use sse_proto::broadcast::{Retention, SubscribeOptions};
use sse_proto::{Broadcast, EventStream, Frame, Subscription, Target, channel};

use crate::delta;
use crate::harness::{Candidate, Role, Work, compare};
use crate::task::Task;

fn user(number: usize) -> String {
    format!("user-{number}")
}

/// Numbers that look random, so that no cache helps.
struct Numbers(usize);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Makes the tasks of a broadcast whose subscribers have some topics, and runs them once.
fn of_broadcast(
    broadcast: &Broadcast,
    subscribers: usize,
    topics: impl Fn(usize) -> Vec<String>,
) -> Vec<Task<Subscription>> {
    let subscribe = |number| {
        let options = SubscribeOptions::new().with_topics(topics(number));
        let subscribed = broadcast.subscribe_with(None, &options);
        Task::new(subscribed.or_live_untold())
    };
    let mut tasks: Vec<_> = (0..subscribers).map(subscribe).collect();
    for task in &mut tasks {
        task.run();
    }
    tasks
}

/// A map of users to their targets, and the tasks of the streams.
fn by_hand(subscribers: usize) -> (HashMap<String, Target>, Vec<Task<EventStream>>) {
    let mut tasks = Vec::new();
    let targets = (0..subscribers).map(|number| {
        let (target, stream) = channel();
        tasks.push(Task::new(stream));
        (user(number), target)
    });
    let targets = targets.collect();
    for task in &mut tasks {
        task.run();
    }
    (targets, tasks)
}

fn work() -> Work {
    Work {
        events: 1,
        bytes: Frame::new(&delta()).as_bytes().len(),
    }
}

/// One event for one user, each time another one, who is woken and polled.
pub(crate) fn private_events(subscribers: usize) {
    let names: Vec<_> = (0..subscribers).map(user).collect();
    let broadcast = Broadcast::with_epoch(Retention::default(), 1);
    let mut tasks = of_broadcast(&broadcast, subscribers, |number| vec![user(number)]);
    let (targets, mut by_hand) = by_hand(subscribers);
    let (mut ours, mut theirs) = (Numbers(1), Numbers(1));
    let event = delta();
    compare(
        &format!("an event of one of {subscribers} subscribers"),
        work(),
        &mut [
            Candidate::new(Role::Peer, "a map of channels", || {
                let one = theirs.next(subscribers);
                targets[&names[one]].dispatch(&event).expect("it has room");
                by_hand[one].run()
            }),
            Candidate::new(Role::Ours, "publish_to", || {
                let one = ours.next(subscribers);
                broadcast
                    .publish_to(&names[one], &event)
                    .expect("it is open");
                tasks[one].run()
            }),
        ],
    );
}

/// Three topics each: all, a tenant of 100, a user. Of 111 events one is for all, 10 are for a tenant, 100 for a user.
pub(crate) fn mixed_events() {
    const SUBSCRIBERS: usize = 10_000;
    const TENANT: usize = 100;
    let names: Vec<_> = (0..SUBSCRIBERS).map(user).collect();
    let tenant = |number: usize| format!("tenant-{number}");
    let tenants: Vec<_> = (0..SUBSCRIBERS / TENANT).map(tenant).collect();
    let broadcast = Broadcast::with_epoch(Retention::default(), 1);
    let mut tasks = of_broadcast(&broadcast, SUBSCRIBERS, |number| {
        vec![tenant(number / TENANT), user(number)]
    });
    let (targets, mut by_hand) = by_hand(SUBSCRIBERS);
    let members = |number: usize| names[number * TENANT..][..TENANT].to_vec();
    let of_tenant: HashMap<_, _> = (0..tenants.len())
        .map(|one| (tenant(one), members(one)))
        .collect();
    let (mut ours, mut theirs) = (Numbers(1), Numbers(1));
    let event = delta();
    compare(
        "three topics each: 1 for all, 10 for tenants of 100, 100 for users",
        Work {
            events: u32::try_from(SUBSCRIBERS + 10 * TENANT + 100).expect("a small number"),
            bytes: (SUBSCRIBERS + 10 * TENANT + 100) * work().bytes,
        },
        &mut [
            Candidate::new(Role::Peer, "maps of channels, by hand", || {
                let mut bytes = 0;
                for _ in 0..10 {
                    for _ in 0..10 {
                        let one = theirs.next(SUBSCRIBERS);
                        targets[&names[one]].dispatch(&event).expect("it has room");
                        bytes += by_hand[one].run();
                    }
                    let one = theirs.next(tenants.len());
                    let frame = Frame::new(&event);
                    for member in &of_tenant[&tenants[one]] {
                        targets[member].dispatch_frame(&frame).expect("it has room");
                    }
                    bytes += by_hand[one * TENANT..][..TENANT]
                        .iter_mut()
                        .map(Task::run)
                        .sum::<usize>();
                }
                let frame = Frame::new(&event);
                for target in targets.values() {
                    target.dispatch_frame(&frame).expect("it has room");
                }
                bytes + by_hand.iter_mut().map(Task::run).sum::<usize>()
            }),
            Candidate::new(Role::Ours, "Broadcast", || {
                let mut bytes = 0;
                for _ in 0..10 {
                    for _ in 0..10 {
                        let one = ours.next(SUBSCRIBERS);
                        broadcast
                            .publish_to(&names[one], &event)
                            .expect("it is open");
                        bytes += tasks[one].run();
                    }
                    let one = ours.next(tenants.len());
                    broadcast
                        .publish_to(&tenants[one], &event)
                        .expect("it is open");
                    bytes += tasks[one * TENANT..][..TENANT]
                        .iter_mut()
                        .map(Task::run)
                        .sum::<usize>();
                }
                broadcast.publish(&event).expect("it is open");
                bytes + tasks.iter_mut().map(Task::run).sum::<usize>()
            }),
        ],
    );
}

/// Subscribing to topics of one's own and leaving, and changing one.
pub(crate) fn subscribing() {
    const TOPICS: usize = 9_999;
    const EACH: usize = 3;
    let names: Vec<_> = (0..TOPICS).map(user).collect();
    let of_topics = Work {
        events: u32::try_from(TOPICS).expect("a small number"),
        bytes: 0,
    };
    let sets = names.chunks(EACH);
    let options: Vec<_> = sets
        .map(|names| SubscribeOptions::new().with_topics(names.iter().map(|name| &**name)))
        .collect();
    let broadcast = Broadcast::with_epoch(Retention::default(), 1);
    let subscription = broadcast.subscribe(None).or_live_untold();
    let handle = subscription.handle();
    compare(
        "subscribe to three topics each, 9 999 in all, and leave",
        of_topics,
        &mut [
            Candidate::new(Role::Peer, "insert into a HashMap", || {
                let mut map = HashMap::new();
                for (number, name) in names.iter().enumerate() {
                    map.insert(name.clone(), number);
                }
                map
            }),
            Candidate::new(Role::Ours, "subscribe_with three topics", || {
                let subscribe = |options| broadcast.subscribe_with(None, options).or_live_untold();
                options.iter().map(subscribe).collect::<Vec<_>>()
            }),
            Candidate::new(Role::Ours, "add a topic and remove it", || {
                for name in &names {
                    handle.add_topic(name).expect("it is short");
                    handle.remove_topic(name);
                }
            }),
        ],
    );
}
