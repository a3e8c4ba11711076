//! Tasks as an executor has them, each with a subscription.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures::Stream;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Broadcast, Subscription};

/// A task: whether it was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Task<S = Subscription> {
    woken: Arc<Woken>,
    waker: Waker,
    subscription: S,
}

impl<S: Stream<Item = Bytes> + Unpin> Task<S> {
    pub(crate) fn new(subscription: S) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self {
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            subscription,
        }
    }

    /// Runs it if it was woken, as an executor does, and returns how many bytes came.
    pub(crate) fn run(&mut self) -> usize {
        let mut bytes = 0;
        if self.woken.0.load(Ordering::Relaxed) {
            self.woken.0.store(false, Ordering::Relaxed);
            let mut cx = Context::from_waker(&self.waker);
            while let Poll::Ready(Some(chunk)) = Pin::new(&mut self.subscription).poll_next(&mut cx)
            {
                bytes += chunk.len();
            }
        }
        bytes
    }
}

pub(crate) fn tasks(
    broadcast: &Broadcast,
    subscribers: usize,
    options: &SubscribeOptions,
) -> Vec<Task> {
    let mut tasks: Vec<_> = (0..subscribers)
        .map(|_| Task::new(broadcast.subscribe_with(None, options).or_live_untold()))
        .collect();
    for task in &mut tasks {
        task.run();
    }
    tasks
}
