//! When a reconnecting client gives up: attempts, elapsed time, timeouts, and what forgives.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::{LossReason, Options, Output, Response};
use sse_proto::decode::{DecodeError, DecodeLimits};
use sse_proto::{EventId, EventSource};
use support::driver::{Driver, URL, data, stream};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The limit of time is reached, and what was lost last is told.
fn runs_out(driver: &mut Driver, elapsed: Duration, last: Option<&LossReason>) {
    let loss = driver.closed();
    assert_eq!(loss.reason, LossReason::TimeExhausted(elapsed));
    assert_eq!(loss.last.as_ref(), last);
}

#[test]
fn a_limit_of_attempts_is_reached() {
    for retries in [0, 1, 5] {
        let mut driver = Driver::new(Options::resilient().with_max_retries(Some(retries)));
        for attempt in 0..=retries {
            driver.request();
            // A bare 200 is no progress.
            driver.respond(stream());
            assert!(matches!(driver.source.poll_output(), Some(Output::Opened)));
            driver.feed(": hello\nretry: 1\n\n");
            driver.source.handle_end(driver.now);
            if attempt < retries {
                assert_eq!(driver.lost().attempt, attempt + 1);
                driver.due();
            }
        }
        let loss = driver.closed();
        assert_eq!(loss.reason, LossReason::TooManyRetries);
        assert_eq!(loss.last, Some(LossReason::EndOfStream));
        assert_eq!(loss.attempt, retries + 1);
    }
}

#[test]
fn a_limit_of_elapsed_time_is_reached() {
    // While it waits: 1 s, 2 s and 4 s pass; 8 s more would be too much.
    let options = Options::resilient()
        .with_jitter(0)
        .with_max_elapsed(Some(at(10)));
    let mut driver = Driver::new(options.clone());
    for _ in 0..3 {
        driver.request();
        driver.source.handle_error(driver.now, "reset");
        driver.lost();
        driver.due();
    }
    driver.request();
    driver.source.handle_error(driver.now, "reset");
    runs_out(&mut driver, at(7), Some(&LossReason::IoError));

    // While it connects.
    let mut driver = Driver::new(options.clone());
    driver.request();
    assert_eq!(driver.source.next_deadline(), Some(at(10)));
    driver.due();
    assert!(driver.aborts());
    runs_out(&mut driver, at(10), None);

    // While there is no network.
    let mut driver = Driver::new(options.clone());
    driver.request();
    driver.source.handle_network_lost(at(1));
    assert!(driver.aborts());
    driver.lost();
    assert_eq!(driver.source.next_deadline(), Some(at(10)));
    driver.due();
    runs_out(&mut driver, at(10), Some(&LossReason::NetworkLost));
}

/// The number of the retry after a connection that brings these bytes and is lost in this way,
/// after a first one that failed; `None` if it is one too many.
fn attempt_after(options: Options, bytes: &str, open_for: u64, end: Lose) -> Option<u32> {
    let id = EventId::new("7").expect("valid");
    let source = EventSource::with_seed(URL, options.with_max_retries(Some(1)), 0);
    let mut driver = Driver::of(source.with_last_event_id(&id));
    driver.request();
    driver.source.handle_error(driver.now, "refused");
    driver.lost();
    driver.due();
    driver.open();
    driver.feed(bytes);
    driver.now += at(open_for);
    end(&mut driver.source, driver.now);
    match driver.source.poll_output() {
        Some(Output::Lost(loss)) => Some(loss.attempt),
        Some(Output::Closed(_)) => None,
        other => panic!("{other:?}"),
    }
}

type Lose = fn(&mut EventSource, Duration);

const ENDS: Lose = EventSource::handle_end;
const FAILS: Lose = |source, now| source.handle_error(now, "reset");

#[test]
fn attempts_of_resilient_are_reset_by_a_stable_while_and_by_a_whole_answer_with_a_new_id() {
    let attempt =
        |bytes, open_for, lose| attempt_after(Options::resilient(), bytes, open_for, lose);
    for lose in [ENDS, FAILS] {
        assert_eq!(attempt("", 60, lose), Some(1));
        assert_eq!(attempt("", 59, lose), None);
        // A greeting and a snapshot are no progress.
        assert_eq!(attempt("data: x\n\n", 0, lose), None);
        assert_eq!(attempt("data: x\n\n", 59, lose), None);
        assert_eq!(
            attempt("id: 7\ndata: x\n\n", 0, lose),
            None,
            "the id that it has"
        );
        assert_eq!(attempt("id\ndata: x\n\n", 0, lose), None, "no id");
        assert_eq!(attempt("id: 8\n\n", 0, lose), None, "no event");
        assert_eq!(attempt("id: 8\ndata: x", 0, lose), None, "no whole event");
    }
    assert_eq!(attempt("id: 8\ndata: x\n\n", 0, ENDS), Some(1));
    assert_eq!(attempt("id: 8\ndata: x\n\n", 0, FAILS), None, "cut off");
    let start = "event: stream-start\nid: 8\ndata: {}\n\n";
    assert_eq!(attempt(start, 0, ENDS), None, "no event but the start");
    assert_eq!(
        attempt("id: 8\ndata: x\n\ndata: y", 0, ENDS),
        None,
        "cut off"
    );
    let settable = Options::resilient().with_stable_after(at(5));
    assert_eq!(attempt_after(settable.clone(), "", 5, FAILS), Some(1));
    assert_eq!(attempt_after(settable, "", 4, FAILS), None);
}

