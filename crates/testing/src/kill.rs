//! Three nodes, 50 clients that hop between them, five publishers, 5 000 events. The nodes are killed
//! with -9 all the time, and the engine four times. An auditor reads the engine before anything is
//! trimmed, and what each client received is compared with what the auditor read.

use core::future::Future;
use core::time::Duration;
use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventType, http};
use sse_proto_relay::{Engine, Entry, Options, Publisher, Relay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::{entry, free_port};

const NODES: usize = 3;
const CLIENTS: usize = 50;
const PUBLISHERS: usize = 5;
const EVENTS: usize = 5000;
const TOPICS: usize = 5;

/// How many entries the publishers are ahead of the auditor at most.
const BEHIND: usize = 100;

/// The time in which each client must stand at the head.
const TICKS: u32 = 400;

/// A server that is killed, and what is asked of it besides the engine.
pub trait Server: Sized + Send + 'static {
    /// The engine on it.
    type Engine: Engine;

    /// Starts one with a stream that keeps this number of entries.
    fn start(most: usize) -> impl Future<Output = Self>;

    /// Returns its port.
    fn port(&self) -> u16;

    /// Kills it with -9.
    fn kill(&mut self);

    /// Starts it again, and waits until it answers.
    fn restart(&mut self) -> impl Future<Output = ()>;

    /// Opens the stream of a server, if that answers.
    fn open(port: u16) -> impl Future<Output = Option<Self::Engine>> + Send;

    /// Asks a server for a small thing that only it can do.
    fn tick(port: u16) -> impl Future<Output = ()>;

    /// Reads from a place on and including it, or from the start, by the server's own client.
    fn read(port: u16, from: Option<&str>) -> impl Future<Output = Option<Vec<Logged>>> + Send;
}

/// An entry that an auditor reads.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The place, as it is in an id.
    pub place: String,
    /// The topic.
    pub topic: Option<String>,
    /// The data.
    pub data: String,
}

/// Runs the test, or one of its nodes. `SSE_PROTO_KILL_RUNS` is the number of runs with trimming, and
/// of runs without.
pub fn main<S: Server>() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(ports) = std::env::var("SSE_PROTO_NODE") {
        return runtime.block_on(node::<S>(&ports));
    }
    let runs = std::env::var("SSE_PROTO_KILL_RUNS").map_or(1, |runs| runs.parse().unwrap());
    for number in 0..runs {
        for trims in [false, true] {
            runtime.block_on(run::<S>(number, trims));
        }
    }
}

