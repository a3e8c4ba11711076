//! What a decoded stream does with a body that never waits.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sse_proto::Decoder;
use sse_proto::decode::DecodeStream;
use sse_proto::deps::futures_core::stream::Stream;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Chunks of the same bytes, as many as are left, and then others.
struct Body {
    bytes: &'static str,
    left: usize,
    last: &'static str,
}

impl Stream for Body {
    type Item = Result<&'static str, ()>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left > 0 {
            self.left -= 1;
            return Poll::Ready(Some(Ok(self.bytes)));
        }
        match std::mem::take(&mut self.last) {
            "" => Poll::Ready(None),
            last => Poll::Ready(Some(Ok(last))),
        }
    }
}

#[test]
fn a_body_that_is_always_ready_lets_go_of_the_poll() {
    for bytes in ["", ": a comment\n"] {
        for left in [0, 31, 32, 33, 64, 1000] {
            let last = "data: a\n\ndata: b\n\n";
            let body = Body { bytes, left, last };
            let mut events = DecodeStream::new(body, Decoder::new());
            let wakes = Arc::new(Wakes::default());
            let by = Waker::from(Arc::clone(&wakes));
            let mut context = Context::from_waker(&by);
            let (mut seen, mut pending) = (0, 0);
            loop {
                match Pin::new(&mut events).poll_next(&mut context) {
                    Poll::Ready(Some(item)) => {
                        assert!(item.is_ok());
                        seen += 1;
                    }
                    Poll::Ready(None) => break,
                    Poll::Pending => pending += 1,
                }
                assert_eq!(wakes.0.load(Ordering::Relaxed), pending);
            }
            assert_eq!(seen, 2, "none is lost");
            assert_eq!(pending, left / 32, "{left} chunks without an item");
        }
    }
}
