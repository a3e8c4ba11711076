//! The cases of `LaunchDarkly`'s contract tests for SSE clients that need a connection, under their
//! original names, through every driver. The cases that need only the `EventSource` are in
//! `tests/client_contract.rs` of the crate, and those about parsing in `tests/suites.rs`.

use std::time::Duration;

use super::support::{Answer, Case, DRIVERS, OPTIONS, event_stream, in_chunks, redirect, status};
use sse_proto::client::Options;

const ENDED: &str = "lost 1, 3ms: the event stream ended";
/// Another one, without progress between them.
const ENDED_AGAIN: &str = "lost 2, 6ms: the event stream ended";
const HALTED: &str = "closed: the server answered 204";

/// Runs the answers, and then one that makes the client close.
fn check(name: &'static str, script: Vec<Answer>, updates: &[&str], requests: &[&str]) {
    check_with(name, OPTIONS, script, updates, requests);
}

fn check_with(
    name: &'static str,
    options: Options,
    mut script: Vec<Answer>,
    updates: &[&str],
    requests: &[&str],
) {
    script.push(status("204 No Content", ""));
    let case = Case::new(name, script)
        .with_options(options)
        .gives(updates)
        .asks(requests);
    for driver in DRIVERS {
        case.check(driver);
    }
}

#[test]
fn status_204_halts_reconnection_attempts() {
    check("204", vec![], &[HALTED], &["/ secret"]);
}

#[test]
fn client_follows_301_and_307_redirect() {
    for code in [301, 307] {
        check(
            "redirect",
            vec![redirect(code, "/stream"), event_stream("data: hello\n\n")],
            &[
                "open",
                "message : hello",
                "lost 1, 6ms: the event stream ended",
                HALTED,
            ],
            &["/ secret", "/stream secret", "/ secret"],
        );
    }
}

#[test]
fn client_handles_empty_and_missing_location_header() {
    for code in ["301 Redirect", "307 Redirect"] {
        for header in ["", "Location:\r\n"] {
            // Not through `check`: the client closes by itself, and needs no answer that makes it
            // close.
            let closed = format!("closed: the redirect with {} leads nowhere", &code[..3]);
            let case = Case::new("location", vec![status(code, header)]);
            for driver in DRIVERS {
                case.clone()
                    .gives(&[&closed])
                    .asks(&["/ secret"])
                    .check(driver);
            }
        }
    }
}

#[test]
fn errors_that_close_and_errors_that_are_retried() {
    for code in [400, 401, 403, 404, 405, 410, 501] {
        let is_retried = code >= 500;
        let closed = format!("closed: the server answered {code}");
        let lost = format!("lost 1, 3ms: the server answered {code}");
        let updates: &[&str] = if is_retried {
            &[&lost, HALTED]
        } else {
            &[&closed]
        };
        let requests = &["/ secret", "/ secret"][..=usize::from(is_retried)];
        check(
            "status",
            vec![status(&format!("{code} Status"), "")],
            updates,
            requests,
        );
    }
    for code in [408, 425, 429, 502, 503, 504] {
        let lost = format!("lost 1, 3ms: the server answered {code}");
        check(
            "status that is retried",
            vec![status(&format!("{code} Status"), "")],
            &[&lost, HALTED],
            &["/ secret", "/ secret"],
        );
    }
}

#[test]
fn sends_id_of_last_received_event_and_still_does_if_later_events_had_none() {
    check(
        "Last-Event-ID",
        vec![
            event_stream("id: abc\ndata: Hello\n\n"),
            event_stream("data: World\n\n"),
        ],
        &[
            "open",
            "message #abc: Hello",
            ENDED,
            "open",
            "message abc: World",
            ENDED_AGAIN,
            HALTED,
        ],
        &["/ secret", "/ secret #abc", "/ secret #abc"],
    );
}

