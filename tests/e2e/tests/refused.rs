//! Requests that get no event stream, and no event; and those that get one whatever they ask for.

use crate::support::{EventStream, Request, Server, each, hello, reset};

#[test]
fn each_runtime_says_what_is_wrong_with_a_request() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let status = |request: Request| request.send(server.address).status;

        assert_eq!(status(Request::post("/echo", b"\xff")), 400);
        assert_eq!(
            status(Request::post("/echo", "a".repeat(16 * 1024 + 1))),
            413
        );
        assert_eq!(status(Request::get("/other")), 404);
        let now = server.stats();
        assert_eq!((now.open, now.published, now.ended), (0, 0, 0));
    });
}

/// The SDKs of `OpenAI` and Anthropic ask for JSON. A client that is refused because of its id never
/// comes back.
#[test]
fn each_runtime_gives_a_stream_whatever_is_accepted_and_whatever_the_id() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let events = || Request::get("/events");
        let open = |request: Request| {
            let mut stream = EventStream::new(request.open(server.address).expect("a response"));
            stream.greeting();
            stream
        };

        let json = open(events().with_header("accept", b"application/json"));
        let epoch = json.epoch();
        assert_eq!(json.text(), hello(&epoch, 0));
        let twice = events().with_header("last-event-id", b"1");
        for request in [
            events().with_header("last-event-id", b"\xff"),
            twice.with_header("last-event-id", b"2"),
        ] {
            let mut stream = open(request);
            let expected = reset(&epoch, 0);
            assert_eq!(stream.until_bytes(expected.len()), expected);
        }
    });
}
