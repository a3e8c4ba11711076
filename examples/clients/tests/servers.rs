//! The behaviour of real servers, and the updates of every driver.

use std::time::Duration;

use super::support::{Case, DRIVERS, Driver, LONGEST, OPTIONS, SHORTEST, Step};
use super::support::{event_stream, in_chunks, redirect, status};
use sse_proto::client::Options;

#[test]
fn hyper() {
    check(DRIVERS[0]);
}

#[test]
fn reqwest() {
    check(DRIVERS[1]);
}

#[test]
fn ureq() {
    check(DRIVERS[2]);
}

/// The other drivers would wait for the response: they have no time limit of their own.
#[test]
fn ureq_takes_a_time_limit_of_its_own_for_an_error() {
    Case::new(
        "silence before the head, without a deadline",
        vec![vec![Step::Silence], no_more()],
    )
    .with_options(OPTIONS.with_connect_timeout(None))
    .with_idle_timeout(Duration::from_millis(300))
    .gives(&[
        "lost 1, 3ms: the connection failed, for a cause",
        "closed: the server answered 204",
    ])
    .asks(&["/ secret", "/ secret"])
    .check(DRIVERS[2]);
}

fn check(driver: (&str, Driver)) {
    for case in cases() {
        case.check(driver);
    }
}

/// The status that makes a client close.
const STAY_AWAY: &str = "204 No Content";

fn no_more() -> Vec<Step> {
    status(STAY_AWAY, "")
}

fn cases() -> Vec<Case> {
    let mut cases = ends();
    cases.extend(cuts());
    cases.extend(statuses());
    cases.extend(redirects());
    cases.extend(fields());
    cases.extend(silences());
    cases
}

fn ends() -> Vec<Case> {
    vec![
        Case::new("200, then a hang-up for ever", vec![event_stream(""); 5])
            .gives(&[
                "open",
                "lost 1, 3ms: the event stream ended",
                "open",
                "lost 2, 6ms: the event stream ended",
                "open",
                "lost 3, 10ms: the event stream ended",
                "open",
                "lost 4, 10ms: the event stream ended",
                "open",
                "closed: gave up after 5 failures in a row: the event stream ended",
            ])
            .asks(&["/ secret", "/ secret", "/ secret", "/ secret", "/ secret"]),
        Case::new("a new id, then an end: failures do not add up", {
            let mut script: Vec<_> = (1..=6)
                .map(|id| event_stream(format!("id: {id}\ndata: a\n\n")))
                .collect();
            script.push(no_more());
            script
        })
        .gives(&[
            "open",
            "message #1: a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "message #2: a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "message #3: a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "message #4: a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "message #5: a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "message #6: a",
            "lost 1, 3ms: the event stream ended",
            "closed: the server answered 204",
        ])
        .asks(&[
            "/ secret",
            "/ secret #1",
            "/ secret #2",
            "/ secret #3",
            "/ secret #4",
            "/ secret #5",
            "/ secret #6",
        ]),
        Case::new(
            "a snapshot, then a hang-up: failures add up",
            vec![event_stream("event: hello\ndata: a\n\n"); 5],
        )
        .with_options(OPTIONS.with_max_retries(Some(2)))
        .gives(&[
            "open",
            "hello : a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "hello : a",
            "lost 2, 6ms: the event stream ended",
            "open",
            "hello : a",
            "closed: gave up after 3 failures in a row: the event stream ended",
        ])
        .asks(&["/ secret", "/ secret", "/ secret"]),
    ]
}

