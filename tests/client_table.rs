//! Every state times every input of a reconnecting client, in one table: what is told, and the state behind it.
//!
//! The columns are those of the table in the documentation of `sse_proto::client`, `waiting` and `connecting` split by
//! what else decides there.

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{LossReason, Options, Output, Response};

/// Where a client is, and how it got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Idle,
    /// Idle, and the network is lost.
    IdleOffline,
    /// The request is not polled yet.
    Asking,
    Connecting,
    Open,
    /// Open, with half a block.
    Within,
    Waiting,
    /// Waiting, and the network is lost; the delay is over.
    Offline,
    Closed,
}

const STATES: [Place; 9] = [
    Place::Idle,
    Place::IdleOffline,
    Place::Asking,
    Place::Connecting,
    Place::Open,
    Place::Within,
    Place::Waiting,
    Place::Offline,
    Place::Closed,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Start,
    Stream,
    Html,
    NoContent,
    Busy,
    Redirect,
    Bytes,
    End,
    Error,
    /// The clock goes to the deadline, or on by a day.
    Deadline,
    /// The clock goes to just before the deadline.
    Early,
    NetworkLost,
    NetworkBack,
    Reconnect,
    Close,
}

const INPUTS: [Input; 15] = [
    Input::Start,
    Input::Stream,
    Input::Html,
    Input::NoContent,
    Input::Busy,
    Input::Redirect,
    Input::Bytes,
    Input::End,
    Input::Error,
    Input::Deadline,
    Input::Early,
    Input::NetworkLost,
    Input::NetworkBack,
    Input::Reconnect,
    Input::Close,
];

const IDLE: &str = "Idle";
const CONNECTING: &str = "Connecting";
const OPEN: &str = "Open";
const WAITING: &str = "Waiting";
const CLOSED: &str = "Closed";

/// What a row says: the outputs, in words, and the state behind them.
#[expect(clippy::match_same_arms, reason = "a table is read row by row")]
fn row(from: Place, input: Input) -> (&'static str, &'static str) {
    use Input::{
        Busy, Bytes, Close, Deadline, Early, End, Error, Html, NetworkBack, NetworkLost, NoContent,
        Reconnect, Redirect, Start, Stream,
    };
    use Place::{Asking, Closed, Connecting, Idle, IdleOffline, Offline, Open, Waiting, Within};
    match (from, input) {
        (Idle, Start) => ("request", CONNECTING),
        (IdleOffline, Start) => ("", WAITING),
        (Idle | IdleOffline, Close) => ("closed here", CLOSED),
        (
            Idle | IdleOffline,
            Stream | Html | NoContent | Busy | Redirect | Bytes | End | Error | Deadline | Early
            | NetworkLost | NetworkBack | Reconnect,
        ) => ("", IDLE),

        // A request that nobody has taken has no response and no failure; given up, it is never sent.
        (
            Asking,
            Start | Stream | Html | NoContent | Busy | Redirect | Bytes | End | Error | Early
            | NetworkBack | Reconnect,
        ) => ("request", CONNECTING),
        (Asking, Deadline) => ("lost connect-timeout", WAITING),
        (Asking, NetworkLost) => ("lost network", WAITING),
        (Asking, Close) => ("closed here", CLOSED),

        (Connecting, Stream) => ("opened", OPEN),
        (Connecting, Html | NoContent) => ("abort, closed rejected", CLOSED),
        (Connecting, Busy) => ("abort, lost rejected", WAITING),
        (Connecting, Redirect) => ("abort, request", CONNECTING),
        (Connecting, End | Error) => ("lost error", WAITING),
        (Connecting, Deadline) => ("abort, lost connect-timeout", WAITING),
        (Connecting | Open, NetworkLost) => ("abort, lost network", WAITING),
        (Connecting | Open, Close) => ("abort, closed here", CLOSED),
        (Connecting, Start | Bytes | Early | NetworkBack | Reconnect) => ("", CONNECTING),

        (Open, Bytes) => ("item", OPEN),
        (Open, End) => ("lost ended", WAITING),
        (Open, Error) => ("lost error", WAITING),
        (Open, Deadline) => ("abort, lost idle", WAITING),
        (Open, Reconnect) => ("abort, lost reconnect, request", CONNECTING),
        (
            Open | Within,
            Start | Stream | Html | NoContent | Busy | Redirect | Early | NetworkBack,
        ) => ("", OPEN),

        (Within, Bytes) => ("item", OPEN),
        (Within, End) => ("lost ended cut", WAITING),
        (Within, Error) => ("lost error cut", WAITING),
        (Within, Deadline) => ("abort, lost idle cut", WAITING),
        (Within, NetworkLost) => ("abort, lost network cut", WAITING),
        (Within, Reconnect) => ("abort, lost reconnect cut, request", CONNECTING),
        (Within, Close) => ("abort, closed here cut", CLOSED),

        (Waiting, Deadline | Reconnect) | (Offline, NetworkBack | Reconnect) => {
            ("request", CONNECTING)
        }
        (Waiting | Offline, Close) => ("closed here", CLOSED),
        (
            Waiting,
            Start | Stream | Html | NoContent | Busy | Redirect | Bytes | End | Error | Early
            | NetworkLost | NetworkBack,
        )
        | (
            Offline,
            Start | Stream | Html | NoContent | Busy | Redirect | Bytes | End | Error | Deadline
            | Early | NetworkLost,
        ) => ("", WAITING),

        (
            Closed,
            Start | Stream | Html | NoContent | Busy | Redirect | Bytes | End | Error | Deadline
            | Early | NetworkLost | NetworkBack | Reconnect | Close,
        ) => ("", CLOSED),
    }
}

