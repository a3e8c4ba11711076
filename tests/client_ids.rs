//! Last event IDs: what is sent, what is left out, what outlives the process.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::{Options, UnsendableId};
use sse_proto::{EventId, EventSource};
use support::driver::{Driver, URL};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_id_that_no_header_can_hold_is_left_out_and_reported() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("id: a\u{7}b\ndata: x\n\n");
    assert_eq!(driver.source.last_event_id(), "a\u{7}b");
    let request = driver.reopen();
    assert_eq!(request.last_event_id(), None);
    let left_out = UnsendableId::Character {
        character: '\u{7}',
        offset: 1,
    };
    assert_eq!(request.left_out(), Some(left_out));
    // The next one can be sent; what is not ASCII is UTF-8, malformed or not.
    driver.feed("id: \u{E4} \t\u{20AC}~\n\n");
    assert_eq!(driver.reopen().last_event_id(), Some("\u{E4} \t\u{20AC}~"));
    driver.feed(b"id: \xFF\n\n");
    assert_eq!(driver.reopen().last_event_id(), Some("\u{FFFD}"));
}

#[test]
fn each_ascii_control_but_the_tab_is_left_out() {
    for byte in (1..=0x1F_u8)
        .chain([0x7F])
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
    {
        let id = format!("a{}b", char::from(byte));
        let id = EventId::new(id.as_str()).expect("an id may have it");
        let source = EventSource::new(URL, Options::standard(), 0).with_last_event_id(&id);
        let request = Driver::of(source).request();
        assert_eq!(request.left_out().is_some(), byte != b'\t', "{byte:#x}");
    }
}

#[test]
fn what_would_arrive_as_another_id_or_not_at_all_is_left_out() {
    let left_out = |id: &str| {
        let id = EventId::new(id).expect("an id may be so");
        let source = EventSource::new(URL, Options::standard(), 0).with_last_event_id(&id);
        let request = Driver::of(source).request();
        assert_eq!(
            request.last_event_id().is_some(),
            request.left_out().is_none()
        );
        request.left_out()
    };
    // RFC 9110, 5.5: a field value does not include leading or trailing whitespace.
    for (id, character, offset) in [
        (" 7", ' ', 0),
        ("7 ", ' ', 1),
        ("\t7", '\t', 0),
        ("7\t", '\t', 1),
        (" ", ' ', 0),
        ("\u{20AC} ", ' ', 3),
    ] {
        let expected = UnsendableId::Character { character, offset };
        assert_eq!(left_out(id), Some(expected), "{id:?}");
    }
    // Other blanks are bytes as any.
    for id in ["a b\tc", "\u{A0}7\u{3000}", &"x".repeat(4096)] {
        assert_eq!(left_out(id), None, "{id:?}");
    }
    let long = "x".repeat(4097);
    assert_eq!(left_out(&long), Some(UnsendableId::TooLong { len: 4097 }));
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
