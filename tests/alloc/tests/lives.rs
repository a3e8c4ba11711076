//! What a target takes before its first event, and that nothing of it is left once it is gone: in
//! each form, bare and in adapters, however it ended.

use std::future::{Pending, Ready, pending, ready};
use std::hint::black_box;
use std::mem::size_of_val;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use futures::{FutureExt, Stream};
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble};
use sse_proto::target::{
    CloseReason, DispatchError, Limits, On, Overflow, Sharing, channel_with, local_channel_with,
};
use sse_proto::{Event, EventStreamExt, EventType, Frame, Target, channel, local_channel};

const LIVES: usize = 10_000;

const POLICIES: [Overflow; 4] = [
    Overflow::Refuse,
    Overflow::DropOldest,
    Overflow::KeepNewest,
    Overflow::Disconnect,
];

/// Few enough that each life meets its policy.
fn limits(number: usize) -> Limits {
    let limits = Limits::new().with_max_frames(4).with_max_bytes(16 * 1024);
    limits.with_overflow(POLICIES[number % POLICIES.len()])
}

fn delta(number: usize) -> Event<'static> {
    let types = ["delta", "state", "tick"];
    let event_type = EventType::from_static(types[number % types.len()]);
    Event::new(event_type, black_box("a word or two"))
}

fn never(_: Duration) -> Pending<()> {
    pending()
}

fn at_once(_: Duration) -> Ready<()> {
    ready(())
}

fn assert_nothing_left(left: AllocationInfo) {
    assert_eq!((left.count_current, left.bytes_current), (0, 0), "{left:?}");
}

/// Lives one, for what a thread keeps for all of its targets; then all others.
fn leave_nothing(mut life: impl FnMut(usize)) {
    (0..64).for_each(&mut life);
    assert_nothing_left(measure(|| (0..LIVES).for_each(life)));
}

#[test]
fn a_channel_of_either_form_takes_less_than_360_bytes_before_its_first_event() {
    let mut ends = None;
    let made = measure(|| ends = Some(channel()));
    let inline = size_of_val(&ends) as u64;
    assert!(made.bytes_max + inline < 360, "{made:?} and {inline}");

    let mut ends = None;
    let made = measure(|| ends = Some(local_channel()));
    let inline = size_of_val(&ends) as u64;
    assert!(made.bytes_max + inline < 360, "{made:?} and {inline}");
}

#[test]
fn a_drained_channel_holds_one_small_buffer_and_less_than_600_bytes() {
    let mut ends = None;
    let made = measure(|| {
        let (target, mut stream) = channel();
        assert!(target.dispatch(&delta(0)).is_ok());
        poll(&mut stream);
        ends = Some((target, stream));
    });
    let held = usize::try_from(made.bytes_current).expect("something");
    assert!(held < 4096 + 600, "{made:?}");
}

#[test]
fn ten_thousand_shared_channels_leave_nothing() {
    leave_nothing(|number| {
        let (target, stream) = channel_with(limits(number));
        target.listen(On::every_event(), |_| {});
        target.on_close(|_| {});
        live(number, target, stream);
    });
}

#[test]
fn ten_thousand_local_channels_leave_nothing() {
    leave_nothing(|number| {
        let (target, stream) = local_channel_with(limits(number));
        target.listen(On::every_event(), |_| {});
        target.on_close(|_| {});
        live(number, target, stream);
    });
}

#[test]
fn ten_thousand_channels_in_all_adapters_leave_nothing() {
    leave_nothing(|number| {
        let (target, stream) = channel_with(limits(number));
        let (stop, stopped) = futures::channel::oneshot::channel::<()>();
        let stream = stream.until(stopped).with_farewell(bye());
        live(number, target, in_adapters(stream));
        drop(stop);

        let (target, stream) = local_channel_with(limits(number));
        let (stop, stopped) = futures::channel::oneshot::channel::<()>();
        let mut stream = in_adapters(stream.until(stopped).with_farewell(bye()));
        assert!(target.dispatch(&delta(number)).is_ok());
        assert!(stop.send(()).is_ok());
        poll(&mut stream);
        assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
    });
}

fn bye() -> Frame {
    Frame::new(&Event::message("bye"))
}

