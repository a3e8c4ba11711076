//! What `LaunchDarkly`'s contract tests for SSE clients ask of a client, as cases of our own, named as theirs are; what they
//! ask of the parsing alone is in `suites.rs`.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::{LossReason, Options, Response};
use sse_proto::{EventId, EventSource};
use support::driver::{Driver, URL, data, stream};
use support::oracle::Said;

fn event(text: &str, id: &str, own_id: bool) -> Said {
    Said::Event {
        event_type: "message".into(),
        data: text.into(),
        last_event_id: id.into(),
        own_id,
    }
}

#[test]
fn default_method_and_headers() {
    let request = Driver::new(Options::standard()).request();
    assert_eq!(request.method(), "GET");
    let headers: Vec<_> = request.headers().collect();
    assert_eq!(
        headers,
        [
            ("accept", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("accept-encoding", "identity")
        ]
    );
}

#[test]
fn status_204_halts_reconnection_attempts() {
    for options in [Options::standard(), Options::resilient()] {
        let mut driver = Driver::new(options);
        driver.request();
        driver.respond(Response::new(204));
        assert!(driver.aborts());
        assert_eq!(driver.closed().reason, LossReason::Rejected(204));
        driver.pass(Duration::from_secs(1_000_000));
        assert!(driver.is_quiet());
    }
}

#[test]
fn client_follows_301_and_307_redirect() {
    for status in [301, 307] {
        let mut driver = Driver::new(Options::standard());
        driver.request();
        driver.respond(Response::from_headers(
            status,
            [("location", b"https://elsewhere.example/stream")],
        ));
        assert!(driver.aborts());
        assert_eq!(driver.open().url(), "https://elsewhere.example/stream");
        assert_eq!(data(&driver.feed("data: hello\n\n")), ["hello"]);
    }
}

#[test]
fn client_handles_empty_and_missing_location_header() {
    for status in [301, 307] {
        for response in [
            Response::new(status),
            Response::from_headers(status, [("location", b"")]),
            Response::from_headers(status, [("location", b"  ")]),
        ] {
            let mut driver = Driver::new(Options::resilient());
            driver.request();
            driver.respond(response);
            assert!(driver.aborts());
            assert_eq!(driver.closed().reason, LossReason::Rejected(status));
        }
    }
}

#[test]
fn sends_last_event_id_in_initial_request_if_set() {
    let id = EventId::new("abc").expect("valid");
    let source = EventSource::with_seed(URL, Options::standard(), 0).with_last_event_id(&id);
    assert_eq!(Driver::of(source).request().last_event_id(), Some("abc"));
}

#[test]
fn caller_can_trigger_a_restart() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    assert_eq!(data(&driver.feed("data: Hello\n\n")), ["Hello"]);
    driver.source.reconnect(driver.now);
    assert!(driver.aborts());
    assert_eq!(driver.lost().reason, LossReason::Reconnect);
    driver.open();
    assert_eq!(data(&driver.feed("data: Thanks\n\n")), ["Thanks"]);
}

#[test]
fn sends_id_of_last_received_event() {
    let mut driver = Driver::new(Options::standard());
    assert_eq!(driver.open().last_event_id(), None);
    assert_eq!(
        driver.feed("id: abc\ndata: Hello\n\n"),
        [event("Hello", "abc", true)]
    );
    assert_eq!(driver.reopen().last_event_id(), Some("abc"));
}

#[test]
fn sends_id_of_last_received_event_that_had_an_id_if_later_events_did_not() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("id: abc\ndata: Hello\n\n");
    assert_eq!(
        driver.feed("data: World\n\n"),
        [event("World", "abc", false)]
    );
    assert_eq!(driver.reopen().last_event_id(), Some("abc"));
}

#[test]
fn last_event_id_can_be_explicitly_overridden_with_an_empty_value() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("id: abc\ndata: Hello\n\n");
    assert_eq!(
        driver.feed("id: \ndata: World\n\n"),
        [event("World", "", true)]
    );
    let request = driver.reopen();
    assert_eq!(
        (request.last_event_id(), request.unsendable_id()),
        (None, None)
    );
    assert!(!request.headers().any(|(name, _)| name == "last-event-id"));
}

/// Theirs resends a POST whatever it may do twice; here that must be asked for.
#[test]
fn resends_request_body_if_any_when_reconnecting() {
    let options = Options::standard().with_repeat(true);
    let mut driver = Driver::of(EventSource::with_seed(URL, options, 0).with_method("POST"));
    assert_eq!(driver.open().method(), "POST");
    assert_eq!(driver.reopen().method(), "POST");
}

