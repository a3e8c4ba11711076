//! A client as a stream, poll by poll: what it yields, whom it wakes, what it holds and drops.

mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sse_proto::client::{
    ClosedReason, DownReason, EventSource, EventSourceStream, Options, Request, Response, Update,
};
use sse_proto::futures_core::stream::{FusedStream, Stream};
use sse_proto::{AfterLimit, DecodeLimits, OwnedItem};
use support::driver::{URL, stream};
use support::fakes::{Clock, Wakes};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that the test plays: it knows what was asked, and what of it is still held.
#[derive(Default)]
struct Server {
    requests: Vec<Request>,
    /// What the next request is answered with, once it is there.
    answer: Option<Result<Response, &'static str>>,
    chunks: VecDeque<Result<Vec<u8>, &'static str>>,
    has_ended: bool,
    futures: usize,
    bodies: usize,
    waker: Option<Waker>,
}

type Shared = Rc<RefCell<Server>>;

fn change(server: &Shared, change: impl FnOnce(&mut Server)) {
    let mut inner = server.borrow_mut();
    change(&mut inner);
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Must not be polled once it has resolved.
struct Opening(Shared, bool);

impl Future for Opening {
    type Output = Result<(Response, Body), &'static str>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.1, "polled after it resolved");
        let answer = self.0.borrow_mut().answer.take();
        let Some(answer) = answer else {
            self.0.borrow_mut().waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.1 = true;
        Poll::Ready(answer.map(|response| {
            let mut server = self.0.borrow_mut();
            server.bodies += 1;
            server.chunks.clear();
            server.has_ended = false;
            (response, Body(Rc::clone(&self.0), false))
        }))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.borrow_mut().futures -= 1;
    }
}

/// Must not be polled once it has ended.
struct Body(Shared, bool);

impl Stream for Body {
    type Item = Result<Vec<u8>, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!self.1, "polled after its end");
        let mut server = self.0.borrow_mut();
        let next = server.chunks.pop_front();
        let has_ended = next.is_none() && server.has_ended;
        if next.is_none() && !has_ended {
            server.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(server);
        self.1 = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.borrow_mut().bodies -= 1;
    }
}

type Updates = Pin<Box<dyn Polled>>;

/// The stream with its source, whatever its parts are.
trait Polled: FusedStream<Item = Update<&'static str>> {
    fn source(self: Pin<&mut Self>) -> &mut EventSource;
}

impl<O, F, S, B, T, C> Polled for EventSourceStream<O, F, S, B, T, C>
where
    T: sse_proto::Timer,
    Self: FusedStream<Item = Update<&'static str>>,
{
    fn source(self: Pin<&mut Self>) -> &mut EventSource {
        self.source_mut()
    }
}

struct Life {
    updates: Updates,
    server: Shared,
    clock: Rc<Clock>,
    wakes: Arc<Wakes>,
}

impl Life {
    fn new(options: Options) -> Self {
        let server = Shared::default();
        let clock = Clock::new();
        let open = {
            let server = Rc::clone(&server);
            move |request| {
                let mut inner = server.borrow_mut();
                assert_eq!(
                    (inner.futures, inner.bodies),
                    (0, 0),
                    "one connection at a time"
                );
                inner.requests.push(request);
                inner.futures += 1;
                Opening(Rc::clone(&server), false)
            }
        };
        let now = {
            let clock = Rc::clone(&clock);
            move || clock.now()
        };
        let source = EventSource::new(URL, options, 0);
        Self {
            updates: Box::pin(EventSourceStream::new(source, open, clock.timer(), now)),
            server,
            clock,
            wakes: Wakes::new(),
        }
    }

