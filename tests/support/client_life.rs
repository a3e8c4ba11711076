//! A client as a stream, between a server and a clock that the test plays.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use sse_proto::EventSource;
use sse_proto::client::{Connect, EventSourceStream, Handle, Options, Request, Response, Update};
use sse_proto::decode::OwnedItem;
use sse_proto::deps::futures_core::stream::Stream;

use super::driver::{URL, stream};
use super::fakes::{Clock, Wakes};

/// A server that the test plays: it knows what was asked, and what of it is still held.
#[derive(Default)]
pub struct Server {
    pub requests: Vec<Request>,
    /// What the next request is answered with, once it is there.
    pub answer: Option<Result<Response, &'static str>>,
    pub chunks: VecDeque<Result<Vec<u8>, &'static str>>,
    pub has_ended: bool,
    pub futures: usize,
    pub bodies: usize,
    pub waker: Option<Waker>,
}

pub type Shared = Rc<RefCell<Server>>;

pub fn change(server: &Shared, change: impl FnOnce(&mut Server)) {
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

pub type Updates = Pin<Box<dyn Polled>>;

/// The stream with its source, whatever its parts are.
pub trait Polled: Stream<Item = Update> {
    fn source(self: Pin<&mut Self>) -> &mut EventSource;
}

impl<C, T, N> Polled for EventSourceStream<C, T, N>
where
    C: Connect,
    T: sse_proto::Timer,
    N: FnMut() -> std::time::Duration,
    Self: Stream<Item = Update>,
{
    fn source(self: Pin<&mut Self>) -> &mut EventSource {
        self.source_mut()
    }
}

pub struct Life {
    pub handle: Handle,
    pub updates: Updates,
    pub server: Shared,
    pub clock: Rc<Clock>,
    pub wakes: Arc<Wakes>,
}

impl Life {
    pub fn new(options: Options) -> Self {
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
        let source = EventSource::with_seed(URL, options, 0);
        let updates = EventSourceStream::with_clock(source, open, clock.timer(), now);
        Self {
            handle: updates.handle(),
            updates: Box::pin(updates),
            server,
            clock,
            wakes: Wakes::new(),
        }
    }

    pub fn poll(&mut self) -> Poll<Option<Update>> {
        self.wakes.take();
        let waker = self.wakes.waker();
        let polled = self
            .updates
            .as_mut()
            .poll_next(&mut Context::from_waker(&waker));
        assert_eq!(self.wakes.take(), 0, "a poll wakes nobody");
        polled
    }

    pub fn next(&mut self) -> Update {
        match self.poll() {
            Poll::Ready(Some(update)) => update,
            other => panic!("nothing comes: {other:?}"),
        }
    }

    pub fn data(&mut self) -> String {
        match self.next() {
            Update::Item(OwnedItem::Event(event)) => event.data().to_owned(),
            other => panic!("no event: {other:?}"),
        }
    }

    /// Nothing is there, and whoever polled is woken once there is.
    pub fn waits(&mut self) {
        assert!(self.poll().is_pending());
    }

    pub fn was_woken(&self) -> bool {
        self.wakes.take() > 0
    }

    pub fn answer(&self, answer: Result<Response, &'static str>) {
        change(&self.server, |server| server.answer = Some(answer));
    }

    pub fn feed(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        change(&self.server, |server| server.chunks.push_back(Ok(bytes)));
    }

    pub fn requests(&self) -> usize {
        self.server.borrow().requests.len()
    }

    pub fn held(&self) -> (usize, usize) {
        let server = self.server.borrow();
        (server.futures, server.bodies)
    }

    pub fn open(&mut self) {
        self.waits();
        self.answer(Ok(stream()));
        assert!(self.was_woken());
        assert!(matches!(self.next(), Update::Opened));
    }
}
