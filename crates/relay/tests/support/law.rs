//! The law of the joint: once, in order, or told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use sse_proto::broadcast::{Handle, SubscribeOptions};
use sse_proto::{Event, EventId, EventType};
use sse_proto_relay::{Entry, Id, Options, Place, Publisher, Record, Relay, Rule, Subscribed};
use tokio::sync::watch;
use tokio::time::sleep;

use super::vec_engine::{VecEngine, World};

const NODES: usize = 3;
const CLIENTS: usize = 4;
const TOPICS: [&str; 3] = ["a", "b", "c"];

/// Plays steps, two bytes each, on an engine, three nodes and four clients, and checks the law.
///
/// What a client received, over all its connections, is cut at the frames that tell. Each piece is a
/// run of the log as it was, without a gap, seen through the topics of the client, right after the
/// id with which the piece begins. So no id comes twice without a telling. A client whose id is
/// still there is never told. After the last fault each client comes to the head.
pub(crate) fn joint(steps: &[u8], broken: Option<Rule>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(play(steps, broken));
}

async fn play(steps: &[u8], broken: Option<Rule>) {
    let engine = VecEngine::new();
    let options = Options::new()
        .with_sizes(8, 4, 3)
        .with_keep_alive(Duration::from_secs(4))
        .with_broken(broken);
    let publisher = Publisher::open(engine.clone())
        .await
        .unwrap()
        .with_broken(broken);
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let relay = Relay::open(engine.clone(), options.clone()).await.unwrap();
        nodes.push(watch::Sender::new(Some(relay)));
    }
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| Client::start(number, &engine, &nodes))
        .collect();
    let mut publications = tokio::task::JoinSet::new();
    for (number, step) in steps.chunks_exact(2).enumerate() {
        let (kind, with) = (step[0] % 18, usize::from(step[1]));
        match kind {
            0..=4 => {
                let (entry, publisher) = (entry(&number.to_string(), with), publisher.clone());
                publications.spawn(async move { publisher.publish(&entry).await });
                sleep(Duration::from_millis(2)).await;
            }
            5 => engine.world().trim(with % 8),
            6 => engine.world().lose(with % 4, with / 4 % 8),
            7 => engine.world().lost_replies = 1,
            8 => engine.world().is_down ^= true,
            9 => engine.world().cuts += 1,
            10 => engine.world().lag = Duration::from_millis([0, 10, 300, 700][with % 4]),
            11 => {
                let node = &nodes[with % NODES];
                let was_up = node.borrow().is_some();
                let relay = match was_up {
                    true => None,
                    false => Relay::open(engine.clone(), options.clone()).await.ok(),
                };
                node.send_replace(relay);
            }
            12 | 13 => clients[with % CLIENTS].cut(with / CLIENTS % NODES),
            14 if with > 240 => engine.world().recreate(),
            14 if with > 200 => {
                let number = number.to_string().into_bytes();
                engine.write(vec![(b"poison".to_vec(), number)]);
            }
            14 if with > 180 => {
                // A newer version of the crate writes it.
                let data = format!("newer {number}").into_bytes();
                engine.write(vec![
                    (b"v".to_vec(), b"2".to_vec()),
                    (b"data".to_vec(), data),
                ]);
            }
            14 => engine.world().ms += 1,
            16 => clients[with % CLIENTS].change_topic(with / CLIENTS % TOPICS.len()),
            17 => {
                // More than a local log has.
                for one in 0..with % 16 {
                    let entry = entry(&format!("{number} {one}"), with + one);
                    let publisher = publisher.clone();
                    publications.spawn(async move { publisher.publish(&entry).await });
                }
                sleep(Duration::from_millis(2)).await;
            }
            _ => sleep(Duration::from_millis([1, 20, 400, 2500][with % 4])).await,
        }
        tokio::task::yield_now().await;
    }

    // The last fault is over.
    {
        let mut world = engine.world();
        (world.is_down, world.lost_replies, world.lag) = (false, 0, Duration::ZERO);
    }
    for node in &nodes {
        if node.borrow().is_none() {
            let relay = Relay::open(engine.clone(), options.clone()).await.unwrap();
            node.send_replace(Some(relay));
        }
    }
    publications.join_all().await;
    sleep(Duration::from_secs(20)).await;

    for client in &clients {
        let connections = client.seen.lock().unwrap();
        let told = client.told_though_there.lock().unwrap();
        let world = engine.world();
        let shown = || format!("client {}: {connections:#?}", client.number);
        assert!(
            told.is_none(),
            "told, but the id is there: {told:?}\n{}",
            shown()
        );
        for (at, connection) in connections.iter().enumerate() {
            let is_last = at + 1 == connections.len();
            connection.check(&world, is_last).unwrap_or_else(|error| {
                panic!("connection {at}: {error}\n{}", shown());
            });
        }
    }
    let world = engine.world();
    let mut data: Vec<_> = world.path(None, world.head).unwrap();
    data.retain(|at| world.nodes[*at].data.is_some());
    let mut data: Vec<_> = data.iter().map(|at| &world.nodes[*at].data).collect();
    let len = data.len();
    data.sort();
    data.dedup();
    assert_eq!(data.len(), len, "a publication is in the log twice");
}

