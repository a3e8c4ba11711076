//! A node with 10 000 clients dies: what that costs the engine.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventId};
use sse_proto_relay::{Entry, Options, Publisher, Relay, Subscribed};
use support::vec_engine::VecEngine;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const CLIENTS: usize = 10_000;

/// Entries a second. A local log holds as many seconds of them as by default at 1 000 a second, and a
/// seed one minute.
const RATE: usize = 10;

/// Reads the stream of a client until it ends, or until its own event comes. Returns whether it came.
async fn read(subscribed: Subscribed, last: &mut String, told: &AtomicUsize) -> bool {
    let mut body = match subscribed {
        Subscribed::Live(body) | Subscribed::Resumed(body) => body,
        other => {
            told.fetch_add(1, Ordering::Relaxed);
            other.or_live(&Event::message("told"))
        }
    };
    while let Some(chunk) = body.next().await {
        let text = std::str::from_utf8(&chunk).unwrap();
        let mut ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        if let Some(id) = ids.next_back() {
            id.clone_into(last);
        }
        if text.contains("data: own") {
            return true;
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn the_clients_of_a_node_that_dies_cost_the_engine_no_read() {
    let engine = VecEngine::new();
    engine.world().batch = 1000;
    let options = Options::new()
        .with_sizes(131 * RATE, 60 * RATE, 1000)
        .with_keep_alive(Duration::from_secs(29));
    let one = Relay::open(engine.clone(), options.clone()).await.unwrap();
    let two = Relay::open(engine.clone(), options).await.unwrap();
    let publisher = Publisher::open(engine.clone()).await.unwrap();
    let publish = async |data: &str, topic: Option<String>| {
        let mut entry = Entry::new(&Event::message(data)).unwrap();
        if let Some(topic) = topic {
            entry = entry.with_topic(topic).unwrap();
        }
        publisher.publish(&entry).await.unwrap();
    };

    let told = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let options = SubscribeOptions::new().with_topics([format!("client {number}")]);
        let first = one.subscribe(&options, None).await.unwrap();
        let (two, told) = (two.clone(), Arc::clone(&told));
        clients.spawn(async move {
            let mut last = String::new();
            assert!(!read(first, &mut last, &told).await);
            // An `EventSource` waits for some seconds.
            sleep(Duration::from_millis(3000 * number as u64 / CLIENTS as u64)).await;
            let id = EventId::new(last.clone()).unwrap();
            let next = two.subscribe(&options, id).await.unwrap();
            assert!(read(next, &mut last, &told).await, "no event of its own");
        });
        if number % 100 == 0 {
            // Not all of them at one moment.
            sleep(Duration::from_millis(150)).await;
        }
    }
    publish("for all", None).await;

    // An hour of entries for others.
    let start = Instant::now();
    let mut written = 0;
    while start.elapsed() < Duration::from_secs(3600) {
        publish("for others", Some("others".into())).await;
        engine.world().ms += 1000 / RATE as u64;
        written += 1;
        sleep(Duration::from_millis(1000 / RATE as u64 - 1)).await;
    }
    assert!(written > 20 * two.broadcast().statistics().retained_frames);
    drop(one);
    for _ in 0..4 * RATE {
        publish("for others", Some("others".into())).await;
        sleep(Duration::from_millis(1000 / RATE as u64 - 1)).await;
    }
    let metrics = two.metrics();
    assert_eq!(metrics.from_log, CLIENTS as u64, "{metrics:?}");
    assert_eq!(engine.world().reads, 0);
    for number in 0..CLIENTS {
        publish("own", Some(format!("client {number}"))).await;
    }
    clients.join_all().await;
    assert_eq!((engine.world().reads, told.load(Ordering::Relaxed)), (0, 0));
}
