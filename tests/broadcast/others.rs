//! The code of users and executors beside a broadcast: wakers, predicates, and what they may do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use futures::StreamExt;
use sse_proto::broadcast::{Retention, SubscribeOptions};
use sse_proto::{Broadcast, Event, EventStreamExt, EventType};

use crate::support::fakes::{Reader, Wakes};
use crate::{broadcast, now, publish};

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
    let mut subscription = broadcast.subscribe(None).or_live();
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
            2 => subscription = broadcast.subscribe(None).or_live(),
            _ => broadcast.close(None),
        }
    }
}

#[test]
fn a_predicate_may_use_the_broadcast_and_may_panic_and_nothing_is_lost() {
    let broadcast = broadcast();
    let (panics, used) = (Arc::new(AtomicBool::new(true)), broadcast.clone());
    let asked = Arc::clone(&panics);
    let options = SubscribeOptions::new().with_filter(move |event_type, _| {
        used.statistics();
        assert!(!asked.load(Ordering::Relaxed), "a predicate's panic");
        event_type == "a"
    });
    let mut subscription = broadcast.subscribe_with(None, &options).or_live();
    drop(options);
    let a = |data| Event::new(EventType::from_static("a"), data);
    broadcast.publish(&a("1")).expect("it is open");
    publish(&broadcast, "2");
    broadcast.publish(&a("3")).expect("it is open");
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| now(&mut subscription))).is_err());
    }
    panics.store(false, Ordering::Relaxed);
    assert_eq!(
        now(&mut subscription),
        "event: a\ndata: 1\n\nevent: a\ndata: 3\n\n"
    );
    assert_eq!(broadcast.statistics().most_behind, 0);
}

#[test]
fn a_panic_about_what_was_skipped_leaves_the_subscriber_at_the_oldest() {
    let broadcast = Broadcast::new(Retention::new().with_max_frames(1));
    let options = SubscribeOptions::new().with_skip_ahead(|_| panic!("the caller's"));
    let mut subscription = broadcast.subscribe_with(None, &options).or_live();
    publish(&broadcast, "1");
    publish(&broadcast, "2");
    assert!(catch_unwind(AssertUnwindSafe(|| now(&mut subscription))).is_err());
    assert_eq!(now(&mut subscription), "data: 2\n\n");
}

#[test]
fn who_asks_only_for_what_is_there_takes_no_wake_from_the_task_that_waits() {
    let broadcast = broadcast();
    // After each chunk, the adapter asks for more that is ready.
    let mut reader = Reader::new(broadcast.subscribe(None).or_live().coalesce(100));
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
    let mut subscription = broadcast.subscribe(None).or_live();
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
