//! Measures a relay over a redis-server of its own, and prints what Redis does by itself beside.
//!
//! `cargo run --release --manifest-path crates/Cargo.toml --package sse-proto-redis --example speed`

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use sse_proto::Event;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto_redis::{Limits, Options, Relay, Stream};
use support::{HOUR, Server, entry, publisher, relay};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The data of an entry.
const DATA: &str = "0123456789012345678901234567890123456789012345678901234567890123456789";

#[tokio::main]
async fn main() {
    latency().await;
    following().await;
    publishing().await;
    readers().await;
}

async fn start() -> (Server, Stream, MultiplexedConnection) {
    let server = Server::start(&[]).await;
    let stream = Stream::new(server.client(), "s").unwrap();
    stream.create(&Limits::new(10_000_000, HOUR)).await.unwrap();
    let connection = server.client().get_multiplexed_async_connection().await;
    (server, stream, connection.unwrap())
}

fn add(data: &str) -> redis::Cmd {
    let mut add = redis::cmd("XADD");
    add.arg("s")
        .arg("*")
        .arg("v")
        .arg("1")
        .arg("data")
        .arg(data);
    add
}

async fn events(count: usize, mut publish: impl AsyncFnMut(usize)) {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..count {
        ticks.tick().await;
        publish(number).await;
    }
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!("p50 {:?}, p99 {:?}", at(50), at(99))
}

/// From the call of `publish` to the chunk of a subscriber, at 1 000 events a second.
async fn latency() {
    const COUNT: usize = 5000;
    let (server, stream, connection) = start().await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let begun = Instant::now();
    let mut body = relay
        .subscribe(&SubscribeOptions::new(), None)
        .await
        .unwrap()
        .or_live(&Event::message("told"));
    let reading = tokio::spawn(async move {
        let mut times = Vec::new();
        while times.len() < COUNT {
            let text = String::from_utf8(body.next().await.unwrap().to_vec()).unwrap();
            let sent = support::data(&text).into_iter();
            let sent = sent.map(|sent| Duration::from_nanos(sent.parse().unwrap()));
            times.extend(sent.map(|sent| begun.elapsed() - sent));
        }
        times
    });
    events(COUNT, async |_| {
        let (publisher, sent) = (publisher.clone(), begun.elapsed().as_nanos());
        tokio::spawn(async move { publisher.publish(&entry(&sent.to_string())).await });
    })
    .await;
    println!(
        "publish to subscriber at 1 000/s: {}",
        percentiles(reading.await.unwrap())
    );

    // By itself: `XADD` on one connection, `XREAD BLOCK` on another.
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let client = server.client();
    let reader = client
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    let mut reader = reader.unwrap();
    let reading = tokio::spawn(async move {
        let (mut times, mut last) = (Vec::new(), "$".to_owned());
        while times.len() < COUNT {
            let mut read = redis::cmd("XREAD");
            read.arg("COUNT").arg(1000).arg("BLOCK").arg(1000);
            read.arg("STREAMS").arg("s").arg(&last);
            type Entries = Vec<(String, Vec<(String, Vec<(String, String)>)>)>;
            let read: Entries = read.query_async(&mut reader).await.unwrap();
            for (id, fields) in read.into_iter().flat_map(|(_, entries)| entries) {
                let sent = Duration::from_nanos(fields[1].1.parse().unwrap());
                times.push(begun.elapsed() - sent);
                last = id;
            }
        }
        times
    });
    sleep(Duration::from_millis(100)).await;
    events(COUNT, async |_| {
        let (mut connection, sent) = (connection.clone(), begun.elapsed().as_nanos());
        tokio::spawn(async move {
            let () = add(&sent.to_string())
                .query_async(&mut connection)
                .await
                .unwrap();
        });
    })
    .await;
    println!(
        "    Redis by itself: {}",
        percentiles(reading.await.unwrap())
    );
}

