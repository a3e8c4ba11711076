//! The texts of why a client loses a connection and why it closes.

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{Loss, Options, Output, Response};
use sse_proto::decode::DecodeLimits;

const NOW: Duration = Duration::ZERO;

/// A client whose request is in flight.
fn connecting(method: &str, options: Options) -> EventSource {
    let mut source = EventSource::with_seed("http://localhost/", options, 0).with_method(method);
    source.start(NOW);
    assert!(matches!(source.poll_output(), Some(Output::Request(_))));
    source
}

/// A client whose stream is open, and has brought these bytes.
fn open(method: &str, options: Options, bytes: &[u8]) -> EventSource {
    let mut source = connecting(method, options);
    let head = Response::from_headers(200, [("content-type", "text/event-stream")]);
    source.handle_response(NOW, head);
    assert!(matches!(source.poll_output(), Some(Output::Opened)));
    let mut received = source.handle_bytes(NOW, bytes);
    while received.next().is_ok_and(|item| item.is_some()) {}
    source
}

fn loss(source: &mut EventSource) -> Loss {
    loop {
        match source.poll_output() {
            Some(Output::Lost(loss) | Output::Closed(loss)) => return loss,
            Some(_) => {}
            None => panic!("nothing is lost"),
        }
    }
}

#[test]
fn a_loss_says_why() {
    type Lose = fn(&mut EventSource);

    let second = Some(Duration::from_secs(1));
    let options = Options::standard()
        .with_idle_timeout(second)
        .with_connect_timeout(second);
    let cases: [(&str, Lose, &str); 7] = [
        (
            "",
            |source| source.handle_end(NOW),
            "the event stream ended",
        ),
        (
            "data: x",
            |source| source.handle_end(NOW),
            "the event stream ended within a block",
        ),
        (
            "data: x",
            |source| source.handle_error(NOW, "reset"),
            "the connection failed",
        ),
        (
            "",
            |source| source.handle_deadline(Duration::from_secs(1)),
            "the event stream was silent for too long",
        ),
        (
            "",
            |source| source.handle_network_lost(NOW),
            "the network is lost",
        ),
        (
            "",
            |source| source.reconnect(NOW),
            "a new connection was asked for",
        ),
        ("", EventSource::close, "closed"),
    ];
    for (bytes, lose, text) in cases {
        let mut source = open("GET", options.clone(), bytes.as_bytes());
        lose(&mut source);
        assert_eq!(loss(&mut source).to_string(), text);
    }
    let mut source = connecting("GET", options.clone());
    source.handle_deadline(Duration::from_secs(1));
    let text = "no response came in time";
    assert_eq!(loss(&mut source).to_string(), text);
}

#[test]
fn a_client_that_gives_up_says_after_what() {
    let options = Options::standard().with_max_retries(Some(0));
    let mut source = open("GET", options, b"");
    source.handle_end(NOW);
    let text = "gave up after 1 failures in a row: the event stream ended";
    assert_eq!(loss(&mut source).to_string(), text);

    let options = Options::standard().with_max_elapsed(Some(Duration::from_secs(90)));
    let mut source = connecting("GET", options.clone());
    source.handle_deadline(Duration::from_secs(90));
    let text = "gave up after 90s without progress";
    assert_eq!(loss(&mut source).to_string(), text);
    let mut source = connecting("GET", options.clone());
    source.handle_error(Duration::from_secs(89), "reset");
    let text = "gave up after 89s without progress: the connection failed";
    assert_eq!(loss(&mut source).to_string(), text);

    let mut source = open("POST", Options::standard(), b"data: x\n\n");
    source.handle_end(NOW);
    assert_eq!(loss(&mut source).to_string(), "the event stream ended");
    let mut source = connecting("POST", Options::standard());
    source.handle_error(NOW, "reset");
    let text = "the connection failed, and the request is not sent twice";
    assert_eq!(loss(&mut source).to_string(), text);

    let limits = DecodeLimits::new()
        .with_max_event_bytes(5)
        .with_end_at_limit(true);
    let options = Options::standard().with_decode_limits(limits);
    let mut source = open("GET", options, b"data: x\n\n");
    let text = "event is longer than the limit of 5 bytes";
    assert_eq!(loss(&mut source).to_string(), text);
}

#[test]
fn a_rejected_response_says_what_is_wrong_with_it() {
    let rejected = |response| {
        let mut source = connecting("GET", Options::standard().with_max_redirects(0));
        source.handle_response(NOW, response);
        loss(&mut source).to_string()
    };
    assert_eq!(rejected(Response::new(204)), "the server answered 204");
    assert_eq!(
        rejected(Response::new(200)),
        "the response has no content type"
    );
    assert_eq!(
        rejected(Response::from_headers(
            200,
            [("content-type", b"text/\x1b[31mhtml")]
        )),
        "the content type is \"text/\\u{1b}[31mhtml\" and not text/event-stream"
    );
    assert_eq!(
        rejected(Response::from_headers(302, [("location", b"/")])),
        "too many redirects, the last with 302"
    );
    let gzip = [
        ("content-type", "text/event-stream"),
        ("content-encoding", "\u{1b}[31mgzip"),
    ];
    assert_eq!(
        rejected(Response::from_headers(200, gzip)),
        "the content encoding \"\\u{1b}[31mgzip\" is not decoded"
    );
    let mut source = connecting("GET", Options::standard());
    source.handle_response(NOW, Response::new(302));
    let text = "the redirect with 302 leads nowhere";
    assert_eq!(loss(&mut source).to_string(), text);
}
