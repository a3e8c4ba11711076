//! What an open connection that waits takes of the crate's memory: the body of its response, and its
//! part of the broadcast. (The server's buffers and the system's are many times that.)

use std::future::{Pending, pending};
use std::mem::size_of_val;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use futures::Stream;
use http_body::Body as _;
use sse_proto::adapt::KEEP_ALIVE_INTERVAL;
use sse_proto::broadcast::{Key, Retention};
use sse_proto::http::Body;
use sse_proto::{Broadcast, Event, EventStreamExt, Subscription};

const CONNECTIONS: usize = 10_000;

/// Waits in the place of a runtime's timer, which is the runtime's own.
fn never(_: Duration) -> Pending<()> {
    pending()
}

#[test]
fn an_open_connection_takes_less_than_200_bytes() {
    let bytes = held_by_one(|subscription| subscription);
    assert!(bytes < 200, "{bytes} bytes");
}

#[test]
fn keeping_an_open_connection_alive_takes_at_most_96_bytes_and_the_timer() {
    let plain = held_by_one(|subscription| subscription);
    let bytes = held_by_one(|subscription| subscription.keep_alive(KEEP_ALIVE_INTERVAL, never));
    assert!(bytes <= plain + 96, "{bytes} bytes, {plain} without");
}

/// All that is allocated for many, and themselves, by their number.
fn held_by_one<S: Stream<Item = Bytes> + Unpin>(stack: impl Fn(Subscription) -> S) -> usize {
    let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    let mut bodies = Vec::with_capacity(CONNECTIONS);
    let mut each = 0;
    let left = measure(|| {
        for _ in 0..CONNECTIONS {
            let mut body = Body::new(stack(broadcast.subscribe(None).or_live_untold()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
            each = size_of_val(&body);
            bodies.push(body);
        }
        broadcast
            .publish(&Event::message("to all of them"))
            .expect("it fits");
        for body in &mut bodies {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = Pin::new(&mut *body).poll_frame(&mut cx);
            assert!(matches!(polled, Poll::Ready(Some(Ok(_)))));
            assert!(Pin::new(body).poll_frame(&mut cx).is_pending());
        }
    });
    let held = usize::try_from(left.bytes_current).expect("no less than before");
    held / CONNECTIONS + each
}
