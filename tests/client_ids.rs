//! Last event IDs: what is sent, what is left out, what outlives the process.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::Options;
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
    assert_eq!(request.unsendable_id(), Some("a\u{7}b"));
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
        let source = EventSource::with_seed(URL, Options::standard(), 0).with_last_event_id(&id);
        let request = Driver::of(source).request();
        assert_eq!(
            request.unsendable_id().is_some(),
            byte != b'\t',
            "{byte:#x}"
        );
    }
}

#[test]
fn what_would_arrive_as_another_id_or_not_at_all_is_left_out() {
    let is_sent = |id: &str| {
        let event_id = EventId::new(id).expect("an id may be so");
        let source =
            EventSource::with_seed(URL, Options::standard(), 0).with_last_event_id(&event_id);
        let request = Driver::of(source).request();
        let is_sent = request.last_event_id() == Some(id);
        assert_eq!(request.unsendable_id(), (!is_sent).then_some(id));
        is_sent
    };
    // RFC 9110, 5.5: a field value does not include leading or trailing whitespace.
    for id in [" 7", "7 ", "\t7", "7\t", " ", "\u{20AC} "] {
        assert!(!is_sent(id), "{id:?}");
    }
    // Other blanks are bytes as any.
    for id in ["a b\tc", "\u{A0}7\u{3000}", &"x".repeat(4096)] {
        assert!(is_sent(id), "{id:?}");
    }
    assert!(!is_sent(&"x".repeat(4097)));
}

#[test]
fn the_state_that_outlives_the_process_comes_out_and_goes_in() {
    let mut driver = Driver::new(Options::standard());
    driver.open();
    driver.feed("retry: 8000\nid: 41\ndata: x\n\nid: 42\ndata: never comple");
    let (id, time) = (
        driver.source.last_event_id().to_owned(),
        driver.source.reconnection_time(),
    );

    let id = EventId::new(id.as_str()).expect("what comes out goes in");
    let options = Options::standard().with_reconnection_time(time.expect("it was set"));
    let source = EventSource::with_seed(URL, options, 0).with_last_event_id(&id);
    let mut driver = Driver::of(source);
    assert_eq!(driver.open().last_event_id(), Some("41"));
    let said = driver.feed("data: y\n\n");
    assert!(
        matches!(&said[0], support::oracle::Said::Event { last_event_id, own_id: false, .. } if last_event_id == "41")
    );
    driver.source.handle_end(driver.now);
    assert_eq!(driver.lost().retry_in, Some(at(8)));
}
