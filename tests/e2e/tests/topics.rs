//! A hub of users over HTTP: a thousand connections with three topics each, cut at random, while topics
//! come and go.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sse_proto::adapt::Preamble;
use sse_proto::broadcast::{Handle, Retention, SubscribeOptions, Subscribed};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::futures_core::Stream;
use sse_proto::http::last_event_id;
use sse_proto::{Broadcast, Decoder, Event, EventStreamExt, EventType, Item};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const USERS: usize = 1_000;
const EVENTS: u64 = 3_000;

/// The last event.
const END: EventType = EventType::from_static("end");

/// The server's side of a user.
#[derive(Default)]
struct User {
    has_room: bool,
    handle: Option<Handle>,
}

struct Hub {
    broadcast: Broadcast,
    users: Vec<Mutex<User>>,
}

fn tenant(user: usize) -> String {
    format!("tenant-{}", user / 100)
}

fn own(user: usize) -> String {
    format!("user-{user}")
}

const ROOM: &str = "room";

/// The head of each response.
const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

impl Hub {
    /// Answers one request: `GET /user`.
    async fn answer(self: Arc<Self>, connection: TcpStream) {
        let head = read_head(&connection).await;
        let Some(user) = head.strip_prefix("GET /") else {
            return;
        };
        let user: usize = user[..user.find(' ').unwrap()].parse().unwrap();
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("last-event-id: "));
        let id = last_event_id(id, None, "");
        let (subscription, start) = {
            let mut state = self.users[user].lock().unwrap();
            let topics = [tenant(user), own(user)];
            let room = state.has_room.then(|| ROOM.to_owned());
            let options = SubscribeOptions::new().with_topics(topics.into_iter().chain(room));
            let (subscription, start) = match self.broadcast.subscribe_with(id, &options) {
                Subscribed::Live(new) => {
                    let start = new.last_event_id();
                    (new, start)
                }
                Subscribed::Resumed { subscription, .. } => (subscription, None),
                other => panic!("nothing is lost: {other:?}"),
            };
            state.handle = Some(subscription.handle());
            (subscription, start)
        };
        let mut chunk = Some(Bytes::from(HEAD));
        let mut body = std::pin::pin!(subscription.preamble(&Preamble::new().with_id(start)));
        let mut rest = [0];
        while let Some(bytes) = chunk {
            if write_all(&connection, &bytes).await.is_err() {
                return;
            }
            chunk = tokio::select! {
                chunk = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)) => chunk,
                // A quiet subscription would not notice that the client has gone.
                _ = read(&connection, &mut rest) => return,
            };
        }
    }

    /// Lets a user into the room, or takes it out. Returns the number of the head after that.
    fn set_room(&self, user: usize, has_room: bool) -> u64 {
        let mut state = self.users[user].lock().unwrap();
        state.has_room = has_room;
        if let Some(handle) = &state.handle {
            if has_room {
                handle.add_topic(ROOM).unwrap();
            } else {
                handle.remove_topic(ROOM);
            }
        }
        let head = self.broadcast.last_event_id().unwrap().to_string();
        number(&head)
    }
}

/// The number of an assigned id.
fn number(id: &str) -> u64 {
    id.split_once('-')
        .expect("an assigned id")
        .1
        .parse()
        .expect("digits")
}

/// Reads a request.
async fn read_head(connection: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 256];
        match read(connection, &mut bytes).await {
            0 => break,
            read => head.extend(&bytes[..read]),
        }
    }
    String::from_utf8(head).expect("a head")
}

/// Reads some bytes. Returns 0 at the end and after an error.
async fn read(connection: &TcpStream, bytes: &mut [u8]) -> usize {
    loop {
        if connection.readable().await.is_err() {
            return 0;
        }
        match connection.try_read(bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            read => return read.unwrap_or(0),
        }
    }
}

