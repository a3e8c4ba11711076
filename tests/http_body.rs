//! The feature `http`: an event stream as the body of a response.

mod support;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use sse_proto::adapt::{IntoChunk, Preamble};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::http::{HeaderMap, HeaderValue, StatusCode};
use sse_proto::deps::http_body::Body as _;
use sse_proto::http::{Body, insert_headers, response};
use sse_proto::target::CloseReason;
use sse_proto::{Event, EventStream, EventStreamExt, Frame, channel};
use support::fakes::{Source, SourceStream, Wakes};

/// Polls a body, and counts its wakes.
struct Reader<S: Stream<Item: IntoChunk>> {
    body: Pin<Box<Body<S>>>,
    wakes: Arc<Wakes>,
}

impl<S: Stream<Item: IntoChunk>> Reader<S> {
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
            let frame = frame?.ok().expect("it never fails");
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
fn the_response_has_the_headers_of_an_event_stream() {
    let response = response(stream::empty::<Bytes>());
    assert_eq!(response.status(), StatusCode::OK);
    let mut headers = HeaderMap::new();
    insert_headers(&mut headers);
    assert_eq!(response.headers(), &headers);
    // Every header that RFC 9113 (section 8.2.2) forbids is absent, since nothing else is there.
    assert_eq!(headers.len(), sse_proto::http::HEADERS.len());
}

#[test]
fn headers_replace_their_own_names_and_nothing_else() {
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("text/html"));
    headers.append("cache-control", HeaderValue::from_static("public"));
    headers.append("cache-control", HeaderValue::from_static("max-age=1"));
    headers.append("x-mine", HeaderValue::from_static("1"));
    insert_headers(&mut headers);
    assert_eq!(headers["content-type"], "text/event-stream");
    let caching: Vec<_> = headers.get_all("cache-control").iter().collect();
    assert_eq!(caching, ["no-cache, no-transform"]);
    assert_eq!(headers["x-mine"], "1");
    assert_eq!(headers.len(), 4);
}

#[test]
fn a_client_that_is_stopped_gets_204_and_no_bytes() {
    use sse_proto::deps::http_body::Body as _;
    let answer = sse_proto::http::stop::<Body<EventStream>>();
    assert_eq!(answer.status(), 204);
    assert!(answer.headers().is_empty() && answer.body().is_end_stream());
}

#[test]
fn events_of_any_kind_are_a_response() {
    fn bytes<S: Stream<Item: IntoChunk>>(stream: S) -> Bytes {
        Reader::of(response(stream).into_body()).chunk()
    }
    struct Token(&'static str);
    impl From<Token> for Frame {
        fn from(token: Token) -> Self {
            Self::new(&Event::message(token.0))
        }
    }
    let event = Event::message("x");
    assert_eq!(bytes(stream::iter([&event])), "data: x\n\n");
    assert_eq!(bytes(stream::iter([Frame::new(&event)])), "data: x\n\n");
    assert_eq!(bytes(stream::iter([Token("x")])), "data: x\n\n");
    assert_eq!(
        bytes(stream::iter([Ok::<_, ()>(Token("x"))])),
        "data: x\n\n"
    );
    assert_eq!(bytes(stream::iter([event])), "data: x\n\n");
}

#[test]
fn an_event_is_taken_when_bytes_are_asked_for_and_no_sooner() {
    let taken = Rc::new(Cell::new(0));
    let counts = Rc::clone(&taken);
    let events = stream::repeat_with(move || {
        counts.set(counts.get() + 1);
        Event::message("x")
    });
    let mut reader = Reader::new(events);
    assert_eq!(taken.get(), 0);
    for asked in 1..=3 {
        assert_eq!(reader.chunk(), "data: x\n\n");
        assert_eq!(taken.get(), asked);
    }
    // Dropping the body drops the source.
    assert_eq!(Rc::strong_count(&taken), 2);
    drop(reader);
    assert_eq!(Rc::strong_count(&taken), 1);
}
