//! `channel()` from dispatch to polled bytes, beside channels that move ready-made `Bytes` and encode nothing.

use crate::Work;
use crate::harness::{Candidate, Role};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use sse_proto::target::{Dispatched, Sharing};
use sse_proto::{Event, EventStream, EventType, Target};
use std::hint::black_box;
use std::mem;
use tokio::sync::mpsc as tokio_mpsc;

/// Returns everybody who moves `burst` events of this work and then receives them.
///
/// # Panics
///
/// When a channel does not give out what was put in: its bytes are checked before anything is measured.
pub fn channels(work: &'static Work, burst: usize) -> Vec<Candidate<'static>> {
    let wire = Bytes::from_static(&work.wire);
    // As bytes that were encoded come along: shared, counted.
    let ready_made = Bytes::from(work.wire.clone());
    let event_type = EventType::from_static(work.event_type.unwrap_or("message"));
    let (target, stream) = sse_proto::channel();
    let dispatched = dispatch(target, stream, event_type.clone(), work, burst);
    let (target, stream) = sse_proto::channel();
    let mut held = dispatch(target, stream, event_type.clone(), work, burst);
    let mut kept = held();
    let (target, stream) = sse_proto::local_channel();
    let local = dispatch(target, stream, event_type.clone(), work, burst);
    let (target, stream) = sse_proto::channel();
    let reserved = reserve(target, stream, event_type, work, burst);
    let (unbounded, unbounded_stream) = mpsc::unbounded();
    let (mut bounded, bounded_stream) = mpsc::channel(64);
    let ready_bounded = ready_made.clone();
    let (tokio_unbounded, unbounded_receiver) = tokio_mpsc::unbounded_channel();
    let (tokio_bounded, bounded_receiver) = tokio_mpsc::channel(64);
    let (tokio_ready, tokio_ready_bounded) = (ready_made.clone(), ready_made.clone());
    let mut candidates = [
        (
            Role::Ours,
            "sse-proto channel()",
            Box::new(dispatched) as Exchange,
        ),
        (
            Role::Ours,
            "sse-proto channel(), a chunk is kept meanwhile",
            Box::new(move || mem::replace(&mut kept, held())),
        ),
        (Role::Ours, "sse-proto local_channel()", Box::new(local)),
        (
            Role::Ours,
            "sse-proto channel(), each event into a permit",
            Box::new(reserved),
        ),
        (
            Role::Peer,
            "futures mpsc::unbounded, Bytes ready-made",
            Box::new(send(unbounded_stream, burst, move || {
                unbounded.unbounded_send(ready_made.clone()).is_ok()
            })),
        ),
        (
            Role::Peer,
            "futures mpsc::channel(64), Bytes ready-made",
            Box::new(send(bounded_stream, burst, move || {
                bounded.try_send(ready_bounded.clone()).is_ok()
            })),
        ),
        (
            Role::Peer,
            "tokio mpsc::unbounded_channel, Bytes ready-made",
            Box::new(send(poll_unbounded(unbounded_receiver), burst, move || {
                tokio_unbounded.send(tokio_ready.clone()).is_ok()
            })),
        ),
        (
            Role::Peer,
            "tokio mpsc::channel(64), Bytes ready-made",
            Box::new(send(poll_bounded(bounded_receiver), burst, move || {
                tokio_bounded.try_send(tokio_ready_bounded.clone()).is_ok()
            })),
        ),
    ];
    for (_, name, exchange) in &mut candidates {
        let received = exchange();
        assert!(received.ends_with(&wire), "{name} gives out the event");
    }
    candidates
        .into_iter()
        .map(|(role, name, exchange)| Candidate::new(role, name, exchange))
        .collect()
}

/// Puts a burst of events in, takes all bytes out, and returns the last of them.
type Exchange = Box<dyn FnMut() -> Bytes>;

fn dispatch<S: Sharing>(
    target: Target<S>,
    mut stream: EventStream<S>,
    event_type: EventType<'static>,
    work: &'static Work,
    burst: usize,
) -> impl FnMut() -> Bytes {
    move || {
        for _ in 0..burst {
            let event = Event::new(event_type.clone(), black_box(work.data));
            let dispatched = target.dispatch(&event);
            assert_eq!(dispatched, Ok(Dispatched::Sent), "an open target with room");
        }
        // One poll takes all that is queued.
        receive(&mut stream)
    }
}

fn reserve(
    target: Target,
    mut stream: EventStream,
    event_type: EventType<'static>,
    work: &'static Work,
    burst: usize,
) -> impl FnMut() -> Bytes {
    move || {
        for _ in 0..burst {
            let event = Event::new(event_type.clone(), black_box(work.data));
            let permit = target.reserve(work.wire.len()).now_or_never();
            let permit = permit.and_then(Result::ok).expect("room");
            let dispatched = permit.dispatch(&event);
            assert_eq!(dispatched, Ok(Dispatched::Sent), "an open target");
        }
        receive(&mut stream)
    }
}

fn send(
    mut stream: impl Stream<Item = Bytes> + Unpin,
    burst: usize,
    mut send_one: impl FnMut() -> bool,
) -> impl FnMut() -> Bytes {
    move || {
        for _ in 0..burst {
            assert!(send_one(), "an open channel with room");
        }
        let mut last = Bytes::new();
        for _ in 0..burst {
            last = receive(&mut stream);
        }
        last
    }
}

fn poll_unbounded(
    mut receiver: tokio_mpsc::UnboundedReceiver<Bytes>,
) -> impl Stream<Item = Bytes> + Unpin {
    stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

fn poll_bounded(mut receiver: tokio_mpsc::Receiver<Bytes>) -> impl Stream<Item = Bytes> + Unpin {
    stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

fn receive(stream: &mut (impl Stream<Item = Bytes> + Unpin)) -> Bytes {
    stream
        .next()
        .now_or_never()
        .flatten()
        .expect("queued bytes")
}
