//! `coalesce` and `linger`: chunks are joined and never cut, and nothing waits unless asked to.

#![cfg(feature = "std")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::{StreamExt, stream};
use sse_proto::EventStreamExt;
use sse_proto::adapt::{Coalesce, FromStream, from_stream};
use sse_proto::deps::bytes::Bytes;
use support::fakes::{Clock, FakeTimer, Reader, Source, SourceStream};

fn coalesce(max_bytes: usize) -> (Rc<Source>, Reader<Coalesce<FromStream<SourceStream>>>) {
    let source = Source::new();
    let reader = Reader::new(from_stream(source.stream()).coalesce(max_bytes));
    (source, reader)
}

type Lingering = Reader<Coalesce<FromStream<SourceStream>, FakeTimer>>;

fn linger(max_bytes: usize, seconds: u64) -> (Rc<Source>, Rc<Clock>, Lingering) {
    let (source, clock) = (Source::new(), Clock::new());
    let stream = from_stream(source.stream()).coalesce(max_bytes);
    let stream = stream.linger(Duration::from_secs(seconds), clock.timer());
    (source, clock, Reader::new(stream))
}

fn feed(source: &Source, chunks: &[&'static str]) {
    for chunk in chunks {
        source.feed(*chunk);
    }
}

#[test]
fn what_is_ready_comes_as_one_chunk() {
    let (source, mut reader) = coalesce(100);
    feed(&source, &["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
    assert_eq!(reader.chunk(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    assert!(reader.is_pending());
    feed(&source, &["data: 4\n\n"]);
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "data: 4\n\n");
}

#[test]
fn a_chunk_is_never_cut() {
    let (source, mut reader) = coalesce(5);
    feed(&source, &["abc", "de", "fg", "hijk", "lmnopqr", "s", "t"]);
    for whole in ["abcde", "fg", "hijk", "lmnopqr", "st"] {
        assert_eq!(reader.chunk(), whole);
    }
    assert!(reader.is_pending());
}

#[test]
fn a_maximum_of_zero_joins_nothing() {
    let (source, mut reader) = coalesce(0);
    assert!(reader.is_pending());
    feed(&source, &["a", "b"]);
    assert_eq!(reader.chunk(), "a");
    assert_eq!(reader.chunk(), "b");
    assert!(reader.is_pending());
}

#[test]
fn a_chunk_that_is_alone_is_handed_through() {
    let (source, mut reader) = coalesce(100);
    let chunk = Bytes::from(vec![b'x'; 50]);
    source.feed(chunk.clone());
    let std::task::Poll::Ready(Some(same)) = reader.poll() else {
        panic!("it is ready");
    };
    assert_eq!(same.as_ptr(), chunk.as_ptr());
}

#[test]
fn what_came_before_the_end_comes_out_before_it() {
    let (source, mut reader) = coalesce(4);
    feed(&source, &["ab", "cd", "ef"]);
    source.end();
    assert_eq!(reader.chunk(), "abcd");
    assert_eq!(reader.chunk(), "ef");
    assert!(reader.has_ended() && source.is_dropped());
}

#[test]
fn empty_chunks_are_left_out() {
    let (source, mut reader) = coalesce(100);
    feed(&source, &["", ""]);
    assert!(reader.is_pending());
    feed(&source, &["", "a", "", "b"]);
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "ab");
}

#[test]
fn large_batches_are_whole_too() {
    let (source, mut reader) = coalesce(1 << 20);
    for _ in 0..3 {
        let chunks: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 1000]).collect();
        for chunk in &chunks {
            source.feed(chunk.clone());
        }
        let std::task::Poll::Ready(Some(joined)) = reader.poll() else {
            panic!("it is ready");
        };
        assert_eq!(joined, chunks.concat());
    }
}

#[test]
fn linger_waits_from_the_first_chunk_on_and_not_before() {
    let (source, clock, mut reader) = linger(100, 2);
    assert!(reader.is_pending());
    assert_eq!(clock.asked(), 0);
    clock.advance(10);
    feed(&source, &["a"]);
    assert_eq!(reader.wakes.take(), 1);
    assert!(reader.is_pending());
    clock.advance(1);
    feed(&source, &["b", "c"]);
    assert_eq!(reader.wakes.take(), 1);
    assert!(reader.is_pending());
    assert_eq!(clock.asked(), 1);
    clock.advance(1);
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "abc");
    assert!(reader.is_pending());
    assert_eq!((clock.asked(), clock.sleeps()), (1, 0));
}

