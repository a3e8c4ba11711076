//! What a reconnecting client makes of a response and of bytes: which status and type open it, what is interrupted.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::{LossReason, Options, Output, Response};
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

// > For each value of values: if parsing it is failure or its essence is "*/*", then continue.
// (WHATWG Fetch, "extract a MIME type"; the examples are Fetch's and those of its tests.)
#[test]
fn of_several_content_types_the_last_that_can_be_read_counts() {
    let opens = |lines: &[&str]| {
        let lines = lines.iter().map(|line| ("content-type", line));
        Response::from_headers(200, lines).is_event_stream()
    };
    let sse = "text/event-stream";
    for lines in [
        &["text/html, text/event-stream"][..],
        &["text/html,text/event-stream;charset=gbk"],
        &["text/html", sse],
        &[sse, sse],
        &[sse, "*/*"],
        &[sse, ""],
        &[sse, "text"],
        &[sse, "text/"],
        &[sse, "/html"],
        &[sse, "text /html"],
        &[sse, "text/ html"],
        &[sse, "te\u{E4}t/html"],
        &["text/event-stream;x=\"a,text/html\""],
        &["text/event-stream;x=\"a\\\",text/html"],
        // A quoted string goes on over the lines, which are joined.
        &["text/event-stream;x=\"", "text/html"],
        &["text/html;x=\"", "\",text/event-stream"],
        &[",text/event-stream,"],
        &["\r\n text/event-stream\t"],
    ] {
        assert!(opens(lines), "{lines:?}");
    }
    for lines in [
        &["text/event-stream, text/html"][..],
        &[sse, "text/html"],
        &["text/event-stream;x=\"a\",text/html"],
        &["text/event-stream;x=\"a\\\\\",text/html"],
        &["*/*"],
        &["text/event-stream/x"],
        &["text/event-stream\u{C}"],
        &[],
    ] {
        assert!(!opens(lines), "{lines:?}");
    }
}

/// What becomes of a response with these content encodings, for a driver that decodes `accepted`.
fn encoded(lines: &[&str], accepted: Option<&'static str>) -> Option<String> {
    let mut options = Options::resilient();
    if let Some(accepted) = accepted {
        options = options.with_accept_encoding(accepted);
    }
    let mut driver = Driver::new(options);
    driver.request();
    let lines = lines.iter().map(|line| ("Content-Encoding", *line));
    let content_type = ("content-type", "text/event-stream");
    driver.respond(Response::from_headers(200, lines.chain([content_type])));
    if driver.source.is_open() {
        return None;
    }
    assert!(driver.aborts());
    let loss = driver.closed();
    assert_eq!(loss.reason, LossReason::ContentEncoding);
    let text = loss.to_string();
    let found = loss.response.expect("it is refused");
    let found = found.content_encoding().expect("it has one");
    assert_eq!(
        text,
        format!("the content encoding {found:?} is not decoded")
    );
    Some(found.into())
}

#[test]
fn a_body_with_an_encoding_that_is_not_decoded_is_refused() {
    for lines in [&["identity"][..], &[""], &[], &["Identity, ,identity", ""]] {
        assert_eq!(encoded(lines, None), None, "{lines:?}");
    }
    for (lines, found) in [
        (&["gzip"][..], "gzip"),
        (&["identity, br"], "br"),
        (&["identity", "GZIP"], "GZIP"),
        (&["gzip", "deflate , br"], "gzip, deflate, br"),
        (&["identity;q=1"], "identity;q=1"),
        (&["\u{1b}"], "\u{1b}"),
    ] {
        assert_eq!(encoded(lines, None).as_deref(), Some(found));
    }
    let decodes = Some("gzip;q=1.0, BR");
    for lines in [
        &["gzip"][..],
        &["x-gzip"],
        &["GZIP, br"],
        &["br", "identity"],
    ] {
        assert_eq!(encoded(lines, decodes), None, "{lines:?}");
    }
    assert_eq!(
        encoded(&["gzip, zstd"], decodes).as_deref(),
        Some("gzip, zstd")
    );
    // A weight of 0 excludes an encoding, and no weight is the name of one.
    let excludes = Some("gzip; q=0.0, zstd;q=0, br;q=0.5");
    for (line, is_refused) in [("gzip", true), ("zstd", true), ("q=0", true), ("br", false)] {
        assert_eq!(encoded(&[line], excludes).is_some(), is_refused, "{line}");
    }
    // A list without end is kept in part, and never taken for one that is decoded.
    let many = ["gzip"; 1000];
    let kept = encoded(&many, decodes).expect("it is refused");
    assert!(kept.len() <= 127 && kept.ends_with(", ..."), "{kept}");
}

