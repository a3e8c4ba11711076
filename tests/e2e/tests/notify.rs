//! The recipe `notify`, over raw sockets and in Chromium.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use programs::{Chromium, Process};
use sse_proto::decode::OwnedMessageEvent;

use crate::support::{EventStream, NOTIFY, PATIENCE, Proxy, Request, until};

/// The other origin that the example lets in.
const ALLOWED: &str = "http://localhost:8041";

/// The example as a process, and its address.
struct Server {
    address: SocketAddr,
    process: Process,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(NOTIFY.program())
            .arg("127.0.0.2:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let output = child.stdout.take().expect("standard output is piped");
        let process = Process::new(child, output);
        let url = process.line_with("http://");
        let address = url.trim_start_matches("http://").parse();
        Self {
            address: address.expect("an address"),
            process,
        }
    }

    /// Logs a user in, and returns the cookie.
    fn login(&self, user: &str) -> String {
        let answer = Request::get(&format!("/login?user={user}")).open(self.address);
        let answer = answer.expect("a response");
        assert_eq!(answer.status, 204);
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        cookie.split(';').next().expect("a value").to_owned()
    }

    /// Logs a user in, and opens the user's stream.
    fn stream(&self, user: &str) -> EventStream {
        let response = events(&self.login(user)).open(self.address);
        EventStream::new(response.expect("a response"))
    }

    /// Notifies as Ann.
    fn notify(&self, to: &str, text: &str) {
        let cookie = self.login("ann");
        assert_eq!(self.post(&format!("/notify?to={to}"), &cookie, text), 204);
    }

    /// Returns the status.
    fn post(&self, path: &str, cookie: &str, text: &str) -> u16 {
        post(self.address, path, cookie, text)
    }
}

fn post(address: SocketAddr, path: &str, cookie: &str, text: &str) -> u16 {
    let request = Request::post(path, text).with_header("cookie", cookie.as_bytes());
    request.send(address).status
}

fn events(cookie: &str) -> Request {
    Request::get("/events").with_header("cookie", cookie.as_bytes())
}

/// Returns the data of the events of a type.
fn data<'a>(stream: &'a EventStream, event_type: &str) -> Vec<&'a str> {
    let events = stream.events.iter();
    let of_type = events.filter(|event| event.event_type() == event_type);
    of_type.map(OwnedMessageEvent::data).collect()
}

fn until_present(stream: &mut EventStream, names: &str) {
    stream.until(&format!("presence of {names}"), |stream| {
        data(stream, "presence").last() == Some(&names)
    });
}

#[test]
fn private_events_reach_their_user_alone_and_shared_ones_all_whose_they_are() {
    let server = Server::start();
    let mut ann = server.stream("ann");
    let mut bob = server.stream("bob");
    // Topics in the query have no effect.
    let path = "/events?to=user/bob&topic=user/bob&topics=team/red&user=bob";
    let carol = Request::get(path).with_header("cookie", server.login("carol").as_bytes());
    let mut carol = EventStream::new(carol.open(server.address).expect("a response"));

    server.notify("user/bob", "private\nin two lines");
    server.notify("team/red", "to a team");
    server.notify("all", "to all");
    for stream in [&mut ann, &mut bob, &mut carol] {
        stream.until("the last", |stream| {
            data(stream, "message").last() == Some(&"all\nto all")
        });
    }
    let (private, team, all) = (
        "user/bob\nprivate\nin two lines",
        "team/red\nto a team",
        "all\nto all",
    );
    assert_eq!(data(&ann, "message"), [team, all]);
    assert_eq!(data(&bob, "message"), [private, team, all]);
    assert_eq!(data(&carol, "message"), [all]);
}