#[test]
fn attempts_of_standard_are_reset_by_an_event_by_a_new_id_and_by_a_stable_while() {
    let attempt = |bytes, open_for, lose| attempt_after(Options::standard(), bytes, open_for, lose);
    for lose in [ENDS, FAILS] {
        assert_eq!(attempt("data: x\n\n", 0, lose), Some(1));
        assert_eq!(attempt("id: 8\n\n", 0, lose), Some(1));
        assert_eq!(attempt("id: 7\n\n", 0, lose), None, "the id that it has");
        assert_eq!(attempt("", 60, lose), Some(1));
        assert_eq!(attempt("", 59, lose), None);
        let bytes = ": x\nretry: 5\nevent: x\n\ndata: x";
        assert_eq!(attempt(bytes, 0, lose), None);
    }
}

#[test]
fn a_server_that_sends_a_snapshot_and_dies_is_backed_off_and_given_up() {
    let snapshot = |driver: &mut Driver| {
        driver.open();
        driver.feed("event: hello\nid: 1\ndata: x\n\ndata: {}\n\n");
        driver.source.handle_error(driver.now, "reset");
    };
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    let mut delays = Vec::new();
    for _ in 0..7 {
        snapshot(&mut driver);
        delays.push(
            driver
                .lost()
                .retry_in
                .expect("there is a network")
                .as_secs(),
        );
        driver.due();
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);

    let mut driver = Driver::new(Options::resilient().with_max_retries(Some(2)));
    for _ in 0..2 {
        snapshot(&mut driver);
        driver.lost();
        driver.due();
    }
    snapshot(&mut driver);
    assert_eq!(driver.closed().reason, LossReason::TooManyRetries);

    let options = Options::resilient().with_jitter(0);
    let mut driver = Driver::new(options.with_max_elapsed(Some(at(10))));
    for _ in 0..3 {
        snapshot(&mut driver);
        driver.lost();
        driver.due();
    }
    snapshot(&mut driver);
    runs_out(&mut driver, at(7), Some(&LossReason::IoError));
}

#[test]
fn a_server_that_is_polled_is_not_backed_off() {
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    for id in 1..20 {
        driver.open();
        driver.feed(format!("id: {id}\ndata: x\n\n"));
        driver.source.handle_end(driver.now);
        let loss = driver.lost();
        assert_eq!((loss.attempt, loss.retry_in), (1, Some(at(1))));
        driver.due();
    }
}

#[test]
fn any_byte_re_arms_the_idle_timeout_comments_too() {
    let mut driver = Driver::new(Options::standard().with_idle_timeout(Some(at(10))));
    driver.open();
    for bytes in [":", " ", "\n", "da", "x: y\n"] {
        driver.pass(at(9));
        assert!(driver.is_quiet());
        driver.feed(bytes);
        assert_eq!(driver.source.next_deadline(), Some(driver.now + at(10)));
    }
    driver.feed("");
    driver.pass(at(10));
    assert!(driver.aborts());
    assert_eq!(driver.lost().reason, LossReason::IdleTimeout);
}

#[test]
fn a_connect_timeout_counts_over_redirects() {
    let mut driver = Driver::new(Options::standard().with_connect_timeout(Some(at(10))));
    driver.request();
    driver.pass(at(9));
    driver.respond(Response::from_headers(302, [("location", b"/b")]));
    assert!(driver.aborts());
    driver.request();
    driver.pass(at(1));
    assert!(driver.aborts());
    assert_eq!(driver.lost().reason, LossReason::ConnectTimeout);
}

