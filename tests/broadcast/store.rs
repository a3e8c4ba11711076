//! A store behind a broadcast: here a `Vec`, of which the log has the end.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use sse_proto::broadcast::{
    Arrival, Held, Key, Publication, Retention, SubscribeOptions, Subscribed,
};
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventId, EventType, Frame, Subscription, channel};

use crate::support::fakes::Reader;

/// The engine's log, and the broadcast that follows it.
struct Store {
    entries: Vec<(u32, Option<&'static str>)>,
    broadcast: Broadcast,
}

impl Store {
    /// Begins after an id, with a log of some frames.
    fn new(origin: u32, frames: usize) -> Self {
        let broadcast = Broadcast::with_key(Retention::new(frames, 1 << 20), Key::number());
        broadcast.reset(Some(&id(origin))).expect("it is an id");
        Self {
            entries: Vec::new(),
            broadcast,
        }
    }

    fn append(&mut self, number: u32, topic: Option<&'static str>) {
        self.entries.push((number, topic));
        let answers = self.broadcast.publish_all([publication(number, topic)]);
        assert!(answers[0].is_ok());
    }

    /// A page: the entries after an id, at most `most`, as the ids that are for the subscriber. Returns
    /// the id of the last entry, too.
    fn page(&self, held: &Held, after: u32, most: usize) -> (Vec<u32>, u32) {
        let entries = self
            .entries
            .iter()
            .filter(|(one, _)| *one > after)
            .take(most);
        let page: Vec<_> = entries.copied().collect();
        let last = page.last().map_or(after, |(one, _)| *one);
        let taken = page
            .iter()
            .filter(|(one, topic)| held.takes(*topic, None, &id(*one)));
        (taken.map(|(one, _)| *one).collect(), last)
    }
}

fn id(number: u32) -> EventId<'static> {
    EventId::from(number)
}

fn publication(number: u32, topic: Option<&'static str>) -> Publication<'static> {
    let frame = Publication::new(Frame::new(&Event::message("x").with_id(number)));
    match topic {
        Some(topic) => frame.with_topic(topic),
        None => frame,
    }
}

fn ann() -> SubscribeOptions {
    SubscribeOptions::new().with_topics(["ann"])
}

/// The ids of a chunk.
fn ids(reader: &mut Reader<Subscription>) -> Vec<u32> {
    let Poll::Ready(Some(chunk)) = reader.poll() else {
        return Vec::new();
    };
    let text = String::from_utf8(chunk.to_vec()).expect("a text");
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| id.parse().expect("digits")).collect()
}

#[test]
fn a_log_begins_after_an_origin_and_knows_where_it_is() {
    let store = Store::new(6, 10);
    let broadcast = &store.broadcast;
    assert_eq!(broadcast.last_event_id().unwrap(), "6");
    assert!(matches!(
        broadcast.subscribe(id(6)),
        Subscribed::Resumed { missed: 0, .. }
    ));
    assert!(matches!(broadcast.subscribe(id(5)), Subscribed::Gap(_)));
    assert!(matches!(broadcast.subscribe(id(7)), Subscribed::Ahead(_)));
    let new = broadcast.subscribe(None).or_live_untold();
    assert_eq!(new.last_event_id().unwrap(), "6");
}

#[test]
fn pages_join_the_log_without_a_hole_or_a_duplicate_though_retention_overtakes_them() {
    let mut store = Store::new(0, 4);
    let topics = [None, Some("ann"), Some("bob")];
    for number in 1..=20 {
        store.append(number, topics[number as usize % 3]);
    }
    let expected: Vec<u32> = (1..=33).filter(|number| number % 3 != 2).collect();
    let mut held = store.broadcast.hold(&ann());
    let (mut got, mut last, mut next) = (Vec::new(), 0, 21);
    let mut reader = loop {
        let (page, to) = store.page(&held, last, 5);
        got.extend(page);
        last = to;
        // Faster than the pages at first.
        if next <= 30 {
            for _ in 0..2 {
                store.append(next, topics[next as usize % 3]);
                next += 1;
            }
        }
        held = match held.join(&id(last)) {
            Ok(subscription) => break Reader::new(subscription),
            Err(held) => held,
        };
    };
    got.extend(ids(&mut reader));
    while next <= 33 {
        store.append(next, topics[next as usize % 3]);
        next += 1;
        got.extend(ids(&mut reader));
    }
    assert_eq!(got, expected);
}