async fn write_all(connection: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        connection.writable().await?;
        match connection.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// A client that loses its connection again and again. Returns the numbers and the topics of its
/// events, and how often it connected.
async fn client(port: u16, user: usize) -> (usize, Vec<(u64, String)>, usize) {
    let mut random = Numbers(user as u64);
    let (mut id, mut seen, mut connections) = (String::new(), Vec::new(), 0);
    loop {
        let connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        connections += 1;
        let mut request = format!("GET /{user} HTTP/1.1\r\nhost: localhost\r\n");
        if !id.is_empty() {
            request.extend(["last-event-id: ", id.as_str(), "\r\n"]);
        }
        write_all(&connection, (request + "\r\n").as_bytes())
            .await
            .unwrap();
        let mut head = HEAD.len();
        while head > 0 {
            let read = read(&connection, &mut [0; HEAD.len()][..head]).await;
            assert!(read > 0, "a head");
            head -= read;
        }
        let cut = sleep(Duration::from_millis(20 + random.next(400)));
        let mut cut = std::pin::pin!(cut);
        let mut decoder = Decoder::new();
        let mut ended = false;
        // Cut after any byte.
        let mut buffer = vec![0; 1 + usize::try_from(random.next(200)).unwrap()];
        loop {
            let bytes = tokio::select! {
                () = &mut cut => break,
                read = read(&connection, &mut buffer) => &buffer[..read],
            };
            if bytes.is_empty() {
                break;
            }
            let mut items = decoder.feed(bytes);
            while let Some(item) = items.next().expect("well-formed") {
                let Item::Event(event) = item else { continue };
                event.last_event_id().clone_into(&mut id);
                match &*event.event_type() {
                    "message" => seen.push((number(&id), event.data().into_owned())),
                    one => ended |= END == one,
                }
            }
        }
        if ended {
            return (user, seen, connections);
        }
    }
}

#[tokio::test]
async fn each_of_a_thousand_users_sees_what_it_must_once_and_in_order() {
    rlimit::increase_nofile_limit(8_192).expect("enough files");
    let broadcast = Broadcast::new(Retention::new(10_000, 64 << 20));
    let users = (0..USERS).map(|_| Mutex::default()).collect();
    let hub = Arc::new(Hub { broadcast, users });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Arc::clone(&hub);
    let accepts = tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(Arc::clone(&server).answer(connection));
        }
    });
    // All are there before the first event. The third part is never in the room at first.
    for user in (0..USERS).filter(|user| user % 3 != 2) {
        hub.set_room(user, true);
    }
    let mut clients = JoinSet::new();
    for user in 0..USERS {
        clients.spawn(client(port, user));
    }
    let is_there = |user: &Mutex<User>| user.lock().unwrap().handle.is_some();
    while !hub.users.iter().all(is_there) {
        sleep(Duration::from_millis(5)).await;
    }

    let mut random = Numbers(7);
    let mut published = Vec::new();
    let mut left = vec![u64::MAX; USERS];
    for count in 0..EVENTS {
        let user = usize::try_from(random.next(USERS as u64)).unwrap();
        let topic = match count % 100 {
            0 => None,
            one if one % 10 == 1 => Some(tenant(user)),
            one if one % 10 == 5 => Some(ROOM.to_owned()),
            _ => Some(own(user)),
        };
        let name = topic.clone().unwrap_or_else(|| "all".to_owned());
        let event = Event::message(name.clone());
        let sent = match &topic {
            None => hub.broadcast.publish(&event),
            Some(topic) => hub.broadcast.publish_to(topic, &event),
        };
        published.push((sent.expect("it is open"), name));
        // The second part leaves the room for good, the third comes and goes.
        match user % 3 {
            1 if left[user] == u64::MAX => left[user] = hub.set_room(user, false),
            2 => _ = hub.set_room(user, count % 2 == 0),
            _ => {}
        }
        if count % 10 == 0 {
            sleep(Duration::from_millis(3)).await;
        }
    }
    hub.broadcast
        .publish(&Event::new(END, ""))
        .expect("it is open");

    let mut all_connections = 0;
    while let Some(client) = timeout(Duration::from_mins(2), clients.join_next())
        .await
        .expect("an end")
    {
        let (user, seen, connections) = client.expect("no panic");
        all_connections += connections;
        let numbers: Vec<_> = seen.iter().map(|(number, _)| *number).collect();
        assert!(
            numbers.is_sorted_by(|one, next| one < next),
            "{user}: once, in order"
        );
        let is_always = |topic: &str| {
            let is_own = topic == "all" || topic == tenant(user) || topic == own(user);
            is_own || topic == ROOM && user % 3 == 0
        };
        let must: Vec<_> = published
            .iter()
            .filter(|(_, topic)| is_always(topic))
            .collect();
        let has: Vec<_> = seen.iter().filter(|(_, topic)| is_always(topic)).collect();
        assert_eq!(has, must, "{user}");
        // Nothing of anybody else, and nothing of the room after it was left.
        let known: BTreeSet<_> = published.iter().collect();
        for event @ (number, topic) in &seen {
            assert!(
                known.contains(event) && (is_always(topic) || topic == ROOM),
                "{user}: {event:?}"
            );
            assert!(
                topic != ROOM || *number <= left[user],
                "{user} has left before {number}"
            );
        }
    }
    assert!(
        all_connections > 3 * USERS,
        "{all_connections}: they were cut"
    );
    accepts.abort();
}
