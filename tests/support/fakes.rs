//! What an adapter depends on, moved by the test: a waker that counts, a clock that stands, a
//! stream that is fed, a future that resolves on demand. Each of them counts its holders.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use sse_proto::Timer;
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::futures_core::stream::Stream;

/// A waker that counts.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// How often it was woken since this was last asked.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }

    /// The same, and goes on counting.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a stream, and counts its wakes.
pub struct Reader<S> {
    pub stream: Pin<Box<S>>,
    pub wakes: Arc<Wakes>,
}

impl<S: Stream<Item = Bytes>> Reader<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream: Box::pin(stream),
            wakes: Wakes::new(),
        }
    }

    pub fn poll(&mut self) -> Poll<Option<Bytes>> {
        self.wakes.take();
        let waker = self.wakes.waker();
        self.stream
            .as_mut()
            .poll_next(&mut Context::from_waker(&waker))
    }

    /// What is ready, as text.
    pub fn chunk(&mut self) -> String {
        match self.poll() {
            Poll::Ready(Some(chunk)) => String::from_utf8(chunk.to_vec()).expect("a text"),
            other => panic!("no chunk: {other:?}"),
        }
    }

    pub fn is_pending(&mut self) -> bool {
        self.poll().is_pending()
    }

    /// Whether it has ended, and stays so.
    pub fn has_ended(&mut self) -> bool {
        (0..2).all(|_| self.poll() == Poll::Ready(None))
    }
}

/// A clock that moves only when it is told to.
#[derive(Default)]
pub struct Clock {
    now: Cell<Duration>,
    asked: Cell<usize>,
    polls: Cell<usize>,
    timers: Cell<usize>,
    /// Who waits, by number.
    sleeps: RefCell<Vec<(usize, Duration, Option<Waker>)>>,
}

impl Clock {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    pub fn timer(self: &Rc<Self>) -> FakeTimer {
        self.timers.set(self.timers.get() + 1);
        FakeTimer(Rc::clone(self))
    }

    pub fn advance(&self, seconds: u64) {
        self.advance_by(Duration::from_secs(seconds));
    }

    pub fn advance_by(&self, time: Duration) {
        let now = self.now.get() + time;
        self.now.set(now);
        let mut wake = Vec::new();
        for (_, due, waker) in self.sleeps.borrow_mut().iter_mut() {
            if *due <= now {
                wake.extend(waker.take());
            }
        }
        wake.into_iter().for_each(Waker::wake);
    }

    pub fn now(&self) -> Duration {
        self.now.get()
    }

    /// How many sleeps were ever asked for.
    pub fn asked(&self) -> usize {
        self.asked.get()
    }

    /// How often sleeps were polled.
    pub fn polls(&self) -> usize {
        self.polls.get()
    }

    /// How many sleeps there are.
    pub fn sleeps(&self) -> usize {
        self.sleeps.borrow().len()
    }

    /// How many timers there are.
    pub fn timers(&self) -> usize {
        self.timers.get()
    }
}

pub struct FakeTimer(Rc<Clock>);

impl Timer for FakeTimer {
    type Sleep = FakeSleep;

    fn sleep(&mut self, duration: Duration) -> FakeSleep {
        let clock = &self.0;
        let number = clock.asked.get();
        clock.asked.set(number + 1);
        let due = clock.now.get() + duration;
        clock.sleeps.borrow_mut().push((number, due, None));
        FakeSleep {
            clock: Rc::clone(clock),
            number,
            resolved: false,
        }
    }
}

impl Drop for FakeTimer {
    fn drop(&mut self) {
        self.0.timers.set(self.0.timers.get() - 1);
    }
}

/// Must not be polled once it has resolved, as futures in general.
pub struct FakeSleep {
    clock: Rc<Clock>,
    number: usize,
    resolved: bool,
}

impl Future for FakeSleep {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        assert!(!self.resolved, "polled after it resolved");
        self.clock.polls.set(self.clock.polls.get() + 1);
        let now = self.clock.now.get();
        let mut sleeps = self.clock.sleeps.borrow_mut();
        let mine = sleeps.iter_mut().find(|sleep| sleep.0 == self.number);
        let (_, due, waker) = mine.expect("it is there until it is dropped");
        if *due <= now {
            drop(sleeps);
            self.resolved = true;
            return Poll::Ready("the time");
        }
        *waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for FakeSleep {
    fn drop(&mut self) {
        let number = self.number;
        self.clock.sleeps.borrow_mut().retain(|s| s.0 != number);
    }
}

/// A stream whose chunks the test puts in.
#[derive(Default)]
pub struct Source {
    state: RefCell<SourceState>,
}

#[derive(Default)]
struct SourceState {
    chunks: VecDeque<Bytes>,
    ended: bool,
    polls: usize,
    told_the_end: bool,
    dropped: bool,
    waker: Option<Waker>,
}

impl Source {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    pub fn stream(self: &Rc<Self>) -> SourceStream {
        SourceStream(Rc::clone(self))
    }

    pub fn feed(&self, chunk: impl Into<Bytes>) {
        self.change(|state| state.chunks.push_back(chunk.into()));
    }

    pub fn end(&self) {
        self.change(|state| state.ended = true);
    }

    pub fn is_dropped(&self) -> bool {
        self.state.borrow().dropped
    }

    /// How often it was polled since this was last asked.
    pub fn polls(&self) -> usize {
        std::mem::take(&mut self.state.borrow_mut().polls)
    }

    fn change(&self, change: impl FnOnce(&mut SourceState)) {
        let mut state = self.state.borrow_mut();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Must not be polled once it has ended: it is not fused, and an adapter must be.
pub struct SourceStream(Rc<Source>);

impl Stream for SourceStream {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.0.state.borrow_mut();
        assert!(!state.told_the_end, "polled after its end");
        state.polls += 1;
        if let Some(chunk) = state.chunks.pop_front() {
            return Poll::Ready(Some(chunk));
        }
        if state.ended {
            state.told_the_end = true;
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let state = self.0.state.borrow();
        let queued = state.chunks.len();
        (queued, state.ended.then_some(queued))
    }
}

impl Drop for SourceStream {
    fn drop(&mut self) {
        let mut state = self.0.state.borrow_mut();
        state.dropped = true;
        state.waker = None;
    }
}

/// What a future waits for.
#[derive(Default)]
pub struct Signal {
    given: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
    held: Cell<usize>,
}

impl Signal {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    pub fn given(self: &Rc<Self>) -> Given {
        self.held.set(self.held.get() + 1);
        Given {
            signal: Rc::clone(self),
            resolved: false,
        }
    }

    /// How many futures there are.
    pub fn held(&self) -> usize {
        self.held.get()
    }

    pub fn give(&self) {
        self.given.set(true);
        let wakers = self.wakers.take();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Must not be polled once it has resolved.
pub struct Given {
    signal: Rc<Signal>,
    resolved: bool,
}

impl Future for Given {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(!self.resolved, "polled after it resolved");
        if self.signal.given.get() {
            self.resolved = true;
            return Poll::Ready(());
        }
        let mut wakers = self.signal.wakers.borrow_mut();
        wakers.retain(|waker| !waker.will_wake(cx.waker()));
        wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.signal.held.set(self.signal.held.get() - 1);
    }
}
