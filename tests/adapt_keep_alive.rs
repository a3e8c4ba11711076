//! `keep_alive`: a comment whenever no byte went out for the interval, and nothing else.

#![cfg(feature = "std")]

mod support;

use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;
use sse_proto::adapt::{FromStream, KEEP_ALIVE_INTERVAL, KeepAlive, from_stream};
use sse_proto::{Event, EventStreamExt, EventType, Frame};
use support::fakes::{Clock, FakeTimer, Reader, Source, SourceStream};

const COMMENT: &str = ": keep-alive comment\n";
const TEN: Duration = Duration::from_secs(10);

type Stream = KeepAlive<FromStream<SourceStream>, FakeTimer>;

struct Scene {
    source: Rc<Source>,
    clock: Rc<Clock>,
    reader: Reader<Stream>,
}

/// Ten seconds of silence, which the timer passes in halves.
fn ten_silent_seconds(clock: &Clock, reader: &mut Reader<Stream>) {
    assert!(reader.is_pending());
    clock.advance(5);
    assert!(reader.is_pending());
    clock.advance(5);
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
fn a_silent_stream_sends_the_comment_of_the_origin_every_15_seconds() {
    let Scene {
        clock, mut reader, ..
    } = scene(KEEP_ALIVE_INTERVAL);
    for _ in 0..3 {
        assert!(reader.is_pending());
        // The first half is over, which the timer tells by itself.
        clock.advance(8);
        assert_eq!(reader.wakes.take(), 1);
        assert!(reader.is_pending());
        clock.advance(7);
        assert_eq!(reader.wakes.take(), 0);
        assert!(reader.is_pending());
        clock.advance(1);
        assert_eq!(reader.wakes.take(), 1);
        assert_eq!(reader.chunk(), COMMENT);
    }
}

#[test]
fn the_interval_counts_from_the_first_bell_after_the_last_byte_out() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    assert!(reader.is_pending());
    clock.advance(3);
    source.feed("data: 1\n\n");
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
    // Two seconds are left of the first half, which was not silent.
    clock.advance(2);
    ten_silent_seconds(&clock, &mut reader);
    assert_eq!(reader.chunk(), COMMENT);
    // After a comment it counts anew.
    ten_silent_seconds(&clock, &mut reader);
    assert_eq!(reader.chunk(), COMMENT);
}

proptest! {
    /// As tokio would: the task is polled when it is woken, and only then.
    #[test]
    fn a_silence_lasts_an_interval_at_least_and_one_and_a_half_at_most(
        interval in 1..40_u64,
        pauses in proptest::collection::vec(0..100_u64, 0..60),
    ) {
        let Scene { source, clock, mut reader } = scene(Duration::from_secs(interval));
        prop_assert!(reader.is_pending());
        let mut last = clock.now();
        let mut pauses = pauses.into_iter();
        let mut feed_at = pauses.next();
        let end = Duration::from_secs(2_000);
        while clock.now() < end {
            clock.advance_by(Duration::from_millis(500));
            if feed_at == Some(clock.now().as_secs()) {
                source.feed("data: 1\n\n");
                feed_at = pauses.next().map(|pause| clock.now().as_secs() + pause + 1);
            }
            if reader.wakes.take() == 0 {
                continue;
            }
            while let Poll::Ready(chunk) = reader.poll() {
                let silence = clock.now().saturating_sub(last);
                last = clock.now();
                let interval = Duration::from_secs(interval);
                prop_assert!(silence <= 3 * interval / 2, "{silence:?}");
                prop_assert!(chunk.is_some_and(|chunk| chunk != COMMENT) || silence >= interval);
            }
        }
        prop_assert!(end <= last + Duration::from_secs(3 * interval) / 2);
    }
}

