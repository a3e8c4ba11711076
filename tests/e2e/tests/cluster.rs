//! The hub of many nodes: refusals, topics, drain, what operators see; and over an engine, behind the balancers that the example
//! shows, no loss when a node is killed.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use programs::Chromium;
use serde::Deserialize;
use sse_proto::Decoder;
use sse_proto::decode::{OwnedItem, OwnedMessageEvent};

use crate::support::{
    Balancer, Engine, EventStream, Kind, Node, PATIENCE, Request, of_user, publication, until,
};

/// Opens the stream of a user.
fn stream(address: SocketAddr, user: &str) -> EventStream {
    let response = of_user(Request::get("/events"), user).open(address);
    EventStream::of(response.expect("a response"))
}

/// Returns the data of the events of a type.
fn data<'a>(stream: &'a EventStream, event_type: &str) -> Vec<&'a str> {
    let events = stream.events.iter();
    let of_type = events.filter(|event| event.event_type() == event_type);
    of_type.map(OwnedMessageEvent::data).collect()
}

#[test]
fn without_a_valid_token_the_answer_is_401() {
    let node = Node::start_ready(&[]);
    for authorization in ["", "Bearer ", "Bearer x", "demo-token-of-ann"] {
        let asks = |request: Request| {
            let request = request.with_header("authorization", authorization.as_bytes());
            request.open(node.address).expect("a response").status
        };
        assert_eq!(asks(Request::get("/events")), 401, "{authorization}");
        assert_eq!(asks(Request::get("/me")), 401, "{authorization}");
        // Before anything else of the request is looked at.
        let large = Request::post("/topics/none", "x".repeat(20 << 10));
        assert_eq!(asks(large), 401, "{authorization}");
    }
    // A token in a URL would end up in logs.
    let by_url = Request::get("/events?token=demo-token-of-ann").open(node.address);
    assert_eq!(by_url.expect("a response").status, 401);
    let login = Request::post("/login", "x").send(node.address);
    assert_eq!(login.status, 401);
    assert_eq!(node.metric("cluster_refused_total{status=\"401\"}"), 14);

    let login = Request::post("/login", "demo-token-of-ann").open(node.address);
    let login = login.expect("a response");
    let cookie = login.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a value");
    let me = Request::get("/me").with_header("cookie", cookie.as_bytes());
    assert_eq!(me.send(node.address).body, "ann news,team/red,user/bob");
}

#[test]
fn publishing_takes_a_right_for_the_topic_or_the_answer_is_403() {
    let node = Node::start_ready(&[]);
    assert_eq!(node.publish("ann", "user/bob", "x").status, 204);
    // Of others, of nobody, and of the user's own that are only to be received.
    for topic in ["team/blue", "none", "user/ann"] {
        assert_eq!(node.publish("ann", topic, "x").status, 403, "{topic}");
    }
    assert_eq!(node.publish("carol", "news", "x").status, 403);
    assert_eq!(node.metric("cluster_refused_total{status=\"403\"}"), 4);
}

#[test]
fn a_body_over_16_kib_is_answered_with_413() {
    let node = Node::start_ready(&[]);
    let most = "x".repeat(16 << 10);
    assert_eq!(node.publish("ann", "news", &most).status, 204);
    assert_eq!(node.publish("ann", "news", &(most + "x")).status, 413);
    assert_eq!(node.metric("cluster_refused_total{status=\"413\"}"), 1);
}

#[test]
fn above_the_rate_of_a_user_the_answer_is_429_and_others_go_on() {
    let node = Node::start_ready(&[]);
    // Faster than the rate, on any machine.
    let refused = until("a refusal", || {
        let posts = [(); 8].map(|()| publication("ann", "news", "x"));
        let answers = thread::scope(|scope| {
            let posts = posts.map(|post| scope.spawn(|| post.open(node.address)));
            posts.map(|post| post.join().expect("it ends").expect("a response"))
        });
        let refused = answers.into_iter().find(|answer| answer.status != 204);
        refused.ok_or_else(|| "all are taken".to_owned())
    });
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(node.publish("bob", "user/ann", "x").status, 204);
    // The budget comes back.
    until("taken again", || {
        match node.publish("ann", "news", "x").status {
            204 => Ok(()),
            status => Err(status.to_string()),
        }
    });
}

