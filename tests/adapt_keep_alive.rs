//! `keep_alive`: a comment whenever no byte went out for the interval, and nothing else.

#![cfg(feature = "std")]

mod support;

use std::rc::Rc;
use std::time::Duration;

use sse_proto::adapt::{FromStream, KEEP_ALIVE_INTERVAL, KeepAlive, from_stream};
use sse_proto::{Event, EventStreamExt, EventType, Frame};
use support::fakes::{Clock, FakeTimer, Reader, Source, SourceStream};

const COMMENT: &str = ": keep-alive comment\n\n";
const TEN: Duration = Duration::from_secs(10);

type Stream = KeepAlive<FromStream<SourceStream>, FakeTimer>;

struct Scene {
    source: Rc<Source>,
    clock: Rc<Clock>,
    reader: Reader<Stream>,
}

fn scene(interval: Duration) -> Scene {
    scene_with(interval, |stream| stream)
}

fn scene_with(interval: Duration, with: impl FnOnce(Stream) -> Stream) -> Scene {
    let (source, clock) = (Source::new(), Clock::new());
    let stream = from_stream(source.stream());
    let stream = with(stream.keep_alive(interval, clock.timer()));
    Scene {
        source,
        clock,
        reader: Reader::new(stream),
    }
}

#[test]
fn a_silent_stream_sends_the_comment_of_the_origin_every_30_seconds() {
    let Scene {
        clock, mut reader, ..
    } = scene(KEEP_ALIVE_INTERVAL);
    for _ in 0..3 {
        assert!(reader.is_pending());
        clock.advance(29);
        assert_eq!(reader.wakes.take(), 0);
        assert!(reader.is_pending());
        clock.advance(1);
        assert_eq!(reader.wakes.take(), 1);
        assert_eq!(reader.chunk(), COMMENT);
    }
}

#[test]
fn the_interval_counts_from_the_last_byte_out_and_not_from_the_last_comment() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    assert!(reader.is_pending());
    clock.advance(9);
    source.feed("data: 1\n\n");
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
    clock.advance(9);
    assert!(reader.is_pending());
    clock.advance(1);
    assert_eq!(reader.chunk(), COMMENT);
}

#[test]
fn the_timer_is_asked_only_when_there_is_nothing_to_send_and_dropped_when_bytes_flow() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    for _ in 0..5 {
        source.feed("data: 1\n\n");
        assert_eq!(reader.chunk(), "data: 1\n\n");
    }
    assert_eq!(clock.asked(), 0);
    assert!(reader.is_pending() && reader.is_pending());
    assert_eq!((clock.asked(), clock.sleeps()), (1, 1));
    source.feed("data: 1\n\n");
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert_eq!((clock.asked(), clock.sleeps()), (1, 0));
}

#[test]
fn bytes_go_before_a_comment_that_is_due() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    assert!(reader.is_pending());
    clock.advance(10);
    source.feed("data: 1\n\n");
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
}

#[test]
fn an_empty_chunk_keeps_nothing_alive() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    assert!(reader.is_pending());
    clock.advance(10);
    source.feed("");
    assert_eq!(reader.chunk(), "");
    assert_eq!(reader.chunk(), COMMENT);
}

#[test]
fn nothing_is_put_into_a_block_that_a_foreign_stream_cut() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    for piece in ["data: 1", "\n", "data: 2\n"] {
        source.feed(piece);
        assert_eq!(reader.chunk(), piece);
        assert!(reader.is_pending());
        clock.advance(100);
        assert!(reader.is_pending());
        assert_eq!(clock.asked(), 0, "there is nothing to wait for");
    }
    source.feed("\n");
    assert_eq!(reader.chunk(), "\n");
    assert!(reader.is_pending());
    clock.advance(10);
    assert_eq!(reader.chunk(), COMMENT);
}

#[test]
fn blocks_of_foreign_streams_end_with_any_end_of_line() {
    for block in [
        "data: 1\r\n\r\n",
        "data: 1\r\r",
        "data: 1\n\n",
        "data: 1\r\n\n",
    ] {
        let Scene {
            source,
            clock,
            mut reader,
        } = scene(TEN);
        source.feed(block);
        assert_eq!(reader.chunk(), block);
        assert!(reader.is_pending());
        clock.advance(10);
        assert_eq!(reader.chunk(), COMMENT, "{block:?}");
    }
}

#[test]
fn nothing_is_scheduled_after_the_end_and_all_is_dropped_there() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    assert!(reader.is_pending());
    source.end();
    assert!(!source.is_dropped());
    assert!(reader.has_ended());
    assert!(source.is_dropped());
    assert_eq!((clock.timers(), clock.sleeps()), (0, 0));
    clock.advance(100);
    assert_eq!(reader.wakes.take(), 0);
    assert!(reader.has_ended());
}

#[test]
fn an_interval_of_zero_sends_nothing() {
    let Scene {
        clock, mut reader, ..
    } = scene(Duration::ZERO);
    assert!(reader.is_pending());
    clock.advance(1_000_000);
    assert!(reader.is_pending());
    assert_eq!((clock.asked(), clock.timers()), (0, 0));
}

#[test]
fn the_text_is_split_so_that_no_line_of_it_is_a_field() {
    let Scene {
        clock, mut reader, ..
    } = scene_with(TEN, |stream| stream.with_comment("a\r\ndata: b\rc\n"));
    assert!(reader.is_pending());
    clock.advance(10);
    assert_eq!(reader.chunk(), ": a\n: data: b\n: c\n: \n\n");
}

#[test]
fn a_frame_may_take_the_place_of_the_comment() {
    let ping = Frame::new(&Event::new(EventType::from_static("ping"), ""));
    let Scene {
        clock, mut reader, ..
    } = scene_with(TEN, |stream| stream.with_frame(ping));
    assert!(reader.is_pending());
    clock.advance(10);
    assert_eq!(reader.chunk(), "event: ping\ndata: \n\n");
}

#[test]
fn a_sleep_wakes_the_task_that_polled_last() {
    let Scene {
        clock, mut reader, ..
    } = scene(TEN);
    assert!(reader.is_pending());
    let old = std::mem::replace(&mut reader.wakes, support::fakes::Wakes::new());
    assert!(reader.is_pending());
    clock.advance(10);
    assert_eq!((old.take(), reader.wakes.take()), (0, 1));
}

#[test]
fn a_closure_is_a_timer() {
    let never = |_: Duration| std::future::pending::<()>();
    let (target, stream) = sse_proto::channel();
    let mut reader = Reader::new(stream.keep_alive(TEN, never));
    assert!(target.dispatch_message("1").is_ok());
    target.close();
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.has_ended());
}

#[test]
fn debug_shows_what_it_does_and_no_bytes() {
    let (_target, stream) = sse_proto::channel();
    let stream = stream.keep_alive(TEN, |_: Duration| std::future::pending::<()>());
    let text = format!("{stream:?}");
    assert!(
        text.contains("interval: 10s") && !text.contains("comment"),
        "{text}"
    );
}