#[test]
fn cut_at_random_places_a_client_gets_each_event_once() {
    let server = Server::start();
    let proxy = Proxy::start(server.address, 7);
    proxy.cuts(true);
    let (cookie, sender) = (server.login("bob"), server.login("ann"));
    let (mut last, mut seen) = (String::new(), Vec::new());
    let (address, mut sent) = (server.address, 0_usize);
    while proxy.cut() < 6 {
        let mut request = events(&cookie);
        if !last.is_empty() {
            request = request.with_header("last-event-id", last.as_bytes());
        }
        // While it reads, and after the cut.
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    let text = format!("{sent} {}", "x".repeat(300));
                    for (to, text) in [("user/bob", &*text), ("user/carol", "not for Bob")] {
                        let path = format!("/notify?to={to}");
                        assert_eq!(post(address, &path, &sender, text), 204);
                    }
                    sent += 1;
                }
            });
            // It may be cut within the head.
            let Ok(response) = request.open(proxy.address) else {
                return;
            };
            let mut stream = EventStream::new(response);
            stream.finish_or_cut();
            for data in data(&stream, "message") {
                let number = data.trim_start_matches("user/bob\n").split(' ').next();
                seen.push(
                    number
                        .expect("a number")
                        .parse::<usize>()
                        .expect("a number"),
                );
            }
            assert_eq!(data(&stream, "reset"), [""; 0]);
            if !stream.last_event_id().is_empty() {
                last = stream.last_event_id();
            }
        });
    }
    let expected: Vec<_> = (seen[0]..).take(seen.len()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn events_tell_who_is_here() {
    let server = Server::start();
    let mut ann = server.stream("ann");
    until_present(&mut ann, "ann");
    let mut bob = server.stream("bob");
    until_present(&mut ann, "ann bob");
    until_present(&mut bob, "ann bob");
    // More windows change nothing, and are told, too; the first by an event that was on its way.
    let again = [(); 3].map(|()| {
        let mut again = server.stream("bob");
        until_present(&mut again, "ann bob");
        again
    });
    drop((bob, again));
    until_present(&mut ann, "ann");
}

#[test]
fn without_a_valid_token_the_answer_is_401() {
    let server = Server::start();
    for cookie in [
        "",
        "token=",
        "token=0123456789abcdef0123456789abcdef",
        "x=y",
    ] {
        assert_eq!(events(cookie).send(server.address).status, 401, "{cookie}");
        assert_eq!(server.post("/notify?to=all", cookie, "x"), 401, "{cookie}");
        assert_eq!(
            server.post("/send-away?user=bob", cookie, ""),
            401,
            "{cookie}"
        );
    }
    let no_such_user = Request::get("/login?user=dave").send(server.address);
    assert_eq!(no_such_user.status, 401);

    // Clients without cookies have it in the query.
    let path = format!("/events?{}", server.login("bob"));
    let response = Request::get(&path).open(server.address);
    EventStream::new(response.expect("a response")).greeting();
}

#[test]
fn notifying_takes_a_right_a_topic_and_a_body_of_at_most_16_kib() {
    let server = Server::start();
    let (ann, bob) = (server.login("ann"), server.login("bob"));
    assert_eq!(server.post("/notify?to=all", &bob, "x"), 403);
    assert_eq!(server.post("/send-away?user=ann", &bob, ""), 403);
    assert_eq!(server.post("/notify?to=user/dave", &ann, "x"), 404);
    assert_eq!(server.post("/notify", &ann, "x"), 404);
    assert_eq!(server.post("/send-away?user=dave", &ann, ""), 404);
    let most = "x".repeat(16 << 10);
    assert_eq!(server.post("/notify?to=all", &ann, &most), 204);
    assert_eq!(server.post("/notify?to=all", &ann, &(most + "x")), 413);
}

#[test]
fn sent_away_a_user_is_told_and_stays_away_and_others_stay() {
    let server = Server::start();
    let mut ann = server.stream("ann");
    let mut streams = [server.stream("bob"), server.stream("bob")];
    let cookie = server.login("ann");
    assert_eq!(server.post("/send-away?user=bob", &cookie, ""), 204);
    for stream in &mut streams {
        assert!(stream.finish(), "it was cut");
        assert_eq!(data(stream, "bye").len(), 1);
    }
    let again = events(&server.login("bob")).send(server.address);
    assert_eq!((again.status, &*again.body), (204, ""));
    until_present(&mut ann, "ann");
}

#[test]
fn one_other_origin_is_let_in_with_its_cookies() {
    let server = Server::start();
    for origin in [ALLOWED, "http://evil.example"] {
        let preflight = Request::new("OPTIONS", "/notify")
            .with_header("origin", origin.as_bytes())
            .with_header("access-control-request-method", b"POST");
        let stream = events(&server.login("bob")).with_header("origin", origin.as_bytes());
        let preflight = preflight.open(server.address).expect("a response");
        let stream = stream.open(server.address).expect("a response");
        for response in [&preflight, &stream] {
            assert_eq!(response.status, 200);
            // A browser compares it with the origin of the page.
            let allowed = response.header("access-control-allow-origin");
            assert_eq!(allowed, Some(ALLOWED));
            let credentials = response.header("access-control-allow-credentials");
            assert_eq!(credentials, Some("true"));
        }
        let methods = preflight.header("access-control-allow-methods");
        assert_eq!(methods, Some("GET,POST"));
    }
}

#[test]
fn metrics_have_the_text_format_of_prometheus() {
    let server = Server::start();
    let mut streams = [server.stream("ann"), server.stream("bob")];
    until_present(&mut streams[0], "ann bob");
    server.notify("all", "x");
    let response = Request::get("/metrics").open(server.address);
    let content_type = response.expect("a response");
    let content_type = content_type.header("content-type");
    assert_eq!(content_type, Some("text/plain; version=0.0.4"));
    let text = Request::get("/metrics").send(server.address).body;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let comment: Vec<_> = line.split(' ').collect();
        let ["#", "TYPE", name, "gauge" | "counter"] = comment[..] else {
            panic!("{text}");
        };
        let sample = lines.next().and_then(|line| line.split_once(' '));
        let (sample, value) = sample.expect("a sample");
        assert_eq!(sample, name);
        assert!(value.parse::<u64>().is_ok(), "{text}");
    }
    assert!(text.contains("\nnotify_subscribers 2\n"), "{text}");
    let published = |text: &str| {
        let (_, value) = text.split_once("\nnotify_published_total ")?;
        value.split('\n').next()?.parse::<u64>().ok()
    };
    let before = published(&text).expect("a number");
    assert!(before >= 2, "{text}");
    server.notify("user/carol", "x");
    let text = Request::get("/metrics").send(server.address).body;
    assert!(published(&text) > Some(before), "{text}");
}