#[test]
fn topics_come_from_the_user_and_never_from_the_query() {
    let node = Node::start_ready(&["--beat", "0"]);
    let mut ann = stream(node.address, "ann");
    let mut bob = stream(node.address, "bob");
    let path = "/events?topic=user/bob&topics=team/red&user=bob";
    let carol = of_user(Request::get(path), "carol").open(node.address);
    let mut carol = EventStream::of(carol.expect("a response"));
    for stream in [&mut ann, &mut bob, &mut carol] {
        stream.greeting();
    }
    for (topic, text) in [
        ("user/bob", "private\nin two lines"),
        ("team/red", "to a team"),
        ("news", "to all"),
    ] {
        assert_eq!(node.publish("ann", topic, text).status, 204);
    }
    for stream in [&mut ann, &mut bob, &mut carol] {
        stream.until("the last", |stream| {
            data(stream, "message").last() == Some(&"news\nto all")
        });
    }
    let private = "user/bob\nprivate\nin two lines";
    let (team, all) = ("team/red\nto a team", "news\nto all");
    assert_eq!(data(&ann, "message"), [team, all]);
    assert_eq!(data(&bob, "message"), [private, team, all]);
    assert_eq!(data(&carol, "message"), [all]);
}

#[test]
fn a_client_that_is_cut_before_its_first_event_misses_nothing() {
    let node = Node::start_ready(&["--beat", "0"]);
    let mut bob = stream(node.address, "bob");
    bob.greeting();
    let last = bob.last_event_id();
    drop(bob);
    assert_eq!(node.publish("ann", "news", "x").status, 204);
    // As the browser comes back, and as the page does.
    let again =
        of_user(Request::get("/events"), "bob").with_header("last-event-id", last.as_bytes());
    let by_query = of_user(Request::get(&format!("/events?lastEventId={last}")), "bob");
    for request in [again, by_query] {
        let mut bob = EventStream::of(request.open(node.address).expect("a response"));
        bob.until("the event", |bob| data(bob, "message") == ["news\nx"]);
        assert_eq!(data(&bob, "reset"), [""; 0]);
    }
}

#[test]
fn a_client_whose_id_is_unknown_is_told() {
    let node = Node::start_ready(&["--beat", "0"]);
    let request = of_user(Request::get("/events"), "bob").with_header("last-event-id", b"1-1");
    let mut bob = EventStream::of(request.open(node.address).expect("a response"));
    bob.until("a reset", |bob| data(bob, "reset") == ["{}"]);
    // In one block with the place where it goes on.
    assert_ne!(bob.last_event_id(), "");
}

#[test]
fn metrics_have_the_text_format_of_prometheus() {
    let node = Node::start_ready(&["--beat", "0"]);
    let mut streams = [stream(node.address, "ann"), stream(node.address, "bob")];
    for stream in &mut streams {
        stream.greeting();
    }
    assert_eq!(node.publish("ann", "news", "x").status, 204);
    let response = Request::get("/metrics").open(node.address);
    let response = response.expect("a response");
    let content_type = response.header("content-type");
    assert_eq!(content_type, Some("text/plain; version=0.0.4"));
    let text = node.get("/metrics").body;
    let mut family = "";
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["#", "TYPE", name, "gauge" | "counter"] => family = name,
            [name, value] => {
                assert_eq!(name.split('{').next(), Some(family), "{text}");
                assert!(value.parse::<u64>().is_ok(), "{text}");
            }
            _ => panic!("{text}"),
        }
    }
    assert_eq!(node.metric("cluster_ready "), 1);
    assert_eq!(node.metric("cluster_subscribers "), 2);
    assert_eq!(node.metric("cluster_published_total "), 1);
    assert_eq!(node.get("/health").status, 200);
}

#[test]
fn a_node_that_leaves_is_not_ready_and_then_its_streams_end_in_waves() {
    let mut node = Node::start_ready(&["--beat", "20", "--drain", "2"]);
    let mut streams = [(); 12].map(|()| stream(node.address, "bob"));
    for stream in &mut streams {
        stream.until("a beat", |stream| !data(stream, "beat").is_empty());
    }
    node.process.terminate();
    let answer = node.until_readiness("Draining\n");
    assert_eq!(answer.status, 503);
    assert_eq!(node.get("/health").status, 200);
    // The streams go on, and a balancer that sends one more is told to ask another node.
    let more = of_user(Request::get("/events"), "bob").send(node.address);
    assert_eq!((more.status, &*more.body), (503, "Draining\n"));
    let count = data(&streams[0], "beat").len();
    streams[0].until("a beat", |stream| data(stream, "beat").len() > count);

    let mut ends = streams.map(|mut stream| {
        assert!(stream.finish(), "it was cut");
        assert_eq!(
            stream.events.last().map(OwnedMessageEvent::event_type),
            Some("bye")
        );
        let beat = data(&stream, "beat").last().copied().map(str::to_owned);
        number(&beat.expect("a beat")).1
    });
    // The beats are the clock.
    ends.sort_unstable();
    let mut moments = ends.to_vec();
    moments.dedup();
    assert!(moments.len() > 6, "{ends:?}");
    assert!(node.exit_status().success());
}