fn in_adapters(
    stream: impl EventStreamExt<Item = Bytes> + Unpin,
) -> impl Stream<Item = Bytes> + Unpin {
    stream
        .preamble(&Preamble::new().with_comment("hello"))
        .coalesce(16 * 1024)
        .linger(Duration::from_millis(5), at_once)
        .keep_alive(KEEP_ALIVE_INTERVAL, never)
}

/// Uses a target and its stream in all ways, and ends it in one of them.
fn live<S: Sharing>(
    number: usize,
    target: Target<S>,
    mut stream: impl Stream<Item = Bytes> + Unpin,
) {
    let marker = Frame::new(&Event::message("gap"));
    target.set_gap_marker(Some(marker)).expect("it has no id");
    let closed = target.closed();
    let permit = target.reserve(100).now_or_never();
    for event in 0..7 {
        let _ = target.dispatch(&delta(event));
    }
    let mut waits = [target.reserve(9_000), target.reserve(9_000)];
    for reserve in &mut waits {
        let _ = reserve.now_or_never();
    }
    let (event, own) = (delta(number), target.clone());
    let mut send = Box::pin(async move { own.send(&event).await });
    let answer = (&mut send).now_or_never();
    poll(&mut stream);
    let _ = target.dispatch_message(&"x".repeat(10_000));
    let _ = target.dispatch_frame(&bye());
    let again = (&mut waits[0]).now_or_never();
    match number / 4 % 6 {
        0 => drop(stream),
        1 => target.close(),
        2 => target.abort(),
        3 => target.fail("broken"),
        4 => drop(target),
        _ => poll(&mut stream),
    }
    drop((permit, again, waits, closed, send, answer));
}

/// Takes all that is ready.
fn poll(stream: &mut (impl Stream<Item = Bytes> + Unpin)) {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(_)) = Pin::new(&mut *stream).poll_next(&mut cx) {}
}

#[test]
fn behind_a_stalled_client_of_a_channel_no_policy_holds_more_than_promised() {
    const BYTES: usize = 256 * 1024;
    const WAITERS: usize = 100;
    for overflow in POLICIES {
        for waiters in [0, WAITERS] {
            let limits = Limits::new().with_max_bytes(BYTES).with_overflow(overflow);
            let (target, _stream) = channel_with(limits);
            let data = "x".repeat(1_500);
            let mut ends = Vec::new();
            let made = measure(|| ends = produce(&target, waiters, &data));
            // As `Limits::with_max_bytes` says, and for each who waits a place in line.
            let most = match overflow {
                Overflow::KeepNewest => BYTES + BYTES / 8 + 320 * 1024 + 96 * 1_024,
                _ => BYTES + BYTES / 16 + 128 * 1024 + 96 * 1_024,
            };
            let most = most + 512 * waiters;
            assert!(
                made.bytes_max < most as u64,
                "{overflow:?} {waiters}: {made:?}, {most}"
            );
            let full = match overflow {
                Overflow::Disconnect => target.is_closed(),
                Overflow::Refuse => target.queued_bytes() > BYTES - 2_000,
                _ => waiters > 0 || target.dropped_frames() > 10_000,
            };
            assert!(full, "{overflow:?} {waiters}");
            drop(ends);
        }
    }
}

/// Never stops: neither those who send at once, nor those who wait for room.
fn produce<S: Sharing>(
    target: &Target<S>,
    waiters: usize,
    data: &str,
) -> Vec<impl Future<Output = Result<sse_proto::target::Permit<S>, DispatchError>> + Unpin> {
    let mut waits = Vec::new();
    for number in 0..20_000 {
        let event = Event::new(delta(number).event_type().expect("a type").clone(), data);
        match target.dispatch(&event) {
            Ok(_) | Err(DispatchError::Full | DispatchError::Closed(_)) => {}
            Err(error) => panic!("{error}"),
        }
        // Once it is full.
        if number > 1_000 && waits.len() < waiters {
            let mut reserve = target.reserve(250 * 1024);
            if (&mut reserve).now_or_never().is_none() {
                waits.push(reserve);
            }
        }
        if number % 200 == 0 {
            for reserve in &mut waits {
                let _ = reserve.now_or_never();
            }
        }
    }
    waits
}
