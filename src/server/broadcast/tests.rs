//! The law that a publication costs those who get it, counted: wakes, frames that are looked at, bytes
//! that are copied.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::stream::Stream;

use super::work::{Work, take};
use super::{Broadcast, Retention, SubscribeOptions, Subscribed, Subscription};
use crate::wire::event::Event;
use crate::wire::field::EventId;

struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn poll(subscription: &mut Subscription, waker: &Waker) -> Poll<Option<Bytes>> {
    Pin::new(subscription).poll_next(&mut Context::from_waker(waker))
}

fn subscribe(broadcast: &Broadcast, topics: &[String]) -> Subscription {
    let options = SubscribeOptions::new().with_topics(topics.to_vec());
    let subscribed = broadcast.subscribe_with(None, &options);
    subscribed.or_live_untold()
}

fn publish(broadcast: &Broadcast, topic: Option<&str>) {
    let event = Event::message("0123456789");
    let published = match topic {
        None => broadcast.publish(&event),
        Some(topic) => broadcast.publish_to(topic, &event),
    };
    assert!(published.is_ok());
}

/// Polls all until nothing is there.
fn poll_all(subscriptions: &mut [Subscription], waker: &Waker) {
    for subscription in subscriptions {
        while poll(subscription, waker).is_ready() {}
    }
}

fn user(number: usize) -> String {
    format!("user-{number}")
}

/// The bytes of an event with an id of a digit.
const LEN: usize = "id: 7-1\ndata: 0123456789\n\n".len();

#[test]
fn an_event_of_one_wakes_one_and_looks_at_one_frame_however_many_there_are() {
    for others in [10, 1_000, 100_000] {
        let broadcast = Broadcast::with_epoch(Retention::default(), 7);
        let waker = Waker::from(Arc::new(Task));
        let mut all: Vec<_> = (0..=others)
            .map(|one| subscribe(&broadcast, &[user(one)]))
            .collect();
        poll_all(&mut all, &waker);
        take();
        publish(&broadcast, Some("user-5"));
        let counted = Work {
            wakes: 1,
            frames: 0,
            bytes: 0,
        };
        assert_eq!(take(), counted, "{others} others");
        assert!(poll(&mut all[5], &waker).is_ready());
        let counted = Work {
            wakes: 0,
            frames: 1,
            bytes: LEN,
        };
        assert_eq!(take(), counted, "{others} others");
        poll_all(&mut all, &waker);
        assert_eq!(take().frames, 0, "nobody else looks at it");
    }
}

#[test]
fn a_resume_looks_at_the_missed_frames_of_its_own_among_a_million() {
    let broadcast = Broadcast::with_epoch(Retention::new(1_000_000, 1 << 30), 7);
    for number in 0..1_000_000 {
        let topic = if number % 100_000 == 7 { "ann" } else { "bob" };
        publish(&broadcast, Some(topic));
    }
    let options = SubscribeOptions::new().with_topics(["ann"]);
    take();
    let subscribed = broadcast.subscribe_with(EventId::from_static("7-0"), &options);
    let Subscribed::Resumed {
        mut subscription,
        missed: 10,
    } = subscribed
    else {
        panic!("it is known");
    };
    assert!(poll(&mut subscription, Waker::noop()).is_ready());
    assert!(poll(&mut subscription, Waker::noop()).is_pending());
    assert_eq!(take().frames, 10);
}

#[test]
fn what_waits_of_one_topic_is_copied_once_for_all_its_subscribers() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let waker = Waker::from(Arc::new(Task));
    let tenant = [String::from("tenant")];
    let mut plain: Vec<_> = (0..10_000).map(|_| subscribe(&broadcast, &[])).collect();
    let mut tenants: Vec<_> = (0..100).map(|_| subscribe(&broadcast, &tenant)).collect();
    for subscriptions in [&mut plain, &mut tenants] {
        poll_all(subscriptions, &waker);
    }
    take();
    publish(&broadcast, None);
    assert_eq!(take().wakes, 10_100);
    poll_all(&mut plain, &waker);
    poll_all(&mut tenants, &waker);
    // What waits for all of them is of one and the same topic.
    assert_eq!(
        take(),
        Work {
            wakes: 0,
            frames: 1,
            bytes: LEN
        }
    );
    publish(&broadcast, Some("tenant"));
    assert_eq!(take().wakes, 100);
    poll_all(&mut plain, &waker);
    poll_all(&mut tenants, &waker);
    assert_eq!(
        take(),
        Work {
            wakes: 0,
            frames: 1,
            bytes: LEN
        }
    );
    // Of two topics: once for the plain ones, and by each of the tenants.
    publish(&broadcast, None);
    publish(&broadcast, Some("tenant"));
    assert_eq!(take().wakes, 10_100, "each is woken once");
    poll_all(&mut plain, &waker);
    poll_all(&mut tenants, &waker);
    assert_eq!(
        take(),
        Work {
            wakes: 0,
            frames: 1 + 200,
            bytes: LEN + 200 * LEN
        }
    );
}