/// Returns the run and the number of a beat.
fn number(beat: &str) -> (String, u64) {
    let mut words = beat.split(' ').skip(1);
    let run = words.next().expect("a run").to_owned();
    (
        run,
        words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number"),
    )
}

#[test]
fn health_is_not_that_of_redis_and_a_publication_without_an_answer_can_be_tried_again() {
    engine_stops(Kind::Redis);
}

#[test]
fn health_is_not_that_of_nats_and_a_publication_without_an_answer_can_be_tried_again() {
    engine_stops(Kind::Nats);
}

fn engine_stops(kind: Kind) {
    let address = Kind::free_address();
    let place = kind.arguments(address);
    let arguments = [&*place[0], &*place[1], "--beat", "0"];
    // Before there is an engine, and before there is its stream.
    let node = Node::start(&arguments);
    assert_eq!(node.until_readiness("Joining\n").status, 503);
    assert_eq!(node.get("/health").status, 200);
    assert_eq!(node.metric("cluster_ready "), 0);
    assert_eq!(node.publish("ann", "news", "x").status, 503);
    let engine = kind.start(address);
    Node::create(&arguments);
    node.until_ready();

    let [mut ann, mut bob] = ["ann", "bob"].map(|user| stream(node.address, user));
    ann.greeting();
    bob.greeting();
    // Redis knows the script from now on, and runs it after the pause.
    assert_eq!(node.publish("ann", "news", "first").status, 204);
    engine.process.pause();
    let unconfirmed = node.publish("ann", "news", "once");
    assert_eq!(unconfirmed.status, 504);
    let key = unconfirmed
        .header("idempotency-key")
        .expect("a key")
        .to_owned();
    let answer = node.until_readiness("Stale");
    assert_eq!(answer.status, 503);
    bob.until("told so", |bob| data(bob, "stale") == [""]);
    assert_eq!(node.get("/health").status, 200);
    assert_eq!(
        of_user(Request::get("/events"), "bob")
            .send(node.address)
            .status,
        503
    );
    engine.process.resume();
    node.until_ready();

    let again = publication("ann", "news", "once").with_header("idempotency-key", key.as_bytes());
    assert_eq!(again.send(node.address).status, 204);
    // The keys of another user are others.
    let of_bob = publication("bob", "user/ann", "x").with_header("idempotency-key", key.as_bytes());
    assert_eq!(of_bob.send(node.address).status, 204);
    assert_eq!(node.publish("ann", "news", "the last").status, 204);
    // The stream was there all the time.
    bob.until("the last", |bob| {
        data(bob, "message").last() == Some(&"news\nthe last")
    });
    let news = ["news\nfirst", "news\nonce", "news\nthe last"];
    assert_eq!(data(&bob, "message"), news);
    ann.until("what Bob published", |ann| {
        data(ann, "message").contains(&"user/ann\nx")
    });
}

/// An engine, and three nodes that beat 50 times a second.
struct Cluster {
    nodes: [Node; 3],
    _engine: Engine,
}

impl Cluster {
    fn start(kind: Kind) -> Self {
        let address = Kind::free_address();
        let engine = kind.start(address);
        let place = kind.arguments(address);
        let arguments = [&*place[0], &*place[1], "--beat", "20", "--drain", "1"];
        Node::create(&arguments);
        let nodes = [(); 3].map(|()| Node::start(&arguments));
        nodes.iter().for_each(Node::until_ready);
        Self {
            nodes,
            _engine: engine,
        }
    }

    fn addresses(&self) -> [SocketAddr; 3] {
        [0, 1, 2].map(|at| self.nodes[at].address)
    }

    fn by_name(&mut self, name: &str) -> &mut Node {
        let mut nodes = self.nodes.iter_mut();
        let node = nodes.find(|node| node.address.to_string() == name);
        node.unwrap_or_else(|| panic!("no node {name}"))
    }
}

