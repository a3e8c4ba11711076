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
        driver.source.handle_error(driver.now, "reset");
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
        driver.source.handle_error(driver.now, "reset");
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
fn jitter_adds_up_to_its_part_and_differs_by_seed() {
    let delay = |seed| {
        let mut source = EventSource::with_seed(
            URL,
            Options::resilient().with_reconnection_time(at(20)),
            seed,
        );
        source.start(at(0));
        assert!(source.poll_output().is_some());
        source.handle_error(at(0), "reset");
        source.next_deadline().expect("it waits")
    };
    let mut delays: Vec<_> = (0..1000).map(delay).collect();
    assert!(
        delays
            .iter()
            .all(|&delay| at(20) <= delay && delay <= at(30))
    );
    delays.sort();
    let (low, middle, high) = (delays[50], delays[500], delays[950]);
    assert!(
        low < at(21) && (at(24)..at(26)).contains(&middle) && high > at(29),
        "spread evenly"
    );
    delays.dedup();
    assert!(delays.len() > 990, "{} of 1000 differ", delays.len());
    assert_eq!(delay(7), delay(7), "the same number, the same delay");
}

#[test]
fn what_the_server_asks_for_is_the_least() {
    for seed in 0..1000 {
        let mut driver = Driver::of(EventSource::with_seed(URL, Options::resilient(), seed));
        driver.open();
        driver.feed("retry: 5000\n");
        driver.source.handle_end(driver.now);
        let delay = driver.lost().retry_in.expect("there is a network");
        assert!(delay >= at(5), "{delay:?}");
        driver.due();
        driver.request();
        driver.respond(Response::from_headers(503, [("retry-after", b"30")]));
        assert!(driver.aborts());
        let delay = driver.lost().retry_in.expect("there is a network");
        assert!(delay >= at(30), "{delay:?}");
    }
}

#[test]
fn nothing_waits_for_longer_than_the_bound_of_the_caller() {
    let hour = at(60 * 60);
    let numbers = [
        "3601",
        "5000000",
        "99999999999999999999999",
        "18446744073709551615",
    ];
    let dates = ["Fri, 31 Dec 9999 23:59:59 GMT"];
    for options in [Options::standard, Options::resilient] {
        for (seed, retry_after) in numbers.into_iter().chain(dates).enumerate() {
            let options = options().with_retry_if(|_| true).with_jitter(100);
            let source = EventSource::with_seed(URL, options, seed as u64);
            let mut driver = Driver::of(source);
            driver.open();
            driver.feed(format!("retry: {}\n", numbers[seed % 4]));
            driver.source.handle_end(driver.now);
            assert!(driver.lost().retry_in <= Some(hour));
            driver.due();
            driver.request();
            let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
            let head = Response::from_headers(503, [date, ("retry-after", retry_after)]);
            driver.respond(head);
            assert!(driver.aborts());
            assert!(driver.lost().retry_in <= Some(hour), "{retry_after}");
        }
    }
}

#[test]
fn a_delay_stays_within_its_bounds_whatever_the_server_says() {
    for (retry, expected) in [
        ("0", Duration::from_millis(500)),
        ("499", Duration::from_millis(500)),
        ("3000000000", at(60 * 60)),
        ("99999999999999999999999", at(60 * 60)),
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
    driver.source.handle_error(at(0), "reset");
    assert_eq!(state(&driver.source), "Waiting");
}

#[test]
fn a_retry_applies_at_its_own_line_and_survives_reconnects() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    // The block is never completed.
    driver.feed("data: x\nretry: 9000\ndata: y");
    for _ in 0..3 {
        driver.source.handle_error(driver.now, "reset");
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

/// The delay after a 429 with these headers, for which the backoff is a second.
fn delay_after(headers: &[(&str, &str)]) -> Duration {
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    driver.request();
    driver.respond(Response::from_headers(429, headers.iter().copied()));
    assert!(driver.aborts());
    driver.lost().retry_in.expect("there is a network")
}

#[test]
fn retry_after_is_the_least_within_the_bounds() {
    let delay = |value| delay_after(&[("retry-after", value)]);
    assert_eq!(delay("0"), at(1), "no shorter than without it");
    assert_eq!(delay("999999999999999999999999"), at(3600));
    assert_eq!(delay("30, 60, 5"), at(60), "joined as several lines are");
    for value in ["-5", "", "1e3", "soon"] {
        assert_eq!(delay(value), at(1), "{value:?} is no number");
    }
    let lines = [
        ("retry-after", "20"),
        ("Retry-After", "90"),
        ("retry-after", "x"),
    ];
    assert_eq!(delay_after(&lines), at(90), "of several lines the longest");
}

// RFC 9110, 5.6.7 and 10.2.3.
#[test]
fn a_date_in_retry_after_is_read_against_the_date_of_the_response() {
    let delay = |date: &str, after: &str| delay_after(&[("retry-after", after), ("date", date)]);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (after, expected) in [
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
        ("Sun Nov  6 08:50:37 1994", 60),
        (" Sun, 06 Nov 1994 09:00:00 GMT ", 623),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 1),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 3600),
        ("Sun, 06 Nov 1994 08:49:60 GMT", 23),
        // What is no date is ignored.
        ("Sun, 06 Nov 1994 24:00:00 GMT", 1),
        ("Sun, 06 Nov 1994 08:60:00 GMT", 1),
        ("Sun, 06 Nov 1994 08:50 GMT", 1),
        ("Sun, 32 Nov 1994 08:50:37 GMT", 1),
        ("Sun, 00 Dec 1994 08:50:37 GMT", 1),
        ("Sun, 06 Nox 1994 08:50:37 GMT", 1),
        ("Sun, 06 Nov +994 08:50:37 GMT", 1),
        ("Sun, 06 Nov 19940 08:50:37 GMT", 1),
        ("Sun, 06 Nov 1994 08:50:37 CET", 1),
        (
            "Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:50:37 GMT",
            1,
        ),
    ] {
        assert_eq!(delay(date, after), at(expected), "{after:?}");
    }
    // Over the end of a month, of a year and of a century, and a leap day.
    for (date, after, days) in [
        (
            "Sat, 28 Feb 2026 23:59:58 GMT",
            "Sun, 01 Mar 2026 00:00:00 GMT",
            0,
        ),
        (
            "Wed, 28 Feb 2024 23:59:58 GMT",
            "Fri, 01 Mar 2024 00:00:00 GMT",
            1,
        ),
        (
            "Mon, 28 Feb 2000 23:59:58 GMT",
            "Wed, 01 Mar 2000 00:00:00 GMT",
            1,
        ),
        (
            "Sun, 28 Feb 2100 23:59:58 GMT",
            "Mon, 01 Mar 2100 00:00:00 GMT",
            0,
        ),
        (
            "Thu, 31 Dec 2026 23:59:58 GMT",
            "Fri, 01 Jan 2027 00:00:00 GMT",
            0,
        ),
        (
            "Friday, 31-Dec-99 23:59:58 GMT",
            "Sat, 01 Jan 2000 00:00:00 GMT",
            0,
        ),
        (
            "Fri, 30 Apr 2027 23:59:58 GMT",
            "Sat, 01 May 2027 00:00:00 GMT",
            0,
        ),
    ] {
        let expected = if days == 0 { 2 } else { 3600 };
        assert_eq!(delay(date, after), at(expected), "{date:?} {after:?}");
    }
    // Without a date that is one, it is ignored.
    let after = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
    assert_eq!(delay_after(&[after]), at(1));
    assert_eq!(delay_after(&[after, ("date", "today")]), at(1));
    let (first, second) = (("date", date), ("date", "Sun, 06 Nov 1994 08:49:38 GMT"));
    assert_eq!(delay_after(&[after, first, second]), at(1), "which one?");
    assert_eq!(
        delay_after(&[first, after, first]),
        at(60),
        "the same twice"
    );
    // Both forms: the longer.
    assert_eq!(delay_after(&[after, first, ("retry-after", "30")]), at(60));
    assert_eq!(delay_after(&[after, first, ("retry-after", "90")]), at(90));
}