/// How fast one node reads what was written while Redis did not answer.
async fn following() {
    const COUNT: usize = 100_000;
    let (_server, stream, mut connection) = start().await;
    let options = Options::new().with_retention(2 * COUNT, 256 << 20);
    let relay = relay(&stream, options).await;
    let fill = "for number = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'v', '1', 'data', ARGV[2], \
                'key', number) end";
    let mut best = Duration::MAX;
    for round in 1..=5_u64 {
        let mut call = redis::cmd("EVAL");
        call.arg(fill).arg(1).arg("s").arg(COUNT).arg(DATA);
        let () = call.query_async(&mut connection).await.unwrap();
        let begun = Instant::now();
        while relay.metrics().entries < round * COUNT as u64 {
            sleep(Duration::from_millis(1)).await;
        }
        best = best.min(begun.elapsed());
    }
    println!("followed: {} entries/s", per_second(COUNT, best));

    let (mut last, mut count, begun) = ("0".to_owned(), 0, Instant::now());
    while count < 5 * COUNT {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT")
            .arg(1000)
            .arg("STREAMS")
            .arg("s")
            .arg(&last);
        let read: redis::Value = read.query_async(&mut connection).await.unwrap();
        let redis::Value::Array(streams) = read else {
            panic!("{read:?}")
        };
        let redis::Value::Array(stream) = &streams[0] else {
            panic!("{streams:?}")
        };
        let redis::Value::Array(entries) = &stream[1] else {
            panic!("{stream:?}")
        };
        let redis::Value::Array(entry) = &entries[entries.len() - 1] else {
            panic!()
        };
        let redis::Value::BulkString(id) = &entry[0] else {
            panic!("{entry:?}")
        };
        last = String::from_utf8(id.clone()).unwrap();
        count += entries.len();
    }
    println!(
        "    Redis by itself: {} entries/s",
        per_second(count, begun.elapsed())
    );
}

fn per_second(count: usize, time: Duration) -> u64 {
    (count as f64 / time.as_secs_f64()) as u64
}

/// How many publications are acknowledged, each with a key, 100 in flight.
async fn publishing() {
    const EACH: usize = 1000;
    let (server, stream, connection) = start().await;
    let publisher = publisher(&stream).await;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let publisher = publisher.clone();
        tasks.spawn(async move {
            for _ in 0..EACH {
                publisher.publish(&entry(DATA)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let (cpu, wall) = (engine_cpu(&server).await, begun.elapsed());
    println!(
        "published, idempotent, 100 in flight: {}/s, Redis at {:.0} % of a core",
        per_second(100 * EACH, wall),
        100.0 * cpu / wall.as_secs_f64(),
    );
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let mut connection = connection.clone();
        tasks.spawn(async move {
            for _ in 0..EACH {
                let () = add(DATA).query_async(&mut connection).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    println!(
        "    Redis by itself, without keys: {}/s",
        per_second(100 * EACH, begun.elapsed())
    );
}

/// What 100 nodes cost one Redis, at 1 000 events a second.
async fn readers() {
    const COUNT: usize = 5000;
    let (server, stream, _) = start().await;
    let publisher = publisher(&stream).await;
    for count in [0, 1, 100] {
        let mut relays: Vec<Relay> = Vec::new();
        for _ in 0..count {
            relays.push(relay(&stream, Options::new()).await);
        }
        let (before, begun) = (engine_cpu(&server).await, Instant::now());
        events(COUNT, async |_| {
            let publisher = publisher.clone();
            tokio::spawn(async move { publisher.publish(&entry(DATA)).await });
        })
        .await;
        let last = publisher
            .publish(&entry("last"))
            .await
            .unwrap()
            .to_event_id();
        let has_last = |relay: &Relay| relay.broadcast().last_event_id() == Some(last.clone());
        while !relays.iter().all(has_last) {
            sleep(Duration::from_millis(1)).await;
        }
        let cpu = engine_cpu(&server).await - before;
        println!(
            "{count} readers at 1 000/s: Redis at {:.1} % of a core",
            100.0 * cpu / begun.elapsed().as_secs_f64()
        );
    }
}

/// Returns the seconds of processor time that Redis has used.
async fn engine_cpu(server: &Server) -> f64 {
    let info: String = server.run(&["INFO", "cpu"]).await;
    let used = info.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_used = matches!(name, "used_cpu_sys" | "used_cpu_user");
        is_used.then(|| value.parse::<f64>().unwrap())
    });
    used.sum()
}