#[test]
fn at_sigterm_all_streams_end_each_with_a_reconnection_time_of_its_own() {
    ends(Process::terminate);
}

#[test]
fn so_they_do_at_ctrl_c() {
    ends(Process::interrupt);
}

fn ends(end: fn(&Process)) {
    let mut server = Server::start();
    let users = ["ann", "bob", "carol"].into_iter().cycle();
    let mut streams: Vec<_> = users.take(12).map(|user| server.stream(user)).collect();
    for stream in &mut streams {
        until_present(stream, "ann bob carol");
    }
    server.notify("all", "the last");
    end(&server.process);
    let mut times: Vec<u32> = streams.iter_mut().map(reconnection_time).collect();
    assert!(times.iter().all(|time| (1000..=5000).contains(time)));
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 6, "{times:?}");
    for stream in &streams {
        assert_eq!(data(stream, "message"), ["all\nthe last"]);
    }
    assert!(exit(&mut server).success());
}

/// Reads the stream to its end, and returns what its last event says.
fn reconnection_time(stream: &mut EventStream) -> u32 {
    assert!(stream.finish(), "it was cut");
    let text = stream.text();
    let (_, last) = text.rsplit_once("event: bye\nretry: ").expect("an event");
    let millis = last.strip_suffix("\ndata: {}\n\n").expect("the end");
    millis.parse().expect("a number")
}

