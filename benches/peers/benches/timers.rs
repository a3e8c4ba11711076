//! What a keep-alive costs with real timers: each event is polled until pending. The timer is set once, and no event touches it.

use async_io::Timer;
use futures_util::future::pending;
use peers::harness::{Candidate, Role, Work, compare};
use sse_proto::adapt::KEEP_ALIVE_INTERVAL;
use sse_proto::deps::bytes::Bytes;
use sse_proto::{Event, EventStream, EventStreamExt, Target, channel};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

type Stream = Pin<Box<dyn futures_util::Stream<Item = Bytes>>>;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _within = runtime.enter();
    let event = Event::message(r#"{"t":21.5,"h":0.413}"#).with_id(1_700_000_042_u64);
    let mut candidates = [
        candidate(Role::Limit, "channel() alone", &event, |stream| {
            Box::pin(stream)
        }),
        candidate(Role::Ours, "a timer that costs nothing", &event, |stream| {
            Box::pin(stream.keep_alive(KEEP_ALIVE_INTERVAL, |_| pending::<()>()))
        }),
        candidate(Role::Ours, "tokio::time::sleep", &event, |stream| {
            Box::pin(stream.keep_alive(KEEP_ALIVE_INTERVAL, tokio::time::sleep))
        }),
        candidate(Role::Ours, "async_io::Timer::after", &event, |stream| {
            Box::pin(stream.keep_alive(KEEP_ALIVE_INTERVAL, Timer::after))
        }),
    ];
    let work = Work {
        events: 1,
        bytes: event.encoded_len(),
    };
    compare("tick, polled until pending", work, &mut candidates);
}

/// A task that is never run.
struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}

    fn wake_by_ref(self: &Arc<Self>) {}
}

fn candidate<'a>(
    role: Role,
    name: &str,
    event: &'a Event<'a>,
    stack: impl FnOnce(EventStream) -> Stream,
) -> Candidate<'a> {
    let (target, stream): (Target, _) = channel();
    let mut stream = stack(stream);
    let waker = Waker::from(Arc::new(Idle));
    Candidate::new(role, name, move || {
        let mut cx = Context::from_waker(&waker);
        let _ = black_box(target.dispatch(black_box(event)));
        let polled = stream.as_mut().poll_next(&mut cx);
        assert!(polled.is_ready(), "the event is there");
        assert!(
            stream.as_mut().poll_next(&mut cx).is_pending(),
            "the only one"
        );
        polled
    })
}
