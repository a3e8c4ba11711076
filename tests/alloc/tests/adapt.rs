//! Adapters allocate nothing for an event, and hold no more than they say.

use std::future::{Pending, Ready, pending, ready};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use futures::Stream;
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble, from_stream};
use sse_proto::{Event, EventStream, EventStreamExt, EventType, Frame, Target, channel};

const EVENTS: usize = 10_000;

/// As an executor's, which a stream keeps.
struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

fn never(_: Duration) -> Pending<()> {
    pending()
}

fn at_once(_: Duration) -> Ready<()> {
    ready(())
}

fn delta() -> Event<'static> {
    Event::new(EventType::from_static("delta"), black_box("a word or two"))
}

/// A channel whose stream is in all adapters, with its first bytes sent.
fn all<S: Stream<Item = Bytes>>(around: impl FnOnce(EventStream) -> S) -> (Target, Pin<Box<S>>) {
    let (target, stream) = channel();
    let mut stream = Box::pin(around(stream));
    while poll(&mut stream, &waker()).is_ready() {}
    (target, stream)
}

fn waker() -> Waker {
    Waker::from(Arc::new(Idle))
}

fn poll<S: Stream<Item = Bytes>>(stream: &mut Pin<Box<S>>, waker: &Waker) -> Poll<Option<Bytes>> {
    stream.as_mut().poll_next(&mut Context::from_waker(waker))
}

#[test]
fn an_event_through_a_stack_of_all_adapters_allocates_nothing() {
    let (target, mut stream) = all(|stream| {
        stream
            .until(pending::<()>())
            .with_farewell(Frame::new(&Event::message("bye")))
            .preamble(&Preamble::new().with_comment("hello"))
            .coalesce(16 * 1024)
            .linger(Duration::from_millis(5), at_once)
            .keep_alive(KEEP_ALIVE_INTERVAL, never)
    });
    let waker = waker();
    let mut round = || {
        assert!(target.dispatch(&delta()).is_ok());
        assert!(poll(&mut stream, &waker).is_ready());
        assert!(poll(&mut stream, &waker).is_pending());
    };
    (0..100).for_each(|_| round());
    let made = measure(|| (0..EVENTS).for_each(|_| round()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_comment_allocates_nothing() {
    let (_target, stream) = channel();
    let mut stream = Box::pin(stream.keep_alive(KEEP_ALIVE_INTERVAL, at_once));
    let waker = waker();
    let mut round = || assert!(poll(&mut stream, &waker).is_ready());
    round();
    let made = measure(|| (0..EVENTS).for_each(|_| round()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_keep_alive_takes_56_bytes_more_than_its_timer_and_its_comment() {
    let waker = waker();
    let alone = measure(|| {
        let (_target, stream) = channel();
        assert!(poll(&mut Box::pin(stream), &waker).is_pending());
    });
    let kept_alive = measure(|| {
        let (_target, stream) = channel();
        let mut stream = Box::pin(stream.keep_alive(KEEP_ALIVE_INTERVAL, never));
        assert!(poll(&mut stream, &waker).is_pending());
    });
    // The waker of the sleep.
    assert_eq!(kept_alive.count_total, alone.count_total + 1);
    assert_eq!(kept_alive.count_current, 0);
    // The interval, the comment, and whether there is a sleep.
    let timer = size_of::<Duration>() + size_of::<Bytes>() + size_of::<usize>();
    let more = kept_alive.bytes_total - alone.bytes_total;
    assert!(more <= timer as u64 + 56, "{more} bytes");
}

#[test]
fn small_batches_are_joined_in_the_same_buffer_once_the_consumer_dropped_the_last() {
    let blocks = futures::stream::iter((0..2 * EVENTS).map(|_| Bytes::from_static(b"data: 1\n\n")));
    let mut stream = Box::pin(from_stream(blocks).coalesce(20));
    let waker = waker();
    let mut round = || match poll(&mut stream, &waker) {
        Poll::Ready(Some(chunk)) => assert_eq!(chunk.len(), 18),
        other => panic!("no chunk: {other:?}"),
    };
    (0..10).for_each(|_| round());
    let made = measure(|| (0..EVENTS / 2).for_each(|_| round()));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_batch_holds_its_maximum_and_one_chunk() {
    const MAX: usize = 1 << 20;
    const CHUNK: usize = 10_000;
    let chunks = futures::stream::repeat_with(|| Bytes::from(vec![b'\n'; CHUNK]));
    let mut stream = Box::pin(from_stream(chunks).coalesce(MAX));
    let waker = waker();
    let made = measure(|| drop(poll(&mut stream, &waker)));
    // A buffer that grows is there twice for a moment, and may be twice what it holds.
    assert!(made.bytes_max < 4 * MAX as u64, "{made:?}");
    // The chunk that did not fit is still there, and the buffer is not.
    assert!(made.bytes_current < 20_000, "{made:?}");
}

#[test]
fn what_is_around_an_ended_stream_holds_nothing() {
    let made = measure(|| {
        let (target, stream) = channel();
        let mut stream = std::pin::pin!(
            stream
                .until(pending::<()>())
                .with_farewell(Frame::new(&Event::message("bye")))
                .coalesce(1024)
                .linger(Duration::from_millis(5), at_once)
                .keep_alive(KEEP_ALIVE_INTERVAL, never)
        );
        let waker = Waker::noop();
        for _ in 0..100 {
            assert!(target.dispatch(&delta()).is_ok());
            let polled = stream.as_mut().poll_next(&mut Context::from_waker(waker));
            assert!(polled.is_ready());
        }
    });
    assert_eq!((made.count_current, made.bytes_current), (0, 0), "{made:?}");
}