#[test]
fn a_laggard_goes_on_with_pages_by_the_same_door() {
    let mut store = Store::new(0, 3);
    store.append(1, None);
    let held = store.broadcast.hold(&ann());
    let mut reader = Reader::new(held.join(&id(1)).expect("it is there"));
    store.append(2, Some("ann"));
    assert_eq!(ids(&mut reader), [2]);
    let handle = reader.stream.handle();
    for number in 3..=9 {
        store.append(number, Some("ann"));
    }
    assert_eq!(reader.poll(), Poll::Ready(None));
    assert_eq!(reader.stream.close_reason(), Some(CloseReason::Overflow));
    // It is still there, with its topics.
    assert_eq!(handle.closed().now_or_never(), None);
    assert_eq!(store.broadcast.subscribers_of("ann"), 1);
    let held = std::pin::Pin::into_inner(reader.stream)
        .hold()
        .expect("it is there");
    assert_eq!(held.last_event_id().unwrap(), "2");
    let (page, last) = store.page(&held, 2, 100);
    assert_eq!((page, last), ((3..=9).collect(), 9));
    let mut reader = Reader::new(held.join(&id(9)).expect("it is there"));
    store.append(10, Some("ann"));
    assert_eq!(ids(&mut reader), [10]);
    assert_eq!(handle.closed().now_or_never(), None);
}

#[test]
fn a_handle_acts_between_two_frames_of_a_page() {
    let mut store = Store::new(0, 100);
    for number in 1..=6 {
        store.append(number, Some("ann"));
    }
    let held = store.broadcast.hold(&ann());
    let handle = held.handle();
    let takes = |number: u32| held.takes(Some("ann"), None, &id(number));
    assert!(takes(1));
    assert!(handle.remove_topic("ann"));
    assert!(!takes(2));
    // Added at 6, so that nothing older is shown.
    assert_eq!(handle.add_topic("ann").unwrap().unwrap(), "6");
    assert!(!takes(6) && takes(7));
    assert!(handle.close(Some(Frame::new(&Event::message("bye")))));
    assert!(!takes(7) && !held.takes(None, None, &id(7)));
    let mut reader = Reader::new(held.join(&id(3)).expect("for the end"));
    assert_eq!(reader.chunk(), "data: bye\n\n");
    assert!(reader.has_ended());
}

#[test]
fn the_rule_of_a_subscriber_has_its_event_types() {
    let store = Store::new(0, 100);
    let options = ann().with_event_types([EventType::from_static("a")]);
    let held = store.broadcast.hold(&options);
    let takes = |event_type| held.takes(Some("ann"), event_type, &id(1));
    assert!(takes(Some("a")) && !takes(Some("b")) && !takes(None));
    assert!(!held.takes(Some("bob"), Some("a"), &id(1)));
}

#[test]
fn many_frames_wake_once_and_one_bad_one_stops_none() {
    let store = Store::new(0, 100);
    let mut reader = Reader::new(store.broadcast.subscribe(None).or_live_untold());
    let mut other = Reader::new(
        store
            .broadcast
            .subscribe_with(None, &ann())
            .or_live_untold(),
    );
    assert!(reader.is_pending() && other.is_pending());
    let pieces = [
        publication(1, None),
        publication(1, None),
        publication(2, Some("ann")),
        Publication::place(id(3)),
        publication(4, None),
    ];
    let answers = store.broadcast.publish_all(pieces);
    let is_ok: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(is_ok, [true, false, true, true, true]);
    assert_eq!((reader.wakes.take(), other.wakes.take()), (1, 1));
    assert_eq!(
        (ids(&mut reader), ids(&mut other)),
        (vec![1, 4], vec![1, 2, 4])
    );
    // A place moves the head, and a client may come back with it.
    let answers = store.broadcast.publish_all([Publication::place(id(5))]);
    assert!(answers[0].is_ok());
    assert!(reader.is_pending() && reader.wakes.take() == 0);
    assert_eq!(reader.stream.last_event_id().unwrap(), "5");
    assert!(matches!(
        store.broadcast.subscribe(id(3)),
        Subscribed::Resumed { missed: 1, .. }
    ));
}

