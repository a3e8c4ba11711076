//! A client as a stream, poll by poll: what it yields, whom it wakes, what it holds and drops.

#![cfg(feature = "std")]

mod support;

use std::error::Error;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use sse_proto::client::{Handle, LossReason, Options, Response, Update};
use sse_proto::decode::DecodeLimits;
use support::client_life::{Life, change};
use support::fakes::Wakes;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn it_opens_yields_goes_down_and_comes_back_with_its_id() {
    let mut life = Life::new(Options::standard());
    assert_eq!(life.requests(), 0, "it does nothing before it is polled");
    life.open();
    assert_eq!(life.held(), (0, 1));
    life.waits();
    life.feed("id: 7\ndata: a\n\ndata: b\n\ndata: ha");
    assert!(life.was_woken());
    assert_eq!((life.data(), life.data()), ("a".into(), "b".into()));
    life.waits();

    change(&life.server, |server| server.has_ended = true);
    assert!(life.was_woken());
    let Update::Lost(loss) = life.next() else {
        panic!()
    };
    assert!(loss.is_interrupted);
    assert_eq!(
        (loss.reason, loss.retry_in),
        (LossReason::EndOfStream, Some(at(3)))
    );
    assert_eq!(life.held(), (0, 0));
    life.waits();
    assert_eq!((life.requests(), life.clock.sleeps()), (1, 1));
    life.clock.advance(2);
    assert!(!life.was_woken());
    life.clock.advance(1);
    assert!(life.was_woken());
    life.open();
    assert_eq!(life.server.borrow().requests[1].last_event_id(), Some("7"));
    life.waits();
    assert_eq!(life.clock.sleeps(), 0, "nothing to wait for but bytes");
    life.feed("data: c\n\n");
    assert_eq!(life.data(), "c");
}

#[test]
fn a_loss_carries_the_error_of_the_connection_or_of_the_body() {
    let mut life = Life::new(Options::standard());
    let lost = |life: &mut Life| {
        let Update::Lost(loss) = life.next() else {
            panic!()
        };
        assert_eq!(loss.reason, LossReason::IoError);
        let error = loss.source().expect("it has a cause").to_string();
        (error, loss.is_interrupted)
    };
    life.waits();
    life.answer(Err("refused"));
    assert!(life.was_woken());
    assert_eq!(lost(&mut life), ("refused".into(), false));
    life.waits();
    life.clock.advance(3);
    life.open();
    life.feed("data: a\n\ndata: b");
    change(&life.server, |server| server.chunks.push_back(Err("reset")));
    assert_eq!(life.data(), "a");
    assert_eq!(lost(&mut life), ("reset".into(), true));
}

#[test]
fn it_ends_once_it_is_closed_and_stays_ended() {
    let mut life = Life::new(Options::standard().with_connect_timeout(Some(at(5))));
    life.waits();
    assert_eq!((life.held(), life.clock.sleeps()), ((1, 0), 1));
    life.answer(Ok(Response::new(204)));
    assert!(
        matches!(life.next(), Update::Closed(loss) if matches!(loss.reason, LossReason::Rejected(_)))
    );
    assert_eq!(
        (life.held(), life.clock.sleeps()),
        ((0, 0), 0),
        "nothing is held"
    );
    for _ in 0..3 {
        assert!(matches!(life.poll(), Poll::Ready(None)));
    }
}

#[test]
fn a_redirect_drops_the_response_and_asks_again_at_once() {
    let mut life = Life::new(Options::standard());
    life.waits();
    life.answer(Ok(Response::from_headers(
        307,
        [("location", b"https://b.example/")],
    )));
    life.waits();
    assert_eq!(life.held(), (1, 0));
    let server = life.server.borrow();
    assert_eq!(server.requests[1].url(), "https://b.example/");
    assert!(!server.requests[1].may_have_credentials());
}

#[test]
fn a_timeout_drops_what_is_open() {
    let options = Options::resilient()
        .with_connect_timeout(Some(at(5)))
        .with_idle_timeout(Some(at(9)))
        .with_jitter(0);
    let mut life = Life::new(options);
    life.waits();
    life.clock.advance(5);
    assert!(life.was_woken());
    assert!(matches!(life.next(), Update::Lost(loss) if loss.reason == LossReason::ConnectTimeout));
    assert_eq!(life.held(), (0, 0));
    life.waits();
    life.clock.advance(1);
    life.open();
    life.waits();
    life.clock.advance(9);
    assert!(life.was_woken());
    assert!(matches!(life.next(), Update::Lost(loss) if loss.reason == LossReason::IdleTimeout));
    assert_eq!(life.held(), (0, 0));
}

#[test]
fn bytes_put_the_idle_timeout_off_without_a_new_sleep_for_each() {
    let mut life = Life::new(Options::standard().with_idle_timeout(Some(at(10))));
    life.open();
    life.waits();
    let before = life.clock.asked();
    for _ in 0..9 {
        life.clock.advance(1);
        life.feed(":\n");
        life.waits();
    }
    assert_eq!(life.clock.asked(), before);
    // The old sleep is over a while before the silence is.
    life.clock.advance(1);
    assert!(life.was_woken());
    life.waits();
    assert_eq!((life.clock.asked(), life.clock.sleeps()), (before + 1, 1));
    life.clock.advance(8);
    assert!(!life.was_woken());
    life.waits();
    life.clock.advance(1);
    assert!(life.was_woken());
    assert!(matches!(life.next(), Update::Lost(loss) if loss.reason == LossReason::IdleTimeout));
}