fn cuts() -> Vec<Case> {
    let half = "data: whole\n\ndata: ha";
    vec![
        // In chunks: where the end of the connection is that of the body, ureq takes a reset for it.
        Case::new(
            "half a block, then a reset",
            vec![
                [in_chunks(half, 7, false), vec![Step::Reset]].concat(),
                no_more(),
            ],
        )
        .gives(&[
            "open",
            "message : whole",
            "lost 1, cut, 3ms: the connection failed, for a cause",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
        Case::new(
            "half a block, then the end",
            vec![event_stream(half), no_more()],
        )
        .gives(&[
            "open",
            "message : whole",
            "lost 1, cut, 3ms: the event stream ended within a block",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
        Case::new(
            "an end without the last chunk",
            vec![in_chunks(half, 7, false), no_more()],
        )
        .gives(&[
            "open",
            "message : whole",
            "lost 1, cut, 3ms: the connection failed, for a cause",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
        Case::new(
            "a reset before the head",
            vec![vec![Step::Reset], no_more()],
        )
        .gives(&[
            "lost 1, 3ms: the connection failed, for a cause",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
    ]
}

fn statuses() -> Vec<Case> {
    vec![
        Case::new(
            "a refusal whose body never ends",
            vec![vec![
                Step::Send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nnever".into()),
                Step::Silence,
            ]],
        )
        .gives(&["closed: the server answered 403"])
        .asks(&["/ secret"]),
        Case::new("204", vec![no_more()])
            .gives(&["closed: the server answered 204"])
            .asks(&["/ secret"]),
        Case::new("500 without Retry-After", vec![
            status("500 Internal Server Error", ""), status("500 Internal Server Error", ""), no_more(),
        ])
            .gives(&[
                "lost 1, 3ms: the server answered 500", "lost 2, 6ms: the server answered 500",
                "closed: the server answered 204",
            ])
            .asks(&["/ secret", "/ secret", "/ secret"]),
        // The server asks for a longer delay than the options allow.
        Case::new("500 with Retry-After, honoured once", vec![
            status("500 Internal Server Error", "Retry-After: 3600\r\n"),
            status("500 Internal Server Error", ""), no_more(),
        ])
            .gives(&[
                &format!("lost 1, {LONGEST:?}: the server answered 500"),
                "lost 2, 6ms: the server answered 500", "closed: the server answered 204",
            ])
            .asks(&["/ secret", "/ secret", "/ secret"]),
        Case::new("500 for the standard", vec![status("500 Internal Server Error", "")])
            .with_options(Options::standard())
            .gives(&["closed: the server answered 500"])
            .asks(&["/ secret"]),
        Case::new("200 with text/html", vec![vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\ndata: none\n\n".into(),
        )]])
            .gives(&["closed: the content type is \"text/html\" and not text/event-stream"])
            .asks(&["/ secret"]),
        Case::new("200 with an encoding that nobody decodes", vec![vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br\r\nConnection: close\r\n\r\n\xFF".into(),
        )]])
            .gives(&["closed: the content encoding \"br\" is not decoded"])
            .asks(&["/ secret"]),
        Case::new("several types in several lines", vec![vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: a\n\n".into(),
        )], no_more()])
            .gives(&["open", "message : a", "lost 1, 3ms: the event stream ended", "closed: the server answered 204"])
            .asks(&["/ secret", "/ secret"]),
        Case::new("200 without a type", vec![status("200 OK", "")])
            .gives(&["closed: the response has no content type"])
            .asks(&["/ secret"]),
    ]
}

fn redirects() -> Vec<Case> {
    let there = "http://{elsewhere}/there";
    vec![
        Case::new(
            "301 across origins: no credentials there, and the first URL again",
            vec![redirect(301, there), no_more()],
        )
        .with_elsewhere(vec![event_stream("id: 7\ndata: a\n\n")], &["/there"])
        .gives(&[
            "open",
            "message #7: a",
            "lost 1, 3ms: the event stream ended",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret #7"]),
        Case::new(
            "credentials do not come back over another origin",
            vec![redirect(307, there), no_more()],
        )
        .with_elsewhere(vec![redirect(307, "http://{elsewhere}/back")], &["/there"])
        .gives(&["closed: the server answered 204"])
        .asks(&["/ secret", "/back"]),
        Case::new(
            "302 within the origin: with credentials, relative, with the last event ID",
            vec![
                event_stream("id: 7\n\n"),
                redirect(302, "moved?by=302"),
                no_more(),
            ],
        )
        .gives(&[
            "open",
            "id 7",
            "lost 1, 3ms: the event stream ended",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret #7", "/moved?by=302 secret #7"]),
        Case::new("redirects for ever", vec![redirect(308, "/again"); 3])
            .with_options(OPTIONS.with_max_redirects(2))
            .gives(&["closed: too many redirects, the last with 308"])
            .asks(&["/ secret", "/again secret", "/again secret"]),
        Case::new(
            "301 to a file of ours",
            vec![redirect(301, "file:///etc/passwd")],
        )
        .gives(&["closed: the redirect with 301 leads nowhere"])
        .asks(&["/ secret"]),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        Case::new(
            "retry: 0 is no storm",
            vec![event_stream("retry: 0\ndata: a\n\n"), no_more()],
        )
        .gives(&[
            "open",
            "retry 0ns",
            "message : a",
            &format!("lost 1, {SHORTEST:?}: the event stream ended"),
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
        Case::new(
            "retry: 3000000000 overflows no timer",
            vec![event_stream("retry: 3000000000\n\n"), no_more()],
        )
        .gives(&[
            "open",
            "retry 3000000s",
            &format!("lost 1, {LONGEST:?}: the event stream ended"),
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
        Case::new(
            "an id with a control character is not sent, and the next one is",
            vec![
                event_stream("id: 4\u{1}2\ndata: a\n\n"),
                event_stream("data: b\n\nid: 4é2\n\n"),
                no_more(),
            ],
        )
        .gives(&[
            "open",
            "message #4\u{1}2: a",
            "lost 1, 3ms: the event stream ended",
            "open",
            "message 4\u{1}2: b",
            "id 4é2",
            "lost 1, 3ms: the event stream ended",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret", "/ secret #4é2"]),
    ]
}

fn silences() -> Vec<Case> {
    vec![
        Case::new(
            "silence",
            vec![
                [
                    event_stream("id: 1\ndata: a\n\ndata: never"),
                    vec![Step::Silence],
                ]
                .concat(),
                no_more(),
            ],
        )
        .with_idle_timeout(Duration::from_millis(300))
        .gives(&[
            "open",
            "message #1: a",
            "lost 1, cut, 3ms: the event stream was silent for too long",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret #1"]),
        Case::new(
            "silence before the head",
            vec![vec![Step::Silence], no_more()],
        )
        .with_options(OPTIONS.with_connect_timeout(Some(Duration::from_secs(1))))
        .gives(&[
            "lost 1, 3ms: no response came in time",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
        // Takes longer than the idle timeout in total, but each pause is much shorter.
        Case::new(
            "one byte after the other, of a comment",
            vec![
                [
                    event_stream("data: a\n\n:"),
                    vec![
                        Step::Drip(b".", Duration::from_millis(100), 25),
                        Step::Send(b"\ndata: b\n\n".into()),
                    ],
                ]
                .concat(),
                no_more(),
            ],
        )
        .with_idle_timeout(Duration::from_secs(2))
        .gives(&[
            "open",
            "message : a",
            "message : b",
            "lost 1, 3ms: the event stream ended",
            "closed: the server answered 204",
        ])
        .asks(&["/ secret", "/ secret"]),
    ]
}
