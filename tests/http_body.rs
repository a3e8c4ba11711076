//! The feature `http`: an event stream as the body of a response.

mod support;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{pending, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::executor::block_on;
use futures::stream::{self, Stream, StreamExt};
use sse_proto::adapt::{Encode, Preamble, from_stream};
use sse_proto::broadcast::{Retention, Subscribed};
use sse_proto::decode::{DecodeError, ReceiveError};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::http::{Response, StatusCode};
use sse_proto::deps::http_body::Body as _;
use sse_proto::http::{self, Body, HEADERS, response, stop};
use sse_proto::target::CloseReason;
use sse_proto::{
    Broadcast, Event, EventId, EventStream, EventStreamExt, Frame, channel, event_type,
};
use support::fakes::{Source, SourceStream, Wakes};

/// Polls a body, and counts its wakes.
struct Reader<S: Stream<Item: Encode>> {
    body: Pin<Box<Body<S>>>,
    wakes: Arc<Wakes>,
}

impl<S: Stream<Item: Encode<Error = Infallible>>> Reader<S> {
    fn new(stream: S) -> Self {
        Self::of(Body::new(stream))
    }

    fn of(body: Body<S>) -> Self {
        Self {
            body: Box::pin(body),
            wakes: Wakes::new(),
        }
    }

    /// A frame's data; `None` is the end.
    fn poll(&mut self) -> Poll<Option<Bytes>> {
        let waker = self.wakes.waker();
        let mut cx = Context::from_waker(&waker);
        self.body.as_mut().poll_frame(&mut cx).map(|frame| {
            let frame = frame?.expect("it never fails");
            Some(frame.into_data().expect("there are no trailers"))
        })
    }

    fn chunk(&mut self) -> Bytes {
        match self.poll() {
            Poll::Ready(Some(chunk)) => chunk,
            other => panic!("not a chunk but {other:?}"),
        }
    }

    /// Whether the body says that it has ended, in every way there is.
    fn says_it_has_ended(&self) -> bool {
        let hint = self.body.size_hint();
        assert_eq!(self.body.is_end_stream(), hint.exact() == Some(0));
        if !self.body.is_end_stream() {
            assert_eq!((hint.lower(), hint.upper()), (0, None));
        }
        self.body.is_end_stream()
    }
}

fn source() -> (Rc<Source>, Reader<SourceStream>) {
    let source = Source::new();
    let reader = Reader::new(source.stream());
    (source, reader)
}

#[test]
fn each_chunk_is_a_frame_without_a_copy() {
    let (source, mut reader) = source();
    let chunks = [Bytes::from(vec![b'x'; 9]), Bytes::from("data: 2\n\n")];
    for chunk in &chunks {
        source.feed(chunk.clone());
    }
    for chunk in &chunks {
        let frame = reader.chunk();
        assert_eq!(frame, chunk);
        assert_eq!(frame.as_ptr(), chunk.as_ptr());
    }
}

#[test]
fn an_empty_chunk_is_no_frame() {
    let (source, mut reader) = source();
    for chunk in ["", "data: 1\n\n", "", ""] {
        source.feed(chunk);
    }
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert_eq!(reader.poll(), Poll::Pending);
    source.feed("");
    source.end();
    assert_eq!(reader.poll(), Poll::Ready(None));
}

#[test]
fn the_task_that_polls_is_woken() {
    let (target, stream) = channel();
    let mut reader = Reader::new(stream);
    assert_eq!(reader.poll(), Poll::Pending);
    assert_eq!(reader.wakes.take(), 0);
    target.dispatch_message("1").unwrap();
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert_eq!(reader.poll(), Poll::Pending);
    target.close();
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.poll(), Poll::Ready(None));
}

#[test]
fn an_ended_body_stays_ended_and_has_dropped_its_stream() {
    // This stream panics when it is polled after its end, and does not tell when that comes.
    let source = Source::new();
    let mut within = source.stream();
    let mut reader = Reader::new(stream::poll_fn(move |cx| within.poll_next_unpin(cx)));
    assert!(!reader.says_it_has_ended());
    source.end();
    assert!(!reader.says_it_has_ended());
    assert!(!source.is_dropped());
    for _ in 0..3 {
        assert_eq!(reader.poll(), Poll::Ready(None));
        assert!(reader.says_it_has_ended());
        assert!(source.is_dropped());
    }
}