#[test]
fn every_state_times_every_input() {
    let mut wrong = Vec::new();
    for from in STATES {
        for input in INPUTS {
            let (mut source, now) = reach(from);
            let seen = give(&mut source, now, input);
            let expected = row(from, input);
            let state = state(&source);
            if (seen.as_str(), state.as_str()) != expected {
                wrong.push(format!(
                    "{from:?} {input:?}: {seen:?} {state}, not {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_is_a_deadline_where_time_alone_moves_on() {
    for from in STATES {
        let (source, _) = reach(from);
        let waits = matches!(
            from,
            Place::Asking | Place::Connecting | Place::Open | Place::Within | Place::Waiting
        );
        assert_eq!(source.next_deadline().is_some(), waits, "{from:?}");
    }
}

const BODY: &[u8] = b"data: x\n\n";

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn stream() -> Response {
    Response::from_headers(200, [("content-type", b"text/event-stream")])
}

/// A client in a state, with nothing left to poll but in `Asking`, and the time there.
fn reach(from: Place) -> (EventSource, Duration) {
    let options = Options::resilient()
        .with_connect_timeout(Some(at(10)))
        .with_idle_timeout(Some(at(20)));
    let mut source = EventSource::with_seed("http://localhost/", options, 0);
    match from {
        Place::Idle => return (source, at(0)),
        Place::IdleOffline => {
            source.handle_network_lost(at(0));
            return (source, at(0));
        }
        _ => source.start(at(0)),
    }
    if from == Place::Asking {
        return (source, at(0));
    }
    assert!(matches!(source.poll_output(), Some(Output::Request(_))));
    match from {
        Place::Open | Place::Within => {
            source.handle_response(at(1), stream());
            assert!(matches!(source.poll_output(), Some(Output::Opened)));
            if from == Place::Within {
                let mut received = source.handle_bytes(at(1), b"data: ha");
                assert!(matches!(received.next(), Ok(None)));
            }
        }
        Place::Waiting | Place::Offline => {
            source.handle_error(at(1), "reset");
            assert!(matches!(source.poll_output(), Some(Output::Lost(_))));
            if from == Place::Offline {
                source.handle_network_lost(at(1));
                return (source, at(100));
            }
        }
        Place::Closed => {
            source.close();
            while source.poll_output().is_some() {}
        }
        Place::Idle | Place::IdleOffline | Place::Asking | Place::Connecting => {}
    }
    (source, at(1))
}

/// Gives an input, and tells in words what came out.
fn give(source: &mut EventSource, now: Duration, input: Input) -> String {
    let mut told = Vec::new();
    match input {
        Input::Start => source.start(now),
        Input::Stream => source.handle_response(now, stream()),
        Input::Html => {
            source.handle_response(
                now,
                Response::from_headers(200, [("content-type", b"text/html")]),
            );
        }
        Input::NoContent => source.handle_response(now, Response::new(204)),
        Input::Busy => source.handle_response(now, Response::new(503)),
        Input::Redirect => {
            source.handle_response(now, Response::from_headers(307, [("location", b"/b")]));
        }
        Input::Bytes => {
            let bytes = if source.is_open() { BODY } else { b"left over" };
            let mut received = source.handle_bytes(now, bytes);
            while let Some(item) = received.next().expect("within the limits") {
                assert!(matches!(item, sse_proto::Item::Event(_)));
                told.push("item".to_owned());
            }
            assert!(received.remaining().is_empty(), "they are taken or ignored");
        }
        Input::End => source.handle_end(now),
        Input::Error => source.handle_error(now, "reset"),
        Input::Deadline => {
            let deadline = source.next_deadline();
            source.handle_deadline(deadline.unwrap_or(now + at(86_400)));
        }
        Input::Early => {
            let deadline = source.next_deadline().unwrap_or(now);
            source.handle_deadline(deadline.saturating_sub(Duration::from_nanos(1)));
        }
        Input::NetworkLost => source.handle_network_lost(now),
        Input::NetworkBack => source.handle_network_back(now),
        Input::Reconnect => source.reconnect(now),
        Input::Close => source.close(),
    }
    told.extend(std::iter::from_fn(|| source.poll_output()).map(|output| words(&output)));
    told.join(", ")
}

fn words(output: &Output) -> String {
    let cut = |is_interrupted| if is_interrupted { " cut" } else { "" };
    match output {
        Output::Request(_) => "request".into(),
        Output::Abort => "abort".into(),
        Output::Opened => "opened".into(),
        Output::Lost(loss) => {
            let reason = match loss.reason {
                LossReason::Rejected(_) => "rejected",
                LossReason::EndOfStream => "ended",
                LossReason::IoError => "error",
                LossReason::ConnectTimeout => "connect-timeout",
                LossReason::IdleTimeout => "idle",
                LossReason::NetworkLost => "network",
                LossReason::Reconnect => "reconnect",
                _ => "?",
            };
            format!("lost {reason}{}", cut(loss.is_interrupted))
        }
        Output::Closed(loss) => {
            let reason = match loss.reason {
                LossReason::Closed => "here",
                LossReason::Rejected(_) => "rejected",
                _ => "?",
            };
            format!("closed {reason}{}", cut(loss.is_interrupted))
        }
        _ => "?".into(),
    }
}

/// The state that the client's `Debug` shows.
fn state(source: &EventSource) -> String {
    let shown = format!("{source:?}");
    let (_, state) = shown.split_once("state: ").expect("it shows its state");
    state.split(',').next().unwrap_or_default().to_owned()
}