#[test]
fn last_event_id_can_be_explicitly_overridden_with_an_empty_value() {
    check(
        "an empty id",
        vec![event_stream(
            "id: abc\ndata: Hello\n\nid: \ndata: World\n\n",
        )],
        &[
            "open",
            "message #abc: Hello",
            "message #: World",
            ENDED,
            HALTED,
        ],
        &["/ secret", "/ secret"],
    );
}

#[test]
fn reconnection_time_is_the_servers_and_survives_reconnects() {
    check_with(
        "retry",
        OPTIONS.with_delay_bounds(Duration::ZERO, Duration::from_secs(1)),
        vec![event_stream("retry: 15\n\n"), event_stream("data: a\n\n")],
        &[
            "open",
            "retry 15ms",
            "lost 1, 15ms: the event stream ended",
            "open",
            "message : a",
            "lost 2, 15ms: the event stream ended",
            HALTED,
        ],
        &["/ secret", "/ secret", "/ secret"],
    );
}

#[test]
fn discards_partial_messages_on_retry() {
    check(
        "a partial message",
        vec![
            event_stream("id: abc\ndata: Hello\n\nid: def\ndata: Goodbye"),
            event_stream("data: We meet again\n\n"),
        ],
        &[
            "open",
            "message #abc: Hello",
            "lost 1, cut, 3ms: the event stream ended within a block",
            "open",
            "message abc: We meet again",
            ENDED_AGAIN,
            HALTED,
        ],
        &["/ secret", "/ secret #abc", "/ secret #abc"],
    );
}

#[test]
fn bom_is_stripped_at_the_start_of_each_connection() {
    let bom = "\u{FEFF}data: a\n\n\u{FEFF}data: none\n\ndata: b\n\n";
    for size in [1, 2, 64] {
        check(
            "BOM",
            vec![in_chunks(bom, size, true), in_chunks(bom, size, true)],
            &[
                "open",
                "message : a",
                "message : b",
                ENDED,
                "open",
                "message : a",
                "message : b",
                ENDED_AGAIN,
                HALTED,
            ],
            &["/ secret", "/ secret", "/ secret"],
        );
    }
}

#[test]
fn single_comment_two_in_a_row_before_and_after_event() {
    check_with(
        "comments",
        OPTIONS.with_comments(true),
        vec![event_stream(":Hello\n:World\n: Hi\ndata: a\n\n:Bye\n")],
        &[
            "open",
            "comment Hello",
            "comment World",
            "comment Hi",
            "message : a",
            "comment Bye",
            ENDED,
            HALTED,
        ],
        &["/ secret", "/ secret"],
    );
    check(
        "comments that nobody asked for",
        vec![event_stream(":Hello\ndata: a\n:World\n\n")],
        &["open", "message : a", ENDED, HALTED],
        &["/ secret", "/ secret"],
    );
}

#[test]
fn linefeeds_in_chunks_of_one_of_two_and_whole() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = [
            "data: 1",
            "",
            "",
            "data:",
            "data: 2",
            "",
            "id: x",
            "data: €豆腐",
            "",
            "",
        ];
        let body = lines.join(end);
        for size in [1, 2, body.len()] {
            check(
                "linefeeds",
                vec![in_chunks(&body, size, true)],
                &[
                    "open",
                    "message : 1",
                    "message : \\n2",
                    "message #x: €豆腐",
                    ENDED,
                    HALTED,
                ],
                &["/ secret", "/ secret #x"],
            );
        }
    }
}

#[test]
fn payload_of_any_size_up_to_1_mib_is_delivered_with_its_last_byte() {
    for size in [1023, 1024, 1025, 8192, 65_536, 262_144, 1_048_576] {
        let text = "x".repeat(size);
        let body = format!("data: {text}\n\n");
        check(
            "a payload",
            vec![in_chunks(body, 16_381, true)],
            &["open", &format!("message : {size} x"), ENDED, HALTED],
            &["/ secret", "/ secret"],
        );
    }
}
