//! Streams from behind what is in front of a server: layers of tower-http, and nginx.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use crate::support::{AXUM, EventStream, Nginx, Page, Request, Server, TOWER_HTTP};

#[test]
fn a_layer_that_compresses_lets_streams_be() {
    let server = Server::start(TOWER_HTTP, 0, 600);
    let asks = |path| Request::get(path).with_header("accept-encoding", b"gzip");
    // It is there, and does what it is for.
    let stats = asks("/stats").open(server.address).expect("a response");
    assert_eq!(stats.header("content-encoding"), Some("gzip"));

    let events = asks("/events").open(server.address).expect("a response");
    assert_eq!(events.header("content-encoding"), None);
    comes_at_once(&server, EventStream::new(events));
}

#[test]
fn a_layer_lets_pages_of_one_other_origin_read_streams_and_send_the_last_event_id() {
    const PAGE: &str = "http://localhost:3000";
    let server = Server::start(TOWER_HTTP, 0, 600);
    let asks = |method: &str, origin: &str| {
        let request = Request::new(method, "/events").with_header("origin", origin.as_bytes());
        let request = request.with_header("access-control-request-method", b"GET");
        let names = b"last-event-id";
        let request = request.with_header("access-control-request-headers", names);
        request.open(server.address).expect("a response")
    };
    let preflight = asks("OPTIONS", PAGE);
    assert_eq!(preflight.status, 200);
    let lists = |name, wanted: &str| {
        let list = preflight.header(name).unwrap_or_default();
        list.split(',').any(|one| one.eq_ignore_ascii_case(wanted))
    };
    assert!(lists("access-control-allow-methods", "GET"));
    assert!(lists("access-control-allow-headers", "last-event-id"));

    let origin = "access-control-allow-origin";
    assert_eq!(preflight.header(origin), Some(PAGE));
    let events = asks("GET", PAGE);
    assert_eq!(events.header(origin), Some(PAGE));
    comes_at_once(&server, EventStream::new(events));
    for method in ["OPTIONS", "GET"] {
        let others = asks(method, "http://evil.example");
        // A browser gives a page the answer only if this is the page's own origin.
        assert_ne!(others.header(origin), Some("http://evil.example"));
        assert_ne!(others.header(origin), Some("*"));
    }
}

#[test]
fn nginx_with_its_default_buffering_passes_each_event_on_at_once() {
    for version in [
        "",
        "proxy_http_version 1.1; proxy_set_header Connection '';",
    ] {
        let server = Server::start(AXUM, 0, 1);
        let nginx = Nginx::start(server.address, version);
        // It keeps the header that it goes by for itself.
        let response = Request::get("/events").open(nginx.address);
        let response = response.expect("a response");
        assert_eq!(response.header("x-accel-buffering"), None);
        comes_at_once(&server, EventStream::of(response));

        // And the server learns that the client has gone.
        let stats = server.until_stats("the end of the stream", |stats| stats.open == 0);
        assert_eq!(stats.last_ends, ["client gone"]);
    }
}

/// What the test above would see without the header, so that it is known to see something.
#[test]
fn nginx_that_ignores_the_header_holds_events_back() {
    let server = Server::start(AXUM, 0, 600);
    let nginx = Nginx::start(server.address, "proxy_ignore_headers X-Accel-Buffering;");
    let mut socket = TcpStream::connect(nginx.address).expect("a connection");
    let written = socket.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    written.expect("a request");
    server.until_stats("the stream", |stats| stats.open == 1);
    socket
        .set_nonblocking(true)
        .expect("a socket that does not wait");
    let came = (1..=1000).find(|_| {
        server.echo(&"a".repeat(100));
        let peeked = socket.peek(&mut [0; 1000]);
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    });
    // It waits for a page of memory.
    assert!(came.is_some_and(|events| events > 20), "{came:?}");
}

#[test]
fn nginx_cuts_a_silent_stream_unless_comments_keep_it_alive() {
    let timeout = "proxy_read_timeout 2s;";
    let silent = Server::start(AXUM, 0, 600);
    let nginx = Nginx::start(silent.address, timeout);
    let mut stream = EventStream::through(nginx.address);
    let greeting = stream.greeting();
    assert!(!stream.finish_or_cut());
    assert_eq!(stream.text(), greeting);

    let server = Server::start(AXUM, 0, 1);
    let nginx = Nginx::start(server.address, timeout);
    let mut stream = EventStream::through(nginx.address);
    let greeting = stream.greeting();
    stream.until_bytes(greeting.len() + 3 * ": keep-alive comment\n".len());
    comes_at_once(&server, stream);
}

#[tokio::test]
async fn the_browser_gets_each_event_from_behind_nginx_at_once() {
    let server = Server::start(AXUM, 0, 600);
    let nginx = Nginx::start(server.address, "");
    let page = Page::open().await;
    page.listen(nginx.address).await;
    page.until_open().await;
    for count in 1..=3 {
        server.echo("here");
        page.until("the event", |seen| seen.len() == count).await;
    }
}

/// The stream is open, and each event comes before there is the next.
fn comes_at_once(server: &Server, mut stream: EventStream) {
    stream.greeting();
    for count in 1..=3 {
        server.echo("here");
        stream.until("the event", |stream| stream.events.len() == count);
    }
}