#[test]
fn the_end_is_known_along_with_the_last_chunk() {
    let (target, stream) = channel();
    let mut reader = Reader::new(stream);
    target.dispatch_message("1").unwrap();
    assert!(!reader.says_it_has_ended());
    target.close();
    assert!(
        !reader.says_it_has_ended(),
        "what is queued is still to come"
    );
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.says_it_has_ended());
    // A server need not poll any more: that the body is dropped then is no reason of its own.
    drop(reader);
    assert_eq!(target.close_reason(), Some(CloseReason::Closed));
    assert!(target.is_drained());
}

#[test]
fn the_end_is_known_while_a_poll_waits() {
    let (target, stream) = channel();
    let mut reader = Reader::new(stream);
    assert_eq!(reader.poll(), Poll::Pending);
    target.abort();
    assert!(reader.says_it_has_ended());
}

#[test]
fn a_stream_that_is_over_already_is_an_empty_body() {
    let over = || {
        let (target, stream) = channel();
        target.close();
        stream
    };
    assert!(Reader::new(over()).says_it_has_ended());
    assert!(Reader::new(stream::empty::<Bytes>()).says_it_has_ended());
    assert!(Reader::new(over().coalesce(99)).says_it_has_ended());
    assert!(Reader::new(over().until(pending::<()>())).says_it_has_ended());
    let timer = |_| pending::<()>();
    let kept_alive = over().keep_alive(Duration::from_secs(1), timer);
    let mut reader = Reader::new(kept_alive);
    assert!(reader.says_it_has_ended());
    assert_eq!(reader.poll(), Poll::Ready(None));
}

#[test]
fn what_an_adapter_adds_comes_before_the_end() {
    let (target, stream) = channel();
    target.close();
    let farewell = Frame::new(&Event::message("bye"));
    let stream = stream.until(pending::<()>()).with_farewell(farewell);
    let mut reader = Reader::new(stream.preamble(&Preamble::new().with_comment("hi")));
    assert!(!reader.says_it_has_ended());
    assert_eq!(reader.chunk(), ": hi\n");
    while let Poll::Ready(Some(_)) = reader.poll() {}
    assert!(reader.says_it_has_ended());
}

#[test]
fn a_body_that_is_dropped_is_a_client_that_is_gone() {
    let (target, stream) = channel();
    drop(response(stream));
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
}

#[test]
fn a_stream_may_be_of_one_thread_and_must_not_be_moved() {
    let rc = Rc::new(Bytes::from("data: 1\n\n"));
    let stream = stream::once(async move { Bytes::clone(&rc) });
    let mut reader = Reader::new(stream.chain(stream::pending()));
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert_eq!(reader.poll(), Poll::Pending);
}

#[test]
fn bytes_are_a_body_of_their_length() {
    let mut reader = Reader::<EventStream>::of(Body::from(Bytes::from("no")));
    assert_eq!(reader.body.size_hint().exact(), Some(2));
    assert!(!reader.body.is_end_stream());
    assert_eq!(reader.chunk(), "no");
    assert!(reader.says_it_has_ended());
    assert_eq!(reader.poll(), Poll::Ready(None));

    let mut reader = Reader::<EventStream>::of(Body::default());
    assert!(reader.says_it_has_ended());
    assert_eq!(reader.poll(), Poll::Ready(None));
}

#[test]
fn debug_dumps_no_bytes() {
    let mut reader = Reader::<EventStream>::of(Body::from(Bytes::from("secret")));
    assert_eq!(
        format!("{:?}", reader.body),
        "Body { has_ended: false, .. }"
    );
    reader.chunk();
    assert_eq!(format!("{:?}", reader.body), "Body { has_ended: true, .. }");
}

#[test]
fn a_body_boxes_as_servers_do_it() {
    fn is_one(
        _: impl sse_proto::deps::http_body::Body<
            Data = Bytes,
            Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        > + Send
        + 'static,
    ) {
    }
    is_one(Body::new(channel().1));
    let boxed: Pin<
        Box<dyn sse_proto::deps::http_body::Body<Data = Bytes, Error = Infallible> + Send>,
    > = Box::pin(Body::new(channel().1));
    assert!(boxed.is_end_stream(), "its handle is gone");
}

#[test]
fn the_response_has_the_headers_and_no_other() {
    let response = response(stream::empty::<Bytes>());
    assert_eq!(response.status(), StatusCode::OK);
    let mut headers: Vec<_> = response.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    // Every header that RFC 9113 (section 8.2.2) forbids is absent, since nothing else is there.
    let mut expected = HEADERS;
    expected.sort_unstable();
    let headers = headers.into_iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    assert!(headers.eq(expected));
}