#[test]
fn the_id_of_a_start_is_no_progress() {
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    for attempt in 1..4 {
        driver.open();
        // The event has no id of its own, so its last event ID is that of the start.
        let start = format!("event: stream-start\nid: {attempt}\ndata: {{}}\n\ndata: x\n\n");
        driver.feed(start);
        driver.source.handle_end(driver.now);
        assert_eq!(driver.lost().attempt, attempt);
        driver.due();
    }
    // With an id of its own, it is a server that is polled.
    driver.open();
    driver.feed("event: stream-start\nid: 8\ndata: {}\n\nid: 9\ndata: x\n\n");
    driver.source.handle_end(driver.now);
    assert_eq!(driver.lost().attempt, 1);
}

#[test]
fn a_redirect_counts_in_the_delay() {
    let delays = |redirects: usize, stable: u64| {
        let mut driver = Driver::new(Options::resilient().with_jitter(0));
        let mut delays = Vec::new();
        for attempt in 1..4 {
            driver.request();
            for _ in 0..redirects {
                driver.respond(Response::from_headers(307, [("location", b"/b")]));
                assert!(driver.aborts());
                driver.request();
            }
            driver.respond(support::driver::stream());
            assert!(matches!(driver.source.poll_output(), Some(Output::Opened)));
            driver.now += at(stable);
            driver.source.handle_end(driver.now);
            let loss = driver.lost();
            // But a redirect is no failure.
            assert_eq!(loss.attempt, if stable < 60 { attempt } else { 1 });
            delays.push(loss.retry_in.expect("there is a network").as_secs());
            driver.due();
        }
        delays
    };
    assert_eq!(delays(0, 0), [1, 2, 4]);
    assert_eq!(delays(1, 0), [2, 8, 30]);
    assert_eq!(delays(5, 0), [30, 30, 30]);
    assert_eq!(delays(1, 60), [1, 1, 1], "a stable connection forgives");
}

/// The delays of a hundred clients, in order, that all lose their connection in the same way.
fn together(options: &Options, retry: Duration, retry_after: &str) -> Vec<Duration> {
    let delay = |seed| {
        let options = options.clone().with_reconnection_time(retry);
        let source = EventSource::with_seed(URL, options, seed);
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
    // Half of the delay comes on top.
    let options = Options::resilient().with_delay_bounds(millis(500), at(1800));
    for (retry, retry_after, least, most) in [
        (at(20), "", at(20), at(30)),
        // The shortest delay, and the longest one.
        (at(0), "", millis(500), millis(750)),
        (millis(600), "", millis(600), millis(900)),
        (at(1500), "", at(1500), at(1800)),
        // What the bound cuts off is spread below it.
        (at(86_400), "", at(900), at(1800)),
        // Also a Retry-After is the least, in percent of the whole delay.
        (at(20), "0", at(20), at(30)),
        (at(20), "12", at(20), at(30)),
        (at(20), "60", at(60), at(90)),
        (at(20), "1790", at(1790), at(1800)),
        (at(20), "99999999", at(900), at(1800)),
        (at(0), "0", millis(500), millis(750)),
    ] {
        let delays = together(&options, retry, retry_after);
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
    assert_eq!(together(&options, at(20), "60"), [at(5); 100]);
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
    // At first half a second apart, soon half a minute.
    assert!(requests <= 3600 / 30 + 10, "{requests} in an hour");
}
