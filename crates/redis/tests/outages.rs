//! Outages that last: nodes that are cut off, a failover by Sentinel, a slow Redis, and one whose
//! memory is full, on real redis-servers.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use redis::sentinel::{SentinelClient, SentinelServerType};
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventId, EventType};
use sse_proto_redis::{
    Body, Options, PublishError, Readiness, Relay, Stream, Subscribed, WhenStale,
};
use support::{Link, Proxy, Server, create, data, end, entry, eventually, publisher, relay, until};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

fn reset() -> Event<'static> {
    Event::new(EventType::from_static("reset"), "told")
}

async fn subscribe(relay: &Relay, id: &str) -> Subscribed {
    let id = EventId::new(id.to_owned()).unwrap();
    let subscribed = relay.subscribe(&SubscribeOptions::new(), id).await;
    subscribed.unwrap()
}

async fn live(relay: &Relay) -> Body {
    subscribe(relay, "").await.or_live(&reset())
}

/// How long nodes are cut off: `SSE_PROTO_CUT_SECONDS`, 60 in a run by hand. In the gate all times
/// are shorter by the same factor.
fn cut_off_for() -> Duration {
    let secs = std::env::var("SSE_PROTO_CUT_SECONDS");
    Duration::from_secs(secs.map_or(6, |secs| secs.parse().unwrap()))
}

/// What a client received, over all its connections.
#[derive(Default)]
struct Seen {
    data: Vec<u64>,
    stale: usize,
    told: usize,
    connections: usize,
}

