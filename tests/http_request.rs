//! The feature `http`: what is read from the headers of a request.

use sse_proto::EventId;
use sse_proto::deps::http::{HeaderMap, HeaderValue};
use sse_proto::http::{last_event_id, read_request};

fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in lines {
        headers.append(name, HeaderValue::from_bytes(value).expect("it is a value"));
    }
    headers
}

/// The status and the text of the refusal.
fn refusal(lines: &[(&'static str, &[u8])]) -> (u16, String) {
    let error = read_request(&headers(lines)).expect_err("it is refused");
    (error.status(), error.to_string())
}

fn not_acceptable() -> (u16, String) {
    let text = "the client does not accept text/event-stream";
    (406, text.to_owned())
}

#[test]
fn a_browser_that_connects_and_comes_back() {
    let first = headers(&[("accept", b"text/event-stream")]);
    assert_eq!(read_request(&first).unwrap(), None);
    let again = headers(&[
        ("accept", b"text/event-stream"),
        ("Last-Event-ID", "é/42".as_bytes()),
    ]);
    assert_eq!(read_request(&again).unwrap().unwrap(), "é/42");
}

#[test]
fn a_client_that_sends_no_header_gets_a_stream_from_the_start() {
    assert_eq!(read_request(&HeaderMap::new()).unwrap(), None);
    assert_eq!(
        read_request(&headers(&[("last-event-id", b"")])).unwrap(),
        None
    );
}

#[test]
fn the_lines_of_accept_are_one_list() {
    let lines = headers(&[("accept", b"text/html"), ("accept", b"text/event-stream")]);
    assert_eq!(read_request(&lines).unwrap(), None);
    let lines: [(_, &[u8]); 2] = [("accept", b"*/*"), ("accept", b"text/event-stream;q=0")];
    assert_eq!(refusal(&lines), not_acceptable());
}

#[test]
fn a_client_that_takes_no_event_stream_gets_406() {
    assert_eq!(
        refusal(&[("accept", b"application/json")]),
        not_acceptable()
    );
    // The type is asked first: what such a client wants to resume is no event stream.
    assert_eq!(
        refusal(&[("accept", b"text/html"), ("last-event-id", b"\xFF")]),
        not_acceptable()
    );
}

#[test]
fn a_bad_id_gets_400() {
    assert_eq!(
        refusal(&[("last-event-id", b"1\xFF")]),
        (400, "the last event ID is not UTF-8 at byte 1".to_owned())
    );
    let long = [b'x'; 1025];
    assert_eq!(
        refusal(&[("last-event-id", &long)]),
        (
            400,
            "the last event ID has 1025 bytes and may have 1024".to_owned()
        )
    );
    // Such values never reach a header map, but the error may come from elsewhere.
    for value in [b"1\0", b"1\n", b"1\r"] {
        assert!(HeaderValue::from_bytes(value).is_err());
        assert_eq!(last_event_id(Some(value)).unwrap_err().status(), 400);
    }
}

#[test]
fn two_ids_are_none() {
    for second in [&b"2"[..], b"1", b""] {
        assert_eq!(
            refusal(&[("last-event-id", b"1"), ("last-event-id", second)]),
            (400, "the last event ID comes more than once".to_owned())
        );
    }
}

#[test]
fn the_id_can_outlive_the_request() {
    let id = {
        let lines = headers(&[("last-event-id", b"7")]);
        read_request(&lines).unwrap().map(EventId::into_owned)
    };
    assert_eq!(id.unwrap(), "7");
}