fn entry(name: &str, topic: usize) -> Entry {
    let entry = Entry::new(&Event::message(format!("event {name}"))).unwrap();
    match TOPICS.get(topic % (TOPICS.len() + 1)) {
        Some(topic) => entry.with_topic(*topic).unwrap(),
        None => entry,
    }
}

/// A client that hops from node to node.
struct Client {
    number: usize,
    /// The node, and a number that changes when the connection is cut.
    node: watch::Sender<(usize, u32)>,
    /// The topic that it adds, or removes if it has it.
    topic: watch::Sender<usize>,
    seen: Arc<Mutex<Vec<Connection>>>,
    told_though_there: Arc<Mutex<Option<Id>>>,
}

/// What a client received over one connection.
#[derive(Debug)]
struct Connection {
    topics: Topics,
    /// The id with which the client came back, if it was resumed.
    from: Option<String>,
    events: Vec<Received>,
}

#[derive(Debug)]
enum Received {
    Told(String),
    Place(String),
    Frame(String),
    Added(&'static str, Since),
    Removed(&'static str),
}

/// The topics in force, each with where it was added while the stream was open.
type Topics = BTreeMap<&'static str, Option<Since>>;

/// When a topic was added.
#[derive(Debug, Clone)]
struct Since {
    /// The head of the local log.
    head: Option<Id>,
    /// The number of entries that had been written to any log.
    written: usize,
}

/// Whether an entry is for a client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Due {
    Yes,
    No,
    /// The topic was added on a log that the engine had lost, unseen by the node.
    Maybe,
}

impl Client {
    fn start(
        number: usize,
        engine: &VecEngine,
        nodes: &[watch::Sender<Option<Relay<VecEngine>>>],
    ) -> Self {
        let client = Self {
            number,
            node: watch::Sender::new((number % NODES, 0)),
            topic: watch::Sender::new(0),
            seen: Arc::default(),
            told_though_there: Arc::default(),
        };
        let run = Run {
            engine: engine.clone(),
            nodes: nodes.iter().map(watch::Sender::subscribe).collect(),
            node: client.node.subscribe(),
            topic: client.topic.subscribe(),
            seen: Arc::clone(&client.seen),
            told_though_there: Arc::clone(&client.told_though_there),
            // The first client takes what is for all.
            number,
        };
        tokio::spawn(run.run());
        client
    }

    /// Cuts the connection; the client comes back to a node.
    fn cut(&self, node: usize) {
        self.node.send_modify(|now| *now = (node, now.1 + 1));
    }

