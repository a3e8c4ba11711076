//! A publisher on a thread of its own.

use std::thread;
use std::time::{Duration, Instant};

use sse_proto::broadcast::{Key, Retention, SubscribeOptions};
use sse_proto::{Broadcast, Event, Frame};

use crate::delta;
use crate::task::{Task, tasks};

/// Not interleaved, since each run has two threads: one publishes as fast as it can or in step with the slowest, one runs the
/// tasks.
pub(crate) fn two_threads() {
    if !std::env::args().any(|argument| argument == "--bench")
        || std::env::args()
            .skip(1)
            .any(|argument| !argument.starts_with('-') && !"two threads".contains(&argument))
    {
        return;
    }
    println!("\ntwo threads, a second each");
    println!(
        "  {:<36}{:>14}{:>14}{:>20}{:>16}",
        "", "published/s", "ns a publish", "delivered/s", "ns a delivery"
    );
    for subscribers in [0, 1, 100, 1_000, 10_000] {
        run_two_threads(subscribers, 0);
        if subscribers > 0 {
            run_two_threads(subscribers, 8);
        }
    }
}

/// The publisher waits while the slowest is more than `window` frames behind, if that is not 0.
fn run_two_threads(subscribers: usize, window: u64) {
    let retention = Retention::new(100_000, 64 * 1024 * 1024);
    let broadcast = Broadcast::with_key(retention, Key::number());
    let skip = SubscribeOptions::new().with_skip_ahead(Frame::new(&Event::message("skipped")));
    let mut tasks = tasks(&broadcast, subscribers, &skip);
    let len = Frame::new(&delta()).as_bytes().len();
    let second = Duration::from_secs(1);
    let reads = thread::spawn(move || {
        let (start, mut bytes) = (Instant::now(), 0_usize);
        while start.elapsed() < second && !tasks.is_empty() {
            bytes += tasks.iter_mut().map(Task::run).sum::<usize>();
        }
        bytes / len
    });
    let (start, mut published, mut spent) = (Instant::now(), 0_u32, Duration::ZERO);
    while start.elapsed() < second {
        let before = Instant::now();
        for _ in 0..8 {
            broadcast.publish(&delta()).expect("it is open");
        }
        spent += before.elapsed();
        published += 8;
        while window > 0 && broadcast.statistics().most_behind > window && start.elapsed() < second
        {
            thread::yield_now();
        }
    }
    let delivered = reads.join().expect("it does not panic");
    let how = if window == 0 {
        "as fast as it goes"
    } else {
        "in step"
    };
    println!(
        "  {:<36}{published:>14}{:>14}{delivered:>20}{:>16.1}",
        format!("{subscribers} subscribers, {how}"),
        spent.as_nanos() / u128::from(published.max(1)),
        second.as_secs_f64() * 1e9 / f64::from(u32::try_from(delivered.max(1)).unwrap_or(u32::MAX)),
    );
}