    fn poll(&mut self) -> Poll<Option<Update<&'static str>>> {
        self.wakes.take();
        let waker = self.wakes.waker();
        let polled = self
            .updates
            .as_mut()
            .poll_next(&mut Context::from_waker(&waker));
        assert_eq!(self.wakes.take(), 0, "a poll wakes nobody");
        polled
    }

    fn next(&mut self) -> Update<&'static str> {
        match self.poll() {
            Poll::Ready(Some(update)) => update,
            other => panic!("nothing comes: {other:?}"),
        }
    }

    fn data(&mut self) -> String {
        match self.next() {
            Update::Item(OwnedItem::Event(event)) => event.data().to_owned(),
            other => panic!("no event: {other:?}"),
        }
    }

    /// Nothing is there, and whoever polled is woken once there is.
    fn waits(&mut self) {
        assert!(self.poll().is_pending());
    }

    fn was_woken(&self) -> bool {
        self.wakes.take() > 0
    }

    fn answer(&self, answer: Result<Response, &'static str>) {
        change(&self.server, |server| server.answer = Some(answer));
    }

    fn feed(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        change(&self.server, |server| server.chunks.push_back(Ok(bytes)));
    }

    fn requests(&self) -> usize {
        self.server.borrow().requests.len()
    }

    fn held(&self) -> (usize, usize) {
        let server = self.server.borrow();
        (server.futures, server.bodies)
    }

    fn open(&mut self) {
        self.waits();
        self.answer(Ok(stream()));
        assert!(self.was_woken());
        assert_eq!(self.next(), Update::Opened);
    }
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
    let Update::Down(down) = life.next() else {
        panic!()
    };
    assert_eq!(
        (down.reason, down.retry_in),
        (DownReason::Interrupted, Some(at(3)))
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
fn an_error_comes_before_what_follows_from_it() {
    let mut life = Life::new(Options::standard());
    life.waits();
    life.answer(Err("refused"));
    assert!(life.was_woken());
    assert_eq!(life.next(), Update::Error("refused"));
    assert!(matches!(life.next(), Update::Down(down) if down.reason == DownReason::IoError));
    life.waits();
    life.clock.advance(3);
    life.open();
    life.feed("data: a\n\ndata: b");
    change(&life.server, |server| server.chunks.push_back(Err("reset")));
    assert_eq!(life.data(), "a");
    assert_eq!(life.next(), Update::Error("reset"));
    let Update::Down(down) = life.next() else {
        panic!()
    };
    assert!(down.is_interrupted);
}

#[test]
fn it_ends_once_it_is_closed_and_stays_ended() {
    let mut life = Life::new(Options::standard().with_connect_timeout(Some(at(5))));
    life.waits();
    assert_eq!((life.held(), life.clock.sleeps()), ((1, 0), 1));
    life.answer(Ok(Response::new(204)));
    assert!(!life.updates.is_terminated());
    assert!(
        matches!(life.next(), Update::Closed(closed) if matches!(closed.reason, ClosedReason::Rejected(_)))
    );
    assert!(life.updates.is_terminated());
    assert_eq!(
        (life.held(), life.clock.sleeps()),
        ((0, 0), 0),
        "nothing is held"
    );
    for _ in 0..3 {
        assert_eq!(life.poll(), Poll::Ready(None));
    }
}

#[test]
fn a_redirect_drops_the_response_and_asks_again_at_once() {
    let mut life = Life::new(Options::standard());
    life.waits();
    life.answer(Ok(Response::new(307).with_location(b"https://b.example/")));
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
    assert!(matches!(life.next(), Update::Down(down) if down.reason == DownReason::ConnectTimeout));
    assert_eq!(life.held(), (0, 0));
    life.waits();
    life.clock.advance(1);
    life.open();
    life.waits();
    life.clock.advance(9);
    assert!(life.was_woken());
    assert!(matches!(life.next(), Update::Down(down) if down.reason == DownReason::Idle));
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
    assert!(matches!(life.next(), Update::Down(down) if down.reason == DownReason::Idle));
}

#[test]
fn the_source_can_be_closed_reconnected_and_told_of_the_network() {
    let mut life = Life::new(Options::standard());
    life.open();
    life.updates.as_mut().source().reconnect(at(0));
    assert!(matches!(life.next(), Update::Down(down) if down.reason == DownReason::Reconnect));
    life.open();
    life.updates.as_mut().source().handle_network_lost(at(0));
    let Update::Down(down) = life.next() else {
        panic!()
    };
    assert_eq!(
        (down.reason, down.retry_in),
        (DownReason::NetworkLost, None)
    );
    life.waits();
    assert_eq!((life.held(), life.clock.sleeps()), ((0, 0), 0));
    life.clock.advance(3);
    life.updates.as_mut().source().handle_network_back(at(3));
    life.open();
    life.feed("data: never told\n\n");
    life.updates.as_mut().source().close();
    assert!(matches!(life.next(), Update::Closed(closed) if closed.reason == ClosedReason::Here));
    assert_eq!(life.held(), (0, 0));
    assert_eq!(life.poll(), Poll::Ready(None));
}

#[test]
fn an_event_that_is_too_large_is_told_and_ends_the_stream_only_if_the_limits_say_so() {
    for after in [AfterLimit::SkipBlock, AfterLimit::End] {
        let limits = DecodeLimits::new().with_event(12).with_after(after);
        let mut life = Life::new(Options::standard().with_limits(limits));
        life.open();
        life.feed("data: longer than that\n\ndata: b\n\n");
        assert!(matches!(life.next(), Update::TooLarge(_)));
        if after == AfterLimit::SkipBlock {
            assert_eq!(life.data(), "b");
        } else {
            assert!(
                matches!(life.next(), Update::Closed(closed) if matches!(closed.reason, ClosedReason::TooLarge(_)))
            );
            assert_eq!(life.poll(), Poll::Ready(None));
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
