//! Which requests a reconnecting client sends again.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::{LossReason, Options, Output, Response};
use sse_proto::{EventId, EventSource};
use support::driver::{Driver, URL, state};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn post(options: Options) -> Driver {
    Driver::of(EventSource::with_seed(URL, options, 0).with_method("POST"))
}

type Lose = fn(&mut EventSource, Duration);

const LOSSES: [Lose; 3] = [
    |source, now| source.handle_error(now, "reset"),
    EventSource::handle_end,
    EventSource::handle_network_lost,
];

#[test]
fn a_request_that_is_not_idempotent_is_never_sent_again() {
    for lose in LOSSES {
        // Also when an id was seen.
        for id in ["", "id: 1\n"] {
            let mut driver = post(Options::resilient());
            driver.open();
            driver.feed(format!("{id}data: half an answer\n\ndata: cut"));
            lose(&mut driver.source, driver.now);
            let last = std::iter::from_fn(|| driver.source.poll_output()).last();
            let Some(Output::Closed(loss)) = last else {
                panic!("it must not go on: {last:?}")
            };
            assert_eq!(loss.reason, LossReason::NotRepeatable);
            assert!(loss.last.is_some() && loss.is_interrupted);
        }
    }
    // Not even where the server was only busy; but what was never sent may be sent.
    let mut driver = post(Options::resilient());
    driver.request();
    driver.respond(Response::new(503));
    assert!(driver.aborts());
    let loss = driver.closed();
    assert_eq!(loss.reason, LossReason::NotRepeatable);
    assert_eq!(loss.last, Some(LossReason::Rejected(503)));
    let mut driver = post(Options::resilient());
    driver.source.handle_network_lost(at(0));
    assert_eq!(driver.lost().reason, LossReason::NetworkLost);
    driver.source.handle_network_back(at(9));
    driver.request();
}

#[test]
fn it_is_sent_again_where_the_caller_says_so() {
    for lose in LOSSES {
        let mut driver = post(Options::resilient().with_repeat(true));
        driver.open();
        driver.feed("id: 1\ndata: x\n\n");
        lose(&mut driver.source, driver.now);
        assert_eq!(state(&driver.source), "Waiting");
    }
    let mut driver = post(Options::resilient());
    driver.open();
    driver.source.reconnect(driver.now);
    assert!(driver.aborts());
    driver.lost();
    assert_eq!(driver.request().method(), "POST");
}

#[test]
fn a_get_resumes_a_post_where_that_is_asked_for() {
    for lose in LOSSES {
        let mut driver = post(Options::resilient().with_get_resume(true));
        assert_eq!(driver.open().method(), "POST");
        // Also after a whole answer.
        driver.feed("id: 1\ndata: x\n\n");
        lose(&mut driver.source, driver.now);
        driver.source.handle_network_back(driver.now);
        while driver.source.poll_output().is_some() {}
        driver.due();
        let request = driver.open();
        assert_eq!(
            (request.method(), request.last_event_id()),
            ("GET", Some("1"))
        );
        // The server takes the id back: there is nothing to resume.
        driver.feed("id\ndata: x\n\ndata: cut");
        lose(&mut driver.source, driver.now);
        assert_eq!(state(&driver.source), "Closed");
    }
    // Without an id, and with one that can't be sent, nothing is resumed.
    for id in ["", "id: 1\u{1}\n"] {
        let mut driver = post(Options::resilient().with_get_resume(true));
        driver.open();
        driver.feed(format!("{id}data: x\n\n"));
        driver.source.handle_error(driver.now, "reset");
        assert_eq!(driver.closed().reason, LossReason::NotRepeatable);
    }
    // The first request is the caller's, also with a saved id and over a redirect.
    let id = EventId::new("7").expect("valid");
    let options = Options::resilient().with_get_resume(true);
    let source = || {
        EventSource::with_seed(URL, options.clone(), 0)
            .with_method("POST")
            .with_last_event_id(&id)
    };
    // If no stream has answered it, a GET can't stand for it.
    let mut driver = Driver::of(source());
    assert_eq!(driver.request().method(), "POST");
    driver.respond(Response::new(503));
    assert!(driver.aborts());
    assert_eq!(driver.closed().reason, LossReason::NotRepeatable);
    let mut driver = Driver::of(source());
    assert_eq!(driver.request().method(), "POST");
    driver.respond(Response::from_headers(307, [("location", b"/b")]));
    assert!(driver.aborts());
    assert_eq!(driver.request().method(), "POST");
    driver.respond(support::driver::stream());
    assert!(matches!(driver.source.poll_output(), Some(Output::Opened)));
    driver.source.handle_error(driver.now, "reset");
    driver.lost();
    driver.due();
    assert_eq!(driver.request().method(), "GET");
    driver.respond(Response::from_headers(307, [("location", b"/b")]));
    assert!(driver.aborts());
    assert_eq!(driver.request().method(), "GET");
}

#[test]
fn a_post_that_ends_has_ended_well() {
    for id in ["", "id: 1\n"] {
        let mut driver = post(Options::resilient());
        assert_eq!(driver.open().method(), "POST");
        driver.feed(format!("{id}data: {{}}\n\ndata: [DONE]\n\n"));
        driver.source.handle_end(driver.now);
        let loss = driver.closed();
        assert_eq!(
            (&loss.reason, &loss.last),
            (&LossReason::EndOfStream, &None)
        );
        assert_eq!(loss.to_string(), "the event stream ended");
        assert!(!loss.is_interrupted);
    }
}

#[test]
fn the_method_decides_unless_the_caller_does() {
    let methods = [
        "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "POST", "PATCH", "get", "",
    ];
    for (number, method) in methods.into_iter().enumerate() {
        let is_idempotent = number < 7;
        for (repeat, is_repeated) in [
            (None, is_idempotent),
            (Some(true), true),
            (Some(false), false),
        ] {
            let mut options = Options::standard();
            // RFC 9110, 9.2.2, and the draft of QUERY.
            if let Some(repeat) = repeat {
                options = options.with_repeat(repeat);
            }
            let mut driver =
                Driver::of(EventSource::with_seed(URL, options, 0).with_method(method));
            assert_eq!(driver.request().method(), method);
            driver.source.handle_error(driver.now, "reset");
            let is_waiting = state(&driver.source) == "Waiting";
            assert_eq!(is_waiting, is_repeated, "{method:?} {repeat:?}");
        }
    }
    let mut driver = Driver::new(Options::standard());
    assert_eq!(driver.open().method(), "GET");
    assert_eq!(driver.reopen().method(), "GET");
}

#[test]
fn a_redirect_that_turns_a_post_into_a_get_says_so_until_the_next_connection() {
    let mut driver = post(Options::standard().with_repeat(true));
    driver.request();
    for (status, method) in [(307, "POST"), (303, "GET"), (307, "GET")] {
        driver.respond(Response::from_headers(status, [("location", b"/b")]));
        assert!(driver.aborts());
        assert_eq!(driver.request().method(), method);
    }
    driver.source.handle_error(driver.now, "reset");
    driver.lost();
    driver.due();
    assert_eq!(driver.request().method(), "POST");
}
