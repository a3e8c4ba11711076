//! What the clients of one node are told when the engine is gone, when the node goes away, and when
//! nothing happens.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventId, EventType};
use sse_proto_relay::{
    Body, Entry, Id, Options, Publisher, Readiness, Relay, Subscribed, WhenStale,
};
use support::vec_engine::VecEngine;
use tokio::time::{Instant, sleep, timeout};

struct Node {
    engine: VecEngine,
    publisher: Publisher<VecEngine>,
    relay: Relay<VecEngine>,
}

impl Node {
    async fn open(options: Options) -> Self {
        Self::after(0, options).await.0
    }

    /// Opens a node once the log has entries, and returns their ids.
    async fn after(entries: usize, options: Options) -> (Self, Vec<Id>) {
        let engine = VecEngine::new();
        let publisher = Publisher::open(engine.clone()).await.unwrap();
        let mut ids = Vec::new();
        for number in 0..entries {
            let entry = Entry::new(&Event::message(number.to_string())).unwrap();
            ids.push(publisher.publish(&entry).await.unwrap());
        }
        let relay = Relay::open(engine.clone(), options).await.unwrap();
        let node = Self {
            engine,
            publisher,
            relay,
        };
        (node, ids)
    }

    async fn publish(&self, data: &str, topic: Option<&str>) -> Id {
        let mut entry = Entry::new(&Event::message(data)).unwrap();
        if let Some(topic) = topic {
            entry = entry.with_topic(topic).unwrap();
        }
        self.publisher.publish(&entry).await.unwrap()
    }

    async fn live(&self) -> Body {
        let subscribed = self.relay.subscribe(&SubscribeOptions::new(), None).await;
        subscribed.unwrap().or_live(&Event::message("told"))
    }

    async fn resume(&self, id: Id) -> Body {
        let options = SubscribeOptions::new();
        let subscribed = self.relay.subscribe(&options, id.to_event_id()).await;
        match subscribed.unwrap() {
            Subscribed::Resumed(body) => body,
            other => panic!("{other:?}"),
        }
    }
}