/// A client of the crate's decoder that comes back with its last id, for the user Bob.
#[derive(Debug)]
struct Client {
    address: SocketAddr,
    last: String,
    /// The nodes that it was at.
    nodes: Vec<String>,
    beats: Vec<(String, u64)>,
    /// How often it was told to come later, since no node is ready.
    later: usize,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            last: String::new(),
            nodes: Vec::new(),
            beats: Vec::new(),
            later: 0,
        }
    }

    /// Follows the stream until this is so, and then cuts its connection.
    fn until(&mut self, wanted: &str, is: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is(self) {
            assert!(start.elapsed() < PATIENCE, "not {wanted}: {self:?}");
            let mut request = of_user(Request::get("/events"), "bob");
            if !self.last.is_empty() {
                request = request.with_header("last-event-id", self.last.as_bytes());
            }
            let mut response = request.open(self.address).expect("the balancer answers");
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-type"), Some("text/event-stream"));
            let (mut decoder, visits) = (Decoder::new(), self.nodes.len());
            while !is(self) {
                // A node that is killed leaves a cut response.
                let Ok(bytes) = response.read() else { break };
                if bytes.is_empty() {
                    break;
                }
                let mut items = decoder.feed(&bytes);
                while let Some(item) = items.next_owned().expect("no limit") {
                    if let OwnedItem::Event(event) = item {
                        self.take(&event);
                    }
                }
            }
            if self.nodes.len() == visits {
                self.later += 1;
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn take(&mut self, event: &OwnedMessageEvent) {
        event.last_event_id().clone_into(&mut self.last);
        match event.event_type() {
            "node" => self.nodes.push(event.data().to_owned()),
            "beat" => self.beats.push(number(event.data())),
            "place" | "bye" | "stale" | "message" => {}
            other => panic!("it is told {other}"),
        }
    }

    /// Asserts that the numbers of each run follow each other.
    fn assert_no_loss(&self) {
        let mut runs = self.beats.clone();
        // Stable, so that those of a run stay as they came.
        runs.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in runs.windows(2) {
            let is_next = pair[0].0 != pair[1].0 || pair[0].1 + 1 == pair[1].1;
            assert!(is_next, "{pair:?}");
        }
    }
}

#[test]
fn over_redis_behind_nginx_a_client_loses_nothing_when_its_node_ends_or_is_killed_and_then_all() {
    no_loss(Kind::Redis, Balancer::nginx);
}

#[test]
fn over_nats_behind_haproxy_a_client_loses_nothing_when_its_node_ends_or_is_killed_and_then_all() {
    no_loss(Kind::Nats, Balancer::haproxy);
}

fn no_loss(kind: Kind, balancer: impl Fn([SocketAddr; 3]) -> Balancer) {
    let mut cluster = Cluster::start(kind);
    let balancer = balancer(cluster.addresses());
    let mut client = Client::new(balancer.address);
    client.until("beats", |client| client.beats.len() > 30);
    // With -9, and as it is meant to be ended, while the client is on it.
    let ends: [fn(&mut Node); 2] = [Node::kill, |node| {
        node.process.terminate();
        assert!(node.exit_status().success());
    }];
    for end in ends {
        let (name, count) = (
            client.nodes.last().cloned().expect("a node"),
            client.beats.len(),
        );
        thread::scope(|scope| {
            let following = scope.spawn(|| {
                let name = name.clone();
                client.until("another node", |client| {
                    client.nodes.last() != Some(&name) && client.beats.len() > count + 60
                });
            });
            thread::sleep(Duration::from_millis(100));
            end(cluster.by_name(&name));
            following.join().expect("it follows");
        });
        cluster.by_name(&name).restart();
        cluster.nodes.iter().for_each(Node::until_ready);
    }
    // Operators' paths are not for the public, and publications pass.
    for path in ["/metrics", "/ready", "/health"] {
        assert_eq!(
            Request::get(path).send(balancer.address).status,
            404,
            "{path}"
        );
    }
    let published = publication("ann", "news", "x").send(balancer.address);
    assert_eq!(published.status, 204);

    cluster.nodes.iter_mut().for_each(Node::kill);
    client.until("that it is told to come later", |client| client.later > 0);
    cluster.nodes.iter_mut().for_each(Node::restart);
    let count = client.beats.len();
    client.until("beats again", |client| client.beats.len() > count + 60);
    client.assert_no_loss();
}

/// What a page of the example shows.
#[derive(Debug, Deserialize)]
struct Shown {
    state: String,
    node: String,
    missed: u64,
    twice: u64,
    told: u64,
    received: u64,
    connections: u64,
    list: String,
}

const LOOK: &str = "
    const text = (id) => document.getElementById(id).innerText;
    return { state: text('state'), node: text('node'), missed: Number(text('missed')), twice: Number(text('twice')),
        told: Number(text('told')), received: Number(text('received')), connections: Number(text('connections')),
        list: text('list') };";

/// Three tabs of one browser.
struct Tabs {
    chromium: Chromium,
    windows: Vec<programs::thirtyfour::WindowHandle>,
}

impl Tabs {
    async fn open(address: SocketAddr) -> Self {
        let chromium = Chromium::start().await;
        let client = chromium.client();
        let mut windows = vec![client.window().await.expect("a window")];
        for _ in 1..3 {
            windows.push(client.new_tab().await.expect("a tab"));
        }
        for (at, window) in windows.iter().enumerate() {
            client
                .switch_to_window(window.clone())
                .await
                .expect("a tab");
            let gone = client.goto(format!("http://{address}")).await;
            gone.expect("the page loads");
            if at == 0 {
                let sign_in =
                    "at('token').value = 'demo-token-of-ann'; at('login').requestSubmit()";
                client
                    .execute(sign_in, Vec::new())
                    .await
                    .expect("it signs in");
            }
        }
        Self { chromium, windows }
    }

    async fn run(&self, at: usize, script: &str) -> serde_json::Value {
        let client = self.chromium.client();
        let window = self.windows[at].clone();
        client.switch_to_window(window).await.expect("a tab");
        let returned = client.execute(script, Vec::new()).await;
        returned.expect("the page runs a script").json().clone()
    }

    async fn until(&self, at: usize, wanted: &str, is: impl Fn(&Shown) -> bool) -> Shown {
        let start = Instant::now();
        loop {
            let shown = self.run(at, LOOK).await;
            let shown: Shown = serde_json::from_value(shown).expect("what it shows");
            if is(&shown) {
                return shown;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "tab {at} not {wanted}: {shown:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until each tab has received more, and asserts that none has lost anything.
    async fn assert_no_loss(&self) -> Vec<Shown> {
        let mut all = Vec::new();
        for at in 0..self.windows.len() {
            let is_open = |shown: &Shown| shown.state == "open";
            let before = self.until(at, "open", is_open).await.received;
            let more = |shown: &Shown| shown.received > before + 60;
            let shown = self.until(at, "more events", more).await;
            let loss = (shown.missed, shown.twice, shown.told);
            assert_eq!(loss, (0, 0, 0), "{shown:?}");
            all.push(shown);
        }
        all
    }
}

#[tokio::test]
async fn three_tabs_behind_nginx_count_no_loss_when_a_node_is_killed() {
    let mut cluster = Cluster::start(Kind::Redis);
    let nginx = Balancer::nginx(cluster.addresses());
    let tabs = Tabs::open(nginx.address).await;
    let shown = tabs.assert_no_loss().await;
    let mut nodes: Vec<_> = shown.iter().map(|shown| shown.node.clone()).collect();
    // A node has as few streams as the others.
    nodes.sort_unstable();
    nodes.dedup();
    assert_eq!(nodes.len(), 3, "{shown:?}");

    // The browser comes back by itself, to another node.
    let killed = &shown[0].node;
    cluster.by_name(killed).kill();
    let moved = |shown: &Shown| shown.node != *killed && shown.connections == 2;
    tabs.until(0, "on another node", moved).await;
    tabs.assert_no_loss().await;
    cluster.by_name(killed).restart();
    cluster.by_name(killed).until_ready();

    // The page's own button, and what it publishes.
    tabs.run(1, "at('cut').click()").await;
    tabs.until(1, "back", |shown| shown.connections == 2).await;
    let publish = "at('text').value = '<b>hello</b>'; at('send').requestSubmit()";
    tabs.run(2, publish).await;
    for at in 0..3 {
        tabs.until(at, "told the news", |shown| {
            shown.list.contains("news") && shown.list.contains("<b>hello</b>")
        })
        .await;
    }
    tabs.assert_no_loss().await;

    // No node is there, and the page does not give up.
    cluster.nodes.iter_mut().for_each(Node::kill);
    for at in 0..3 {
        tabs.until(at, "waiting", |shown| shown.state == "reconnecting")
            .await;
    }
    cluster.nodes.iter_mut().for_each(Node::restart);
    tabs.assert_no_loss().await;

    // And what it counts is a loss if there is one.
    tabs.run(
        0,
        "for (const number of [1, 2, 5, 4]) beat('x', 'x', number)",
    )
    .await;
    let lost = |shown: &Shown| (shown.missed, shown.twice) == (2, 1);
    tabs.until(0, "counting", lost).await;
}
