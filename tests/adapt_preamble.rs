//! `preamble`: the first bytes of a stream, at once.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use sse_proto::adapt::{Preamble, from_stream};
use sse_proto::{Decoder, EventId, EventStreamExt};
use support::fakes::{Reader, Source};
use support::oracle;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn it_comes_before_the_stream_is_polled() {
    let source = Source::new();
    source.feed("data: 1\n\n");
    let preamble = Preamble::new()
        .with_comment("welcome")
        .with_reconnection_time(SECOND);
    let mut reader = Reader::new(from_stream(source.stream()).preamble(&preamble));
    assert_eq!(reader.chunk(), ": welcome\nretry: 1000\n\n");
    assert_eq!(source.polls(), 0);
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
    source.end();
    assert_eq!(reader.wakes.take(), 1);
    assert!(reader.has_ended() && source.is_dropped());
}

#[test]
fn an_ended_stream_still_has_it() {
    let source = Source::new();
    source.end();
    let mut reader =
        Reader::new(from_stream(source.stream()).preamble(&Preamble::new().with_comment("")));
    assert_eq!(reader.chunk(), ": \n\n");
    assert!(reader.has_ended());
}

#[test]
fn one_without_anything_is_no_chunk() {
    let source = Source::new();
    let mut reader = Reader::new(from_stream(source.stream()).preamble(&Preamble::new()));
    assert!(reader.is_pending());
    assert!(Preamble::new().with_jitter(SECOND, 7).to_bytes().is_empty());
}

#[test]
fn an_id_is_the_last_event_id_from_the_first_bytes_on() {
    let start = EventId::from_static("7-0~");
    let preamble = Preamble::new().with_id(start.clone()).with_comment("hi");
    assert_eq!(preamble.to_bytes(), ": hi\nid: 7-0~\n\n");
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(&preamble.to_bytes()).next(), Ok(None));
    assert_eq!(decoder.last_event_id(), "7-0~");

    // None leaves the one that the client has, the empty one takes it away.
    assert!(preamble.with_id(None).to_bytes() == ": hi\n\n");
    let reset = Preamble::new().with_id(EventId::from_static(""));
    assert_eq!(reset.to_bytes(), "id: \n\n");
}

#[test]
fn padding_is_a_comment_after_the_comment() {
    let spaces = " ".repeat(2048);
    let padded = Preamble::new().with_padding(2048);
    assert_eq!(padded.to_bytes(), format!(": {spaces}\n\n"));
    assert_eq!(
        padded.with_comment("a\nb").to_bytes(),
        format!(": a\n: b\n: {spaces}\n\n")
    );
}

proptest! {
    #[test]
    fn the_jitter_stays_within_what_was_allowed(
        time in 0..u64::MAX,
        most in 0..u64::MAX,
        random in any::<u32>(),
        other in any::<u32>(),
    ) {
        let (time, most) = (Duration::from_nanos(time), Duration::from_nanos(most));
        let millis = |random| {
            let preamble = Preamble::new().with_reconnection_time(time).with_jitter(most, random);
            oracle::reconnection_time(&preamble.to_bytes()).unwrap().as_millis()
        };
        prop_assert!(millis(random) >= time.as_millis());
        prop_assert!(millis(random) <= (time + most).as_millis() + 1);
        prop_assert!(random.cmp(&other) == millis(random).cmp(&millis(other))
            || millis(random) == millis(other));
    }

    #[test]
    fn whatever_it_holds_fires_nothing(
        comment in ".*",
        padding in 0..100_u16,
        jitter in any::<u32>(),
    ) {
        let preamble = Preamble::new()
            .with_reconnection_time(Duration::MAX)
            .with_jitter(Duration::MAX, jitter)
            .with_comment(comment)
            .with_padding(padding);
        let bytes = preamble.to_bytes();
        prop_assert!(oracle::events(&bytes).is_empty());
        prop_assert_eq!(oracle::reconnection_time(&bytes), Some(Duration::from_millis(u64::MAX)));
    }
}
