//! Which requests a reconnecting client sends again.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{LossReason, Options, Output, Response};
use support::driver::{Driver, URL, state};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn post(options: Options) -> Driver {
    Driver::of(EventSource::for_method("POST", URL, options, 0))
}

#[test]
fn a_request_that_is_not_idempotent_is_not_repeated_until_an_id_was_seen() {
    for lose in [
        EventSource::handle_error,
        EventSource::handle_end,
        EventSource::handle_network_lost,
    ] {
        let mut driver = post(Options::resilient());
        driver.open();
        driver.feed("data: half an answer\n\ndata: cut");
        lose(&mut driver.source, driver.now);
        let last = std::iter::from_fn(|| driver.source.poll_output()).last();
        let Some(Output::Closed(loss)) = last else {
            panic!("it must not go on: {last:?}")
        };
        assert_eq!(loss.reason, LossReason::NotRepeatable);
        assert!(loss.last.is_some() && loss.is_interrupted);

        let mut driver = post(Options::resilient());
        driver.open();
        driver.feed("id: 1\ndata: x\n\n");
        lose(&mut driver.source, driver.now);
        assert_eq!(state(&driver.source), "Waiting");
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
fn a_post_that_ends_has_ended_well() {
    let mut driver = post(Options::resilient());
    assert_eq!(driver.open().method(), "POST");
    driver.feed("data: {}\n\ndata: [DONE]\n\n");
    driver.source.handle_end(driver.now);
    let loss = driver.closed();
    assert_eq!(
        (&loss.reason, &loss.last),
        (&LossReason::EndOfStream, &None)
    );
    assert_eq!(loss.to_string(), "the event stream ended");
    assert!(!loss.is_interrupted);
}

#[test]
fn the_method_decides_unless_the_caller_does() {
    let methods = [
        "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "get", "",
    ];
    for (number, method) in methods.into_iter().enumerate() {
        let is_idempotent = number < 6;
        for (repeat, is_repeated) in [
            (None, is_idempotent),
            (Some(true), true),
            (Some(false), false),
        ] {
            let mut options = Options::standard();
            if let Some(repeat) = repeat {
                options = options.with_repeat(repeat);
            }
            let mut driver = Driver::of(EventSource::for_method(method, URL, options, 0));
            assert_eq!(driver.request().method(), method);
            driver.source.handle_error(driver.now);
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
    driver.source.handle_error(driver.now);
    driver.lost();
    driver.due();
    assert_eq!(driver.request().method(), "POST");
}
