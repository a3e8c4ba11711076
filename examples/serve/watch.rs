//! Clients that read nothing.
//!
//! A server that is blocked in a write does not poll the stream, so the stream cannot end the
//! connection. A healthy stream is polled for each event, and otherwise when the keep-alive timer
//! fires. A stream that is not polled for some time is stuck. A client that only reads slowly is
//! not mistaken for a stuck one, because a large chunk is passed on in pieces, each with a poll.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Bytes;
use sse_proto::Target;
use sse_proto::deps::futures_core::Stream;
use tokio::time::sleep;

/// The time without a byte after which a comment is sent. It is well below `PATIENCE`; otherwise a
/// stream without events would look stuck.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// The time without a poll after which a stream counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum size of a piece in bytes. A client that takes less than one piece within `PATIENCE`
/// is stuck.
const PIECE: usize = 16 * 1024;

/// A stream whose polls are counted.
pub(crate) struct Watched {
    /// The rest of a large chunk.
    rest: Bytes,
    stream: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    polls: Arc<AtomicU64>,
}

impl Watched {
    pub(crate) fn new(
        stream: impl Stream<Item = Bytes> + Send + 'static,
    ) -> (Self, Arc<AtomicU64>) {
        let polls = Arc::new(AtomicU64::new(0));
        let watched = Self {
            rest: Bytes::new(),
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
        if self.rest.is_empty() {
            match self.stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(chunk)) => self.rest = chunk,
                nothing => return nothing,
            }
        }
        let piece = PIECE.min(self.rest.len());
        Poll::Ready(Some(self.rest.split_to(piece)))
    }
}

/// Aborts the target if its stream is no longer polled. Returns when the target has ended, for any
/// reason.
pub(crate) async fn cut_when_stuck(target: Target, polls: Arc<AtomicU64>) {
    let stuck = async {
        let mut seen = u64::MAX;
        while seen != polls.load(Ordering::Relaxed) {
            seen = polls.load(Ordering::Relaxed);
            sleep(PATIENCE).await;
        }
    };
    tokio::select! {
        _ = target.closed() => {}
        () = stuck => target.abort(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_proto::target::CloseReason;
    use sse_proto::{Event, channel};
    use std::pin::pin;

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_large_event_slowly_is_not_cut() {
        let (target, stream) = channel();
        let event = Event::message("a".repeat(300_000));
        target.dispatch(&event).expect("room for it");
        let (watched, polls) = Watched::new(stream);
        let reads = async {
            let mut watched = pin!(watched);
            let mut bytes = Vec::new();
            while bytes.len() < event.to_bytes().len() {
                let piece = std::future::poll_fn(|cx| watched.as_mut().poll_next(cx)).await;
                let piece = piece.expect("it is open");
                bytes.extend_from_slice(&piece);
                // The connection takes 2000 bytes a second.
                sleep(Duration::from_millis(piece.len() as u64 / 2)).await;
            }
            assert_eq!(bytes, event.to_bytes());
            assert!(!target.is_closed());
            // Then it reads nothing, and is cut.
            target.closed().await
        };
        let cut = cut_when_stuck(target.clone(), polls);
        let (reason, ()) = tokio::join!(reads, cut);
        assert_eq!(reason, CloseReason::Aborted);
    }
}
