//! A stream that can fail in the adapters: an error passes unchanged and in order.

#![cfg(feature = "std")]

mod support;

use std::future::{Pending, Ready, pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use sse_proto::adapt::{Preamble, from_stream};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::futures_core::Stream;
use sse_proto::{Event, EventStreamExt, Frame};

type Item = Result<Bytes, &'static str>;

const COMMENT: Item = Ok(Bytes::from_static(b": keep-alive comment\n"));
const BYE: Item = Ok(Bytes::from_static(b"data: bye\n\n"));
const FAILED: Item = Err("it failed");

#[expect(clippy::unnecessary_wraps, reason = "it is an item beside errors")]
fn data(text: &'static str) -> Item {
    Ok(Bytes::from(text))
}

/// A stream of these items, which then waits.
fn waiting<const N: usize>(items: [Item; N]) -> impl EventStreamExt<Item = Item> + Unpin {
    from_stream(stream::iter(items).chain(stream::pending()))
}

fn at_once(_: Duration) -> Ready<()> {
    ready(())
}

fn never(_: Duration) -> Pending<()> {
    pending()
}

fn bye() -> Frame {
    Frame::new(&Event::message("bye"))
}

/// What comes until nothing is ready, and the end as `None`; at most eight.
fn ready_items(stream: impl Stream<Item = Item>) -> Vec<Option<Item>> {
    let mut stream: Pin<&mut _> = pin!(stream);
    let mut items = Vec::new();
    while items.len() < 8 {
        match stream
            .as_mut()
            .poll_next(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Some(item)) => items.push(Some(item)),
            Poll::Ready(None) => {
                items.push(None);
                break;
            }
            Poll::Pending => break,
        }
    }
    items
}

fn some<const N: usize>(items: [Item; N]) -> Vec<Option<Item>> {
    items.into_iter().map(Some).collect()
}

#[test]
fn it_passes_through_all_adapters_and_the_stream_goes_on() {
    let stream = waiting([data("data: 1\n\n"), FAILED, data("data: 2\n\n")])
        .preamble(&Preamble::new().with_comment("hello"))
        .until(pending::<()>())
        .with_farewell(bye())
        .coalesce(100)
        .keep_alive(Duration::from_secs(1), never);
    let expected = [data(": hello\ndata: 1\n\n"), FAILED, data("data: 2\n\n")];
    assert_eq!(ready_items(stream), some(expected));
}

#[test]
fn coalesce_delivers_what_it_holds_before_the_error() {
    let items = [
        data("data: 1\n\n"),
        data("data: 2\n\n"),
        FAILED,
        FAILED,
        data("data: 3\n\n"),
    ];
    let expected = [
        data("data: 1\n\ndata: 2\n\n"),
        FAILED,
        FAILED,
        data("data: 3\n\n"),
    ];
    assert_eq!(ready_items(waiting(items).coalesce(100)), some(expected));
}

#[test]
fn linger_waits_for_nothing_once_there_is_an_error() {
    let second = Duration::from_secs(1);
    let items = [FAILED, data("data: 1\n\n"), FAILED];
    let stream = waiting(items).coalesce(100).linger(second, never);
    let expected = [FAILED, data("data: 1\n\n"), FAILED];
    assert_eq!(ready_items(stream), some(expected));
    // It waits for more before there is one.
    let stream = waiting([data("data: 1\n\n")]).coalesce(100);
    assert_eq!(ready_items(stream.linger(second, never)), []);
}

#[test]
fn no_comment_comes_until_a_block_has_ended_after_it() {
    let alive = |items| {
        let stream = stream::iter(items).chain(stream::pending());
        let stream = from_stream(stream).keep_alive(Duration::from_secs(1), at_once);
        ready_items(stream)
    };
    assert_eq!(alive(vec![FAILED]), some([FAILED]));
    let cut = vec![data("data: 1\n"), FAILED, data("\n")];
    assert_eq!(
        alive(cut.clone()),
        cut.into_iter().map(Some).collect::<Vec<_>>()
    );
    let whole = [FAILED, data("data: 2\n\n"), COMMENT].map(Some);
    assert_eq!(alive(vec![FAILED, data("data: 2\n\n")])[..3], whole);
}

#[test]
fn no_farewell_comes_until_a_block_has_ended_after_it() {
    let ended = |items| {
        let stream = from_stream(stream::iter(items)).until(ready(()));
        ready_items(stream.with_farewell(bye()))
    };
    assert_eq!(
        ended(vec![data("data: 1\n\n"), FAILED])[1..],
        [Some(FAILED), None]
    );
    let items = [FAILED, data("data: 1\n\n"), BYE].map(Some);
    assert_eq!(ended(vec![FAILED, data("data: 1\n\n")])[..3], items);
}

#[test]
fn errors_are_not_delivered_for_ever_after_the_end() {
    let stream = from_stream(stream::repeat(FAILED)).until(ready(()));
    assert_eq!(futures::executor::block_on(stream.count()), 1024 * 1024);
}

#[cfg(feature = "http")]
#[test]
fn a_body_fails_with_the_first_error_of_its_stream() {
    use sse_proto::deps::http::Response;
    use sse_proto::deps::http_body::Body as _;
    use sse_proto::http::{Body, response};

    let items = [data(""), data("data: 1\n\n"), FAILED, data("data: 2\n\n")];
    let stream = from_stream(stream::iter(items));
    let response: Response<Body<_>> = response(stream);
    let mut body = response.into_body();
    let mut frames = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while !body.is_end_stream() {
        if let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
            frames.push(frame.map(|frame| frame.into_data().expect("there are no trailers")));
        }
    }
    assert_eq!(frames, [data("data: 1\n\n"), FAILED]);
    assert!(body.is_end_stream());
}
