//! The life of a stream in a stack of adapters, poll by poll, held against its model and against
//! what holds without one. The stream is one that the test feeds, or that of a target.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use sse_proto::target::{CloseReason, Dispatched};

use super::fakes::{Clock, Signal, Source, Wakes};
use super::life_model::{BYE, COMMENT, HELLO, Model, Polled, Within, ends_a_block};
use super::life_stack::{self, Stack};
use super::life_target::{self as target, Command, Outcome};
use super::model::Model as TargetModel;
use super::play::{Message, Rules, comment};

/// An adapter of the stack; times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Adapter {
    KeepAlive { interval: u8 },
    Preamble,
    Until { farewell: bool },
    Coalesce { max: u8 },
    Linger { max: u8, duration: u8 },
}

/// Where the stream in the stack comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// From the test, chunk by chunk, of whatever bytes.
    Fed,
    Shared(Rules),
    Local(Rules),
}

/// What happens next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A chunk; to a target, a message of as many bytes.
    Feed(Vec<u8>),
    End,
    Advance(u8),
    /// What `until` waits for.
    Signal,
    Poll,
    /// From the next poll on, another task polls.
    Move,
    /// The client goes away.
    Drop,
    /// To a target.
    Ask(Command),
}

/// What is polled gives at each poll what its model gives; whoever polled is woken when there is
/// something for it, and never by a poll; all that a target tells is what its model tells; and in the
/// end the laws hold that need no model.
pub fn lives_like_its_model(origin: Origin, adapters: &[Adapter], steps: &[Step]) {
    if adapters.is_empty() && matches!(origin, Origin::Fed) {
        return;
    }
    let mut life = Life::new(origin, adapters);
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

struct Life {
    /// None once it was dropped.
    stack: Option<Stack>,
    model: Model,
    inner: Inner,
    clock: Rc<Clock>,
    signal: Rc<Signal>,
    wakes: Arc<Wakes>,
    /// Some adapter drops what is within it at the signal, and with it what others hold.
    cuts: bool,
    /// Another task is to poll.
    moved: bool,
    last: Option<Polled>,
    woken: bool,
    /// How often the target woke who polls since the last poll.
    told: usize,
    fed: Vec<u8>,
    /// What each who waits is to send.
    sends: [Option<Message>; target::SLOTS],
    out: Vec<u8>,
    chunks: usize,
    /// After so many chunks, at least and at most so many more were promised.
    hints: Vec<(usize, usize, Option<usize>)>,
}

enum Inner {
    Source(Rc<Source>),
    Target(Box<dyn target::Origin>),
}

impl Life {
    fn new(origin: Origin, adapters: &[Adapter]) -> Self {
        let (clock, signal) = (Clock::new(), Signal::new());
        let mut left = adapters;
        let (inner, mut stack, within): (Inner, Stack, Within) = match origin {
            Origin::Fed => {
                let source = Source::new();
                let stream = source.stream();
                (Inner::Source(source), Box::pin(stream), Within::fed())
            }
            Origin::Shared(rules) => {
                let (target, stream) = target::shared(rules);
                let stack = life_stack::begin(stream, &mut left, &signal);
                let within = Within::Target(TargetModel::new(rules));
                (Inner::Target(Box::new(target)), stack, within)
            }
            Origin::Local(rules) => {
                let (target, stream) = target::local(rules);
                let stack = life_stack::begin(stream, &mut left, &signal);
                let within = Within::Target(TargetModel::new(rules));
                (Inner::Target(Box::new(target)), stack, within)
            }
        };
        for adapter in left {
            stack = life_stack::put_around(stack, *adapter, &clock, &signal);
        }
        Self {
            stack: Some(stack),
            model: Model::new(adapters, within),
            inner,
            clock,
            signal,
            wakes: Wakes::new(),
            cuts: left.iter().any(|a| matches!(a, Adapter::Until { .. })),
            moved: false,
            last: None,
            woken: false,
            told: 0,
            fed: Vec::new(),
            sends: [None; target::SLOTS],
            out: Vec::new(),
            chunks: 0,
            hints: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Feed(chunk) => self.feed(chunk),
            Step::End => self.end(),
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
            Step::Drop => self.drop_stack(),
            Step::Ask(command) => {
                self.ask(command);
                let wakes = self.wakes.take();
                self.told += wakes;
                assert!(self.told <= 1, "woken again without a poll");
                self.woken |= wakes > 0;
            }
        }
        self.woken |= self.wakes.take() > 0;
        if self.last == Some(Polled::Pending) && !self.woken && self.stack.is_some() {
            let now = self.model.clone().poll();
            assert_eq!(now, Polled::Pending, "nobody was woken for it");
        }
        self.see();
    }

    fn feed(&mut self, chunk: &[u8]) {
        match (&self.inner, &mut self.model.world.within) {
            (Inner::Source(source), Within::Fed { chunks, ended }) => {
                if !*ended {
                    self.fed.extend_from_slice(chunk);
                    source.feed(chunk.to_vec());
                    chunks.push_back(chunk.to_vec());
                }
            }
            _ => self.ask(&Command::Dispatch(Message {
                event_type: None,
                letter: b'd',
                len: u16::try_from(chunk.len()).unwrap_or(u16::MAX),
                cancelable: true,
            })),
        }
    }

    fn end(&mut self) {
        if let (Inner::Source(source), Within::Fed { ended, .. }) =
            (&self.inner, &mut self.model.world.within)
        {
            source.end();
            *ended = true;
            return;
        }
        // Where no handle is left, somebody holds a permit.
        self.ask(&Command::End(CloseReason::Closed));
        (0..target::SLOTS).for_each(|who| self.ask(&Command::GiveUp(who)));
    }

    fn ask(&mut self, command: &Command) {
        let (Inner::Target(target), Within::Target(model)) =
            (&mut self.inner, &mut self.model.world.within)
        else {
            return;
        };
        let outcome = target.obey(command);
        assert_eq!(outcome, model.obey(command), "{command:?}");
        model.log.clear();
        if let Command::Send(who, message) = command {
            self.sends[*who] = Some(*message);
        }
        let sent = Ok(Dispatched::Sent);
        if outcome == Outcome::Sent(sent) || outcome == Outcome::Sends(Poll::Ready(sent)) {
            self.fed.extend(match command {
                Command::Dispatch(message)
                | Command::Queue(message)
                | Command::Send(_, message)
                | Command::Use(_, message)
                | Command::UseForFrame(_, message) => message.wire(),
                Command::Comment(len) => comment(*len),
                Command::Again(who) => self.sends[*who].expect("it is sent").wire(),
                _ => unreachable!("sends nothing"),
            });
        }
    }

    fn see(&mut self) {
        if let (Inner::Target(target), Within::Target(model)) =
            (&mut self.inner, &self.model.world.within)
        {
            assert_eq!(target.see(), model.see());
        }
    }

    fn poll(&mut self) -> Polled {
        let Some(stack) = &mut self.stack else {
            return Polled::End;
        };
        (self.woken, self.told) = (false, 0);
        if std::mem::take(&mut self.moved) {
            self.wakes = Wakes::new();
        }
        let terminated = stack.is_terminated();
        let (least, most) = stack.size_hint();
        self.hints.push((self.chunks, least, most));

        let was_closed = self.model.world.within.is_closed();
        let task = self.wakes.waker();
        let polled = match stack.as_mut().poll_next(&mut Context::from_waker(&task)) {
            Poll::Ready(Some(chunk)) => Polled::Chunk(chunk.to_vec()),
            Poll::Ready(None) => Polled::End,
            Poll::Pending => Polled::Pending,
        };
        assert_eq!(polled, self.model.poll());
        // A poll in which `until` ends the target wakes whoever waited for it, also itself.
        let ended_it = self.model.world.within.is_closed() && !was_closed;
        let wakes = self.wakes.take();
        assert!(wakes <= usize::from(ended_it), "a poll wakes nobody");
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
        self.see();
        polled
    }

    fn drop_stack(&mut self) {
        if self.stack.take().is_some() {
            self.model.world.within.end(CloseReason::ClientGone);
        }
        assert_eq!((self.clock.timers(), self.clock.sleeps()), (0, 0));
    }

    fn check_that_all_is_dropped(&self) {
        let stack = self.stack.as_ref().expect("it was polled");
        assert!(stack.is_terminated());
        if let Inner::Source(source) = &self.inner {
            assert!(source.is_dropped());
            assert_eq!(stack.size_hint(), (0, Some(0)));
        }
        assert_eq!((self.clock.timers(), self.clock.sleeps()), (0, 0));
    }

    /// What holds of any stack, whatever its model says.
    fn check_the_end(&self) {
        let mut all = !(self.cuts && self.model.world.signal);
        if let Within::Target(model) = &self.model.world.within {
            if model.counts().2 > 0 {
                // What is missing only the model knows.
                return;
            }
            all &= model.is_drained();
        }
        if self.stack.is_none() {
            // What is held in the stack went with it.
            all = false;
        } else {
            for &(chunks, least, most) in &self.hints {
                let came = self.chunks - chunks;
                assert!(least <= came && most.is_none_or(|most| came <= most));
            }
        }
        assert!(
            is_fed_with_blocks_between(&self.out, &self.fed, all),
            "{:?} is no {:?} with blocks in between",
            String::from_utf8_lossy(&self.out),
            String::from_utf8_lossy(&self.fed)
        );
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
