//! How fast a publication comes to a subscriber, and how fast a node follows the log and reads its
//! history: `cargo run --release -p sse-proto-nats --example speed -- nats://127.0.0.1:4222`.
//!
//! Makes the stream `speed` on a server that has none, and leaves it there.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use sse_proto::Event;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto_nats::async_nats::ConnectOptions;
use sse_proto_nats::{Entry, Limits, Options, Publisher, Relay, Stream};
use sse_proto_relay::{Engine, Follower, PageLimit, Place};

const ENTRIES: usize = 100_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let url = url.unwrap_or("nats://127.0.0.1:4222".into());
    let stream = Stream::new(ConnectOptions::new(), url, "speed")?;
    let hour = Duration::from_secs(3600);
    stream.create(&Limits::new(10_000_000, hour)).await?;
    let publisher = Publisher::open(stream.engine().await?).await?;

    let entry = Entry::new(&Event::message("x".repeat(100)))?;
    let start = Instant::now();
    let published = stream::iter(0..ENTRIES).map(|_| publisher.publish(&entry));
    let published = published.buffer_unordered(100);
    published
        .for_each(|id| async move { assert!(id.is_ok()) })
        .await;
    report("published, 100 in flight", start);

    let engine = stream.engine().await?;
    let start = Instant::now();
    let mut follower = engine.follow().await?;
    let mut last = Place::START;
    while last.seq < ENTRIES as u64 {
        let batch = follower.next(last, Duration::from_secs(1)).await?;
        last = batch.records.last().map_or(last, |record| record.place);
    }
    report("followed", start);

    let limit = PageLimit {
        records: 1000,
        bytes: 512 << 10,
    };
    let start = Instant::now();
    let pages = stream::iter(0..ENTRIES as u64 / 1000).map(|page| {
        let engine = engine.clone();
        async move { engine.read(Place::new(0, page * 1000 + 1), limit).await }
    });
    let pages = pages.buffer_unordered(16);
    pages
        .for_each(|page| async move { assert!(page.unwrap().records.len() > 2) })
        .await;
    report("read as history, 16 pages at once", start);

    let relay = Relay::open(engine, Options::new()).await?;
    let subscribed = relay.subscribe(&SubscribeOptions::new(), None).await?;
    let mut body = subscribed.or_live(&Event::message(""));
    let begun = Instant::now();
    let mut latencies = Vec::new();
    let sender = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..5000 {
            tick.tick().await;
            let (publisher, now) = (publisher.clone(), begun.elapsed().as_nanos());
            tokio::spawn(async move {
                let entry = Entry::new(&Event::message(now.to_string())).unwrap();
                publisher.publish(&entry).await.unwrap();
            });
        }
    });
    while latencies.len() < 5000 {
        let chunk = body.next().await.ok_or("ended")?;
        let now = begun.elapsed().as_nanos();
        for sent in str::from_utf8(&chunk)?
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
        {
            latencies.push(now - sent.parse::<u128>()?);
        }
    }
    sender.await?;
    latencies.sort_unstable();
    println!(
        "publish to subscriber at 1000/s: p50 {} us, p99 {} us",
        latencies[2500] / 1000,
        latencies[4950] / 1000
    );
    Ok(())
}

fn report(what: &str, start: Instant) {
    println!(
        "{what}: {:.0} entries/s",
        ENTRIES as f64 / start.elapsed().as_secs_f64()
    );
}