    /// Adds a topic to the open stream, or removes it.
    fn change_topic(&self, topic: usize) {
        self.topic.send_replace(topic);
    }
}

struct Run {
    engine: VecEngine,
    nodes: Vec<watch::Receiver<Option<Relay<VecEngine>>>>,
    node: watch::Receiver<(usize, u32)>,
    topic: watch::Receiver<usize>,
    seen: Arc<Mutex<Vec<Connection>>>,
    told_though_there: Arc<Mutex<Option<Id>>>,
    number: usize,
}

impl Run {
    async fn run(mut self) {
        let mut last = String::new();
        loop {
            let (node, _) = *self.node.borrow_and_update();
            let relay = self.nodes[node].borrow_and_update().clone();
            let Some(relay) = relay else {
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.connect(relay, node, &mut last).await;
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn connect(&mut self, relay: Relay<VecEngine>, node: usize, last: &mut String) {
        // Every third connection of a client has other topics.
        let turn = self.seen.lock().unwrap().len() / 3;
        let topics = TOPICS[..(self.number + turn) % (TOPICS.len() + 1)].to_vec();
        let options = SubscribeOptions::new().with_topics(topics.iter().copied());
        let id = EventId::new(last.clone()).unwrap();
        let before = self.is_there(last);
        let subscribed = tokio::select! {
            subscribed = relay.subscribe(&options, id) => subscribed,
            _ = self.node.changed() => return,
        };
        let after = self.is_there(last);
        let Ok(subscribed) = subscribed else { return };
        let is_resumed = match &subscribed {
            Subscribed::Live(_) | Subscribed::Resumed(_) => true,
            Subscribed::Gap(_) | Subscribed::Unknown(_) => {
                if before.is_some() && before == after {
                    *self.told_though_there.lock().unwrap() = Id::parse(last);
                }
                false
            }
        };
        self.seen.lock().unwrap().push(Connection {
            topics: topics.iter().map(|topic| (*topic, None)).collect(),
            from: is_resumed.then(|| last.clone()),
            events: Vec::new(),
        });
        let tells = Event::new(EventType::from_static("reset"), "");
        let mut body = subscribed.or_live(&tells);
        // A node that goes down takes its connections with it.
        drop(relay);
        self.topic.mark_unchanged();
        let mut wire = String::new();
        loop {
            let chunk = tokio::select! {
                biased;
                _ = self.node.changed() => return,
                _ = self.nodes[node].changed() => return,
                _ = self.topic.changed() => {
                    self.change_topic(&body.handle());
                    continue;
                }
                chunk = body.next() => chunk,
            };
            let Some(chunk) = chunk else { return };
            let mut seen = self.seen.lock().unwrap();
            let events = &mut seen.last_mut().unwrap().events;
            wire.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = wire.find("\n\n") {
                let block: String = wire.drain(..end + 2).collect();
                let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
                let Some(id) = field("id: ") else {
                    assert_eq!(field("event: "), Some("stale"), "{block:?}");
                    continue;
                };
                id.clone_into(last);
                events.push(match (field("event: "), field("data: ")) {
                    (Some("reset"), _) => Received::Told(last.clone()),
                    (Some("place"), _) | (None, Some("")) => Received::Place(last.clone()),
                    (None, Some(_)) => Received::Frame(last.clone()),
                    _ => panic!("{block:?}"),
                });
            }
        }
    }

    fn change_topic(&mut self, handle: &Handle) {
        let topic = TOPICS[*self.topic.borrow_and_update()];
        let change = if handle.remove_topic(topic) {
            Received::Removed(topic)
        } else {
            let head = handle.add_topic(topic).unwrap();
            let head = head.and_then(|id| Id::parse(&id.to_str()));
            let written = self.engine.world().nodes.len();
            Received::Added(topic, Since { head, written })
        };
        let mut seen = self.seen.lock().unwrap();
        seen.last_mut().unwrap().events.push(change);
    }

    /// Returns the number of losses so far, if the entry is there, and nothing after it that nodes
    /// of this version cannot read.
    fn is_there(&self, id: &str) -> Option<u32> {
        let world = self.engine.world();
        let id = Id::parse(id)?;
        let at = *world.by_id.get(&id).filter(|_| world.retains(id))?;
        let mut after = world.log.iter().skip_while(|one| **one != at);
        let is_readable = after.all(|one| world.nodes[*one].is_readable());
        is_readable.then_some(world.losses)
    }
}

impl Connection {
    fn check(&self, world: &World, is_last: bool) -> Result<(), String> {
        let mut at = match &self.from {
            Some(from) => Start::of(from, world),
            None => Start::Anywhere,
        };
        let mut is_told = self.from.is_some();
        let mut topics = self.topics.clone();
        for event in &self.events {
            let (id, is_frame) = match event {
                Received::Told(id) => {
                    is_told = true;
                    at = Start::of(id, world);
                    continue;
                }
                Received::Added(topic, since) => {
                    topics.insert(topic, Some(since.clone()));
                    continue;
                }
                Received::Removed(topic) => {
                    topics.remove(topic);
                    continue;
                }
                Received::Place(id) => (id, false),
                Received::Frame(id) => (id, true),
            };
            if !is_told {
                return Err(format!("{id} came before the telling"));
            }
            let parsed = Id::parse(id).ok_or_else(|| format!("{id} is no id"))?;
            let Some(to) = world.by_id.get(&parsed).copied() else {
                at = Start::of(id, world);
                continue;
            };
            if is_frame && due(&topics, to, world) == Due::No {
                return Err(format!("{id} is for others"));
            }
            let missed = between(&topics, at, to, world)?;
            let missed: Vec<_> = missed
                .iter()
                .filter(|node| **node != to || !is_frame)
                .collect();
            let shown = missed
                .iter()
                .map(|node| world.nodes[**node].record.id().to_string());
            if !missed.is_empty() {
                return Err(format!(
                    "before {id} are missing: {:?}",
                    shown.collect::<Vec<_>>()
                ));
            }
            at = Start::At(to);
        }
        if let (true, Some(head)) = (is_last, world.head) {
            let missed = between(&topics, at, head, world)?;
            if !missed.is_empty() {
                return Err(format!("{} entries short of the head", missed.len()));
            }
        }
        Ok(())
    }
}

/// Returns what is for a client after a place of the log, up to an entry.
fn between(topics: &Topics, at: Start, to: usize, world: &World) -> Result<Vec<usize>, String> {
    let from = match at {
        Start::Anywhere => return Ok(Vec::new()),
        Start::At(from) => Some(from),
        Start::Origin(mark) if world.nodes[to].mark == mark => None,
        Start::Origin(mark) => return Err(format!("not of the log that began at {mark}")),
    };
    let path = world.path(from, Some(to));
    let mut path = path.ok_or_else(|| {
        let id = |at: usize| world.nodes[at].record.id().to_string();
        format!("{} is not after {:?} in any log", id(to), from.map(id))
    })?;
    path.retain(|at| due(topics, *at, world) == Due::Yes);
    Ok(path)
}

/// Returns whether an entry is for a client, by its topics.
fn due(topics: &Topics, at: usize, world: &World) -> Due {
    let node = &world.nodes[at];
    if node.data.is_none() {
        return Due::No;
    }
    let Some(topic) = &node.topic else {
        return Due::Yes;
    };
    let since = match topics.get(topic.as_str()) {
        None => return Due::No,
        Some(None) => return Due::Yes,
        Some(Some(since)) => since,
    };
    let head = since.head.and_then(|id| world.by_id.get(&id).copied());
    match head {
        Some(head) if head == at || world.path(Some(at), Some(head)).is_some() => Due::No,
        Some(head) if world.path(Some(head), Some(at)).is_some() => Due::Yes,
        _ if at >= since.written => Due::Yes,
        _ => Due::Maybe,
    }
}

#[derive(Clone, Copy)]
enum Start {
    /// The client had no id, or that of a log that was emptied.
    Anywhere,
    At(usize),
    /// Before the first entry of the log with this mark.
    Origin(u32),
}

impl Start {
    fn of(id: &str, world: &World) -> Self {
        let Some(id) = Id::parse(id) else {
            return Self::Anywhere;
        };
        match world.by_id.get(&id) {
            Some(at) => Self::At(*at),
            None if id.place == Place::START => {
                let is_of = |mark: &u32| origin(*mark) == id;
                let mark = (0..=world.mark).find(is_of);
                Self::Origin(mark.expect("no stream has this origin"))
            }
            None => Self::Anywhere,
        }
    }
}

/// Returns the id before the first entry of the stream with a mark.
fn origin(mark: u32) -> Id {
    let fields = vec![(b"origin".to_vec(), format!("mark {mark}").into_bytes())];
    Record {
        place: Place::START,
        fields,
    }
    .id()
}

impl World {
    /// Returns the entries after one, up to another. `None` if that is not after it.
    pub(crate) fn path(&self, from: Option<usize>, to: Option<usize>) -> Option<Vec<usize>> {
        let (mut path, mut at) = (Vec::new(), to);
        while at != from {
            path.push(at?);
            at = self.nodes[at?].parent;
        }
        path.reverse();
        Some(path)
    }
}
