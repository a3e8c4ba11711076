//! The life of a stream in a stack of adapters, poll by poll, held against its model and against
//! what holds without one.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sse_proto::adapt::{EventStreamExt, Preamble};
use sse_proto::bytes::Bytes;
use sse_proto::futures_core::stream::FusedStream;
use sse_proto::{Event, Frame};

use super::fakes::{Clock, Signal, Source, Wakes};
use super::input::Input;
use super::life_model::{BYE, COMMENT, HELLO, Model, Polled, ends_a_block};

/// An adapter of the stack; times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    KeepAlive { interval: u8 },
    Preamble,
    Until { farewell: bool },
    Coalesce { max: u8 },
    Linger { max: u8, duration: u8 },
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Feed(Vec<u8>),
    End,
    Advance(u8),
    /// What `until` waits for.
    Signal,
    Poll,
    /// From the next poll on, another task polls.
    Move,
}

/// Letters, so that a person can write a seed: `k` + interval, `p`, `u` or `f` (with a farewell),
/// `c` + bytes, `l` + bytes + duration, innermost first, up to `|`; then the steps: `d` + text + `|`,
/// `e`, `t` + seconds, `!`, `.` (poll), `w` (another waker). A number is a byte, a digit being its
/// own value; bytes count eightfold.
pub fn read(data: &[u8]) -> (Vec<Adapter>, Vec<Step>) {
    let mut input = Input(data);
    let mut adapters = Vec::new();
    while !input.is_empty() && adapters.len() < 6 {
        adapters.push(match input.byte() {
            b'|' => break,
            b'k' => Adapter::KeepAlive {
                interval: number(&mut input),
            },
            b'p' => Adapter::Preamble,
            b'u' => Adapter::Until { farewell: false },
            b'c' => Adapter::Coalesce {
                max: 8 * number(&mut input),
            },
            b'l' => Adapter::Linger {
                max: 8 * number(&mut input),
                duration: number(&mut input),
            },
            _ => Adapter::Until { farewell: true },
        });
    }
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < 200 {
        steps.push(match input.byte() {
            b'd' => Step::Feed(input.text().into_bytes()),
            b'e' => Step::End,
            b't' => Step::Advance(number(&mut input)),
            b'!' => Step::Signal,
            b'w' => Step::Move,
            _ => Step::Poll,
        });
    }
    (adapters, steps)
}

fn number(input: &mut Input<'_>) -> u8 {
    input.byte() % 16
}

/// What is polled gives at each poll what its model gives; whoever polled is woken when there is
/// something for it, and never by a poll; and in the end the laws hold that need no model.
pub fn lives_like_its_model(adapters: &[Adapter], steps: &[Step]) {
    if adapters.is_empty() {
        return;
    }
    let mut life = Life::new(adapters);
    for step in steps {
        life.step(step);
    }
    // To the end, so that what is held comes out.
    life.step(&Step::End);
    for _ in 0..8 {
        while !matches!(life.poll(), Polled::Pending | Polled::End) {}
        life.step(&Step::Advance(16));
    }
    assert_eq!(life.poll(), Polled::End);
    life.check_the_end();
}

type Stack = Pin<Box<dyn FusedStream<Item = Bytes>>>;

struct Life {
    stack: Stack,
    model: Model,
    source: Rc<Source>,
    clock: Rc<Clock>,
    signal: Rc<Signal>,
    wakes: Arc<Wakes>,
    /// Another task is to poll.
    moved: bool,
    last: Option<Polled>,
    woken: bool,
    fed: Vec<u8>,
    out: Vec<u8>,
    chunks: usize,
    /// After so many chunks, at least and at most so many more were promised.
    hints: Vec<(usize, usize, Option<usize>)>,
}

impl Life {
    fn new(adapters: &[Adapter]) -> Self {
        let (source, clock, signal) = (Source::new(), Clock::new(), Signal::new());
        let mut stack: Stack = Box::pin(source.stream());
        for adapter in adapters {
            stack = put_around(stack, *adapter, &clock, &signal);
        }
        Self {
            stack,
            model: Model::new(adapters),
            source,
            clock,
            signal,
            wakes: Wakes::new(),
            moved: false,
            last: None,
            woken: false,
            fed: Vec::new(),
            out: Vec::new(),
            chunks: 0,
            hints: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Feed(chunk) => {
                if !self.model.world.ended {
                    self.fed.extend_from_slice(chunk);
                    self.source.feed(chunk.clone());
                    self.model.world.chunks.push_back(chunk.clone());
                }
            }
            Step::End => {
                self.source.end();
                self.model.world.ended = true;
            }
            Step::Advance(seconds) => {
                self.clock.advance(u64::from(*seconds));
                self.model.world.now += u64::from(*seconds);
            }
            Step::Signal => {
                self.signal.give();
                self.model.world.signal = true;
            }
            Step::Poll => _ = self.poll(),
            Step::Move => self.moved = true,
        }
        self.woken |= self.wakes.take() > 0;
        if self.last == Some(Polled::Pending) && !self.woken {
            let now = self.model.clone().poll();
            assert_eq!(now, Polled::Pending, "nobody was woken for it");
        }
    }

