//! A node that has just begun takes 10 000 clients whose ids are among the newest 100 000: what that
//! costs Redis. Prints the time, which means something on a quiet machine.

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use sse_proto::EventId;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto_redis::{Limits, Options, Stream, Subscribed};
use sse_proto_relay::{Place, Record};
use support::{HOUR, Server, entry, publisher, relay};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CLIENTS: usize = 10_000;
const ENTRIES: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_node_takes_ten_thousand_clients_from_few_pages() {
    let server = Server::start(&[]).await;
    let stream = Stream::new(server.client(), "s").unwrap();
    stream.create(&Limits::new(1_000_000, HOUR)).await.unwrap();
    // A thousand entries a second until now, each for one of the clients.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let begin = now.as_millis() as u64 - ENTRIES as u64;
    let client = server.client();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for start in (0..ENTRIES).step_by(1000) {
        let mut write = redis::pipe();
        for number in start..start + 1000 {
            let id = format!("{}-0", begin + number as u64);
            let add = write.cmd("XADD").arg("s").arg(id).arg("v").arg(1);
            add.arg("data").arg(number);
            add.arg("topic").arg(number % CLIENTS).ignore();
        }
        let () = write.query_async(&mut connection).await.unwrap();
    }
    // Each client saw an entry of its own as the last one: the next are its too, or the head.
    let ids: Vec<_> = (0..ENTRIES)
        .step_by(ENTRIES / CLIENTS)
        .map(|number| id(begin, number))
        .collect();
    let before = reads(&server).await;
    // On a machine that is busy with other work nobody is to be sent away.
    let options = Options::new().with_patience(Duration::from_secs(60));
    let relay = relay(&stream, options).await;
    assert_eq!(relay.broadcast().statistics().retained_frames, 60_000);

    let start = Instant::now();
    let (mut clients, taken) = (JoinSet::new(), Arc::new(Semaphore::new(0)));
    for (number, id) in ids.into_iter().enumerate() {
        let (relay, taken) = (relay.clone(), Arc::clone(&taken));
        clients.spawn(async move {
            let at = number * (ENTRIES / CLIENTS);
            let options = SubscribeOptions::new().with_topics([(at % CLIENTS).to_string()]);
            let subscribed = relay.subscribe(&options, EventId::new(id).unwrap()).await;
            let Ok(Subscribed::Resumed(mut body)) = subscribed else {
                panic!("{number}: {subscribed:?} {:?}", relay.metrics())
            };
            taken.add_permits(1);
            let mut text = String::new();
            while !text.contains("data: last\n") {
                let chunk = body.next().await.expect("no end");
                text.push_str(str::from_utf8(&chunk).unwrap());
            }
            let data: Vec<_> = support::data(&text);
            let own = (at + CLIENTS..ENTRIES).step_by(CLIENTS);
            let own = own.map(|number| number.to_string()).chain(["last".into()]);
            assert!(
                own.eq(data.into_iter().map(str::to_owned)),
                "{number}: {text}"
            );
        });
    }
    let all = u32::try_from(CLIENTS).unwrap();
    tokio::select! {
        taken = taken.acquire_many(all) => drop(taken),
        ended = clients.join_next() => panic!("{ended:?}"),
    }
    let answered = start.elapsed();
    let publisher = publisher(&stream).await;
    publisher.publish(&entry("last")).await.unwrap();
    clients.join_all().await;
    let metrics = relay.metrics();
    println!(
        "{CLIENTS} clients: answered after {answered:?}, at the head after {:?}, {} pages read, \
         {} shared, {} reads seen by Redis",
        start.elapsed(),
        metrics.pages,
        metrics.shared_pages,
        reads(&server).await - before,
    );
    assert_eq!(metrics.from_history + metrics.from_log, CLIENTS as u64);
    assert!(metrics.from_history >= 3_900, "{metrics:?}");
    // 40 pages hold what is older than the local log. Those who come at once may read one each.
    assert!(metrics.pages <= 40 * 16, "{metrics:?}");
}

/// Returns the id of an entry.
fn id(begin: u64, number: usize) -> String {
    let field = |name: &str, value: String| (name.as_bytes().to_vec(), value.into_bytes());
    let record = Record {
        place: Place::new(begin + number as u64, 0),
        fields: vec![
            field("v", "1".into()),
            field("data", number.to_string()),
            field("topic", (number % CLIENTS).to_string()),
        ],
    };
    record.id().to_string()
}

/// Returns how many reads of the stream Redis has run.
async fn reads(server: &Server) -> u64 {
    let info: String = server.run(&["INFO", "commandstats"]).await;
    let lines = info.lines().filter_map(|line| {
        let (name, stats) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let is_read = matches!(name, "xrange" | "xrevrange");
        stats
            .split(',')
            .next()
            .filter(|_| is_read)?
            .parse::<u64>()
            .ok()
    });
    lines.sum()
}
