//! What a reconnecting client holds, and what a server can make it hold.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use sse_proto::client::{ClosedReason, Options};
use sse_proto::decode::{AfterLimit, DecodeError, DecodeLimits};
use support::driver::Driver;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
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
fn a_client_that_a_limit_has_closed_holds_nothing() {
    let limits = DecodeLimits::new()
        .with_event(1 << 20)
        .with_after(AfterLimit::End);
    let mut driver = Driver::new(Options::resilient().with_limits(limits));
    driver.open();
    let chunk = vec![b'x'; 60_000];
    driver.feed("data: ");
    let is_past = |driver: &mut Driver| {
        let step = driver.source.handle_bytes(driver.now, &mut &chunk[..]);
        step.is_some_and(|step| step.is_err())
    };
    assert!((0..20).any(|_| is_past(&mut driver)));
    // The driver drops the rest of its chunk, as it may.
    assert!(driver.aborts());
    assert_eq!(driver.source.memory_held(), 0);
    driver.closed();
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