#[test]
fn a_delivery_asks_the_timer_for_nothing() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    for _ in 0..5 {
        source.feed("data: 1\n\n");
        assert_eq!(reader.chunk(), "data: 1\n\n");
    }
    assert_eq!(clock.asked(), 0, "there was something to send");
    assert!(reader.is_pending());
    assert_eq!((clock.asked(), clock.polls(), clock.sleeps()), (1, 1, 1));
    for _ in 0..5 {
        source.feed("data: 1\n\n");
        assert_eq!(reader.chunk(), "data: 1\n\n");
        assert!(reader.is_pending());
    }
    assert_eq!((clock.asked(), clock.polls(), clock.sleeps()), (1, 1, 1));
    // It fires: one look, and one new sleep.
    clock.advance(5);
    assert!(reader.is_pending());
    assert_eq!((clock.asked(), clock.polls(), clock.sleeps()), (2, 3, 1));
}

#[test]
fn bytes_go_before_a_comment_that_is_due() {
    let Scene {
        source,
        clock,
        mut reader,
    } = scene(TEN);
    ten_silent_seconds(&clock, &mut reader);
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
    ten_silent_seconds(&clock, &mut reader);
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
    ten_silent_seconds(&clock, &mut reader);
    assert_eq!(reader.chunk(), COMMENT);
}

#[test]
fn whole_comments_and_retry_fields_are_no_block() {
    for line in [": c\n", "retry: 1\r\n", ":\nretry\n"] {
        let Scene {
            source,
            clock,
            mut reader,
        } = scene(TEN);
        source.feed(line);
        assert_eq!(reader.chunk(), line);
        ten_silent_seconds(&clock, &mut reader);
        assert_eq!(reader.chunk(), COMMENT, "{line:?}");
    }
}

/// An LF that came after the comment would be a line of its own, and another blank line.
#[test]
fn nothing_is_put_in_between_a_cr_and_its_lf() {
    for block in ["data: 1\r\n\r", "data: 1\r\r", ": c\r"] {
        let Scene {
            source,
            clock,
            mut reader,
        } = scene(TEN);
        source.feed(block);
        assert_eq!(reader.chunk(), block);
        ten_silent_seconds(&clock, &mut reader);
        assert!(reader.is_pending(), "{block:?}");
        source.feed("\n");
        assert_eq!(reader.chunk(), "\n");
        ten_silent_seconds(&clock, &mut reader);
        assert_eq!(reader.chunk(), COMMENT, "{block:?}");
    }
}

#[test]
fn blocks_of_foreign_streams_end_with_any_end_of_line() {
    for block in [
        "data: 1\r\n\r\n",
        "data: 1\r\r\n",
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
        ten_silent_seconds(&clock, &mut reader);
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
    ten_silent_seconds(&clock, &mut reader);
    assert_eq!(reader.chunk(), ": a\n: data: b\n: c\n: \n");
}

#[test]
fn a_frame_may_take_the_place_of_the_comment() {
    let ping = Frame::new(&Event::new(EventType::from_static("ping"), ""));
    let Scene {
        clock, mut reader, ..
    } = scene_with(TEN, |stream| stream.with_frame(ping));
    ten_silent_seconds(&clock, &mut reader);
    assert_eq!(reader.chunk(), "event: ping\ndata: \n\n");
}

#[test]
fn a_blank_line_after_the_comment_comes_only_if_it_is_asked_for() {
    let with_blank_line = |stream: Stream| stream.with_blank_line(true);
    let sent = |with: fn(Stream) -> Stream| {
        let Scene {
            clock, mut reader, ..
        } = scene_with(TEN, with);
        ten_silent_seconds(&clock, &mut reader);
        reader.chunk()
    };
    assert_eq!(sent(with_blank_line), ": keep-alive comment\n\n");
    assert_eq!(
        sent(|stream| stream.with_blank_line(true).with_comment("a\nb")),
        ": a\n: b\n\n"
    );
    assert_eq!(
        sent(|stream| stream.with_comment("a\nb").with_blank_line(true)),
        ": a\n: b\n\n"
    );
    assert_eq!(
        sent(|stream| stream.with_blank_line(true).with_blank_line(false)),
        COMMENT
    );
    // A frame is sent as it is.
    let ping = |stream: Stream| stream.with_frame(Frame::new(&Event::message("ping")));
    assert_eq!(sent(ping), "data: ping\n\n");
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
