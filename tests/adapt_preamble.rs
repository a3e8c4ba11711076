//! `preamble`: the first bytes of a stream, at once.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use sse_proto::adapt::{Preamble, from_stream};
use sse_proto::broadcast::Retention;
use sse_proto::event::{LastEventId, START};
use sse_proto::{Broadcast, Decoder, Event, EventId, EventStreamExt, EventType, Item, channel};
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
    assert_eq!(reader.chunk(), ": welcome\nretry: 1000\n");
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
    assert_eq!(reader.chunk(), ": \n");
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
fn an_id_comes_in_an_event_of_a_type_of_its_own() {
    let start = EventId::from_static("7-0~");
    let preamble = Preamble::new().with_id(start).with_comment("hi");
    assert_eq!(
        preamble.to_bytes(),
        ": hi\nevent: stream-start\nid: 7-0~\ndata: {}\n\n"
    );
    // Firefox, WebKit and others take an id only from an event that is dispatched.
    let mut decoder = Decoder::new();
    let first = preamble.to_bytes();
    let mut items = decoder.feed(&first);
    match items.next() {
        Ok(Some(Item::Event(event))) => assert_eq!(event.event_type(), START.as_str()),
        other => panic!("no event: {other:?}"),
    }
    assert!(matches!(items.next(), Ok(None)));
    assert_eq!(decoder.last_event_id(), "7-0~");

    // However it is given.
    let bytes = "event: stream-start\nid: 7\ndata: {}\n\n";
    assert_eq!(Preamble::new().with_id(7).to_bytes(), bytes);
    assert_eq!(Preamble::new().with_id(7_i64).to_bytes(), bytes);
    let optional = Some(EventId::from(7));
    assert_eq!(Preamble::new().with_id(optional).to_bytes(), bytes);
}

#[test]
fn a_stream_without_an_id_and_a_client_that_was_resumed_get_no_start_event() {
    let hello = EventType::from_static("hello");
    let preamble = Preamble::new().with_comment("hi").with_start(hello, "[]");
    assert_eq!(preamble.to_bytes(), ": hi\n");
    assert_eq!(
        preamble
            .with_id(EventId::from(7_u32))
            .with_id(None)
            .to_bytes(),
        ": hi\n"
    );
}

#[test]
fn type_and_data_of_the_start_event_are_settable() {
    let start = |event_type, data| {
        let event_type = EventType::from_static(event_type);
        let preamble = Preamble::new()
            .with_id(EventId::from(7_u32))
            .with_start(event_type, data);
        preamble.to_bytes()
    };
    assert_eq!(
        start("hello", "[1,\n2]"),
        "event: hello\nid: 7\ndata: [1,\ndata: 2]\n\n"
    );
    // Without a `data` line, it would not be dispatched.
    assert_eq!(start("hello", ""), "event: hello\nid: 7\ndata: \n\n");
    // An `EventSource` has events of these types itself.
    for reserved in ["open", "error", "message"] {
        assert_eq!(
            start(reserved, "null"),
            "event: stream-start\nid: 7\ndata: null\n\n"
        );
    }
}

#[test]
fn a_blank_line_comes_only_if_it_is_asked_for() {
    let preamble = Preamble::new()
        .with_comment("hi")
        .with_reconnection_time(SECOND);
    assert_eq!(preamble.to_bytes(), ": hi\nretry: 1000\n");
    let preamble = preamble.with_blank_line(true);
    assert_eq!(preamble.to_bytes(), ": hi\nretry: 1000\n\n");
    let start = preamble.with_id(EventId::from(7_u32)).to_bytes();
    assert_eq!(
        start,
        ": hi\nevent: stream-start\nid: 7\nretry: 1000\ndata: {}\n\n"
    );
    let empty = Preamble::new().with_blank_line(true);
    assert!(empty.to_bytes().is_empty());
}

#[test]
fn padding_is_a_comment_after_the_comment() {
    let spaces = " ".repeat(2048);
    let padded = Preamble::new().with_padding(2048);
    assert_eq!(padded.to_bytes(), format!(": {spaces}\n"));
    assert_eq!(
        padded.with_comment("a\nb").to_bytes(),
        format!(": a\n: b\n: {spaces}\n")
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

#[test]
fn the_defaults_start_the_stream_of_a_new_client_and_no_other() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    broadcast.publish(&Event::message("1")).unwrap();
    let reset = Event::new(EventType::from_static("reset"), "");
    let stream = |last: LastEventId<'static>| broadcast.subscribe(last).or_live(&reset);
    let never = |_: Duration| std::future::pending::<()>();
    let first = |last| Reader::new(stream(last).with_defaults(never)).chunk();

    let start = "event: stream-start\nid: 7-1\nretry: 3000\ndata: {}\n\n";
    assert_eq!(first(LastEventId::None), start);
    // One that is resumed has an id, and one that is restarted gets it with the event that tells.
    assert_eq!(first(EventId::from_static("7-1").into()), "retry: 3000\n");
    assert_eq!(first(EventId::from_static("6-1").into()), "retry: 3000\n");

    // It means the same around other adapters and on a merged stream.
    let (_target, own) = channel();
    let merged = stream(LastEventId::None).merge(own).coalesce(1024);
    assert_eq!(Reader::new(merged.with_defaults(never)).chunk(), start);
    let (_target, own) = channel();
    assert_eq!(
        Reader::new(own.with_defaults(never)).chunk(),
        "retry: 3000\n"
    );
}
