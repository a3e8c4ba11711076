//! A timer without a clock, so that a keep-alive is sent when the test wants it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;

/// The data of a keep-alive that is an event.
pub(crate) const KEEP_ALIVE: &str = "{}";

/// Fires the timer of a keep-alive, and sees the keep-alive go out.
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

    /// Counts the chunk if it is a keep-alive.
    pub(crate) fn note(&self, bytes: &Bytes) {
        if bytes.starts_with(b":") || bytes.starts_with(b"data: {}\n") {
            self.comments.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Fires until a keep-alive was sent. Gives up after 20 seconds, because the client may have gone.
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
