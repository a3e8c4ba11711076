//! How long a reconnecting client waits: reconnection time, backoff, jitter, Retry-After, and no storms.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{Loss, Options, Output, Response};
use support::driver::{Driver, URL, state};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client without jitter whose server can't be reached, and its delays in seconds.
fn delays(options: Options, losses: usize) -> Vec<u64> {
    let mut driver = Driver::new(options.with_jitter(0));
    let mut delays = Vec::new();
    for _ in 0..losses {
        driver.request();
        driver.source.handle_error(driver.now);
        let Loss { retry_in, .. } = driver.lost();
        let delay = retry_in.expect("there is a network");
        assert_eq!(driver.source.next_deadline(), Some(driver.now + delay));
        delays.push(delay.as_secs());
        driver.due();
    }
    delays
}

// > Otherwise, if res is a network error, then reestablish the connection
#[test]
fn the_delay_of_standard_is_the_reconnection_time() {
    assert_eq!(delays(Options::standard(), 5), [3; 5]);
}

#[test]
fn the_delay_of_resilient_doubles_up_to_30_seconds() {
    assert_eq!(
        delays(Options::resilient(), 9),
        [1, 2, 4, 8, 16, 30, 30, 30, 30]
    );
    let many = delays(Options::resilient(), 100);
    assert!(many[5..].iter().all(|&delay| delay == 30));
}

#[test]
fn the_backoff_starts_at_the_reconnection_time_that_an_earlier_process_saved() {
    let options = Options::resilient()
        .with_jitter(0)
        .with_reconnection_time(at(7));
    let mut driver = Driver::new(options);
    let mut delays = Vec::new();
    for _ in 0..4 {
        driver.request();
        driver.source.handle_error(driver.now);
        delays.push(driver.lost().retry_in);
        driver.due();
    }
    assert_eq!(delays, [7, 14, 28, 30].map(|seconds| Some(at(seconds))));
}

#[test]
fn a_reconnection_time_beyond_the_backoff_stays_as_the_server_wants_it() {
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    for attempt in 1..4 {
        driver.open();
        driver.feed("retry: 120000\n\n");
        driver.source.handle_end(driver.now);
        let loss = driver.lost();
        assert_eq!((loss.retry_in, loss.attempt), (Some(at(120)), attempt));
        driver.due();
    }
}

#[test]
fn jitter_takes_up_to_its_part_off_and_differs_by_seed() {
    let delay = |seed| {
        let mut source = EventSource::new(
            URL,
            Options::resilient().with_reconnection_time(at(20)),
            seed,
        );
        source.start(at(0));
        assert!(source.poll_output().is_some());
        source.handle_error(at(0));
        source.next_deadline().expect("it waits")
    };
    let mut delays: Vec<_> = (0..1000).map(delay).collect();
    assert!(
        delays
            .iter()
            .all(|&delay| at(10) <= delay && delay <= at(20))
    );
    delays.sort();
    let (low, middle, high) = (delays[50], delays[500], delays[950]);
    assert!(
        low < at(11) && (at(14)..at(16)).contains(&middle) && high > at(19),
        "spread evenly"
    );
    delays.dedup();
    assert!(delays.len() > 990, "{} of 1000 differ", delays.len());
    assert_eq!(delay(7), delay(7), "the same number, the same delay");
}

#[test]
fn a_delay_stays_within_its_bounds_whatever_the_server_says() {
    for (retry, expected) in [
        ("0", Duration::from_millis(500)),
        ("499", Duration::from_millis(500)),
        ("3000000000", at(24 * 60 * 60)),
        ("99999999999999999999999", at(24 * 60 * 60)),
    ] {
        let mut driver = Driver::new(Options::standard());
        driver.open();
        driver.feed(format!("retry: {retry}\n"));
        driver.source.handle_end(driver.now);
        assert_eq!(driver.lost().retry_in, Some(expected), "{retry}");
    }
}

#[test]
fn no_time_overflows() {
    let options = Options::resilient()
        .with_delay_bounds(Duration::MAX, Duration::MAX)
        .with_max_elapsed(Some(Duration::MAX))
        .with_idle_timeout(Some(Duration::MAX))
        .with_connect_timeout(Some(Duration::MAX));
    let mut driver = Driver::new(options);
    driver.now = Duration::MAX;
    driver.open();
    driver.feed("retry: 99999999999999999999999\ndata: x\n\n");
    driver.source.handle_end(Duration::MAX);
    assert_eq!(driver.lost().retry_in, Some(Duration::MAX));
    assert_eq!(driver.source.next_deadline(), Some(Duration::MAX));
    driver.source.handle_deadline(Duration::MAX);
    driver.request();
    // And one that goes back.
    driver.source.handle_error(at(0));
    assert_eq!(state(&driver.source), "Waiting");
}

