//! When a reconnecting client gives up: attempts, elapsed time, timeouts, and what forgives.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{LossReason, Options, Output, Response};
use sse_proto::decode::{DecodeError, DecodeLimits};
use support::driver::{Driver, data, stream};

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
    let mut driver = Driver::new(options);
    for _ in 0..3 {
        driver.request();
        driver.source.handle_error(driver.now);
        driver.lost();
        driver.due();
    }
    driver.request();
    driver.source.handle_error(driver.now);
    runs_out(&mut driver, at(7), Some(&LossReason::IoError));

    // While it connects.
    let mut driver = Driver::new(options);
    driver.request();
    assert_eq!(driver.source.next_deadline(), Some(at(10)));
    driver.due();
    assert!(driver.aborts());
    runs_out(&mut driver, at(10), None);

    // While there is no network.
    let mut driver = Driver::new(options);
    driver.request();
    driver.source.handle_network_lost(at(1));
    assert!(driver.aborts());
    driver.lost();
    assert_eq!(driver.source.next_deadline(), Some(at(10)));
    driver.due();
    runs_out(&mut driver, at(10), Some(&LossReason::NetworkLost));
}

#[test]
fn attempts_are_reset_by_an_event_by_a_new_id_and_by_a_stable_while() {
    let options = Options::resilient().with_max_retries(Some(1));
    let attempt_after = |bytes: &str, open_for| {
        let mut driver = Driver::new(options);
        driver.request();
        driver.source.handle_error(driver.now);
        driver.lost();
        driver.due();
        driver.open();
        driver.feed(bytes);
        driver.now += open_for;
        driver.source.handle_end(driver.now);
        match driver.source.poll_output() {
            Some(Output::Lost(loss)) => Some(loss.attempt),
            Some(Output::Closed(_)) => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(attempt_after("data: x\n\n", at(0)), Some(1));
    assert_eq!(attempt_after("id: 1\n\n", at(0)), Some(1));
    assert_eq!(attempt_after("", at(60)), Some(1));
    assert_eq!(attempt_after("", at(59)), None);
    assert_eq!(
        attempt_after(": x\nretry: 5\nevent: x\n\ndata: x", at(0)),
        None
    );
}

#[test]
fn an_id_that_is_told_again_is_no_progress() {
    let mut driver = Driver::new(Options::resilient().with_max_retries(Some(1)));
    driver.open();
    driver.feed("id: 1\n\n");
    driver.reopen();
    driver.feed("id: 1\n\n");
    driver.source.handle_end(driver.now);
    assert!(matches!(driver.closed().reason, LossReason::TooManyRetries));
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
        let mut driver = Driver::new(options);
        driver.request();
        driver.pass(at(1));
        driver.source.handle_error(driver.now);
        driver.lost();
        driver
    };

    // The driver is late: its machine was asleep.
    let mut driver = waiting(options);
    driver.pass(at(1000));
    runs_out(&mut driver, at(1001), Some(&LossReason::IoError));

    // The network is back too late.
    let mut driver = waiting(options);
    driver.source.handle_network_lost(at(2));
    driver.source.handle_network_back(at(100));
    runs_out(&mut driver, at(100), Some(&LossReason::NetworkLost));

    // The delay after a loss of the network would pass it.
    let mut driver = waiting(options.with_reconnection_time(at(10)));
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
    let mut driver = waiting(options);
    driver.due();
    driver.request();
    driver.now = at(13);
    driver.respond(Response::from_headers(302, [("location", b"/b")]));
    assert!(driver.aborts());
    runs_out(&mut driver, at(13), Some(&LossReason::IoError));

    // At the limit one is sent, and given up at once if there is no response.
    let mut driver = waiting(options.with_reconnection_time(at(11)));
    driver.due();
    driver.request();
    driver.due();
    assert!(driver.aborts());
    runs_out(&mut driver, at(12), Some(&LossReason::IoError));
}

#[test]
fn the_time_of_a_request_that_the_caller_asks_for_begins_anew() {
    let options = Options::standard().with_max_elapsed(Some(at(12)));
    let mut driver = Driver::new(options);
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
    type Lose = fn(&mut EventSource, Duration);
    let losses: [(Lose, u64); 3] = [
        (EventSource::handle_error, 1),
        (EventSource::handle_end, 1),
        // The time counts from the loss on, not from the start.
        (EventSource::handle_network_lost, 60),
    ];
    for (lose, deadline) in losses {
        let options = Options::resilient()
            .with_jitter(0)
            .with_idle_timeout(None)
            .with_max_elapsed(Some(at(60)));
        let mut driver = Driver::new(options);
        for _ in 0..4 {
            driver.request();
            driver.source.handle_error(driver.now);
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
