//! Outages that last: nodes that are cut off, a failover by Sentinel, a slow Redis, and one whose
//! memory is full, on real redis-servers.

mod support;

use std::sync::Arc;
use std::time::Duration;

use redis::sentinel::{SentinelClient, SentinelServerType};
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventId, EventType};
use sse_proto_redis::{Body, Options, PublishError, Readiness, Relay, Stream, Subscribed};
use sse_proto_testing::cut_off;
use support::{Link, Proxy, Server, create, data, end, entry, eventually, publisher, relay, until};
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

#[tokio::test]
async fn one_node_is_cut_off_for_a_minute_and_then_all_of_them() {
    let server = Server::start(&[]).await;
    let direct = create(server.client()).await;
    let open = async |port, options| {
        let stream = Stream::new(support::client(port), "s").unwrap();
        relay(&stream, options).await
    };
    cut_off(server.port, publisher(&direct).await, open).await;
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