#[test]
fn the_source_can_be_closed_reconnected_and_told_of_the_network() {
    let mut life = Life::new(Options::standard());
    life.open();
    life.updates.as_mut().source().reconnect(at(0));
    assert!(matches!(life.next(), Update::Lost(loss) if loss.reason == LossReason::Reconnect));
    life.open();
    life.updates.as_mut().source().handle_network_lost(at(0));
    let Update::Lost(loss) = life.next() else {
        panic!()
    };
    assert_eq!(
        (loss.reason, loss.retry_in),
        (LossReason::NetworkLost, None)
    );
    life.waits();
    assert_eq!((life.held(), life.clock.sleeps()), ((0, 0), 0));
    life.clock.advance(3);
    life.updates.as_mut().source().handle_network_back(at(3));
    life.open();
    life.feed("data: never told\n\n");
    life.updates.as_mut().source().close();
    assert!(matches!(life.next(), Update::Closed(loss) if loss.reason == LossReason::Closed));
    assert_eq!(life.held(), (0, 0));
    assert!(matches!(life.poll(), Poll::Ready(None)));
}

#[test]
fn a_handle_closes_and_reconnects_from_another_thread_and_wakes_the_stream() {
    let mut life = Life::new(Options::standard());
    let handle = life.handle.clone();
    let elsewhere = |command: fn(&Handle)| {
        let handle = handle.clone();
        thread::spawn(move || command(&handle))
            .join()
            .expect("it does not panic");
    };
    life.open();
    life.waits();
    elsewhere(Handle::reconnect);
    assert!(life.was_woken());
    assert!(matches!(life.next(), Update::Lost(loss) if loss.reason == LossReason::Reconnect));
    life.open();
    // The wait for a retry ends, too.
    change(&life.server, |server| server.has_ended = true);
    assert!(matches!(life.next(), Update::Lost(_)));
    life.waits();
    elsewhere(Handle::reconnect);
    assert!(life.was_woken());
    life.open();
    life.waits();
    // Whoever polls last is woken.
    let first = Arc::clone(&life.wakes);
    life.wakes = Wakes::new();
    life.waits();
    // To close is the last word, whatever is asked for with it.
    elsewhere(Handle::close);
    elsewhere(Handle::reconnect);
    assert_eq!((first.take(), life.was_woken()), (0, true));
    assert!(matches!(life.next(), Update::Closed(loss) if loss.reason == LossReason::Closed));
    assert_eq!(life.held(), (0, 0));
    elsewhere(Handle::close);
    assert!(matches!(life.poll(), Poll::Ready(None)));
}

#[test]
fn a_handle_closes_a_stream_that_was_not_polled_yet() {
    let mut life = Life::new(Options::standard());
    life.handle.close();
    assert!(matches!(life.next(), Update::Closed(_)));
    assert_eq!(life.requests(), 0);
}

#[test]
fn a_handle_keeps_no_task_of_a_stream_that_is_gone_or_has_ended() {
    for ends in [false, true] {
        let mut life = Life::new(Options::standard());
        let handle = life.handle.clone();
        life.open();
        life.waits();
        let wakes = Arc::clone(&life.wakes);
        assert!(Arc::strong_count(&wakes) > 2, "the task is kept");
        if ends {
            handle.close();
            assert!(matches!(life.next(), Update::Closed(_)));
        }
        life.server.borrow_mut().waker = None;
        let kept = if ends { 2 } else { 1 };
        if !ends {
            drop(life);
        }
        assert_eq!(Arc::strong_count(&wakes), kept, "{ends}");
        handle.close();
        handle.reconnect();
    }
}

#[test]
fn an_event_that_is_too_large_is_told_and_ends_the_stream_only_if_the_limits_say_so() {
    for ends in [false, true] {
        let limits = DecodeLimits::new()
            .with_max_event_bytes(12)
            .with_end_at_limit(ends);
        let mut life = Life::new(Options::standard().with_decode_limits(limits));
        life.open();
        life.feed("data: longer than that\n\ndata: b\n\n");
        assert!(matches!(life.next(), Update::TooLarge(_)));
        if ends {
            assert!(
                matches!(life.next(), Update::Closed(loss) if matches!(loss.reason, LossReason::TooLarge(_)))
            );
            assert!(matches!(life.poll(), Poll::Ready(None)));
        } else {
            assert_eq!(life.data(), "b");
        }
    }
}

#[test]
fn whoever_polls_last_is_woken() {
    let mut life = Life::new(Options::standard());
    life.open();
    life.waits();
    let first = Arc::clone(&life.wakes);
    life.wakes = Wakes::new();
    life.waits();
    life.feed("data: x\n\n");
    assert_eq!((first.take(), life.was_woken()), (0, true));
}

#[test]
fn a_nearer_deadline_replaces_a_later_sleep() {
    let mut life = Life::new(Options::standard().with_idle_timeout(Some(at(100))));
    life.open();
    life.waits();
    change(&life.server, |server| server.has_ended = true);
    assert!(matches!(life.next(), Update::Lost(loss) if loss.retry_in == Some(at(3))));
    life.waits();
    assert_eq!(life.clock.sleeps(), 1);
    life.clock.advance(3);
    assert!(life.was_woken(), "the sleep of the idle timeout is no good");
    life.waits();
    assert_eq!(life.requests(), 2);
}