#[test]
fn a_client_that_is_stopped_gets_204_and_no_bytes() {
    let answer: Response<Body<EventStream>> = stop();
    assert_eq!(answer.status(), 204);
    assert!(answer.headers().is_empty() && answer.body().is_end_stream());
    // In the type of any server.
    let answer: Response<String> = stop();
    assert_eq!(
        (answer.status(), answer.body().as_str()),
        (StatusCode::NO_CONTENT, "")
    );
}

/// A source that counts how often it was asked.
fn counted<T>(
    items: impl IntoIterator<Item = T>,
) -> (Rc<Cell<usize>>, impl Stream<Item = T> + Unpin) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let mut items = items.into_iter();
    let stream = stream::poll_fn(move |_| {
        count.set(count.get() + 1);
        Poll::Ready(items.next())
    });
    (asked, stream)
}

#[test]
fn events_are_polled_one_by_one_and_only_when_a_frame_is_asked_for() {
    let (asked, source) = counted((0_u32..).map(|n| Event::message("x").with_id(n)));
    let mut reader = Reader::of(response(source).into_body());
    assert_eq!(asked.get(), 0);
    for n in 0..5 {
        assert_eq!(reader.chunk(), format!("id: {n}\ndata: x\n\n"));
        assert_eq!(asked.get(), n + 1);
        let _ = reader.says_it_has_ended();
        assert_eq!(asked.get(), n + 1);
    }
}

#[test]
fn a_body_that_is_dropped_drops_the_source_of_its_events() {
    let source = Rc::new(());
    let held = Rc::clone(&source);
    let mut reader = Reader::new(stream::repeat_with(move || {
        let _ = &held;
        Event::message("x")
    }));
    assert_eq!(reader.chunk(), "data: x\n\n");
    assert_eq!(Rc::strong_count(&source), 2);
    drop(reader);
    assert_eq!(Rc::strong_count(&source), 1);
}

struct Token(&'static str);

impl From<Token> for Frame {
    fn from(token: Token) -> Self {
        Event::new(event_type!("token"), token.0).into()
    }
}

#[test]
fn what_converts_into_a_frame_is_a_stream_of_events_too() {
    let mut reader = Reader::new(stream::iter([Token("a"), Token("b")]));
    assert_eq!(reader.chunk(), "event: token\ndata: a\n\n");
    assert!(!reader.says_it_has_ended());
    assert_eq!(reader.chunk(), "event: token\ndata: b\n\n");
    assert!(reader.says_it_has_ended());

    let mut reader = Reader::new(stream::iter([Frame::new(&Event::message("1"))]));
    assert_eq!(reader.chunk(), "data: 1\n\n");
    let mut adapted = Reader::new(
        from_stream(stream::iter([Token("a")])).preamble(&Preamble::new().with_comment("hi")),
    );
    assert_eq!(adapted.chunk(), ": hi\n");
    assert_eq!(adapted.chunk(), "event: token\ndata: a\n\n");
}

#[test]
fn an_error_comes_one_wake_after_the_last_event_and_ends_the_body() {
    let failing = [Ok(Token("a")), Err("broken"), Ok(Token("never"))];
    let (asked, source) = counted(failing);
    let mut body = response(source).into_body();
    let wakes = Wakes::new();
    let task = wakes.waker();
    let mut poll = || {
        let mut cx = Context::from_waker(&task);
        let polled = Pin::new(&mut body).poll_frame(&mut cx);
        let ended = body.is_end_stream();
        (
            polled.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))),
            ended,
        )
    };
    let (first, ended) = poll();
    assert!(matches!(first, Poll::Ready(Some(Ok(data))) if data == "event: token\ndata: a\n\n"));
    assert!(!ended);
    assert_eq!(wakes.take(), 0);
    // The server writes what it has when the body has nothing.
    let (held, ended) = poll();
    assert!(held.is_pending() && !ended);
    assert_eq!(wakes.take(), 1);
    let (error, ended) = poll();
    assert!(matches!(error, Poll::Ready(Some(Err("broken")))));
    assert!(ended);
    assert!(matches!(poll(), (Poll::Ready(None), true)));
    assert_eq!(asked.get(), 2);
}

