//! What the adapters add to `channel()`, from the dispatch of an event to its polled bytes.
//!
//! Their timers and their future cost nothing, so that what is measured is the crate's.

#[path = "harness/mod.rs"]
pub mod harness;

use std::future::{Pending, Ready, pending, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use harness::{Candidate, Role, Work, compare};
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble, from_stream};
use sse_proto::{Event, EventStreamExt, EventType, Target, channel};

const LINGER: Duration = Duration::from_millis(5);
const MAX_BYTES: usize = 16 * 1024;

fn main() {
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" the quick brown fox jumps over a dog!!"}}"#;
    let event_type = EventType::from_static("content_block_delta");
    let tick = Event::message(r#"{"t":21.5,"h":0.413}"#).with_id(1_700_000_042_u64);
    for (name, event) in [("delta", &Event::new(event_type, delta)), ("tick", &tick)] {
        compare_stacks(&format!("{name}, one poll an event"), event, 1, Polls::One);
        compare_stacks(
            &format!("{name}, polled until pending"),
            event,
            1,
            Polls::UntilPending,
        );
        compare_stacks(&format!("{name}, 10 events a poll"), event, 10, Polls::One);
    }
}

/// A task that is never run.
struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}

    fn wake_by_ref(self: &Arc<Self>) {}
}

#[derive(Clone, Copy)]
enum Polls {
    /// The least that a consumer does.
    One,
    /// What a server does before it sleeps.
    UntilPending,
}

fn never(_: Duration) -> Pending<()> {
    pending()
}

fn at_once(_: Duration) -> Ready<()> {
    ready(())
}

fn compare_stacks(title: &str, event: &Event<'_>, burst: u32, polls: Polls) {
    let preamble = Preamble::new().with_comment("hello");
    macro_rules! candidate {
        ($role:ident, $name:literal, |$stream:ident| $stack:expr) => {{
            let (target, $stream) = channel();
            exchange(Role::$role, $name, event, burst, polls, target, $stack)
        }};
    }
    let mut candidates = [
        candidate!(Limit, "channel() alone", |stream| stream),
        candidate!(Ours, "from_stream", |stream| from_stream(stream)),
        candidate!(Ours, "until", |stream| stream.until(pending::<()>())),
        candidate!(Ours, "preamble", |stream| stream.preamble(&preamble)),
        candidate!(Ours, "coalesce", |stream| stream.coalesce(MAX_BYTES)),
        candidate!(Ours, "coalesce, linger", |stream| {
            stream.coalesce(MAX_BYTES).linger(LINGER, at_once)
        }),
        candidate!(Ours, "keep_alive", |stream| {
            stream.keep_alive(KEEP_ALIVE_INTERVAL, never)
        }),
        candidate!(Ours, "until, preamble, keep_alive", |stream| {
            stream
                .until(pending::<()>())
                .preamble(&preamble)
                .keep_alive(KEEP_ALIVE_INTERVAL, never)
        }),
        candidate!(
            Ours,
            "all: until, preamble, coalesce, keep_alive",
            |stream| {
                stream
                    .until(pending::<()>())
                    .preamble(&preamble)
                    .coalesce(MAX_BYTES)
                    .keep_alive(KEEP_ALIVE_INTERVAL, never)
            }
        ),
        candidate!(Ours, "all, and linger", |stream| {
            stream
                .until(pending::<()>())
                .preamble(&preamble)
                .coalesce(MAX_BYTES)
                .linger(LINGER, at_once)
                .keep_alive(KEEP_ALIVE_INTERVAL, never)
        }),
    ];
    let bytes = event.encoded_len() * burst as usize;
    compare(
        title,
        Work {
            events: burst,
            bytes,
        },
        &mut candidates,
    );
}

fn exchange<'a>(
    role: Role,
    name: &str,
    event: &'a Event<'a>,
    burst: u32,
    polls: Polls,
    target: Target,
    stream: impl Stream<Item = Bytes> + 'a,
) -> Candidate<'a> {
    let mut stream = Box::pin(stream);
    // As an executor's: counted, and not the one that does nothing.
    let waker = Waker::from(Arc::new(Idle));
    // What comes first is sent before.
    let mut cx = Context::from_waker(&waker);
    while stream.as_mut().poll_next(&mut cx).is_ready() {}
    Candidate::new(role, name, move || {
        let mut cx = Context::from_waker(&waker);
        for _ in 0..burst {
            let _ = black_box(target.dispatch(black_box(event)));
        }
        let polled = stream.as_mut().poll_next(&mut cx);
        assert!(polled.is_ready(), "the event is there");
        if matches!(polls, Polls::UntilPending) {
            let polled = stream.as_mut().poll_next(&mut cx);
            assert!(polled.is_pending(), "there is one event");
        }
        polled
    })
}