/// A node: what the README shows.
async fn node<S: Server>(ports: &str) {
    let (port, engine) = ports.split_once(' ').unwrap();
    let relay = loop {
        // Small, so that clients need pages of history.
        let options = Options::new()
            .with_sizes(500, 50, 100)
            .with_keep_alive(Duration::from_millis(300));
        if let Some(engine) = S::open(engine.parse().unwrap()).await
            && let Ok(relay) = Relay::open(engine, options).await
        {
            break relay;
        }
        sleep(Duration::from_millis(20)).await;
    };
    let app = Router::new()
        .route("/", get(events::<S::Engine>))
        .with_state(relay);
    // While the node was down, the port of a client's connection may have been this one.
    let listener = loop {
        match tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await {
            Ok(listener) => break listener,
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    };
    axum::serve(listener, app).await.unwrap();
}

async fn events<E: Engine>(
    State(relay): State<Relay<E>>,
    RawQuery(topic): RawQuery,
    headers: HeaderMap,
) -> Response {
    let last = http::last_event_id(headers.get_all("last-event-id"), None, "");
    let options = SubscribeOptions::new().with_topics(topic);
    match relay.subscribe(&options, last).await {
        Ok(subscribed) => {
            let reset = Event::new(EventType::from_static("reset"), "");
            http::response(subscribed.or_live(&reset)).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

struct Node {
    child: Child,
    port: u16,
    engine: u16,
}

impl Node {
    fn start(port: u16, engine: u16) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .env("SSE_PROTO_NODE", format!("{port} {engine}"))
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self {
            child,
            port,
            engine,
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the auditor read: the log.
#[derive(Default)]
struct Log {
    entries: Vec<Logged>,
    by_place: HashMap<String, usize>,
}

/// What a client received over one connection.
#[derive(Default, Debug)]
struct Connection {
    /// The id with which it came back.
    from: String,
    is_told: bool,
    /// How many entries were in the log when the client was answered.
    head: usize,
    events: Vec<(String, Kind)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Told,
    Place,
    Frame,
}

async fn run<S: Server>(number: usize, trims: bool) {
    let start = Instant::now();
    let mut server = S::start(if trims { 300 } else { 1_000_000 }).await;

    let log = Arc::new(Mutex::new(Log::default()));
    let auditor = tokio::spawn(audit::<S>(server.port(), Arc::clone(&log)));
    let mut nodes: Vec<_> = (0..NODES)
        .map(|_| Node::start(free_port(), server.port()))
        .collect();
    let ports: Vec<_> = nodes.iter().map(|node| node.port).collect();

    let (calm, done) = (watch::Sender::new(false), watch::Sender::new(false));
    let seen: Vec<_> = (0..CLIENTS)
        .map(|_| Arc::new(Mutex::new(Vec::new())))
        .collect();
    for (client, seen) in seen.iter().enumerate() {
        let (ports, log) = (ports.clone(), Arc::clone(&log));
        let (calm, done) = (calm.subscribe(), done.subscribe());
        tokio::spawn(hop(client, ports, Arc::clone(seen), log, calm, done));
    }
    let engine = S::open(server.port()).await.unwrap();
    let publisher = Publisher::open(engine).await.unwrap();
    let written = Arc::new(Mutex::new(0));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let (publisher, log) = (publisher.clone(), Arc::clone(&log));
            tokio::spawn(publish(number, publisher, log, Arc::clone(&written)))
        })
        .collect();

    // The faults, until everything is published.
    let mut engine_kills = 0;
    while publishers.iter().any(|publisher| !publisher.is_finished()) {
        sleep(Duration::from_millis(100 + random() % 200)).await;
        let at = (random() % NODES as u64) as usize;
        nodes[at].kill();
        nodes[at] = Node::start(nodes[at].port, nodes[at].engine);
        if *written.lock().unwrap() > (engine_kills + 1) * EVENTS / 5 && engine_kills < 4 {
            engine_kills += 1;
            server.kill();
            sleep(Duration::from_millis(random() % 300)).await;
            server.restart().await;
        }
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert_eq!(engine_kills, 4);
    publisher.publish(&entry("final")).await.unwrap();
    calm.send_replace(true);
    let (last_fault, mut ticks) = (Instant::now(), 0);
    let has_final = |seen: &Arc<Mutex<Vec<Connection>>>| {
        let seen = seen.lock().unwrap();
        let last = seen
            .iter()
            .rev()
            .find_map(|connection| connection.events.last());
        let log = log.lock().unwrap();
        let last = last.and_then(|(id, _)| log.position(id));
        last.is_some_and(|at| log.entries[at].data == "final")
    };
    while !seen.iter().all(has_final) {
        if ticks == TICKS {
            let behind = seen.iter().position(|seen| !has_final(seen)).unwrap();
            let seen = seen[behind].lock().unwrap();
            panic!("client {behind} is not at the head: {:#?}", seen.last());
        }
        // Five seconds, by what the engine does: on a machine that is busy with other work the nodes
        // wait for their turn, and so does this clock.
        sleep(Duration::from_millis(10)).await;
        for _ in 0..20 {
            S::tick(server.port()).await;
        }
        ticks += 1;
    }
    let after = last_fault.elapsed();
    assert!(!auditor.is_finished(), "the auditor has failed");
    done.send_replace(true);
    auditor.abort();

    let log = log.lock().unwrap();
    log.check_publications();
    let (mut connections, mut told, mut received) = (0, 0, 0);
    for (client, seen) in seen.iter().enumerate() {
        for connection in &*seen.lock().unwrap() {
            connections += 1;
            told += usize::from(connection.is_told);
            received += connection.events.len();
            if let Err(error) = connection.check(&log, client, trims) {
                panic!("client {client}: {error}: {connection:#?}");
            }
        }
    }
    assert_eq!(told > 0, trims, "{told} told");
    println!(
        "run {number}, trims {trims}: {} entries, {connections} connections, {received} events, \
         {told} told, at the head after {after:?} and {ticks} of {TICKS} ticks, {:?}",
        log.entries.len(),
        start.elapsed(),
    );
}

/// Publishes a part of the events, one after the other, and waits for the auditor.
async fn publish<E: Engine>(
    number: usize,
    publisher: Publisher<E>,
    log: Arc<Mutex<Log>>,
    written: Arc<Mutex<usize>>,
) {
    for event in 0..EVENTS / PUBLISHERS {
        let entry = Entry::new(&Event::message(format!("{number} {event}"))).unwrap();
        let topic = event % (TOPICS + 1);
        let entry = match topic < TOPICS {
            true => entry.with_topic(format!("t{topic}")).unwrap(),
            false => entry,
        };
        publisher.publish(&entry).await.unwrap();
        *written.lock().unwrap() += 1;
        while *written.lock().unwrap() > log.lock().unwrap().entries.len() + BEHIND {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(3 + random() % 4)).await;
    }
}

/// Reads the log, always from the last entry on and including it.
async fn audit<S: Server>(port: u16, log: Arc<Mutex<Log>>) {
    let mut last = None;
    loop {
        let Some(entries) = S::read(port, last.as_deref()).await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        log.lock().unwrap().add(&mut last, entries);
        sleep(Duration::from_millis(3)).await;
    }
}

/// A client: connects to a node, reads for a while, and goes to another one.
async fn hop(
    client: usize,
    ports: Vec<u16>,
    seen: Arc<Mutex<Vec<Connection>>>,
    log: Arc<Mutex<Log>>,
    mut calm: watch::Receiver<bool>,
    mut done: watch::Receiver<bool>,
) {
    let mut last = String::new();
    loop {
        let port = ports[(random() % NODES as u64) as usize];
        // A client that hops is a fault, too.
        let is_calm = *calm.borrow();
        let stays = Duration::from_millis(if is_calm {
            60_000
        } else {
            100 + random() % 500
        });
        let read = async {
            if let Some((socket, text)) = connect(client, port, &last, &seen, &log).await {
                let _ = timeout(stays, read(socket, text, &mut last, &seen)).await;
            }
        };
        tokio::select! {
            () = read => {}
            _ = done.changed() => return,
        }
        // Now and then it is away for longer than local logs, and than a stream that is trimmed. That
        // is a fault, too, and ends with the others.
        sleep(Duration::from_millis(random() % 30)).await;
        if random().is_multiple_of(8) && !*calm.borrow() {
            let most = Duration::from_millis(random() % 2000);
            let _ = timeout(most, calm.changed()).await;
        }
    }
}

/// Returns the connection once it is answered, and what came of the body.
async fn connect(
    client: usize,
    port: u16,
    last: &str,
    seen: &Mutex<Vec<Connection>>,
    log: &Mutex<Log>,
) -> Option<(TcpStream, String)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let topic = client % TOPICS;
    // With HTTP/1.0 the body ends with the connection, and has no chunks.
    let request = format!("GET /?t{topic} HTTP/1.0\r\nlast-event-id: {last}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.ok()?;
    let (mut text, mut buffer) = (String::new(), vec![0; 65536]);
    while !text.contains("\r\n\r\n") {
        let len = socket.read(&mut buffer).await.ok().filter(|len| *len > 0)?;
        text.push_str(str::from_utf8(&buffer[..len]).unwrap());
    }
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    if !head.starts_with("HTTP/1.0 200") {
        return None;
    }
    // Not under the lock of the other, which the check takes in the other order.
    let head = log.lock().unwrap().entries.len();
    seen.lock().unwrap().push(Connection {
        from: last.to_owned(),
        head,
        ..Connection::default()
    });
    Some((socket, rest.to_owned()))
}

async fn read(
    mut socket: TcpStream,
    mut text: String,
    last: &mut String,
    seen: &Mutex<Vec<Connection>>,
) -> Option<()> {
    let mut buffer = vec![0; 65536];
    loop {
        while let Some(end) = text.find('\n') {
            if text.starts_with(':') {
                // A comment is one line.
                text.drain(..=end);
                continue;
            }
            let Some(end) = text.find("\n\n") else { break };
            let block: String = text.drain(..end + 2).collect();
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
            let Some(id) = field("id: ") else {
                // The node is stale.
                continue;
            };
            id.clone_into(last);
            let kind = match field("event: ") {
                Some("reset") => Kind::Told,
                Some(_) => Kind::Place,
                None => Kind::Frame,
            };
            let mut seen = seen.lock().unwrap();
            let connection = seen.last_mut().unwrap();
            connection.is_told |= kind == Kind::Told;
            connection.events.push((last.clone(), kind));
        }
        let len = socket.read(&mut buffer).await.ok().filter(|len| *len > 0)?;
        text.push_str(str::from_utf8(&buffer[..len]).unwrap());
    }
}

impl Log {
    /// Adds entries that begin with the last one.
    fn add(&mut self, last: &mut Option<String>, entries: Vec<Logged>) {
        let first = entries.first().map(|entry| &entry.place);
        assert!(last.is_none() || first == last.as_ref(), "audit too late");
        for entry in entries.into_iter().skip(usize::from(last.is_some())) {
            let at = self.entries.len();
            self.by_place.insert(entry.place.clone(), at);
            *last = Some(entry.place.clone());
            self.entries.push(entry);
        }
    }

    /// Returns where the entry of an id is.
    fn position(&self, id: &str) -> Option<usize> {
        self.by_place.get(id.rsplit_once('-')?.0).copied()
    }

    /// Each publication is there once, and those of one publisher are in order.
    fn check_publications(&self) {
        let mut next = [0; PUBLISHERS];
        for entry in &self.entries {
            if entry.data == "final" {
                continue;
            }
            let (publisher, event) = entry.data.split_once(' ').unwrap();
            let publisher: usize = publisher.parse().unwrap();
            assert_eq!(event, next[publisher].to_string(), "publisher {publisher}");
            next[publisher] += 1;
        }
        assert_eq!(next, [EVENTS / PUBLISHERS; PUBLISHERS]);
    }
}

impl Connection {
    fn check(&self, log: &Log, client: usize, trims: bool) -> Result<(), String> {
        let topic = format!("t{}", client % TOPICS);
        let is_for = |entry: &Logged| entry.topic.as_ref().is_none_or(|one| *one == topic);
        let mut at = log.position(&self.from);
        // The stream keeps the newest 300 at least, and the auditor may be this far behind it.
        let kept = 300 - BEHIND - PUBLISHERS;
        let is_there = at.is_some_and(|at| !trims || self.head < at + kept);
        if self.is_told && is_there {
            return Err("told, but the id is there".into());
        }
        // A client without an id begins with its first event, one that began before all at the start.
        let mut from = match (at, self.from.starts_with("0-0-")) {
            (_, true) => Some(0),
            (at, false) => at.map(|at| at + 1),
        };
        for (id, kind) in &self.events {
            let to = log.position(id);
            if *kind == Kind::Told || to.is_none() {
                from = to.map(|to| to + 1).or(id.starts_with("0-0-").then_some(0));
                continue;
            }
            let to = to.unwrap_or_default();
            if let Some(from) = from {
                if from > to + 1 || (from > to && *kind == Kind::Frame) {
                    return Err(format!("{id} came twice"));
                }
                let until = if *kind == Kind::Frame { to } else { to + 1 };
                let missed = log.entries[from..until.max(from)]
                    .iter()
                    .filter(|one| is_for(one));
                if missed.count() > 0 {
                    return Err(format!("entries are missing before {id}"));
                }
            }
            if *kind == Kind::Frame && !is_for(&log.entries[to]) {
                return Err(format!("{id} is for others"));
            }
            at = Some(to);
            from = at.map(|at| at + 1);
        }
        Ok(())
    }
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};

    RandomState::new().hash_one(0)
}
