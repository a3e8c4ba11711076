//! One source and many clients: `Broadcast` beside the broadcast channels that servers are built on today, and a queue for each
//! client.
//!
//! Each client is a task with a waker of its own, which runs when it was woken and then polls until nothing is there: what a server
//! does, less the runtime. Everybody but axum, whose events are encoded for each client, is given the encoded bytes ready-made;
//! `Broadcast` encodes.

use crate::Work;
use crate::harness::{Candidate, Role};
use ::axum::response::IntoResponse;
use ::axum::response::sse::{Event as AxumEvent, Sse};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{Stream, StreamExt};
use sse_proto::broadcast::{Key, Retention};
use sse_proto::{Broadcast, Event, EventType};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// Room in the channels that have a bound: more than a burst.
const CAPACITY: usize = 1024;

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task<S> {
    woken: Arc<Woken>,
    waker: Waker,
    stream: S,
}

impl<S: Stream<Item = Bytes> + Unpin> Task<S> {
    fn new(stream: S) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut task = Self {
            woken,
            waker,
            stream,
        };
        assert_eq!(task.run(), 0, "nothing was published");
        task
    }

    fn run(&mut self) -> usize {
        let mut bytes = 0;
        if self.woken.0.load(Ordering::Relaxed) {
            self.woken.0.store(false, Ordering::Relaxed);
            let mut cx = Context::from_waker(&self.waker);
            while let Poll::Ready(Some(chunk)) = Pin::new(&mut self.stream).poll_next(&mut cx) {
                bytes += chunk.len();
            }
        }
        bytes
    }
}

/// Publishes a burst to all, and runs all tasks.
fn exchange<'a, S: Stream<Item = Bytes> + Unpin + 'a>(
    streams: impl Iterator<Item = S>,
    burst: usize,
    wire: usize,
    mut publish: impl FnMut() + 'a,
) -> impl FnMut() + 'a {
    let mut tasks: Vec<_> = streams.map(Task::new).collect();
    let expected = tasks.len() * burst * wire;
    move || {
        for _ in 0..burst {
            publish();
        }
        let bytes: usize = tasks.iter_mut().map(Task::run).sum();
        assert_eq!(bytes, expected, "every event for everybody");
    }
}

/// Returns the candidates that deliver bursts of this work to this many clients.
///
/// # Panics
///
/// If a candidate does not deliver everything to every client, which is checked each time.
pub fn broadcasts(work: &'static Work, clients: usize, burst: usize) -> Vec<Candidate<'static>> {
    let len = work.wire.len();
    let ready_made = Bytes::from(work.wire.clone());
    let mut candidates = Vec::new();

    let ours = Broadcast::with_key(Retention::default(), Key::number());
    let subscriptions = (0..clients).map(|_| ours.subscribe(None).or_live_untold());
    let subscriptions: Vec<_> = subscriptions.collect();
    let event_type = EventType::from_static(work.event_type.unwrap_or("message"));
    let publish = move || {
        let event = Event::new(event_type.clone(), work.data);
        ours.publish(&event).expect("it is open");
    };
    candidates.push(Candidate::new(
        Role::Ours,
        "sse-proto Broadcast, encodes",
        exchange(subscriptions.into_iter(), burst, len, publish),
    ));

    let (sender, _) = broadcast::channel(CAPACITY);
    let receivers: Vec<_> = (0..clients).map(|_| sender.subscribe()).collect();
    let streams = receivers.into_iter().map(|receiver| {
        BroadcastStream::new(receiver).map(|bytes| bytes.expect("within its capacity"))
    });
    let bytes = ready_made.clone();
    let publish = move || _ = sender.send(bytes.clone()).expect("somebody listens");
    candidates.push(Candidate::new(
        Role::Peer,
        "tokio broadcast of Bytes, BroadcastStream",
        exchange(streams, burst, len, publish),
    ));

    let (sender, _) = broadcast::channel(CAPACITY);
    let mut receivers: Vec<_> = (0..clients).map(|_| sender.subscribe()).collect();
    let bytes = ready_made.clone();
    candidates.push(Candidate::new(
        Role::Peer,
        "tokio broadcast of Bytes, try_recv, no waker",
        move || {
            for _ in 0..burst {
                sender.send(bytes.clone()).expect("somebody listens");
            }
            let mut received = 0;
            for receiver in &mut receivers {
                while let Ok(bytes) = receiver.try_recv() {
                    received += bytes.len();
                }
            }
            assert_eq!(received, clients * burst * len);
        },
    ));

    let (sender, _) = broadcast::channel(CAPACITY);
    let receivers: Vec<_> = (0..clients).map(|_| sender.subscribe()).collect();
    let streams = receivers.into_iter().map(|receiver| {
        let events = BroadcastStream::new(receiver)
            .map(|event| Ok::<AxumEvent, Infallible>(event.expect("within its capacity")));
        let body = Sse::new(events).into_response().into_body();
        body.into_data_stream()
            .map(|bytes| bytes.expect("it can't fail"))
    });
    let publish = move || {
        let mut event = AxumEvent::default();
        if let Some(event_type) = work.event_type {
            event = event.event(event_type);
        }
        assert!(sender.send(event.data(work.data)).is_ok());
    };
    candidates.push(Candidate::new(
        Role::Peer,
        "axum Sse over a tokio broadcast of events",
        exchange(streams, burst, len, publish),
    ));

    let (sender, receiver) = async_broadcast::broadcast(CAPACITY);
    let receivers: Vec<_> = (0..clients)
        .map(|_| Box::pin(receiver.new_receiver()))
        .collect();
    drop(receiver);
    let bytes = ready_made.clone();
    let publish = move || {
        let sent = sender.try_broadcast(bytes.clone());
        assert!(sent.is_ok(), "within its capacity");
    };
    candidates.push(Candidate::new(
        Role::Peer,
        "async-broadcast of Bytes",
        exchange(receivers.into_iter(), burst, len, publish),
    ));

    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..clients).map(|_| mpsc::unbounded::<Bytes>()).unzip();
    let publish = move || {
        for sender in &senders {
            sender
                .unbounded_send(ready_made.clone())
                .expect("it is open");
        }
    };
    candidates.push(Candidate::new(
        Role::Peer,
        "futures mpsc of Bytes for each client",
        exchange(receivers.into_iter(), burst, len, publish),
    ));
    candidates
}