fn exit(server: &mut Server) -> std::process::ExitStatus {
    until("the end of the process", || {
        let status = server.process.child.try_wait().expect("it is a child");
        status.ok_or_else(|| "it runs on".into())
    })
}

#[test]
fn a_client_that_reads_nothing_does_not_hold_the_end_up() {
    let mut server = Server::start();
    let mut stream = server.stream("carol");
    stream.greeting();
    let (cookie, text) = (server.login("ann"), "x".repeat(16 << 10));
    // More than the buffers of the system hold.
    for _ in 0..1000 {
        assert_eq!(server.post("/notify?to=all", &cookie, &text), 204);
    }
    server.process.terminate();
    assert!(exit(&mut server).success());
}

/// The page of the example.
struct Page(Chromium);

impl Page {
    async fn run(&self, script: &str) -> String {
        let returned = self.0.client().execute(script, Vec::new()).await;
        let returned = returned.expect("the page runs a script");
        returned.json().as_str().unwrap_or_default().to_owned()
    }

    async fn text(&self, id: &str) -> String {
        self.run(&format!("return document.getElementById('{id}').innerText"))
            .await
    }

    async fn until(&self, id: &str, is: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let text = self.text(id).await;
            if is(&text) {
                return text;
            }
            assert!(start.elapsed() < PATIENCE, "{id} is {text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the topics and the texts that are shown, oldest first.
    async fn received(&self) -> Vec<[String; 2]> {
        let lines = self
            .run(
                "return JSON.stringify([...document.querySelectorAll('#list li:not(.empty)')]
                    .map((line) => [line.children[0].textContent, line.children[1].textContent])
                    .reverse())",
            )
            .await;
        serde_json::from_str(&lines).expect("pairs")
    }
}

#[tokio::test]
async fn the_page_shows_what_its_user_may_see_and_misses_nothing() {
    let server = Server::start();
    let proxy = Proxy::start(server.address, 11);
    let page = Page(Chromium::start().await);
    let gone = page.0.client().goto(format!("http://{}", proxy.address));
    gone.await.expect("the page loads");
    page.until("state", |state| state == "signed out").await;
    page.run("at('name').value = 'bob'; at('login').requestSubmit()")
        .await;
    page.until("state", |state| state == "open").await;
    page.until("here", |here| here == "bob").await;
    let mut ann = server.stream("ann");
    page.until("here", |here| here == "ann\nbob").await;

    let markup = "<b>private</b>\nin two lines";
    server.notify("user/carol", "not for Bob");
    server.notify("user/bob", markup);
    server.notify("team/red", "to a team");
    server.notify("all", "to all");
    page.until("list", |list| list.contains("to all")).await;
    assert_eq!(
        page.received().await,
        [
            ["user/bob", markup],
            ["team/red", "to a team"],
            ["all", "to all"]
        ]
    );

    page.run("at('text').value = 'x'; at('send').requestSubmit()")
        .await;
    page.until("note", |note| note == "This user may not notify others.")
        .await;

    // Each event is longer than what passes before a cut.
    proxy.cuts(true);
    let mut sent = 0;
    let start = Instant::now();
    while proxy.cut() < 2 {
        assert!(start.elapsed() < PATIENCE, "it does not come back");
        server.notify("user/bob", &format!("{sent} {}", "x".repeat(4000)));
        sent += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    proxy.cuts(false);
    server.notify("user/bob", "the last");
    page.until("list", |list| list.contains("the last")).await;
    let received = page.received().await;
    let numbers = received[3..].iter().map(|[_, text]| text.split(' ').next());
    let expected = (0..sent).map(|number| number.to_string());
    let expected: Vec<_> = expected.chain(["the".to_owned()]).collect();
    assert!(numbers.eq(expected.iter().map(|text| Some(&**text))));
    assert_eq!(page.text("state").await, "open");

    let cookie = server.login("ann");
    assert_eq!(server.post("/send-away?user=bob", &cookie, ""), 204);
    page.until("state", |state| state == "signed out").await;
    until_present(&mut ann, "ann");
}
