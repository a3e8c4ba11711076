//! A client as a stream over foreign code that misbehaves: a body that is always ready, a timer that rings at once, and
//! panics wherever something is called.

#![cfg(feature = "std")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{EventSourceStream, Loss, LossReason, Options, Request, Response, Update};
use sse_proto::decode::OwnedItem;
use sse_proto::deps::futures_core::stream::Stream;
use support::driver::{URL, stream};
use support::fakes::Wakes;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A body made of a function.
struct Body<F>(F);

impl<B, F: FnMut() -> Poll<Option<Result<B, &'static str>>> + Unpin> Stream for Body<F> {
    type Item = Result<B, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        (self.0)()
    }
}

type Polled = Poll<Option<Update>>;

fn opens(updates: Pin<&mut impl Stream<Item = Update>>) -> bool {
    matches!(poll(updates), Poll::Ready(Some(Update::Opened)))
}

fn poll(updates: Pin<&mut impl Stream<Item = Update>>) -> Polled {
    updates.poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_body_that_is_always_ready_lets_go_of_the_poll() {
    for bytes in ["", ": a comment\n"] {
        let chunks = Cell::new(0);
        let open = |_: Request| {
            ready(Ok((
                stream(),
                Body(|| {
                    chunks.set(chunks.get() + 1);
                    assert!(chunks.get() < 10_000, "it never lets go");
                    Poll::Ready(Some(Ok(bytes)))
                }),
            )))
        };
        let source = EventSource::with_seed(URL, Options::standard(), 0);
        let timer = |_| pending::<()>();
        let mut updates = pin!(EventSourceStream::with_clock(source, open, timer, || at(0)));
        assert!(opens(updates.as_mut()));
        for polls in 1..10 {
            let wakes = Wakes::new();
            let by = wakes.waker();
            let polled = updates.as_mut().poll_next(&mut Context::from_waker(&by));
            assert!(polled.is_pending());
            assert_eq!(wakes.take(), 1, "there is more");
            assert!(chunks.get() <= 32 * polls);
        }
    }
}

#[test]
fn chunks_without_bytes_put_no_idle_timeout_off() {
    let open = |_: Request| ready(Ok((stream(), Body(|| Poll::Ready(Some(Ok("")))))));
    let now = Cell::new(0);
    let clock = || {
        now.set(now.get() + 1);
        at(now.get())
    };
    let options = Options::standard().with_idle_timeout(Some(at(300)));
    let source = EventSource::with_seed(URL, options, 0);
    let mut updates = pin!(EventSourceStream::with_clock(
        source,
        open,
        |_| pending::<()>(),
        clock
    ));
    assert!(opens(updates.as_mut()));
    let down = (0..20).find_map(|_| match poll(updates.as_mut()) {
        Poll::Ready(Some(Update::Lost(loss))) => Some(loss.reason),
        Poll::Pending => None,
        other @ Poll::Ready(_) => panic!("{other:?}"),
    });
    assert_eq!(down, Some(LossReason::IdleTimeout));
    assert!((300..310).contains(&now.get()), "at {} s", now.get());
}

#[test]
fn a_timer_that_rings_while_the_clock_stands_lets_go_of_the_poll() {
    type Next = Poll<Option<Result<&'static str, &'static str>>>;

    let rings = Cell::new(0);
    let timer = |_| {
        rings.set(rings.get() + 1);
        assert!(rings.get() < 10_000, "it never lets go");
        ready(())
    };
    let open = |_: Request| pending::<Result<(Response, Body<fn() -> Next>), &'static str>>();
    let source = EventSource::with_seed(URL, Options::resilient(), 0);
    let mut updates = pin!(EventSourceStream::with_clock(source, open, timer, || at(0)));
    let wakes = Wakes::new();
    let by = wakes.waker();
    let polled = updates.as_mut().poll_next(&mut Context::from_waker(&by));
    assert!(polled.is_pending());
    assert_eq!(wakes.take(), 1);
    assert!(rings.get() <= 32);
}

/// Where foreign code panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Clock,
    Open,
    Opening,
    Body,
    Timer,
    Sleep,
}

/// Panics once, at the call of this number to one place.
struct Trap {
    place: Place,
    left: Cell<usize>,
}

impl Trap {
    fn pass(&self, place: Place) {
        if place == self.place && self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            assert!(self.left.get() > 0, "a panic of foreign code");
        }
    }
}