#[test]
fn linger_takes_what_came_in_the_last_moment() {
    let (source, clock, mut reader) = linger(100, 2);
    feed(&source, &["a"]);
    assert!(reader.is_pending());
    clock.advance(5);
    feed(&source, &["b"]);
    assert_eq!(reader.chunk(), "ab");
}

#[test]
fn linger_waits_no_longer_once_the_maximum_is_there() {
    let (source, clock, mut reader) = linger(4, 2);
    feed(&source, &["ab"]);
    assert!(reader.is_pending());
    feed(&source, &["cd"]);
    assert_eq!(reader.chunk(), "abcd");
    assert_eq!(clock.sleeps(), 0);
    feed(&source, &["ab", "cde"]);
    assert_eq!(reader.chunk(), "ab");
    assert!(reader.is_pending(), "what did not fit waits for more");
    clock.advance(2);
    assert_eq!(reader.chunk(), "cde");
    feed(&source, &["abcdef"]);
    let asked = clock.asked();
    assert_eq!(reader.chunk(), "abcdef");
    assert_eq!(clock.asked(), asked);
}

#[test]
fn linger_waits_no_longer_once_the_stream_has_ended() {
    let (source, clock, mut reader) = linger(100, 2);
    feed(&source, &["a"]);
    assert!(reader.is_pending());
    source.end();
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "a");
    assert_eq!((clock.timers(), clock.sleeps()), (0, 0));
    assert!(reader.has_ended() && source.is_dropped());
}

#[test]
fn linger_for_no_time_waits_for_nothing() {
    let (source, clock, mut reader) = linger(100, 0);
    feed(&source, &["a", "b"]);
    assert_eq!(reader.chunk(), "ab");
    assert_eq!(clock.asked(), 0);
}

#[test]
fn a_timer_that_panics_loses_no_chunk() {
    let source = Source::new();
    let mut calls = 0;
    let timer = move |_: Duration| {
        calls += 1;
        if calls == 1 {
            resume_unwind(Box::new("a timer's panic"));
        }
        std::future::ready(())
    };
    let stream = from_stream(source.stream()).coalesce(100);
    let mut reader = Reader::new(stream.linger(Duration::from_secs(1), timer));
    source.feed("data: 1\n\n");
    assert!(catch_unwind(AssertUnwindSafe(|| reader.poll())).is_err());
    source.feed("data: 2\n\n");
    assert_eq!(reader.chunk(), "data: 1\n\ndata: 2\n\n");
}

#[test]
fn a_sleep_that_panics_once_holds_no_chunk_back() {
    let source = Source::new();
    let mut polls = 0;
    let mut sleep = Some(std::future::poll_fn(move |_| {
        polls += 1;
        if polls == 1 {
            resume_unwind(Box::new("a sleep's panic"));
        }
        Poll::Ready(())
    }));
    let timer = move |_: Duration| sleep.take().expect("it is set once");
    let stream = from_stream(source.stream()).coalesce(100);
    let mut reader = Reader::new(stream.linger(Duration::from_secs(1), timer));
    source.feed("data: 1\n\n");
    // The first poll makes the bell of the alarm.
    assert!(catch_unwind(AssertUnwindSafe(|| reader.poll())).is_err());
    assert_eq!(reader.chunk(), "data: 1\n\n");
}

#[test]
fn debug_shows_what_is_held_and_no_bytes() {
    let (target, stream) = sse_proto::channel();
    assert!(target.dispatch_message("secret").is_ok());
    let stream = stream.coalesce(64);
    let timer = |_: Duration| std::future::pending::<()>();
    let mut reader = Reader::new(stream.linger(Duration::from_secs(2), timer));
    assert!(reader.is_pending());
    let text = format!("{:?}", reader.stream);
    for part in [
        "max_bytes: 64",
        "held_bytes: 14",
        "linger: 2s",
        "waits: true",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn empty_chunks_do_not_block_the_task() {
    // There is always another one: each poll comes to an end, and wakes the task.
    let endless = || stream::repeat(Bytes::new());
    let mut reader = Reader::new(from_stream(endless()).coalesce(100));
    assert!(reader.is_pending());
    assert_eq!(reader.wakes.take(), 1);
    let one = stream::iter([Bytes::from_static(b"data: 1\n\n")]).chain(endless());
    let mut reader = Reader::new(from_stream(one).coalesce(100));
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
}