#[test]
fn no_request_is_sent_after_the_limit_of_elapsed_time() {
    let options = Options::standard().with_max_elapsed(Some(at(12)));
    let waiting = |options: Options| {
        let mut driver = Driver::new(options.clone());
        driver.request();
        driver.pass(at(1));
        driver.source.handle_error(driver.now, "reset");
        driver.lost();
        driver
    };

    // The driver is late: its machine was asleep.
    let mut driver = waiting(options.clone());
    driver.pass(at(1000));
    runs_out(&mut driver, at(1001), Some(&LossReason::IoError));

    // The network is back too late.
    let mut driver = waiting(options.clone());
    driver.source.handle_network_lost(at(2));
    driver.source.handle_network_back(at(100));
    runs_out(&mut driver, at(100), Some(&LossReason::NetworkLost));

    // The delay after a loss of the network would pass it.
    let mut driver = waiting(options.clone().with_reconnection_time(at(10)));
    driver.due();
    driver.request();
    driver.source.handle_network_lost(at(11));
    assert!(driver.aborts());
    driver.lost();
    driver.source.handle_network_back(at(11));
    assert_eq!(driver.source.next_deadline(), Some(at(12)));
    driver.due();
    runs_out(&mut driver, at(12), Some(&LossReason::NetworkLost));

    // A redirect comes too late.
    let mut driver = waiting(options.clone());
    driver.due();
    driver.request();
    driver.now = at(13);
    driver.respond(Response::from_headers(302, [("location", b"/b")]));
    assert!(driver.aborts());
    runs_out(&mut driver, at(13), Some(&LossReason::IoError));

    // At the limit one is sent, and given up at once if there is no response.
    let mut driver = waiting(options.clone().with_reconnection_time(at(11)));
    driver.due();
    driver.request();
    driver.due();
    assert!(driver.aborts());
    runs_out(&mut driver, at(12), Some(&LossReason::IoError));
}

#[test]
fn the_time_of_a_request_that_the_caller_asks_for_begins_anew() {
    let options = Options::standard().with_max_elapsed(Some(at(12)));
    let mut driver = Driver::new(options.clone());
    driver.request();
    driver.pass(at(10));
    driver.source.handle_network_lost(driver.now);
    assert!(driver.aborts());
    driver.lost();
    driver.now = at(11);
    driver.source.reconnect(driver.now);
    driver.request();
    assert_eq!(driver.source.next_deadline(), Some(at(23)));
    driver.due();
    assert!(driver.aborts());
    // Nothing was lost since.
    runs_out(&mut driver, at(12), None);
}

#[test]
fn a_stable_while_forgives_whatever_the_connection_is_lost_by() {
    let losses: [(Lose, u64); 3] = [
        (|source, now| source.handle_error(now, "reset"), 1),
        (EventSource::handle_end, 1),
        // The time counts from the loss on, not from the start.
        (EventSource::handle_network_lost, 60),
    ];
    for (lose, deadline) in losses {
        let options = Options::resilient()
            .with_jitter(0)
            .with_idle_timeout(None)
            .with_max_elapsed(Some(at(60)));
        let mut driver = Driver::new(options.clone());
        for _ in 0..4 {
            driver.request();
            driver.source.handle_error(driver.now, "reset");
            driver.lost();
            driver.due();
        }
        driver.open();
        driver.now += at(7200);
        lose(&mut driver.source, driver.now);
        while driver.source.poll_output().is_some() {}
        let due = driver.source.next_deadline();
        assert_eq!(due, Some(driver.now + at(deadline)));
        driver.source.handle_network_back(driver.now);
        // As after the first failure.
        assert_eq!(driver.source.next_deadline(), Some(driver.now + at(1)));
    }
}

#[test]
fn past_a_limit_of_an_event_the_stream_goes_on_or_the_client_closes() {
    for ends in [false, true] {
        let limits = DecodeLimits::new()
            .with_max_event_bytes(16)
            .with_end_at_limit(ends);
        let mut driver = Driver::new(Options::resilient().with_decode_limits(limits));
        driver.open();
        let bytes = b"data: longer than the limit\n\ndata: x\n\n";
        let mut received = driver.source.handle_bytes(at(0), bytes);
        let error = DecodeError::EventTooLong { limit: 16 };
        assert_eq!(received.next().unwrap_err(), error);
        if ends {
            assert!(matches!(received.next(), Ok(None)));
            assert!(received.remaining().is_empty());
            assert!(driver.aborts());
            let loss = driver.closed();
            assert_eq!(loss.reason, LossReason::TooLarge(error));
            assert!(loss.is_interrupted);
        } else {
            assert!(received.next().is_ok_and(|item| item.is_some()));
            assert!(matches!(received.next(), Ok(None)));
            assert!(driver.is_quiet());
        }
    }
}

#[test]
fn bytes_that_were_not_read_are_read_when_they_are_handed_over_again() {
    let bytes = b"data: a\n\ndata: b\n\ndata: c";
    let mut driver = Driver::new(Options::standard());
    driver.open();
    let mut received = driver.source.handle_bytes(at(0), bytes);
    assert!(received.next().is_ok_and(|item| item.is_some()));
    let rest = received.remaining();
    assert_eq!(rest, b"data: b\n\ndata: c");
    assert_eq!(data(&driver.feed(rest)), ["b"]);
    driver.source.handle_end(driver.now);
    assert!(driver.lost().is_interrupted);
}