/// What is yielded by a server whose events come one in a chunk, and that resumes, if at one place there is a panic.
/// Gives the data of the events, the reasons to go down, and whether there was a panic at all.
fn played(place: Place, call: usize) -> (Vec<String>, Vec<LossReason>, bool) {
    let trap = Trap {
        place,
        left: Cell::new(call),
    };
    let now = Cell::new(0);
    let clock = || {
        trap.pass(Place::Clock);
        at(now.get())
    };
    let open = |request: Request| {
        trap.pass(Place::Open);
        let trap = &trap;
        let mut id: u32 = request.last_event_id().map_or(0, |id| id.parse().unwrap());
        let mut is_ready = false;
        async move {
            trap.pass(Place::Opening);
            let body = Body(move || {
                trap.pass(Place::Body);
                is_ready = !is_ready;
                if !is_ready {
                    return Poll::Pending;
                }
                id += 1;
                let chunk = format!("id: {id}\ndata: {id}\n\ndata: {id}+\n\n");
                Poll::Ready((id <= 5).then_some(Ok(chunk)))
            });
            let head = if id < 5 { stream() } else { Response::new(204) };
            Ok::<_, &'static str>((head, body))
        }
    };
    let timer = |_| {
        trap.pass(Place::Timer);
        let trap = &trap;
        async move {
            trap.pass(Place::Sleep);
            pending::<()>().await;
        }
    };
    let options = Options::standard().with_idle_timeout(Some(at(1000)));
    let source = EventSource::with_seed(URL, options, 0);
    let mut updates = pin!(EventSourceStream::with_clock(source, open, timer, clock));
    let (mut data, mut downs, mut has_panicked) = (Vec::new(), Vec::new(), false);
    for _ in 0..100 {
        match catch_unwind(AssertUnwindSafe(|| poll(updates.as_mut()))) {
            Ok(Poll::Ready(Some(Update::Item(OwnedItem::Event(event))))) => {
                data.push(event.data().to_owned());
            }
            Ok(Poll::Ready(Some(Update::Lost(Loss { reason, .. })))) => downs.push(reason),
            Ok(Poll::Ready(Some(Update::Closed(loss)))) => {
                assert!(matches!(loss.reason, LossReason::Rejected(_)));
                return (data, downs, has_panicked);
            }
            Ok(Poll::Ready(None)) => unreachable!("closed is told"),
            Ok(_) => now.set(now.get() + 1),
            Err(_) => has_panicked = true,
        }
    }
    panic!("a panic at call {call} of {place:?} and it hangs: {data:?} {downs:?}");
}

#[test]
fn foreign_code_that_panics_loses_no_event_and_never_hangs_the_client() {
    let expected: Vec<_> = (1..=5)
        .flat_map(|id| [format!("{id}"), format!("{id}+")])
        .collect();
    for place in [
        Place::Clock,
        Place::Open,
        Place::Opening,
        Place::Body,
        Place::Timer,
        Place::Sleep,
    ] {
        let mut calls = 0;
        for call in 1.. {
            let (data, downs, has_panicked) = played(place, call);
            if !has_panicked {
                assert_eq!(downs, [LossReason::EndOfStream]);
                break;
            }
            calls = call;
            assert_eq!(data, expected, "call {call} of {place:?}");
            // What panics is as good as a failed connection; a clock is none.
            let is_clock = place == Place::Clock;
            let failures = downs.iter().filter(|&down| *down == LossReason::IoError);
            assert!(failures.count() <= usize::from(!is_clock), "{downs:?}");
        }
        assert!(calls > 0, "{place:?} is never called");
    }
}

#[test]
fn a_source_that_was_started_elsewhere_goes_on_here() {
    let (mut started, mut open) = (EventSource::with_seed(URL, Options::standard(), 0), 0);
    started.start(at(0));
    // Its request is lost with who polled it.
    assert!(started.poll_output().is_some());
    let opener = |_: Request| {
        open += 1;
        ready(Ok((
            stream(),
            Body(|| Poll::<Option<Result<&str, &'static str>>>::Pending),
        )))
    };
    let now = Cell::new(0);
    let clock = || at(now.get());
    let mut updates = pin!(EventSourceStream::with_clock(
        started,
        opener,
        |_| pending::<()>(),
        clock
    ));
    let Poll::Ready(Some(Update::Lost(loss))) = poll(updates.as_mut()) else {
        panic!("it hangs")
    };
    assert_eq!(
        (loss.reason, loss.retry_in),
        (LossReason::IoError, Some(at(3)))
    );
    assert!(poll(updates.as_mut()).is_pending());
    now.set(3);
    assert!(opens(updates.as_mut()));
    assert!(updates.source().is_open());
    assert_eq!(open, 1);
}

/// A chunk that knows whether it is held.
struct Held(Rc<RefCell<usize>>);

impl Held {
    fn new(held: &Rc<RefCell<usize>>) -> Self {
        *held.borrow_mut() += 1;
        Self(Rc::clone(held))
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        b"data: a\n\ndata: b\n\n"
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.borrow_mut() -= 1;
    }
}

#[test]
fn the_rest_of_a_chunk_is_dropped_before_the_end_is_told() {
    let held = Rc::new(RefCell::new(0));
    let open = |_: Request| {
        let held = Rc::clone(&held);
        ready(Ok((
            stream(),
            Body(move || Poll::Ready(Some(Ok(Held::new(&held))))),
        )))
    };
    let source = EventSource::with_seed(URL, Options::standard(), 0);
    let mut updates = pin!(EventSourceStream::with_clock(
        source,
        open,
        |_| pending::<()>(),
        || at(0)
    ));
    assert!(opens(updates.as_mut()));
    assert!(matches!(
        poll(updates.as_mut()),
        Poll::Ready(Some(Update::Item(_)))
    ));
    assert_eq!(*held.borrow(), 1, "half of it is not told yet");
    updates.as_mut().source_mut().close();
    assert!(matches!(
        poll(updates.as_mut()),
        Poll::Ready(Some(Update::Closed(_)))
    ));
    assert_eq!(*held.borrow(), 0);
}