#[test]
fn can_set_read_timeout() {
    let timeout = Duration::from_millis(500);
    let mut driver = Driver::new(Options::standard().with_idle_timeout(Some(timeout)));
    driver.open();
    assert_eq!(data(&driver.feed("data: Hello\n\n")), ["Hello"]);
    driver.pass(timeout);
    assert!(driver.aborts());
    assert_eq!(driver.lost().reason, LossReason::IdleTimeout);
    driver.due();
    driver.open();
}

#[test]
fn discards_partial_messages_on_retry() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    let said = driver.feed("id: abc\ndata: Hello\n\nid: def\ndata: Goodbye");
    assert_eq!(said, [event("Hello", "abc", true)]);
    driver.source.handle_error(driver.now, "reset");
    assert!(driver.lost().is_interrupted);
    driver.due();
    assert_eq!(driver.open().last_event_id(), Some("abc"));
    assert_eq!(
        driver.feed("data: We meet again\n\n"),
        [event("We meet again", "abc", false)]
    );
}

#[test]
fn new_connection_established_after_breaking_previous_is_functional() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("id: abc\ndata: Hello\n\n");
    driver.reopen();
    assert_eq!(
        driver.feed("id: def\ndata: World\n\n"),
        [event("World", "def", true)]
    );
}

#[test]
fn bom_is_stripped_at_the_start_of_each_connection() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    assert_eq!(
        data(&driver.feed("\u{FEFF}data: a\n\n\u{FEFF}data: none\n\n")),
        ["a"]
    );
    driver.reopen();
    assert_eq!(data(&driver.feed("\u{FEFF}data: b\n\n")), ["b"]);
}

#[test]
fn single_comment_two_in_a_row_before_and_after_event() {
    let comment = |text: &str| Said::Comment(text.into());
    let mut driver = Driver::new(Options::standard().with_comments(true));
    driver.open();
    assert_eq!(driver.feed(":Hello\n"), [comment("Hello")]);
    assert_eq!(
        driver.feed(":Hello\n:World\n"),
        [comment("Hello"), comment("World")]
    );
    assert_eq!(
        driver.feed(":Hello\ndata: a\n\n"),
        [comment("Hello"), event("a", "", false)]
    );
    assert_eq!(
        driver.feed("data: a\n\n:Hello\n"),
        [event("a", "", false), comment("Hello")]
    );
}

#[test]
fn linefeeds_in_chunks_of_one_of_two_and_whole() {
    for end in ["\n", "\r\n", "\r"] {
        let input = [
            "data: event 1",
            "",
            "",
            "data:",
            "data: line2",
            "data: line3",
            "",
            "data: line1",
            "data:",
            "data: line3",
            "",
            "",
            "",
            "data: event 2",
            "",
            "",
        ]
        .join(end);
        for size in [1, 2, input.len()] {
            let mut driver = Driver::new(Options::standard());
            driver.open();
            let mut said = Vec::new();
            for chunk in input.as_bytes().chunks(size) {
                said.extend(driver.feed(chunk));
            }
            assert_eq!(
                data(&said),
                ["event 1", "\nline2\nline3", "line1\n\nline3", "event 2"]
            );
        }
    }
}

#[test]
fn payload_of_any_size_up_to_1_mib_is_delivered_with_its_last_byte() {
    for size in [
        1, 128, 1023, 1024, 1025, 4096, 8192, 8195, 65_536, 262_144, 1_048_576,
    ] {
        let text = "x".repeat(size);
        let mut driver = Driver::new(Options::standard());
        driver.open();
        let input = format!("data: {text}\n\n");
        let (last, rest) = input.as_bytes().split_last().expect("not empty");
        for chunk in rest.chunks(1460) {
            assert_eq!(driver.feed(chunk), []);
        }
        assert!(data(&driver.feed([*last])) == [text.as_str()], "{size}");
    }
}

#[test]
fn a_stream_that_is_no_stream_is_an_error() {
    let mut driver = Driver::new(Options::standard());
    driver.request();
    driver.respond(Response::from_headers(
        200,
        [("content-type", b"text/html")],
    ));
    assert!(driver.aborts());
    let loss = driver.closed();
    assert_eq!(loss.reason, LossReason::Rejected(200));
    let response = loss.response.expect("it is rejected");
    assert_eq!(response.content_type(), Some("text/html"));
    driver.respond(stream());
    assert!(driver.is_quiet());
}