#[test]
fn a_rewind_ends_only_those_who_were_given_what_is_lost() {
    let mut store = Store::new(0, 100);
    let mut plain = Reader::new(store.broadcast.subscribe(None).or_live_untold());
    let mut anns = Reader::new(
        store
            .broadcast
            .subscribe_with(None, &ann())
            .or_live_untold(),
    );
    let mut slow = Reader::new(
        store
            .broadcast
            .subscribe_with(None, &ann())
            .or_live_untold(),
    );
    store.append(1, None);
    store.append(2, Some("ann"));
    store.append(3, None);
    assert_eq!(ids(&mut plain), [1, 3]);
    assert_eq!(ids(&mut anns), [1, 2, 3]);
    assert!(store.broadcast.rewind(&id(3)));
    store.append(4, Some("ann"));
    assert_eq!(ids(&mut anns), [4]);
    let (awaits, missing) = (
        store.broadcast.reached(&id(9)),
        store.broadcast.rewind(&id(8)),
    );
    assert!(!missing, "there is no such entry");
    assert!(plain.is_pending() && anns.is_pending());

    assert!(store.broadcast.rewind(&id(3)));
    assert_eq!(awaits.now_or_never(), Some(Arrival::Rewound));
    assert_eq!((plain.wakes.take(), anns.wakes.take()), (0, 1));
    assert!(anns.has_ended());
    assert_eq!(anns.stream.close_reason(), Some(CloseReason::Rewound));
    assert!(matches!(
        store.broadcast.subscribe(id(4)),
        Subscribed::Ahead(_)
    ));
    // Another 4 follows.
    store.append(4, None);
    assert_eq!(ids(&mut plain), [4]);
    assert_eq!(ids(&mut slow), [1, 2, 3, 4]);

    // There is no entry that both have: lower ids may follow.
    store.broadcast.reset(Some(&id(1))).expect("it is an id");
    assert!(plain.has_ended() && slow.has_ended());
    let mut new = Reader::new(store.broadcast.subscribe(None).or_live_untold());
    store.append(2, None);
    assert_eq!(ids(&mut new), [2]);
}

#[test]
fn a_merged_stream_delivers_what_waited_for_frames_that_a_rewind_took() {
    let broadcast = Broadcast::with_key(Retention::new(8, 1 << 20), Key::number());
    let (target, stream) = channel();
    let mut body = Reader::new(broadcast.subscribe(None).or_live_untold().merge(stream));
    let large = "x".repeat(64 * 1024);
    for number in [1_u32, 2, 3] {
        let event = Event::message(&*large).with_id(number);
        broadcast.publish(&event).unwrap();
    }
    target.dispatch_message("own").unwrap();
    // The event of the target waits for three frames, of which a chunk has one.
    assert!(body.chunk().starts_with("id: 1\n"));
    assert!(broadcast.rewind(&id(1)));
    assert_eq!(body.chunk(), "data: own\n\n");
    broadcast
        .publish(&Event::message("again").with_id(2_u32))
        .unwrap();
    assert_eq!(body.chunk(), "id: 2\ndata: again\n\n");
}

#[test]
fn a_future_that_is_dropped_leaves_no_waker() {
    struct Idle;
    impl Wake for Idle {
        fn wake(self: Arc<Self>) {}
    }
    let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    let subscription = broadcast.subscribe(None).or_live_untold();
    let handle = subscription.handle();
    let idle = Arc::new(Idle);
    let waker = Waker::from(Arc::clone(&idle));
    let mut context = Context::from_waker(&waker);
    let (mut closed, mut reached) = (handle.closed(), broadcast.reached(&id(9)));
    assert!(closed.poll_unpin(&mut context).is_pending());
    assert!(reached.poll_unpin(&mut context).is_pending());
    assert_eq!(Arc::strong_count(&idle), 4);
    drop((closed, reached));
    assert_eq!(Arc::strong_count(&idle), 2);
}
