//! Nodes that are cut off from the engine for a while.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use sse_proto::EventId;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto_relay::{Engine, Options, Publisher, Readiness, Relay, WhenStale};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::client::{entry, eventually, reset};
use crate::proxy::{Link, Proxy};

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
async fn follow<E: Engine>(nodes: Arc<[Relay<E>]>, at: usize, seen: Arc<Mutex<Seen>>) {
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

/// Cuts one of three nodes off from the engine, which has this port, and then all of them. Clients that
/// hop between the nodes get every entry once, in order, and none is told.
///
/// # Panics
///
/// If that is not so.
pub async fn cut_off<E: Engine>(
    port: u16,
    publisher: Publisher<E>,
    open: impl AsyncFn(u16, Options) -> Relay<E>,
) {
    let cut = cut_off_for();
    let (mut proxies, mut nodes) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let proxy = Proxy::start(port).await;
        let mut options = Options::new()
            .with_stale_after(cut / 12)
            .with_patience(Duration::from_millis(500));
        if number == 0 {
            options = options.with_when_stale(WhenStale::End(cut / 12));
        }
        nodes.push(open(proxy.port, options).await);
        proxies.push(proxy);
    }
    let nodes: Arc<[Relay<E>]> = nodes.into();
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
