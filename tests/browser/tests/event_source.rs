//! The browser's `EventSource` and ours, on one stream and through a restart of its server: both see the same.

use crate::support::{Browser, Event, Server, Tail};

/// Line breaks of all kinds, spaces at the start, what may look like a field or a mark, and characters of any length.
const LINES: [&str; 9] = [
    "plain",
    "",
    "  two spaces",
    "a\rb\r\rc",
    "data: 1\rid: 9\r\r",
    "\u{FEFF}:comment",
    "NUL \0, ESC \u{1b}, \u{202e}turned, \u{2028}",
    "é€豆😀",
    "not \u{FFFD}",
];

#[tokio::test]
async fn both_see_the_same_before_and_after_a_restart() {
    let mut server = Server::start();
    let page = Browser::open(&server).await;
    page.recorded(|events| hellos(events) == 1).await;
    let mut tail = Tail::start(&server.address);
    tail.until(|events| hellos(events) == 1);
    write(&mut server, "before");
    page.recorded(|events| has_line(events, "before")).await;
    tail.until(|events| has_line(events, "before"));

    let mut server = server.kill().start_again();
    page.recorded(|events| hellos(events) == 2).await;
    tail.until(|events| hellos(events) == 2);
    write(&mut server, "after");
    let theirs = page.recorded(|events| has_line(events, "after")).await;
    let ours = tail.until(|events| has_line(events, "after"));

    let (theirs, ours) = (connections(&theirs), connections(ours));
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let (theirs, ours) = common(theirs, ours);
        assert_eq!(theirs, ours);
        let lines = ours.iter().filter(|event| event.event_type == "line");
        // Those of the list, and the one that ends it.
        assert_eq!(lines.count(), LINES.len() + 1);
    }
    // Each has told the server that came back what it had seen last. The greeting answers with the id of the place where
    // the client goes on.
    for [before, after] in [theirs, ours] {
        let last = &before.last().expect("an event").last_event_id;
        let hello = &after[0];
        let data: serde_json::Value = serde_json::from_str(&hello.data).expect("JSON");
        assert_eq!(data["last_event_id"], **last);
        let (run, _) = hello.last_event_id.split_once('-').expect("two numbers");
        assert_eq!(data["run"], run);
    }
}

fn write(server: &mut Server, last: &str) {
    for line in LINES.into_iter().chain([last]) {
        server.write(line);
        server.write("\n");
    }
}

/// The first event of each connection.
fn hellos(events: &[Event]) -> usize {
    let hellos = events.iter().filter(|event| event.event_type == "hello");
    hellos.count()
}

fn has_line(events: &[Event], data: &str) -> bool {
    events
        .iter()
        .any(|event| event.event_type == "line" && event.data == data)
}

/// The events of the first and of the second connection.
fn connections(events: &[Event]) -> [&[Event]; 2] {
    let second = events.iter().rposition(|event| event.event_type == "hello");
    let (first, second) = events.split_at(second.expect("a second connection"));
    [first, second]
}

/// The events that both were there for: neither connects nor is cut off at the same moment as the other.
fn common<'a>(one: &'a [Event], other: &'a [Event]) -> (&'a [Event], &'a [Event]) {
    // The first has no id of its own.
    let number = |event: &Event| {
        let (_, number) = event.last_event_id.split_once('-').expect("two numbers");
        number.parse::<u64>().expect("a number")
    };
    let range = |events: &[Event]| (number(&events[1]), number(&events[events.len() - 1]));
    let (from, to) = (
        range(one).0.max(range(other).0),
        range(one).1.min(range(other).1),
    );
    let within = |events: &'a [Event]| {
        let events = &events[1..];
        let start = events.partition_point(|event| number(event) < from);
        let end = events.partition_point(|event| number(event) <= to);
        &events[start..end]
    };
    (within(one), within(other))
}