    fn poll(&mut self) -> Polled {
        self.woken = false;
        if std::mem::take(&mut self.moved) {
            self.wakes = Wakes::new();
        }
        let terminated = self.stack.is_terminated();
        let (least, most) = self.stack.size_hint();
        self.hints.push((self.chunks, least, most));

        let waker = self.wakes.waker();
        let polled = match self
            .stack
            .as_mut()
            .poll_next(&mut Context::from_waker(&waker))
        {
            Poll::Ready(Some(chunk)) => Polled::Chunk(chunk.to_vec()),
            Poll::Ready(None) => Polled::End,
            Poll::Pending => Polled::Pending,
        };
        assert_eq!(self.wakes.take(), 0, "a poll wakes nobody");
        assert_eq!(polled, self.model.poll());
        match &polled {
            Polled::Chunk(chunk) => {
                self.chunks += 1;
                self.out.extend_from_slice(chunk);
            }
            Polled::End => self.check_that_all_is_dropped(),
            Polled::Pending => {}
        }
        if terminated || self.last == Some(Polled::End) {
            assert_eq!(polled, Polled::End, "an ended stream stays ended");
        }
        self.last = Some(polled.clone());
        polled
    }

    fn check_that_all_is_dropped(&self) {
        assert!(self.stack.is_terminated() && self.source.is_dropped());
        assert_eq!(self.stack.size_hint(), (0, Some(0)));
        assert_eq!((self.clock.timers(), self.clock.sleeps()), (0, 0));
    }

    /// What holds of any stack, whatever its model says.
    fn check_the_end(&self) {
        for &(chunks, least, most) in &self.hints {
            let came = self.chunks - chunks;
            assert!(least <= came && most.is_none_or(|most| came <= most));
        }
        let all = !self.model.world.signal;
        assert!(
            is_fed_with_blocks_between(&self.out, &self.fed, all),
            "{:?} is no {:?} with blocks in between",
            String::from_utf8_lossy(&self.out),
            String::from_utf8_lossy(&self.fed)
        );
    }
}

fn put_around(stack: Stack, adapter: Adapter, clock: &Rc<Clock>, signal: &Rc<Signal>) -> Stack {
    let seconds = |seconds| Duration::from_secs(u64::from(seconds));
    match adapter {
        Adapter::KeepAlive { interval } => {
            Box::pin(stack.keep_alive(seconds(interval), clock.timer()))
        }
        Adapter::Preamble => Box::pin(
            stack.preamble(
                &Preamble::new()
                    .with_comment("hello")
                    .with_reconnection_time(Duration::from_secs(1)),
            ),
        ),
        Adapter::Until { farewell: false } => Box::pin(stack.until(signal.given())),
        Adapter::Until { farewell: true } => {
            let bye = Frame::new(&Event::message("bye"));
            Box::pin(stack.until(signal.given()).with_farewell(bye))
        }
        Adapter::Coalesce { max } => Box::pin(stack.coalesce(usize::from(max))),
        Adapter::Linger { max, duration } => Box::pin(
            stack
                .coalesce(usize::from(max))
                .linger(seconds(duration), clock.timer()),
        ),
    }
}

/// Whether `out` is `fed` (all of it, or its beginning), and in between, only where a block ends,
/// whole blocks of the adapters.
fn is_fed_with_blocks_between(out: &[u8], fed: &[u8], all: bool) -> bool {
    // How much of `fed` may have come after so many bytes out: what is fed may look like a block.
    let mut came: Vec<Vec<usize>> = vec![Vec::new(); out.len() + 1];
    came[0].push(0);
    for at in 0..out.len() {
        let mut here = std::mem::take(&mut came[at]);
        here.dedup();
        if here.is_empty() {
            continue;
        }
        let at_block_end = ends_a_block(&out[..at]);
        for block in [COMMENT, HELLO, BYE] {
            if at_block_end && out[at..].starts_with(block.as_bytes()) {
                came[at + block.len()].extend(&here);
            }
        }
        let next = here
            .into_iter()
            .filter(|&from| fed.get(from) == Some(&out[at]));
        came[at + 1].extend(next.map(|from| from + 1));
    }
    came[out.len()]
        .iter()
        .any(|&from| !all || from == fed.len())
}