/// A client behind a balancer that asks nodes whether they are ready, and asks the last one of all if
/// none is.
async fn follow(nodes: Arc<[Relay]>, at: usize, seen: Arc<Mutex<Seen>>) {
    let (mut last, mut at) = (String::new(), at);
    loop {
        let ready = (0..nodes.len()).map(|next| (at + next) % nodes.len());
        at = ready.clone().find(|at| nodes[*at].ready()).unwrap_or(at);
        let id = EventId::new(last.clone()).unwrap();
        let options = SubscribeOptions::new();
        let Ok(subscribed) = nodes[at].subscribe(&options, id).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        seen.lock().unwrap().connections += 1;
        let mut body = subscribed.or_live(&reset());
        while let Some(chunk) = body.next().await {
            let text = String::from_utf8(chunk.to_vec()).unwrap();
            let mut seen = seen.lock().unwrap();
            for block in text.split_terminator("\n\n") {
                let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
                if let Some(id) = field("id: ") {
                    id.clone_into(&mut last);
                }
                match (field("event: "), field("data: ")) {
                    (Some("stale"), _) => seen.stale += 1,
                    (Some("reset"), _) => seen.told += 1,
                    (None, Some(data)) => seen.data.push(data.parse().unwrap()),
                    _ => {}
                }
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_node_is_cut_off_for_a_minute_and_then_all_of_them() {
    let cut = cut_off_for();
    let server = Server::start(&[]).await;
    let direct = create(server.client()).await;
    let (mut proxies, mut nodes) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let proxy = Proxy::start(server.port).await;
        let stream = Stream::new(support::client(proxy.port), "s").unwrap();
        let mut options = Options::new()
            .with_stale_after(cut / 12)
            .with_patience(Duration::from_millis(500));
        if number == 0 {
            options = options.with_when_stale(WhenStale::End(cut / 12));
        }
        nodes.push(relay(&stream, options).await);
        proxies.push(proxy);
    }
    let nodes: Arc<[Relay]> = nodes.into();
    let publisher = publisher(&direct).await;
    let written = watch::Sender::new(0_u64);
    let is_over = Arc::new(watch::Sender::new(false));
    let publishing = tokio::spawn({
        let (written, is_over) = (written.clone(), Arc::clone(&is_over));
        async move {
            while !*is_over.borrow() {
                let number = *written.borrow();
                let entry = entry(&number.to_string());
                publisher.publish(&entry).await.unwrap();
                written.send_replace(number + 1);
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let seen: Vec<Arc<Mutex<Seen>>> = (0..30).map(|_| Arc::default()).collect();
    let mut clients = tokio::task::JoinSet::new();
    for (number, seen) in seen.iter().enumerate() {
        clients.spawn(follow(Arc::clone(&nodes), number % 3, Arc::clone(seen)));
    }
    let newest = |seen: &Arc<Mutex<Seen>>| seen.lock().unwrap().data.last().copied();
    let all_have = |number: u64| seen.iter().all(|seen| newest(seen) >= Some(number));
    eventually("at the head", || all_have(1)).await;

    // Clients of the node that is cut off go to the others, and lack nothing.
    proxies[0].set(Link::Down);
    sleep(cut / 2).await;
    assert!(matches!(nodes[0].readiness(), Readiness::Stale(_)));
    let now = *written.borrow();
    eventually("at the head of the others", || all_have(now)).await;
    sleep(cut / 2).await;
    proxies[0].set(Link::Up);
    eventually("ready", || nodes[0].ready()).await;

    // All nodes: their clients stay, or come back to the same node, and are told that it is stale.
    proxies.iter().for_each(|proxy| proxy.set(Link::Down));
    sleep(cut).await;
    assert!(nodes.iter().all(|node| !node.ready()));
    proxies.iter().for_each(|proxy| proxy.set(Link::Up));
    let (fault, now) = (Instant::now(), *written.borrow());
    eventually("at the head again", || all_have(now)).await;
    let after = fault.elapsed();
    is_over.send_replace(true);
    publishing.await.unwrap();
    let last = *written.borrow() - 1;
    eventually("at the end", || all_have(last)).await;
    clients.shutdown().await;

    let (mut connections, mut stale) = (0, 0);
    for seen in &seen {
        let seen = seen.lock().unwrap();
        let first = seen.data[0];
        assert_eq!(seen.told, 0);
        assert!(
            seen.data.iter().copied().eq(first..=last),
            "{:?}",
            seen.data
        );
        connections += seen.connections;
        stale += seen.stale;
    }
    println!(
        "cut off for {cut:?}: {last} entries, {connections} connections, {stale} times stale, at the \
         head after {after:?}"
    );
    assert!(connections >= 40 && stale >= 20, "{connections} {stale}");
    for node in &*nodes {
        let metrics = node.metrics();
        assert_eq!((metrics.resets, metrics.rewinds), (0, 0), "{metrics:?}");
    }
}

#[tokio::test]
async fn sentinel_makes_a_replica_that_lags_the_master() {
    let mut master = Server::start(&[]).await;
    let replica = Server::replica_of(&master).await;
    let sentinel = Server::sentinel_of(&master).await;
    create(master.client()).await;
    let url = format!("redis://127.0.0.1:{}/", sentinel.port);
    let client = SentinelClient::build(vec![url], "m".into(), None, SentinelServerType::Master);
    let client = Arc::new(tokio::sync::Mutex::new(client.unwrap()));
    let stream = Stream::with_connect("s", move |config| {
        let client = Arc::clone(&client);
        async move {
            let mut client = client.lock().await;
            client.get_async_connection_with_config(&config).await
        }
    });
    let stream = stream.unwrap();
    let replicated = publisher(&stream.clone().with_replicas(1, Duration::from_secs(1))).await;
    let relay = relay(&stream, Options::new()).await;
    let mut saw_all = live(&relay).await;
    let kept = replicated.publish(&entry("kept")).await.unwrap();
    let start = Instant::now();
    loop {
        let replicas: Vec<redis::Value> = sentinel.run(&["SENTINEL", "replicas", "m"]).await;
        if !replicas.is_empty() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "no replica");
        sleep(Duration::from_millis(100)).await;
    }

    // The replica lags, the master acknowledges, the node reads it, and the master is gone.
    let _: String = replica.run(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let publisher = publisher(&stream).await;
    let lost = publisher.publish(&entry("lost")).await.unwrap();
    until(&mut saw_all, "lost").await;
    master.kill();
    let new = publisher.publish(&entry("new")).await;
    assert!(new.is_ok(), "{new:?}");
    let role: Vec<redis::Value> = replica.run(&["ROLE"]).await;
    assert_eq!(role[0], redis::Value::BulkString(b"master".to_vec()));

    // Who saw what is lost is told; who did not goes on.
    assert_eq!(end(&mut saw_all).await, "");
    eventually("the new log", || relay.metrics().rewinds == 1).await;
    let told = subscribe(&relay, &lost.to_string()).await;
    assert!(matches!(told, Subscribed::Unknown(_)), "{told:?}");
    drop(told);
    let mut body = subscribe(&relay, &kept.to_string()).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "new").await), ["new"]);

    // The old master comes back with what it had, and becomes a replica.
    master.restart().await;
    publisher.publish(&entry("newer")).await.unwrap();
    assert_eq!(data(&until(&mut body, "newer").await), ["newer"]);
    assert_eq!(relay.metrics().resets, 0);
}

#[tokio::test]
async fn a_node_that_speaks_to_a_replica_is_not_up_to_date() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let options = Options::new().with_stale_after(Duration::from_millis(2500));
    let (relay, publisher) = (relay(&stream, options).await, publisher(&stream).await);
    let mut body = live(&relay).await;
    // Its connections stay.
    let _: String = server.run(&["REPLICAOF", "127.0.0.1", "1"]).await;
    eventually("stale", || matches!(relay.readiness(), Readiness::Stale(_))).await;
    let _: String = server.run(&["REPLICAOF", "NO", "ONE"]).await;
    publisher.publish(&entry("back")).await.unwrap();
    assert_eq!(data(&until(&mut body, "back").await), ["", "back"]);
    eventually("ready", || relay.ready()).await;
}

#[tokio::test]
async fn a_slow_engine_loses_nothing_and_one_that_is_too_slow_makes_the_node_stale() {
    let server = Server::start(&[]).await;
    create(server.client()).await;
    let proxy = Proxy::start(server.port).await;
    let stream = Stream::new(support::client(proxy.port), "s").unwrap();
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    proxy.set(Link::Slow(400));
    let mut ids = Vec::new();
    for number in 0..5 {
        let id = publisher.publish(&entry(&number.to_string())).await;
        ids.push(id.unwrap().to_string());
    }
    assert_eq!(
        data(&until(&mut body, "4").await),
        ["0", "1", "2", "3", "4"]
    );
    assert!(relay.ready());

    proxy.set(Link::Slow(5000));
    let publisher = publisher
        .with_retry_for(Duration::from_millis(100))
        .unwrap();
    let answer = publisher.publish(&entry("slow")).await;
    let Err(PublishError::Unconfirmed { key, .. }) = answer else {
        panic!("{answer:?}")
    };
    eventually("stale", || matches!(relay.readiness(), Readiness::Stale(_))).await;
    proxy.set(Link::Up);
    let publisher = publisher.with_retry_for(Duration::from_secs(10)).unwrap();
    let again = entry("slow").with_key(key).unwrap();
    publisher.publish(&again).await.unwrap();
    publisher.publish(&entry("fast")).await.unwrap();
    // Once, after the event that says that the node is stale.
    assert_eq!(data(&until(&mut body, "fast").await), ["", "slow", "fast"]);
    assert_eq!(relay.metrics().resets + relay.metrics().rewinds, 0);
}

#[tokio::test]
async fn a_full_engine_still_serves_readers() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let publisher = publisher(&stream).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(
            publisher
                .publish(&entry(&number.to_string()))
                .await
                .unwrap(),
        );
    }
    let options = Options::new()
        .with_sizes(8, 4, 3)
        .with_stale_after(Duration::from_secs(2));
    let relay = relay(&stream, options).await;
    let mut body = live(&relay).await;
    let _: String = server.run(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let refused = publisher.publish(&entry("refused")).await;
    assert!(
        matches!(refused, Err(PublishError::Refused(_))),
        "{refused:?}"
    );
    sleep(Duration::from_millis(2500)).await;
    assert!(relay.ready());
    let mut old = subscribe(&relay, &ids[0].to_string())
        .await
        .or_live(&reset());
    assert_eq!(data(&until(&mut old, "19").await).len(), 19);
    let _: String = server.run(&["CONFIG", "SET", "maxmemory", "0"]).await;
    publisher.publish(&entry("room")).await.unwrap();
    assert_eq!(data(&until(&mut body, "room").await), ["room"]);
}

#[tokio::test]
async fn entries_that_are_removed_from_the_middle_are_a_gap() {
    let server = Server::start(&[]).await;
    let direct = create(server.client()).await;
    let proxy = Proxy::start(server.port).await;
    let stream = Stream::new(support::client(proxy.port), "s").unwrap();
    let (cut, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&direct).await,
    );
    let mut body = live(&cut).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        if number == 5 {
            until(&mut body, "4").await;
            proxy.set(Link::Down);
        }
        let id = publisher.publish(&entry(&number.to_string())).await;
        ids.push(id.unwrap().to_string());
    }
    let place = ids[7].rsplit_once('-').unwrap().0;
    let _: i64 = server.run(&["XDEL", "s", place]).await;
    proxy.set(Link::Up);
    // Before this node has read it: its clients are ended and told.
    assert_eq!(end(&mut body).await, "");
    eventually("a seed", || cut.metrics().resets == 1).await;
    let late = relay(&direct, Options::new()).await;
    for relay in [&cut, &late] {
        for (id, is_gap) in [(4, true), (6, true), (8, false), (9, false)] {
            let subscribed = subscribe(relay, &ids[id]).await;
            let is_told = matches!(subscribed, Subscribed::Gap(_));
            assert_eq!(is_told, is_gap, "{id} {subscribed:?}");
        }
    }
}
