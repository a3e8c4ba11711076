//! Silence on a stream, when the test wants it: a timer without a clock.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;

/// The data of a keep-alive that is an event.
pub(crate) const KEEP_ALIVE: &str = "{}";

/// Lets a keep-alive go out.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    elapsed: watch::Sender<()>,
    comments: Arc<AtomicUsize>,
}

impl Silence {
    pub(crate) fn new() -> Self {
        Self {
            elapsed: watch::Sender::new(()),
            comments: Arc::default(),
        }
    }

    /// Returns the timer of a keep-alive.
    pub(crate) fn timer(&self) -> impl FnMut(Duration) -> Elapse + Send + 'static {
        let elapsed = self.elapsed.clone();
        move |_| {
            let mut elapsed = elapsed.subscribe();
            Box::pin(async move {
                let _ = elapsed.changed().await;
            })
        }
    }

    /// Notes what goes out.
    pub(crate) fn note(&self, bytes: &Bytes) {
        if bytes.starts_with(b":") || bytes.starts_with(b"data: {}\n") {
            self.comments.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns once a keep-alive went out, or after a while if the client reads no more.
    pub(crate) async fn pass(&self) {
        let before = self.comments.load(Ordering::Relaxed);
        for _ in 0..5000 {
            self.elapsed.send_replace(());
            sleep(Duration::from_millis(4)).await;
            if self.comments.load(Ordering::Relaxed) > before {
                return;
            }
        }
    }
}

type Elapse = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
