//! The firmware: a protocol of its own, since it measures instead of ticking.

use crate::support::{EventStream, Request, Server};

/// What a client gets whose id is not in the log, in front of the id of the place where it goes on.
const RESET: &str = ": hello\nevent: reset\nid: ";

#[test]
fn the_firmware_serves_resumes_and_ends() {
    let mut server = Server::start_bare_metal();
    let mut stream = EventStream::open(server.address, None);
    assert!(
        stream
            .greeting()
            .starts_with(": hello\nevent: stream-start\nid: ")
    );
    let start: u64 = stream.last_event_id().parse().expect("a number");
    stream.until("readings", |stream| stream.events.len() == 3);
    let number = |stream: &EventStream, index: usize| -> u64 {
        let id = stream.events[index].last_event_id().parse();
        id.expect("a number")
    };
    let first = number(&stream, 0);
    assert_eq!(start + 1, first);
    assert!(
        stream
            .events
            .iter()
            .all(|event| event.event_type() == "reading")
    );
    assert_eq!(
        [number(&stream, 1), number(&stream, 2)],
        [first + 1, first + 2]
    );

    // Where the other was after its first.
    let mut resumed = EventStream::open(server.address, Some(&first.to_string()));
    resumed.until("readings", |stream| stream.events.len() == 2);
    for (again, first) in resumed.events[..2].iter().zip(&stream.events[1..3]) {
        assert_eq!(again.event_type(), first.event_type());
        assert_eq!(again.data(), first.data());
        assert_eq!(again.has_own_id(), first.has_own_id());
        assert_eq!(again.last_event_id(), first.last_event_id());
    }
    let mut unknown = EventStream::open(server.address, Some("elsewhere-7"));
    unknown.until("a reading", |stream| stream.events.len() == 2);
    assert!(unknown.text().starts_with(RESET));
    // An id of another start.
    let other = Server::start_bare_metal();
    let mut here = EventStream::open(other.address, None);
    here.until("readings", |stream| stream.events.len() == 3);
    let id = here.events[0].last_event_id();
    let mut foreign = EventStream::open(server.address, Some(id));
    foreign.until("a reading", |stream| stream.events.len() == 2);
    assert!(foreign.text().starts_with(RESET));
    // Two ids, and one that is none of ours.
    let once = Request::get("/events").with_header("last-event-id", b"1");
    let twice = once.with_header("last-event-id", b"2");
    let invalid = Request::get("/events").with_header("last-event-id", b"\xff");
    for request in [twice, invalid] {
        let mut stream = EventStream::new(request.open(server.address).expect("an answer"));
        stream.until("a reading", |stream| stream.events.len() == 2);
        assert!(stream.text().starts_with(RESET));
    }

    server.shut_down();
    assert!(server.exit_status().success());
}