#[test]
fn a_request_asks_for_the_encodings_that_are_decoded() {
    let asks = |options: Options| {
        let request = Driver::new(options).request();
        let mut headers = request.headers();
        let found = headers.find(|(name, _)| *name == "accept-encoding");
        found.map(|(_, value)| value.to_owned())
    };
    assert_eq!(asks(Options::standard()).as_deref(), Some("identity"));
    assert_eq!(asks(Options::resilient()).as_deref(), Some("identity"));
    let decodes = Options::standard().with_accept_encoding("gzip, br");
    assert_eq!(asks(decodes).as_deref(), Some("gzip, br"));
    assert_eq!(asks(Options::standard().with_accept_encoding("")), None);
}

#[test]
fn which_refusals_are_retried_is_the_callers() {
    let is_retried = |options: Options, response: Response| {
        let mut driver = Driver::new(options);
        driver.request();
        driver.respond(response);
        assert!(driver.aborts());
        match driver.source.poll_output() {
            Some(Output::Lost(_)) => true,
            Some(Output::Closed(_)) => false,
            other => panic!("{other:?}"),
        }
    };
    // Statuses that are known only now.
    let statuses: Vec<u16> = "401 404 204"
        .split(' ')
        .map(|x| x.parse().unwrap())
        .collect();
    let by_status =
        Options::standard().with_retry_if(move |head| statuses.contains(&head.status()));
    for status in [200, 204, 302, 401, 404, 500, 503] {
        let expected = matches!(status, 204 | 401 | 404);
        let clone = by_status.clone();
        assert_eq!(
            is_retried(clone, Response::new(status)),
            expected,
            "{status}"
        );
    }
    // By the head: the login page of a public network, and what the driver attached.
    let by_head = || {
        Options::resilient().with_retry_if(|head| {
            let is_page = head.status() == 200 && head.content_type() == Some("text/html");
            is_page || head.is_transient() || head.attachment::<&str>() == Some(&"expired")
        })
    };
    let html = || Response::from_headers(200, [("content-type", "text/html")]);
    assert!(is_retried(by_head(), html()));
    assert!(!is_retried(Options::resilient(), html()));
    assert!(is_retried(by_head(), Response::new(503)));
    assert!(!is_retried(by_head(), Response::new(401)));
    assert!(is_retried(
        by_head(),
        Response::new(401).with_attachment("expired")
    ));
    let gzip = [
        ("content-type", "text/event-stream"),
        ("content-encoding", "gzip"),
    ];
    let by_encoding = Options::standard().with_retry_if(|head| head.content_encoding().is_some());
    assert!(is_retried(by_encoding, Response::from_headers(200, gzip)));
}

#[test]
fn a_refused_response_keeps_what_the_driver_attached() {
    for options in [Options::standard(), Options::resilient()] {
        let mut driver = Driver::new(options);
        driver.request();
        let head = Response::from_headers(503, [("content-type", "application/json")]);
        driver.respond(
            head.with_attachment(String::from("{}"))
                .with_attachment(vec![1_u8]),
        );
        assert!(driver.aborts());
        let Some(Output::Lost(loss) | Output::Closed(loss)) = driver.source.poll_output() else {
            panic!("it is refused")
        };
        let response = loss.response.expect("it is refused");
        assert_eq!(response.status(), 503);
        assert_eq!(response.content_type(), Some("application/json"));
        assert_eq!(response.attachment(), Some(&vec![1_u8]), "the last one");
        assert_eq!(response.attachment::<String>(), None);
    }
}

#[test]
fn a_failed_connection_carries_its_error() {
    let mut driver = Driver::new(Options::standard().with_max_retries(Some(1)));
    for attempt in 0..2 {
        driver.request();
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        driver.source.handle_error(driver.now, error);
        let loss = if attempt == 0 {
            driver.lost()
        } else {
            driver.closed()
        };
        let error = std::error::Error::source(&loss).expect("it has a cause");
        let error = error
            .downcast_ref::<std::io::Error>()
            .expect("of this type");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        driver.pass(Duration::from_secs(9));
    }
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.source.handle_end(driver.now);
    assert!(std::error::Error::source(&driver.lost()).is_none());
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
