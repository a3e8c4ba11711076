//! What a reconnecting client makes of a response and of bytes: which status and type open it, what is interrupted.

#![cfg(feature = "std")]

mod support;

use sse_proto::client::{LossReason, Options, Response};
use support::driver::{Driver, data};

// > if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail the connection.
#[test]
fn any_status_but_200_fails_for_good() {
    for status in [
        100, 201, 202, 203, 204, 205, 206, 300, 304, 400, 401, 403, 404, 408, 410, 429, 500, 503,
        599, 999,
    ] {
        let mut driver = Driver::new(Options::standard());
        driver.request();
        driver.respond(Response::from_headers(
            status,
            [("content-type", b"text/event-stream")],
        ));
        assert!(driver.aborts());
        assert_eq!(driver.closed().reason, LossReason::Rejected(status));
    }
}

#[test]
fn resilient_retries_408_425_429_and_5xx_alone() {
    for status in 400..600 {
        let mut driver = Driver::new(Options::resilient());
        driver.request();
        driver.respond(Response::new(status));
        assert!(driver.aborts());
        let is_retried = matches!(status, 408 | 425 | 429 | 500..);
        if is_retried {
            assert_eq!(driver.lost().reason, LossReason::Rejected(status));
        } else {
            driver.closed();
        }
    }
}

#[test]
fn the_essence_of_the_content_type_counts_in_any_case_with_any_parameters() {
    let responds = |response| {
        let mut driver = Driver::new(Options::standard());
        driver.request();
        driver.respond(response);
        driver.source.is_open()
    };
    let opens = |value: &[u8]| responds(Response::from_headers(200, [("content-type", value)]));
    for value in [
        "text/event-stream",
        "TEXT/Event-Stream",
        "text/event-stream;charset=utf-8",
        "text/event-stream ; charset=windows-1252",
        " text/event-stream\t",
        "text/event-stream;",
    ] {
        assert!(opens(value.as_bytes()), "{value:?}");
    }
    for value in [
        "",
        "text/html",
        "text/event-streams",
        "text/event-stream, text/html",
        "x;text/event-stream",
        "\u{FF}",
    ] {
        assert!(!opens(value.as_bytes()), "{value:?}");
    }
    assert!(!responds(Response::new(200)));
}

#[test]
fn only_what_has_a_meaning_is_interrupted() {
    let is_interrupted = |bytes: &str| {
        let cut: Vec<bool> = [bytes.len(), 1]
            .into_iter()
            .map(|size| {
                let mut driver = Driver::new(Options::standard().with_comments(true));
                driver.open();
                for chunk in bytes.as_bytes().chunks(size.max(1)) {
                    driver.feed(chunk);
                }
                driver.source.handle_end(driver.now);
                let loss = driver.lost();
                assert_eq!(loss.reason, LossReason::EndOfStream);
                let is_told = loss.to_string().ends_with("ended within a block");
                assert_eq!(loss.is_interrupted, is_told);
                loss.is_interrupted
            })
            .collect();
        assert_eq!(cut[0], cut[1], "{bytes:?} in any chunking");
        cut[0]
    };
    for bytes in [
        "d",
        "data",
        "data:",
        "data: x",
        "data: x\n",
        "event: a\n",
        "id: 1\n",
        "data: x\n\nid",
        ": c\neven",
        "retry: 1",
    ] {
        assert!(is_interrupted(bytes), "{bytes:?}");
    }
    for bytes in [
        "",
        "\n",
        ": comment",
        ":",
        ": c\n",
        "data: x\n\n",
        "data: x\r\n\r",
        "unknown: x",
        "x",
        "retry: 1\n",
        "\u{FEFF}",
        "id: \0\n",
    ] {
        assert!(!is_interrupted(bytes), "{bytes:?}");
    }
}

#[test]
fn late_bytes_are_passed_over() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.source.handle_end(driver.now);
    assert_eq!(data(&driver.feed("data: late\n\n")), [""; 0]);
}

#[test]
fn a_content_type_is_reported_up_to_127_bytes() {
    let kept = |value: &[u8]| {
        let mut driver = Driver::new(Options::standard());
        driver.request();
        driver.respond(Response::from_headers(200, [("content-type", value)]));
        assert!(driver.aborts());
        let response = driver.closed().response.expect("it is rejected");
        assert_eq!(response.status(), 200);
        response.content_type().map(str::to_owned)
    };
    assert_eq!(kept(&[b'x'; 127]), Some("x".repeat(127)));
    assert_eq!(kept(&[b'x'; 1000]), Some("x".repeat(127)));
    assert_eq!(kept(b"\xFF"), Some("\u{FFFD}".to_owned()));
}