#[test]
fn a_retry_applies_at_its_own_line_and_survives_reconnects() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    // The block is never completed.
    driver.feed("data: x\nretry: 9000\ndata: y");
    for _ in 0..3 {
        driver.source.handle_error(driver.now);
        assert_eq!(driver.lost().retry_in, Some(at(9)));
        driver.due();
        driver.open();
    }
    assert_eq!(driver.source.reconnection_time(), Some(at(9)));
}

#[test]
fn retry_after_is_honoured_once() {
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    driver.request();
    driver.respond(Response::from_headers(503, [("retry-after", b" 120 ")]));
    assert!(driver.aborts());
    assert_eq!(driver.lost().retry_in, Some(at(120)));
    driver.due();
    driver.request();
    driver.respond(Response::new(503));
    assert!(driver.aborts());
    assert_eq!(
        driver.lost().retry_in,
        Some(at(2)),
        "the backoff, as if it had not been"
    );
}

#[test]
fn retry_after_is_the_least_within_the_bounds() {
    let delay = |value: &[u8], jitter| {
        let mut driver = Driver::new(Options::resilient().with_jitter(jitter));
        driver.request();
        driver.respond(Response::from_headers(429, [("retry-after", value)]));
        assert!(driver.aborts());
        driver.lost().retry_in.expect("there is a network")
    };
    assert_eq!(delay(b"0", 0), at(1), "no shorter than without it");
    assert_eq!(delay(b"999999999999999999999999", 0), at(3600));
    assert_eq!(
        delay(b"Fri, 31 Dec 1999 23:59:59 GMT", 0),
        at(1),
        "a date is passed over"
    );
    assert_eq!(delay(b"-5", 0), at(1));
    assert_eq!(delay(b"", 0), at(1));
    let spread = delay(b"60", 100);
    assert!(
        at(60) <= spread && spread <= at(61),
        "apart from others that were told the same: {spread:?}"
    );
}

/// The delays of a hundred clients, in order, that all lose their connection in the same way.
fn together(options: Options, retry: Duration, retry_after: &str) -> Vec<Duration> {
    let delay = |seed| {
        let source = EventSource::new(URL, options.with_reconnection_time(retry), seed);
        let mut driver = Driver::of(source);
        driver.request();
        driver.respond(Response::from_headers(
            503,
            [("retry-after", retry_after.as_bytes())],
        ));
        assert!(driver.aborts());
        driver.lost().retry_in.expect("there is a network")
    };
    let mut delays: Vec<_> = (0..100).map(delay).collect();
    delays.sort();
    delays
}

#[test]
fn clients_that_are_told_the_same_come_back_apart_within_the_bounds() {
    let millis = Duration::from_millis;
    // Up to half an hour of backoff: half of the delay is at random.
    let options = Options::resilient().with_delay_bounds(millis(500), at(1800));
    for (retry, retry_after, least, most) in [
        (at(20), "", at(10), at(20)),
        // The bounds themselves: above the shortest, below the longest.
        (at(0), "", millis(500), millis(750)),
        (millis(600), "", millis(500), millis(800)),
        (at(86_400), "", at(900), at(1800)),
        // A Retry-After is the least, within the bounds.
        (at(20), "0", at(10), at(20)),
        (at(20), "12", at(12), at(22)),
        (at(20), "60", at(60), at(70)),
        (at(20), "1792", at(1792), at(1800)),
        (at(20), "1800", at(1790), at(1800)),
        (at(20), "99999999", at(1790), at(1800)),
        (at(86_400), "1000", at(1000), at(1800)),
        (at(0), "0", millis(500), millis(750)),
    ] {
        let delays = together(options, retry, retry_after);
        let case = (retry, retry_after, &delays);
        assert!(delays[0] >= least && delays[99] <= most, "{case:?}");
        let part = most.saturating_sub(least) / 5;
        assert!(
            delays[10] < least + part && delays[90] + part > most,
            "{case:?}"
        );
    }
    // No room, no jitter.
    let options = options.with_delay_bounds(at(5), at(4));
    assert_eq!(together(options, at(20), "60"), [at(5); 100]);
}

#[test]
fn the_network_that_comes_and_goes_makes_no_storm() {
    let mut driver = Driver::new(Options::standard());
    let mut requests = 0;
    for _ in 0..1000 {
        driver.now += Duration::from_millis(10);
        driver.source.handle_network_lost(driver.now);
        driver.source.handle_network_back(driver.now);
        driver.source.handle_deadline(driver.now);
        while let Some(output) = driver.source.poll_output() {
            requests += u32::from(matches!(output, Output::Request(_)));
        }
    }
    assert!(requests <= 10 / 3 + 1, "{requests} in ten seconds");
}

#[test]
fn a_server_that_hangs_up_for_ever_is_not_stormed() {
    let mut driver = Driver::new(Options::resilient());
    let mut requests = 0;
    while driver.now < at(3600) {
        driver.open();
        driver.feed("retry: 0\n\n");
        driver.source.handle_end(driver.now);
        driver.lost();
        driver.due();
        requests += 1;
    }
    // At first half a second apart, minus jitter, soon half a minute.
    assert!(requests <= 3600 / 15 + 10, "{requests} in an hour");
}
