//! What a reconnecting client promises beyond its states: delays, limits, ids, what survives, what is not repeated.

mod support;

use std::time::Duration;

use sse_proto::client::{
    ClosedReason, Down, DownReason, EventSource, Options, Output, Repeat, Response, State,
};
use sse_proto::{AfterLimit, DecodeError, DecodeLimits, EventId};
use support::driver::{Driver, URL, data, stream};

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
        let Down { retry_in, .. } = driver.down();
        let delay = retry_in.expect("there is a network");
        assert_eq!(driver.source.next_deadline(), Some(driver.now + delay));
        delays.push(delay.as_secs());
        driver.due();
    }
    delays
}

// > if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail the connection.
#[test]
fn any_status_but_200_fails_for_good() {
    for status in [
        100, 201, 202, 203, 204, 205, 206, 300, 304, 400, 401, 403, 404, 408, 410, 429, 500, 503,
        599, 999,
    ] {
        let mut driver = Driver::new(Options::standard());
        driver.request();
        driver.respond(Response::new(status).with_content_type(b"text/event-stream"));
        assert!(driver.aborts());
        let ClosedReason::Rejected(rejected) = driver.closed().reason else {
            panic!()
        };
        assert_eq!(
            (rejected.status(), rejected.is_content_type()),
            (status, false)
        );
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
            let DownReason::Rejected(rejected) = driver.down().reason else {
                panic!()
            };
            assert_eq!(rejected.status(), status);
        } else {
            driver.closed();
        }
    }
}

