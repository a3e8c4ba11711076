//! Clients that read nothing.
//!
//! A server that is stuck in a write polls no stream, so the stream can't end it. But each event asks
//! for a poll, and where there is none the timer of the keep-alive does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Bytes;
use sse_proto::futures_core::Stream;
use sse_proto::{CloseReason, TargetHandle};
use tokio::time::sleep;

/// After how long without a byte a stream is kept alive. Well below `PATIENCE`, or a stream without events would be taken
/// for a stuck one.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How long a stream may not be polled.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream whose polls are counted.
pub(crate) struct Watched {
    stream: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    polls: Arc<AtomicU64>,
}

impl Watched {
    pub(crate) fn new(
        stream: impl Stream<Item = Bytes> + Send + 'static,
    ) -> (Self, Arc<AtomicU64>) {
        let polls = Arc::new(AtomicU64::new(0));
        let watched = Self {
            stream: Box::pin(stream),
            polls: Arc::clone(&polls),
        };
        (watched, polls)
    }
}

impl Stream for Watched {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.stream.as_mut().poll_next(cx)
    }
}

/// Ends the target of a stream that is not polled any more; done when it has ended, for whatever
/// reason.
pub(crate) async fn cut_when_stuck(target: TargetHandle, polls: Arc<AtomicU64>) {
    let stuck = async {
        let mut seen = u64::MAX;
        while seen != polls.load(Ordering::Relaxed) {
            seen = polls.load(Ordering::Relaxed);
            sleep(PATIENCE).await;
        }
    };
    tokio::select! {
        _ = target.closed() => {}
        () = stuck => target.end(CloseReason::Overflow),
    }
}
