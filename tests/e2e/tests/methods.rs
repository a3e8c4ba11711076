//! Methods that a path does not have.

use std::io::Read;

use http::Request as Request2;
use sse_proto::deps::bytes::Bytes;

use crate::support::{EXAMPLES, EventStream2, Request, Server, TOWER_HTTP, each};

#[test]
fn a_method_that_a_path_does_not_have_is_refused_and_the_answer_lists_those_that_it_has() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        for (method, path, has) in [
            ("POST", "/events", "GET"),
            ("OPTIONS", "/events", "GET"),
            ("PUT", "/stats", "GET"),
            ("GET", "/echo", "POST"),
        ] {
            // A layer answers all of these: see `behind.rs`.
            if method == "OPTIONS" && example.name == TOWER_HTTP.name {
                continue;
            }
            let request = Request::new(method, path).with_header("content-length", b"0");
            let answer = request.open(server.address).expect("an answer");
            assert_eq!(answer.status, 405, "{method} {path}");
            let allowed = answer.header("allow").unwrap_or_default();
            let mut allowed = allowed.split(',').map(str::trim);
            assert!(allowed.any(|one| one == has), "{method} {path}");
        }
        let now = server.stats();
        assert_eq!((now.open, now.published, now.ended), (0, 0, 0));
    });
}

/// A framework answers it by itself, or it is a method that a path does not have.
#[test]
fn the_answer_to_head_has_no_body_and_leaves_no_stream_open() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        for path in ["/events", "/stats", "/echo", "/other"] {
            let request = Request::new("HEAD", path).with_header("connection", b"close");
            let mut answer = request.open(server.address).expect("an answer");
            match answer.status {
                200 if path == "/events" => {
                    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
                }
                200 => assert_eq!(path, "/stats"),
                405 => assert!(answer.header("allow").is_some(), "{path}"),
                404 => assert_eq!(path, "/other"),
                status => panic!("{status} for {path}"),
            }
            assert_eq!(answer.received(), b"", "{path}");
            let mut rest = Vec::new();
            answer.socket.read_to_end(&mut rest).expect("the end");
            assert_eq!(rest, b"", "{path}");
        }
        server.until_stats("no stream", |stats| stats.open == 0);
    });
}

#[tokio::test]
async fn over_http_2_it_has_none_either() {
    for example in EXAMPLES.into_iter().filter(|example| example.has_http2) {
        let server = Server::start(example, 0, 600);
        let mut stream = EventStream2::open(server.address, None).await;
        stream.greeting().await;
        for path in ["/events", "/stats", "/echo", "/other"] {
            let head = Request2::head(format!("http://{}{path}", server.address));
            let head = head.body(()).expect("a request");
            let mut body = stream.request(head, Bytes::new()).await.into_body();
            while let Some(data) = body.data().await {
                assert_eq!(data.expect("the end"), "", "{} {path}", example.name);
            }
        }
    }
}