#[test]
fn the_essence_of_the_content_type_counts_in_any_case_with_any_parameters() {
    let opens = |value: &[u8]| {
        Response::new(200)
            .with_content_type(value)
            .is_event_stream()
    };
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
    assert!(!Response::new(200).is_event_stream());
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
fn the_backoff_starts_at_the_reconnection_time_that_the_server_sets() {
    let source =
        EventSource::new(URL, Options::resilient().with_jitter(0), 0).with_reconnection_time(at(7));
    let mut driver = Driver::of(source);
    let mut delays = Vec::new();
    for _ in 0..4 {
        driver.request();
        driver.source.handle_error(driver.now);
        delays.push(driver.down().retry_in);
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
        let down = driver.down();
        assert_eq!((down.retry_in, down.attempt), (Some(at(120)), attempt));
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
        assert_eq!(driver.down().retry_in, Some(expected), "{retry}");
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
    assert_eq!(driver.down().retry_in, Some(Duration::MAX));
    assert_eq!(driver.source.next_deadline(), Some(Duration::MAX));
    driver.source.handle_deadline(Duration::MAX);
    driver.request();
    // And one that goes back.
    driver.source.handle_error(at(0));
    assert_eq!(driver.source.state(), State::Waiting);
}

#[test]
fn a_retry_applies_at_its_own_line_and_survives_reconnects() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    // The block is never completed.
    driver.feed("data: x\nretry: 9000\ndata: y");
    for _ in 0..3 {
        driver.source.handle_error(driver.now);
        assert_eq!(driver.down().retry_in, Some(at(9)));
        driver.due();
        driver.open();
    }
    assert_eq!(driver.source.reconnection_time(), Some(at(9)));
}

#[test]
fn retry_after_is_honoured_once() {
    let mut driver = Driver::new(Options::resilient().with_jitter(0));
    driver.request();
    driver.respond(Response::new(503).with_retry_after(b" 120 "));
    assert!(driver.aborts());
    assert_eq!(driver.down().retry_in, Some(at(120)));
    driver.due();
    driver.request();
    driver.respond(Response::new(503));
    assert!(driver.aborts());
    assert_eq!(
        driver.down().retry_in,
        Some(at(2)),
        "the backoff, as if it had not been"
    );
}

#[test]
fn retry_after_is_the_least_within_the_bounds() {
    let delay = |value: &[u8], jitter| {
        let mut driver = Driver::new(Options::resilient().with_jitter(jitter));
        driver.request();
        driver.respond(Response::new(429).with_retry_after(value));
        assert!(driver.aborts());
        driver.down().retry_in.expect("there is a network")
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

#[test]
fn clients_that_are_told_the_same_retry_after_come_back_apart() {
    let delay = |seed| {
        let options = Options::resilient().with_reconnection_time(at(20));
        let mut driver = Driver::of(EventSource::new(URL, options, seed));
        driver.request();
        driver.respond(Response::new(503).with_retry_after(b"60"));
        assert!(driver.aborts());
        driver.down().retry_in.expect("there is a network")
    };
    let mut delays: Vec<_> = (0..100).map(delay).collect();
    delays.sort();
    assert!(delays[0] >= at(60) && delays[99] <= at(70));
    assert!(
        delays[10] < at(62) && delays[90] > at(68),
        "spread: {delays:?}"
    );
}

#[test]
fn a_limit_of_attempts_is_reached() {
    for retries in [0, 1, 5] {
        let mut driver = Driver::new(Options::resilient().with_max_retries(Some(retries)));
        for attempt in 0..=retries {
            assert_eq!(driver.request().attempt(), attempt);
            // A bare 200 is no progress.
            driver.respond(stream());
            assert_eq!(driver.source.poll_output(), Some(Output::Opened));
            driver.feed(": hello\nretry: 1\n\n");
            driver.source.handle_end(driver.now);
            if attempt < retries {
                assert_eq!(driver.down().attempt, attempt + 1);
                driver.due();
            }
        }
        let last = DownReason::Ended;
        let attempts = retries + 1;
        assert_eq!(
            driver.closed().reason,
            ClosedReason::AttemptsExhausted { attempts, last }
        );
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
        driver.down();
        driver.due();
    }
    driver.request();
    driver.source.handle_error(driver.now);
    let last = Some(DownReason::IoError);
    assert_eq!(
        driver.closed().reason,
        ClosedReason::TimeExhausted {
            elapsed: at(7),
            last
        }
    );

    // While it connects.
    let mut driver = Driver::new(options);
    driver.request();
    assert_eq!(driver.source.next_deadline(), Some(at(10)));
    driver.due();
    assert!(driver.aborts());
    assert_eq!(
        driver.closed().reason,
        ClosedReason::TimeExhausted {
            elapsed: at(10),
            last: None
        }
    );

    // While there is no network.
    let mut driver = Driver::new(options);
    driver.request();
    driver.source.handle_network_lost(at(1));
    assert!(driver.aborts());
    driver.down();
    assert_eq!(driver.source.next_deadline(), Some(at(10)));
    driver.due();
    let last = Some(DownReason::NetworkLost);
    assert_eq!(
        driver.closed().reason,
        ClosedReason::TimeExhausted {
            elapsed: at(10),
            last
        }
    );
}

#[test]
fn attempts_are_reset_by_an_event_by_a_new_id_and_by_a_stable_while() {
    let options = Options::resilient().with_max_retries(Some(1));
    let attempt_behind = |bytes: &str, open_for| {
        let mut driver = Driver::new(options);
        driver.request();
        driver.source.handle_error(driver.now);
        driver.down();
        driver.due();
        driver.open();
        driver.feed(bytes);
        driver.now += open_for;
        driver.source.handle_end(driver.now);
        match driver.source.poll_output() {
            Some(Output::Down(down)) => Some(down.attempt),
            Some(Output::Closed(_)) => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(attempt_behind("data: x\n\n", at(0)), Some(1));
    assert_eq!(attempt_behind("id: 1\n\n", at(0)), Some(1));
    assert_eq!(attempt_behind("", at(60)), Some(1));
    assert_eq!(attempt_behind("", at(59)), None);
    assert_eq!(
        attempt_behind(": x\nretry: 5\nevent: x\n\ndata: x", at(0)),
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
    assert!(matches!(
        driver.closed().reason,
        ClosedReason::AttemptsExhausted { .. }
    ));
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
    assert_eq!(driver.down().reason, DownReason::Idle);
}

#[test]
fn a_connect_timeout_counts_over_redirects() {
    let mut driver = Driver::new(Options::standard().with_connect_timeout(Some(at(10))));
    driver.request();
    driver.pass(at(9));
    driver.respond(Response::new(302).with_location(b"/b"));
    assert!(driver.aborts());
    driver.request();
    driver.pass(at(1));
    assert!(driver.aborts());
    assert_eq!(driver.down().reason, DownReason::ConnectTimeout);
}

#[test]
fn a_request_that_is_not_idempotent_is_not_repeated_until_an_id_was_seen() {
    let options = Options::resilient().with_repeat(Repeat::for_method("POST"));
    for lose in [
        EventSource::handle_error,
        EventSource::handle_end,
        EventSource::handle_network_lost,
    ] {
        let mut driver = Driver::new(options);
        driver.open();
        driver.feed("data: half an answer\n\ndata: cut");
        lose(&mut driver.source, driver.now);
        driver.aborts();
        let closed = driver.source.closed().expect("it must not go on").clone();
        assert!(
            matches!(closed.reason, ClosedReason::NotRepeatable(_)),
            "{closed:?}"
        );
        assert!(closed.is_interrupted);

        let mut driver = Driver::new(options);
        driver.open();
        driver.feed("id: 1\ndata: x\n\n");
        lose(&mut driver.source, driver.now);
        assert_eq!(driver.source.state(), State::Waiting);
    }
    // Not even where the server was only busy; but what was never sent may be sent.
    let mut driver = Driver::new(options);
    driver.request();
    driver.respond(Response::new(503));
    assert!(driver.aborts());
    assert!(matches!(
        driver.closed().reason,
        ClosedReason::NotRepeatable(DownReason::Rejected(_))
    ));
    let mut driver = Driver::new(options);
    driver.source.handle_network_lost(at(0));
    assert_eq!(driver.down().reason, DownReason::NetworkLost);
    driver.source.handle_network_back(at(9));
    driver.request();
}

#[test]
fn an_id_that_no_header_can_hold_is_left_out_and_reported() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("id: a\u{7}b\ndata: x\n\n");
    assert_eq!(driver.source.last_event_id(), "a\u{7}b");
    let request = driver.reopen();
    assert_eq!(request.last_event_id(), None);
    let left_out = request.left_out().expect("it is reported");
    assert_eq!((left_out.character(), left_out.offset()), ('\u{7}', 1));
    // The next one can be sent; what is not ASCII is UTF-8, malformed or not.
    driver.feed("id: \t\u{E4} \u{20AC}~\n\n");
    assert_eq!(driver.reopen().last_event_id(), Some("\t\u{E4} \u{20AC}~"));
    driver.feed(b"id: \xFF\n\n");
    assert_eq!(driver.reopen().last_event_id(), Some("\u{FFFD}"));
}

#[test]
fn each_ascii_control_but_the_tab_is_left_out() {
    for byte in (1..=0x1F_u8)
        .chain([0x7F])
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
    {
        let id = String::from(char::from(byte));
        let id = EventId::new(id.as_str()).expect("an id may have it");
        let source = EventSource::new(URL, Options::standard(), 0).with_last_event_id(&id);
        let request = Driver::of(source).request();
        assert_eq!(request.left_out().is_some(), byte != b'\t', "{byte:#x}");
    }
}

#[test]
fn the_state_that_outlives_the_process_comes_out_and_goes_in() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("retry: 8000\nid: 41\ndata: x\n\nid: 42\ndata: never comple");
    let (id, time) = (
        driver.source.last_event_id().into_owned(),
        driver.source.reconnection_time(),
    );

    let id = EventId::new(id.as_str()).expect("what comes out goes in");
    let source = EventSource::new(URL, Options::standard(), 0)
        .with_last_event_id(&id)
        .with_reconnection_time(time.expect("it was set"));
    let mut driver = Driver::of(source);
    assert_eq!(driver.open().last_event_id(), Some("41"));
    let said = driver.feed("data: y\n\n");
    assert!(
        matches!(&said[0], support::oracle::Said::Event { last_event_id, own_id: false, .. } if last_event_id == "41")
    );
    driver.source.handle_end(driver.now);
    assert_eq!(driver.down().retry_in, Some(at(8)));
}

#[test]
fn past_a_limit_the_stream_goes_on_or_the_client_closes() {
    for after in [AfterLimit::SkipBlock, AfterLimit::End] {
        let limits = DecodeLimits::new().with_event(16).with_after(after);
        let mut driver = Driver::new(Options::resilient().with_limits(limits));
        driver.open();
        let mut input: &[u8] = b"data: longer than the limit\n\ndata: x\n\n";
        let error = DecodeError::EventTooLong { limit: 16 };
        assert_eq!(
            driver.source.handle_bytes(at(0), &mut input),
            Some(Err(error))
        );
        if after == AfterLimit::SkipBlock {
            let next = driver.source.handle_bytes(at(0), &mut input);
            assert!(matches!(next, Some(Ok(item)) if item.is_event()));
            assert!(driver.is_quiet());
        } else {
            assert_eq!(driver.source.handle_bytes(at(0), &mut input), None);
            assert!(driver.aborts());
            assert_eq!(driver.closed().reason, ClosedReason::TooLarge(error));
            assert_eq!(driver.source.memory_held(), 0);
        }
    }
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
                let down = driver.down();
                assert_eq!(down.is_interrupted, down.reason == DownReason::Interrupted);
                down.is_interrupted
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
        driver.down();
        driver.due();
        requests += 1;
    }
    // At first half a second apart, minus jitter, soon half a minute.
    assert!(requests <= 3600 / 15 + 10, "{requests} in an hour");
}

#[test]
fn late_bytes_are_passed_over() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.source.handle_end(driver.now);
    assert_eq!(data(&driver.feed("data: late\n\n")), [""; 0]);
}

#[test]
fn to_shrink_loses_nothing_wherever_the_stream_is_cut() {
    let bytes = "\u{FEFF}id: 1\r\ndata: a\r\ndata: b\r\n\r\n: a comment\nretry: 5\nx: y\nid: 2\n\nevent: e\ndata\n\n";
    let played = |shrink: bool| {
        let mut driver = Driver::new(Options::standard().with_comments(true));
        driver.open();
        let mut said = Vec::new();
        for byte in bytes.as_bytes().chunks(1) {
            said.extend(driver.feed(byte));
            if shrink {
                driver.source.shrink_to_fit();
            }
        }
        (
            said,
            driver.source.last_event_id().into_owned(),
            driver.source.memory_held(),
        )
    };
    let (plain, shrunk) = (played(false), played(true));
    assert_eq!((&shrunk.0, &shrunk.1), (&plain.0, &plain.1));
    assert!(
        shrunk.2 < 16 && plain.2 > 256,
        "{} and {}",
        shrunk.2,
        plain.2
    );
}