#[test]
fn a_target_that_fails_breaks_its_body_off_if_it_is_asked_to() {
    let timer = |_: Duration| pending::<()>();
    let (target, stream) = channel();
    let body = response(stream.with_defaults(timer).or_error()).into_body();
    target.dispatch_message("1").unwrap();
    target.fail("it broke");
    match block_on(http::events(body)) {
        Err(ReceiveError::Transport(error)) => assert_eq!(error.to_string(), "it broke"),
        other => panic!("no error: {other:?}"),
    }

    // Any other end is a clean one.
    let (target, stream) = channel();
    target.dispatch_message("1").unwrap();
    target.close();
    target.fail("too late");
    let events = block_on(http::events(Body::new(stream.or_error()))).unwrap();
    assert_eq!(events[0].data(), "1");

    // As before, without the method.
    let (target, stream) = channel();
    target.fail("it broke");
    assert!(
        block_on(http::events(Body::new(stream)))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_target_that_fails_is_no_end_along_with_the_last_chunk() {
    let (target, stream) = channel();
    let mut stream = stream.or_error();
    target.dispatch_message("1").unwrap();
    target.fail("it broke");
    assert!(block_on(stream.next()).unwrap().is_ok());
    assert_eq!(stream.size_hint(), (0, Some(1)));
    assert!(block_on(stream.next()).unwrap().is_err());
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn a_merged_target_that_fails_is_told_after_the_frames_before_it() {
    let broadcast = Broadcast::with_epoch(Retention::default(), 7);
    let (target, own) = channel();
    let subscription = broadcast.subscribe(None).or_live_untold();
    let mut stream = subscription.merge(own).or_error();
    broadcast.publish(&Event::message("to all")).unwrap();
    target.dispatch_message("to you").unwrap();
    target.fail("it broke");
    let mut next = || block_on(stream.next());
    assert_eq!(next().unwrap().unwrap(), "id: 7-1\ndata: to all\n\n");
    assert_eq!(next().unwrap().unwrap(), "data: to you\n\n");
    assert_eq!(next().unwrap().unwrap_err().to_string(), "it broke");
    assert!(next().is_none());
}

#[test]
fn the_defaults_start_a_new_client_alone_with_an_id_wherever_they_stand() {
    let timer = |_: Duration| pending::<()>();
    let broadcast = Broadcast::with_epoch(Retention::new(1, 1 << 20), 7);
    let first = |stream: &mut (dyn Stream<Item = Bytes> + Unpin)| {
        String::from_utf8(block_on(stream.next()).unwrap().to_vec()).unwrap()
    };
    let start = "event: stream-start\nid: 7-0\nretry: 3000\ndata: {}\n\n";
    let new = || broadcast.subscribe(None).or_live_untold();
    assert_eq!(first(&mut Box::pin(new().with_defaults(timer))), start);
    let stack = new().coalesce(99).until(pending::<()>());
    assert_eq!(
        first(&mut Box::pin(Box::pin(stack).with_defaults(timer))),
        start
    );
    let merged = new().merge(channel().1);
    assert_eq!(first(&mut Box::pin(merged.with_defaults(timer))), start);

    let retry = "retry: 3000\n";
    broadcast.publish(&Event::message("x")).unwrap();
    let resumed = broadcast.subscribe(EventId::from_static("7-1"));
    assert!(matches!(resumed, Subscribed::Resumed { .. }));
    let mut resumed = Box::pin(resumed.or_live_untold().with_defaults(timer));
    assert_eq!(first(&mut resumed), retry);
    let reset = Event::new(event_type!("reset"), "");
    let told = broadcast
        .subscribe(EventId::from_static("6-1"))
        .or_oldest(&reset);
    let mut told = Box::pin(told.with_defaults(timer));
    assert_eq!(first(&mut told), retry);
    assert_eq!(
        first(&mut Box::pin(channel().1.with_defaults(timer))),
        retry
    );
}

#[test]
fn the_events_of_a_body_are_one_call_within_a_bound() {
    let (target, stream) = channel();
    target.dispatch_comment("hi").unwrap();
    target.dispatch(&Event::message("1").with_id(7)).unwrap();
    target.close();
    let events = block_on(http::events(response(stream).into_body())).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].data(), events[0].last_event_id()), ("1", "7"));

    let cut = stream::iter(["data: 1\n\n", "data: 2"].map(Bytes::from));
    match block_on(http::events(Body::new(cut))) {
        Err(ReceiveError::Unfinished(event)) => assert_eq!(event.data(), "2"),
        other => panic!("not cut: {other:?}"),
    }

    // Short events with a copy of a long id each, without an end.
    let id = Event::message("").with_id(EventId::new("x".repeat(8_000)).unwrap());
    let endless = stream::once(ready(id)).chain(stream::repeat_with(|| Event::message("")));
    let limit = 16 << 20;
    match block_on(http::events(Body::new(endless))) {
        Err(ReceiveError::Decode(error)) => assert_eq!(error, DecodeError::EventsTooLong { limit }),
        other => panic!("no bound: {}", other.is_ok()),
    }
}
