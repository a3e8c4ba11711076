//! The texts of why a client goes down and why it closes.

use sse_proto::EventId;

#[test]
fn a_client_says_why_it_goes_down_and_why_it_closes() {
    use sse_proto::EventSource;
    use sse_proto::client::{LossReason, Options, Output, Response};
    use std::time::Duration;

    let texts = [
        (LossReason::EndOfStream, "the event stream ended"),
        (
            LossReason::Interrupted,
            "the event stream ended within a block",
        ),
        (LossReason::IoError, "the connection failed"),
        (LossReason::ConnectTimeout, "no response came in time"),
        (
            LossReason::IdleTimeout,
            "the event stream was silent for too long",
        ),
        (LossReason::NetworkLost, "the network is lost"),
        (LossReason::Reconnect, "a new connection was asked for"),
    ];
    for (reason, text) in texts {
        assert_eq!(reason.to_string(), text);
    }

    let last = LossReason::EndOfStream;
    let elapsed = Duration::from_secs(90);
    let texts = [
        (LossReason::Closed, "closed"),
        (
            LossReason::AttemptsExhausted {
                attempts: 3,
                last: last.clone(),
            },
            "gave up after 3 failures in a row: the event stream ended",
        ),
        (
            LossReason::TimeExhausted {
                elapsed,
                last: Some(last.clone()),
            },
            "gave up after 90s without progress: the event stream ended",
        ),
        (
            LossReason::TimeExhausted {
                elapsed,
                last: None,
            },
            "gave up after 90s without progress",
        ),
        (LossReason::NotRepeatable(last), "the event stream ended"),
        (
            LossReason::NotRepeatable(LossReason::IoError),
            "the connection failed, and the request is not sent twice",
        ),
        (
            LossReason::TooLarge(sse_proto::decode::DecodeError::EventTooLong { limit: 5 }),
            "event is longer than the limit of 5 bytes",
        ),
    ];
    for (reason, text) in texts {
        assert_eq!(reason.to_string(), text);
    }

    let rejected = |response| {
        let options = Options::standard().with_max_redirects(0);
        let mut source = EventSource::new("http://localhost/", options, 0);
        source.start(Duration::ZERO);
        assert!(matches!(source.poll_output(), Some(Output::Request(_))));
        source.handle_response(Duration::ZERO, response);
        source.closed().expect("it is rejected").reason.to_string()
    };
    assert_eq!(rejected(Response::new(204)), "the server answered 204");
    assert_eq!(
        rejected(Response::new(200)),
        "the response has no content type"
    );
    assert_eq!(
        rejected(Response::new(200).with_header("content-type", b"text/\x1b[31mhtml")),
        "the content type is \"text/\\u{1b}[31mhtml\" and not text/event-stream"
    );
    assert_eq!(
        rejected(Response::new(302).with_header("location", b"/")),
        "too many redirects, the last with 302"
    );
    let mut source = EventSource::new("http://localhost/", Options::standard(), 0)
        .with_last_event_id(&EventId::new("a\u{7f}").expect("valid"));
    source.start(Duration::ZERO);
    let Some(Output::Request(request)) = source.poll_output() else {
        panic!()
    };
    assert_eq!(
        request.left_out().expect("it can't be sent").to_string(),
        "U+007F at byte 1 of the last event ID can't be part of a header"
    );
    assert_eq!(
        UnsendableId::TooLong { len: 5000 }.to_string(),
        "the last event ID has 5000 bytes, and up to 4096 are sent"
    );
    source.handle_response(Duration::ZERO, Response::new(302));
    assert_eq!(
        source.closed().expect("it is rejected").reason.to_string(),
        "the redirect with 302 leads nowhere"
    );
}
