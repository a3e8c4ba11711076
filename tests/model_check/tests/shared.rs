//! Law 10 on threads: whatever the order in which they run, no wake is lost (the checker calls what
//! nobody wakes a deadlock), nothing is sent twice, and everybody is told of the end.

use futures::{FutureExt, StreamExt};
use shuttle::future::block_on;
use shuttle::thread;
use sse_proto::Event;
use sse_proto::target::{CloseReason, DispatchError, Dispatched, Limits, On, channel_with};

/// Tries some thousand orders at random, and some with few switches at chosen places.
fn check(work: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(work, 5_000);
    shuttle::check_pct(work, 5_000, 3);
}

fn one_frame() -> Limits {
    Limits::new().with_max_frames(1)
}

#[test]
fn what_is_dispatched_on_other_threads_is_read() {
    check(|| {
        let (target, stream) = channel_with(Limits::new());
        for _ in 0..2 {
            let target = target.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent));
                }
            });
        }
        drop(target);
        let read = block_on(stream.map(|chunk| chunk.len()).collect::<Vec<_>>());
        assert_eq!(read.iter().sum::<usize>(), 4 * 9);
    });
}

#[test]
fn all_who_wait_for_room_are_served() {
    check(|| {
        let (target, stream) = channel_with(one_frame());
        for _ in 0..3 {
            let target = target.clone();
            thread::spawn(move || {
                let permit = block_on(target.reserve(9)).expect("it is open");
                let sent = permit.dispatch(&Event::message("x"));
                assert_eq!(sent, Ok(Dispatched::Sent));
            });
        }
        drop(target);
        let read = block_on(stream.map(|chunk| chunk.len()).collect::<Vec<_>>());
        assert_eq!(read, [9, 9, 9]);
    });
}

#[test]
fn all_who_send_are_served_beside_those_who_reserve() {
    check(|| {
        let (target, stream) = channel_with(one_frame());
        for number in 0..3 {
            let target = target.clone();
            thread::spawn(move || {
                let event = Event::message("x");
                let sent = if number == 0 {
                    let permit = block_on(target.reserve(9)).expect("it is open");
                    permit.dispatch(&event)
                } else {
                    block_on(target.send(&event))
                };
                assert_eq!(sent, Ok(Dispatched::Sent));
            });
        }
        drop(target);
        let read = block_on(stream.map(|chunk| chunk.len()).collect::<Vec<_>>());
        assert_eq!(read, [9, 9, 9]);
    });
}

#[test]
fn who_gives_up_takes_no_room_with_it() {
    check(|| {
        let (target, stream) = channel_with(one_frame());
        let permit = block_on(target.reserve(9)).expect("there is room");
        let waits = target.clone();
        let sender = thread::spawn(move || {
            let permit = block_on(waits.reserve(9)).expect("it is open");
            permit.dispatch(&Event::message("x"))
        });
        let leaves = target.clone();
        thread::spawn(move || {
            let mut reserve = leaves.reserve(9);
            // With room or without.
            let _ = (&mut reserve).now_or_never();
            thread::yield_now();
            drop(reserve);
        });
        thread::spawn(move || drop(permit));
        assert_eq!(sender.join().unwrap(), Ok(Dispatched::Sent));
        drop((target, stream));
    });
}

#[test]
fn the_end_reaches_everybody() {
    check(|| {
        let (target, stream) = channel_with(one_frame());
        let held = block_on(target.reserve(9)).expect("there is room");
        let waits = target.clone();
        let waiting = thread::spawn(move || block_on(waits.reserve(9)).err());
        let closed = target.closed();
        let told = thread::spawn(move || block_on(closed));
        let dispatches = target.clone();
        thread::spawn(move || _ = dispatches.dispatch_message("x"));
        thread::spawn(move || drop(stream));
        let gone = CloseReason::ClientGone;
        assert_eq!(told.join().unwrap(), gone);
        assert_eq!(waiting.join().unwrap(), Some(DispatchError::Closed(gone)));
        drop(held);
    });
}

#[test]
fn listeners_on_two_threads_are_not_within_each_other() {
    check(|| {
        let (target, stream) = channel_with(Limits::new());
        target.listen(On::message(), |_| thread::yield_now());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let target = target.clone();
                thread::spawn(move || target.dispatch_message("x"))
            })
            .collect();
        let closes = target.clone();
        let closer = thread::spawn(move || closes.close());
        let sent = threads.into_iter().map(|thread| thread.join().unwrap());
        let sent = sent.filter(Result::is_ok).count();
        closer.join().unwrap();
        drop(target);
        let read = block_on(stream.map(|chunk| chunk.len()).collect::<Vec<_>>());
        assert_eq!(read.iter().sum::<usize>(), sent * 9);
    });
}