/// Returns what a stream has now.
fn now(body: &mut Body) -> String {
    let mut text = String::new();
    while let Some(Some(chunk)) = body.next().now_or_never() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

/// Reads a stream to its end.
async fn end(mut body: Body) -> String {
    let mut text = String::new();
    while let Some(chunk) = body.next().await {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_cut_before_its_first_entry_comes_back_with_the_id_of_the_start() {
    for entries in [0, 3] {
        let (node, _) = Node::after(entries, Options::new()).await;
        let start = node.live().await.start_id().expect("an id");
        let missed = node.publish("missed", None).await;
        let options = SubscribeOptions::new();
        let subscribed = node.relay.subscribe(&options, start).await.unwrap();
        let Subscribed::Resumed(mut body) = subscribed else {
            panic!("{subscribed:?}");
        };
        // Only one who is new needs it.
        assert_eq!(body.start_id(), None);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(now(&mut body), format!("id: {missed}\ndata: missed\n\n"));
    }
}

const STALE: &str = "event: stale\ndata: \n\n";

#[tokio::test(start_paused = true)]
async fn a_stale_node_tells_its_clients_once_each_time() {
    let node = Node::open(Options::new()).await;
    let mut body = node.live().await;
    for _ in 0..2 {
        node.engine.world().is_down = true;
        sleep(Duration::from_millis(4500)).await;
        assert_eq!((now(&mut body), node.relay.ready()), (String::new(), true));
        sleep(Duration::from_millis(600)).await;
        assert_eq!(now(&mut body), STALE);
        assert!(matches!(node.relay.readiness(), Readiness::Stale(_)));
        sleep(Duration::from_secs(8)).await;
        assert_eq!(now(&mut body), "");
        // Who comes now is told first of all.
        let mut late = node.live().await;
        assert_eq!(now(&mut late), STALE);

        node.engine.world().is_down = false;
        let id = node.publish("back", None).await;
        sleep(Duration::from_secs(2)).await;
        let back = format!("id: {id}\ndata: back\n\n");
        assert_eq!((now(&mut body), now(&mut late)), (back.clone(), back));
        assert!(node.relay.ready());
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_of_a_stale_node_is_the_applications() {
    let event_type = EventType::from_static("offline");
    let options = Options::new()
        .with_stale_after(Duration::from_secs(1))
        .with_when_stale(WhenStale::Tell(event_type, "since a second".into()));
    let node = Node::open(options).await;
    let mut body = node.live().await;
    node.engine.world().is_down = true;
    sleep(Duration::from_millis(1300)).await;
    assert_eq!(now(&mut body), "event: offline\ndata: since a second\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_stale_node_ends_its_clients_in_waves_until_it_is_up_to_date() {
    let ends = WhenStale::End(Duration::from_secs(10));
    let node = Node::open(Options::new().with_when_stale(ends)).await;
    let start = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..200 {
        let body = node.live().await;
        clients.push(async move {
            let in_time = timeout(Duration::from_secs(30), end(body)).await;
            in_time.ok().map(|text| {
                assert_eq!(text, "");
                start.elapsed().as_secs()
            })
        });
    }
    node.engine.world().is_down = true;
    let back = async {
        sleep(Duration::from_secs(10)).await;
        node.engine.world().is_down = false;
    };
    let (ended, ()) = tokio::join!(join_all(clients), back);
    let stayed = ended.iter().filter(|end| end.is_none()).count();
    // The engine is back after about half of the time.
    assert!((40..160).contains(&stayed), "{stayed}");
    let within = |second| ended.iter().filter(|end| **end == Some(second)).count();
    let waves: Vec<_> = (0..12).map(within).collect();
    assert_eq!(waves[..4], [0; 4], "{waves:?}");
    assert!(waves.iter().all(|wave| *wave < 60), "{waves:?}");
    assert!(waves[5..9].iter().all(|wave| *wave > 0), "{waves:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_clients_that_read_pages_and_those_that_come_later() {
    let (node, ids) = Node::after(50, Options::new().with_sizes(8, 8, 10)).await;
    let mut in_pages = node.resume(ids[0]).await;
    assert!(in_pages.next().await.is_some());
    let live = node.live().await;
    node.relay.drain(Duration::from_secs(1));
    assert_eq!(node.relay.readiness(), Readiness::Draining);
    let late = node.live().await;
    let all = join_all([in_pages, live, late].map(end));
    assert!(timeout(Duration::from_secs(1), all).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_ahead_of_the_local_log_waits_for_the_head_and_then_comes_back() {
    let options = Options::new().with_stale_after(Duration::from_secs(60));
    let node = Node::open(options.with_sizes(8, 8, 10)).await;
    for (held_for, is_in_time) in [(3, true), (9, false)] {
        node.engine.world().holds_readers = true;
        sleep(Duration::from_secs(1)).await;
        node.publish("before", None).await;
        let id = node.publish("own", None).await;
        let after = node.publish("after", None).await;
        let begun = Instant::now();
        let mut body = node.resume(id).await;
        let (first, ()) = tokio::join!(body.next(), async {
            sleep(Duration::from_secs(held_for)).await;
            node.engine.world().holds_readers = false;
        });
        match is_in_time {
            true => assert_eq!(first.unwrap(), format!("id: {after}\ndata: after\n\n")),
            false => {
                assert_eq!(first, None);
                assert!(begun.elapsed() >= Duration::from_secs(5));
            }
        }
        sleep(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_has_a_thousand_entries_and_those_of_the_last_minute() {
    // The time of each entry in milliseconds, and what is seeded.
    let fast = (1..=3000).map(|number| number * 10).collect();
    let slow = (1..=3000).map(|number| number * 1000).collect();
    let mixed = (1..=3000).map(|number| 100_000 + number * 30).collect();
    for (times, seeded) in [(fast, 3000), (slow, 1000), (mixed, 2000)] {
        let engine = VecEngine::new();
        let times: Vec<u64> = times;
        for ms in times {
            engine.world().ms = ms;
            let fields = [("v", "1"), ("data", "x")];
            engine.write(fields.map(|(a, b)| (a.into(), b.into())).into());
        }
        let relay = Relay::open(engine, Options::new()).await.unwrap();
        assert_eq!(relay.broadcast().statistics().retained_frames, seeded);
        assert_eq!(relay.metrics().seeds_cut, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_client_learns_its_place_at_least_every_half_of_a_seed() {
    for (asked, secs) in [(15, 15), (600, 29)] {
        let options = Options::new().with_keep_alive(Duration::from_secs(asked));
        let node = Node::open(options).await;
        let mut body = node.live().await;
        node.publish("mine", None).await;
        sleep(Duration::from_secs(1)).await;
        assert!(now(&mut body).ends_with("data: mine\n\n"));
        let other = node.publish("for others", Some("others")).await;
        let place = body.next().await.unwrap();
        assert_eq!(place, format!("event: place\nid: {other}\ndata: \n\n"));
        let silence = Instant::now();
        assert!(body.next().await.unwrap().starts_with(b":"));
        assert_eq!(silence.elapsed().as_secs(), secs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_learns_its_place_in_a_long_history_for_others() {
    let (node, ids) = Node::after(1, Options::new().with_sizes(8, 8, 3)).await;
    let mut at = Vec::new();
    for number in 0..200 {
        at.push(node.publish(&number.to_string(), Some("others")).await);
    }
    let mut body = node.resume(ids[0]).await;
    let first = body.next().await.unwrap();
    // Each page begins with the last entry of the one before, so it has two new ones.
    assert_eq!(first, format!("event: place\nid: {}\ndata: \n\n", at[63]));
    let id = EventId::new(at[63].to_string()).unwrap();
    let again = node.relay.subscribe(&SubscribeOptions::new(), id).await;
    assert!(matches!(again, Ok(Subscribed::Resumed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_added_in_pages_counts_from_where_the_log_was_taken_back_to() {
    let (node, ids) = Node::after(20, Options::new().with_sizes(8, 4, 3)).await;
    let mut body = node.resume(ids[0]).await;
    body.next().await.unwrap();
    let mut head = ids[19];
    for _ in 0..4 {
        head = node.publish("meanwhile", None).await;
    }
    sleep(Duration::from_secs(1)).await;
    let added = body.handle().add_topic("a").unwrap();
    assert_eq!(added.unwrap(), head.to_event_id());
    // The engine loses the newest, and gives their places to others.
    node.engine.world().lose(3, 0);
    node.publish("before", Some("others")).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(node.relay.metrics().rewinds, 1);
    for number in 0..4 {
        node.publish(&format!("a{number}"), Some("a")).await;
    }
    for _ in 0..20 {
        node.publish("after", None).await;
    }
    node.publish("last", None).await;
    let mut text = String::new();
    while !text.contains("data: last") {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap()).unwrap());
    }
    let added = text
        .lines()
        .filter(|line| line.starts_with("data: a") && line.len() == 8);
    assert_eq!(added.count(), 4, "{text}");
    assert!(
        node.relay.metrics().pages > 10,
        "{:?}",
        node.relay.metrics()
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_key_with_other_content_returns_the_id_of_what_is_there() {
    let node = Node::open(Options::new()).await;
    let entry = |data: &str| {
        let entry = Entry::new(&Event::message(data.to_owned())).unwrap();
        entry.with_key("key").unwrap()
    };
    let first = node.publisher.publish(&entry("first")).await.unwrap();
    let second = node.publisher.publish(&entry("second")).await.unwrap();
    assert_eq!(first, second);
    let after = node.publish("after", None).await;
    sleep(Duration::from_secs(1)).await;
    let mut body = node.resume(second).await;
    assert_eq!(now(&mut body), format!("id: {after}\ndata: after\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_sent_away_while_it_reads_pages_is_told_no_place_after_its_own() {
    let (node, ids) = Node::after(1, Options::new().with_sizes(8, 8, 3)).await;
    for number in 0..200 {
        // The last page before the client would be told its place has entries for it.
        let topic = (!(62..64).contains(&number)).then_some("others");
        node.publish(&number.to_string(), topic).await;
    }
    let body = node.resume(ids[0]).await;
    let handle = body.handle();
    node.engine.world().lag = Duration::from_millis(20);
    let close = async {
        while node.engine.world().reads < 32 || node.engine.world().reading == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        handle.close(None);
    };
    let (text, ()) = tokio::join!(end(body), close);
    assert_eq!(text, "");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_added_counts_also_if_the_page_was_ahead_of_the_local_log() {
    let (node, ids) = Node::after(50, Options::new().with_sizes(8, 8, 20)).await;
    node.engine.world().holds_readers = true;
    sleep(Duration::from_secs(1)).await;
    for number in 0..3 {
        node.publish(&format!("a{number}"), Some("a")).await;
    }
    node.publish("last", None).await;
    let mut body = node.resume(ids[40]).await;
    let mut text = now(&mut body);
    let head = body.handle().add_topic("a").unwrap();
    assert_eq!(head.unwrap(), ids[49].to_event_id());
    node.engine.world().holds_readers = false;
    node.publish("after", None).await;
    while !text.contains("after") {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap()).unwrap());
    }
    let data = |line: &str| line.strip_prefix("data: ").map(str::to_owned);
    let data: Vec<_> = text.lines().filter_map(data).collect();
    assert_eq!(data[9..], ["a0", "a1", "a2", "last", "after"], "{data:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_replica_still_has_after_a_failover_is_not_told_as_a_gap() {
    let (node, ids) = Node::after(50, Options::new().with_sizes(8, 8, 10)).await;
    for (lost, after) in [(0, "the same head"), (2, "a lower head")] {
        node.engine.world().trim(20);
        // The reader sees it at its next check.
        sleep(Duration::from_secs(3)).await;
        let options = SubscribeOptions::new();
        let trimmed = node.relay.subscribe(&options, ids[5].to_event_id()).await;
        assert!(matches!(trimmed, Ok(Subscribed::Gap(_))), "{after}");
        node.engine.world().lose(lost, 20);
        let mut body = node.resume(ids[5]).await;
        let first = body.next().await.unwrap();
        assert!(
            first.starts_with(format!("id: {}\n", ids[6]).as_bytes()),
            "{after}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn times_without_end_are_no_panic() {
    let options = Options::new()
        .with_stale_after(Duration::MAX)
        .with_patience(Duration::MAX)
        .with_when_stale(WhenStale::End(Duration::MAX));
    let (node, ids) = Node::after(50, options.with_sizes(8, 8, 10)).await;
    let mut body = node.resume(ids[0]).await;
    assert!(body.next().await.is_some());
    node.engine.world().is_down = true;
    sleep(Duration::from_secs(3600)).await;
    assert!(node.relay.ready());
    node.relay.drain(Duration::MAX);
    let mut drained = node.live().await;
    assert_eq!(now(&mut drained), "");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_once_what_a_stale_node_would_end_later() {
    let ends = WhenStale::End(Duration::from_secs(3600));
    let node = Node::open(Options::new().with_when_stale(ends)).await;
    let mut bodies = Vec::new();
    for _ in 0..50 {
        bodies.push(node.live().await);
    }
    node.engine.world().is_down = true;
    let all = join_all(bodies.into_iter().map(end));
    let drain = async {
        sleep(Duration::from_secs(6)).await;
        assert!(matches!(node.relay.readiness(), Readiness::Stale(_)));
        node.relay.drain(Duration::from_secs(1000));
        sleep(Duration::from_secs(1)).await;
        // The last word counts.
        node.relay.drain(Duration::from_secs(1));
    };
    let both = async { tokio::join!(all, drain) };
    assert!(timeout(Duration::from_secs(8), both).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_breaks_the_order_makes_a_node_stale_and_nothing_wrong_is_sent() {
    let (node, ids) = Node::after(50, Options::new().with_sizes(8, 8, 10)).await;
    let mut live = node.live().await;
    node.engine.world().shuffles = true;
    assert!(
        Relay::open(node.engine.clone(), Options::new())
            .await
            .is_err()
    );
    for number in 0..5 {
        let entry = [("v", "1"), ("data", "x"), ("key", "k")];
        let mut fields: Vec<_> = entry.map(|(a, b)| (a.into(), b.into())).into();
        fields.push((b"number".to_vec(), vec![number]));
        node.engine.write(fields);
    }
    let old = ids[0].to_event_id();
    let old = node.relay.subscribe(&SubscribeOptions::new(), old).await;
    assert!(old.is_err());
    sleep(Duration::from_secs(10)).await;
    assert!(matches!(node.relay.readiness(), Readiness::Stale(_)));
    assert_eq!(now(&mut live), STALE);
    node.engine.world().shuffles = false;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(now(&mut live).matches("data: x").count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_node_opens_while_the_oldest_entries_are_trimmed() {
    let (node, ids) = Node::after(50, Options::new()).await;
    node.engine.world().trims = 1;
    let other = Relay::open(node.engine.clone(), Options::new()).await;
    let other = other.unwrap();
    assert_eq!(other.broadcast().statistics().retained_frames, 50);
    let options = SubscribeOptions::new();
    let resumed = other.subscribe(&options, ids[0].to_event_id()).await;
    assert!(matches!(resumed, Ok(Subscribed::Resumed(_))), "{resumed:?}");
}
