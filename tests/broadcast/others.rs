//! The code of users and executors beside a broadcast: wakers, predicates, and what they may do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::StreamExt;
use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::{Broadcast, Event, EventId, EventStreamExt};

use crate::support::fakes::{Reader, Wakes};
use crate::{broadcast, publish};

/// Uses its broadcast when it is woken, cloned away and dropped: a deadlock if the lock is held.
struct Meddler {
    broadcast: Broadcast,
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.broadcast.statistics();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.broadcast.statistics();
    }
}

#[test]
fn wakers_run_and_are_dropped_without_the_lock() {
    let broadcast = broadcast();
    let mut subscription = broadcast.subscribe(None).or_live_untold();
    for last in 0..4 {
        let waker = Waker::from(Arc::new(Meddler {
            broadcast: broadcast.clone(),
        }));
        let mut cx = Context::from_waker(&waker);
        while subscription.poll_next_unpin(&mut cx).is_ready() {}
        drop(waker);
        // Only the broadcast holds it now. A wake, another waker, a drop or the end drops it.
        match last {
            0 => publish(&broadcast, "x"),
            1 => {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(subscription.poll_next_unpin(&mut cx).is_pending());
            }
            2 => subscription = broadcast.subscribe(None).or_live_untold(),
            _ => broadcast.close(None),
        }
    }
}

#[test]
fn keys_clocks_and_callbacks_run_without_the_lock_and_may_panic() {
    let inner = Arc::new(OnceLock::<Broadcast>::new());
    let panics = Arc::new(AtomicBool::new(false));
    let (uses, asked) = (Arc::clone(&inner), Arc::clone(&panics));
    let meddle = Arc::new(move || {
        if let Some(broadcast) = uses.get() {
            broadcast.last_event_id();
        }
        assert!(!asked.load(Ordering::Relaxed), "the caller's panic");
    });
    let (in_key, in_clock, in_tell) = (Arc::clone(&meddle), Arc::clone(&meddle), meddle);
    let retention = Retention::default().with_max_age(Duration::MAX, move || {
        in_clock();
        Duration::ZERO
    });
    let key = Key::from_fn(move |id| {
        in_key();
        id.parse().ok()
    });
    let broadcast = Broadcast::with_key(retention, key);
    broadcast.on_presence(move |_, _| in_tell());
    assert!(inner.set(broadcast.clone()).is_ok());

    let ann = SubscribeOptions::new().with_topics(["ann"]);
    let id = |id: u32| Event::message("x").with_id(id);
    broadcast.publish(&id(1)).expect("it is open");
    for _ in 0..2 {
        panics.store(true, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(|| broadcast.publish(&id(2)))).is_err());
        let subscribe = || broadcast.subscribe_with(None, &ann);
        assert!(catch_unwind(AssertUnwindSafe(subscribe)).is_err());
        panics.store(false, Ordering::Relaxed);
        drop(broadcast.subscribe_with(EventId::from(1_u32), &ann));
    }
    assert_eq!(broadcast.publish(&id(2)), Ok(2));
    assert_eq!(broadcast.statistics().subscribers, 0);
}

#[test]
fn who_asks_only_for_what_is_there_takes_no_wake_from_the_task_that_waits() {
    let broadcast = broadcast();
    // After each chunk, the adapter asks for more that is ready.
    let mut reader = Reader::new(broadcast.subscribe(None).or_live_untold().coalesce(100));
    publish(&broadcast, "1");
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.is_pending());
    publish(&broadcast, "2");
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), "data: 2\n\n");
}

#[test]
fn each_poll_of_another_task_is_the_one_that_is_woken() {
    let broadcast = broadcast();
    let mut subscription = broadcast.subscribe(None).or_live_untold();
    let tasks: Vec<_> = (0..3).map(|_| Wakes::new()).collect();
    for task in &tasks {
        let waker = task.waker();
        assert!(
            subscription
                .poll_next_unpin(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    publish(&broadcast, "x");
    let woken: Vec<_> = tasks.iter().map(|task| task.take()).collect();
    assert_eq!(woken, [0, 0, 1]);
}
