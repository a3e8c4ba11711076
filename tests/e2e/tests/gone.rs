//! The client goes away, and the server learns it.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use programs::Process;
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{EXAMPLES, EventStream, EventStream2, Request, Server, each, until};

/// One second between two comments: that is when a server learns it at the latest.
const KEEP_ALIVE: u32 = 1;

#[test]
fn a_client_that_goes_away_is_known_with_the_reason_and_leaves_nothing() {
    each(|example| {
        let server = Server::start(example, 0, KEEP_ALIVE);
        let retained_before = server.stats().retained_bytes;
        let held = server.holds();
        let ways: [fn(&Server); 3] = [closes, is_killed, resets_within_an_event];
        for (ended, goes) in (1..).zip(ways) {
            goes(&server);
            let stats = server.until_stats("the end of the stream", |stats| {
                stats.open == 0 && stats.ended == ended
            });
            assert!(
                stats.last_ends.iter().all(|end| end == "client gone"),
                "{stats:?}"
            );
            assert_eq!(stats.lagging, 0);
            if ended < 3 {
                assert_eq!(stats.retained_bytes, retained_before);
            }
        }
        // The connections of the statistics go, too.
        until("as little as before", || {
            let now = server.holds();
            let is_less = now.sockets <= held.sockets && now.threads <= held.threads;
            if is_less {
                Ok(())
            } else {
                Err(format!("{now:?} after {held:?}"))
            }
        });
    });
}

fn closes(server: &Server) {
    EventStream::open(server.address, None).greeting();
}

fn is_killed(server: &Server) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_client"))
        .arg(server.address.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client runs");
    let output = child.stdout.take().expect("standard output is piped");
    let client = Process::new(child, output);
    client.line_with(": hello");
    // Kills it, and waits until it is no more.
    drop(client);
}

fn resets_within_an_event(server: &Server) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket
        .connect(&server.address.into())
        .expect("a connection");
    let response = Request::get("/events").open_over(TcpStream::from(socket));
    let mut stream = EventStream::new(response.expect("a response"));
    let greeting = stream.greeting();
    // More than the buffer, so that some of it is on its way still.
    for _ in 0..8 {
        server.echo(&"a".repeat(16 * 1024));
    }
    stream.until("a part", |stream| stream.bytes.len() > greeting.len() + 100);
    assert!(!stream.bytes.ends_with(b"\n\n"), "it is within an event");
    let socket = SockRef::from(&stream.response.socket);
    let set = socket.set_linger(Some(Duration::ZERO));
    set.expect("a reset instead of an end");
}

#[tokio::test]
async fn over_http_2_a_stream_that_is_canceled_is_known_while_the_connection_stays() {
    for example in EXAMPLES.into_iter().filter(|example| example.has_http2) {
        let server = Server::start(example, 0, KEEP_ALIVE);
        let mut stream = EventStream2::open(server.address, None).await;
        stream.greeting().await;
        let connection = stream.cancel();
        // Sends the cancellation, and answers to what the server sends.
        let asked = tokio::task::spawn_blocking(move || {
            let stats = server.until_stats("the end of the stream", |stats| stats.open == 0);
            assert_eq!(stats.last_ends, ["client gone"]);
            server
        });
        let _server = asked.await.expect("it is learned");
        assert!(!connection.has_ended(), "it was the connection");
    }
}
