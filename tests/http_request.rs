//! The feature `http`: what is read from the headers of a request.

use std::error::Error;

use sse_proto::EventId;
use sse_proto::deps::http::{HeaderMap, HeaderValue, StatusCode};
use sse_proto::http::{
    InvalidLastEventId, MAX_LAST_EVENT_ID_LEN, RequestError, last_event_id, read_request,
};

fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in lines {
        headers.append(name, HeaderValue::from_bytes(value).expect("it is a value"));
    }
    headers
}

fn status(lines: &[(&'static str, &[u8])]) -> StatusCode {
    read_request(&headers(lines))
        .expect_err("it is refused")
        .status()
}

#[test]
fn a_browser_that_connects_and_comes_back() {
    let first = headers(&[("accept", b"text/event-stream")]);
    assert_eq!(read_request(&first), Ok(None));
    let again = headers(&[
        ("accept", b"text/event-stream"),
        ("Last-Event-ID", "é/42".as_bytes()),
    ]);
    assert_eq!(read_request(&again).unwrap().unwrap(), "é/42");
}

#[test]
fn a_client_that_sends_no_header_gets_a_stream_from_the_start() {
    assert_eq!(read_request(&HeaderMap::new()), Ok(None));
    assert_eq!(read_request(&headers(&[("last-event-id", b"")])), Ok(None));
}

#[test]
fn the_lines_of_accept_are_one_list() {
    let lines = headers(&[("accept", b"text/html"), ("accept", b"text/event-stream")]);
    assert_eq!(read_request(&lines), Ok(None));
    let lines = headers(&[("accept", b"*/*"), ("accept", b"text/event-stream;q=0")]);
    assert_eq!(read_request(&lines), Err(RequestError::NotAcceptable));
}

#[test]
fn a_client_that_takes_no_event_stream_gets_406() {
    assert_eq!(
        status(&[("accept", b"application/json")]),
        StatusCode::NOT_ACCEPTABLE
    );
    // The type is asked first: what such a client wants to resume is no event stream.
    assert_eq!(
        status(&[("accept", b"text/html"), ("last-event-id", b"\xFF")]),
        StatusCode::NOT_ACCEPTABLE
    );
}

#[test]
fn an_id_that_is_none_gets_400() {
    assert_eq!(
        status(&[("last-event-id", b"1\xFF")]),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        read_request(&headers(&[("last-event-id", b"1\xFF")])),
        Err(RequestError::LastEventId(InvalidLastEventId::NotUtf8 {
            offset: 1
        }))
    );
    let long = [b'x'; MAX_LAST_EVENT_ID_LEN + 1];
    assert_eq!(
        read_request(&headers(&[("last-event-id", &long)])),
        Err(RequestError::LastEventId(InvalidLastEventId::TooLong {
            len: 1025
        }))
    );
    // Such values never reach a header map, but the error may come from elsewhere.
    for value in [b"1\0", b"1\n", b"1\r"] {
        assert!(HeaderValue::from_bytes(value).is_err());
        let error = RequestError::from(last_event_id(Some(value)).unwrap_err());
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn each_cause_of_a_refusal_is_told_once() {
    let invalid = last_event_id(Some(b"1\0")).unwrap_err();
    let error = RequestError::from(invalid.clone());
    assert_eq!(error.to_string(), invalid.to_string());
    let cause = error.source().expect("the field").to_string();
    assert_eq!(cause, invalid.source().expect("the field").to_string());
    assert_ne!(cause, error.to_string());
    let repeated = RequestError::from(InvalidLastEventId::Repeated);
    assert!(repeated.source().is_none());
    assert!(RequestError::NotAcceptable.source().is_none());
}

#[test]
fn two_ids_are_none() {
    for second in [&b"2"[..], b"1", b""] {
        let lines = headers(&[("last-event-id", b"1"), ("last-event-id", second)]);
        assert_eq!(
            read_request(&lines),
            Err(RequestError::LastEventId(InvalidLastEventId::Repeated))
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
