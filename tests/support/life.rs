//! The life of a stream in a stack of adapters, poll by poll, held against its model and against
//! laws that need no model. The stream is one that the test feeds, or that of a target.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use sse_proto::target::{CloseReason, Dispatched};

use super::fakes::{Clock, Signal, Source, Wakes};
use super::law;
use super::life_model::{BYE, COMMENT, HELLO, Model, Polled, Within, is_between_blocks};
use super::life_stack::{self, Stack};
use super::life_target::{self as target, Command, Outcome};
use super::oracle::{self, Said, Settings};
use super::play::{Message, Rules, comment};

/// An adapter of the stack; times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// From the test, chunk by chunk, with any bytes.
    Fed,
    Shared(Rules),
    Local(Rules),
}

/// What happens next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A chunk; for a target, a message of as many bytes.
    Feed(Chunk),
    End,
    Advance(u8),
    /// What each `until` waits for.
    Signal,
    Poll,
    /// From the next poll on, another task polls.
    Move,
    /// The client goes away.
    Drop,
    /// For a target.
    Ask(Command),
}

/// Bytes that are shown as text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Chunk(pub Vec<u8>);

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", law::text(&self.0))
    }
}

/// Law: each poll of a stack gives what its model gives; a task is woken when there is something
/// for it, and never by its own poll; a target tells what its model tells. At the end, the bytes
/// that came out are those that went in, with whole lines of the adapters between blocks, and decode
/// as those that went in.
pub fn lives_like_its_model(origin: Origin, adapters: &[Adapter], steps: &[Step]) {
    let mut life = Life::new(origin, adapters);
    for step in steps {
        life.step(step);
    }
    life.step(&Step::End);
    life.finish();
    life.check_the_end();
}

/// Law: wherever `until` stands in a stack, the same bytes come out and the target records the same
/// reason.
pub fn until_means_the_same_anywhere(origin: Origin, adapters: &[Adapter], steps: &[Step]) {
    let others: Vec<Adapter> = adapters.iter().copied().filter(|a| !is_until(*a)).collect();
    let mut first = None;
    for place in 0..=others.len() {
        let mut adapters = others.clone();
        adapters.insert(place, Adapter::Until { farewell: true });
        let mut life = Life::new(origin, &adapters);
        for step in steps.iter().filter(|step| **step != Step::Signal) {
            life.step(step);
        }
        life.step(&Step::Signal);
        life.finish();
        let seen = (Chunk(life.out.clone()), life.model.world.within.reason());
        let first = first.get_or_insert_with(|| seen.clone());
        assert_eq!(
            seen,
            *first,
            "{}",
            life.case("`until` means the same anywhere")
        );
    }
}

/// Of several `until` that wait for the same, the outer one sends its farewell.
fn is_until(adapter: Adapter) -> bool {
    matches!(adapter, Adapter::Until { .. })
}

struct Life {
    /// None once it was dropped.
    stack: Option<Stack>,
    model: Model,
    inner: Inner,
    clock: Rc<Clock>,
    signal: Rc<Signal>,
    wakes: Arc<Wakes>,
    /// Another task is to poll.
    moved: bool,
    last: Option<Polled>,
    woken: bool,
    /// How often the target woke the task since the last poll.
    target_wakes: usize,
    fed: Vec<u8>,
    /// What the task in each slot is to send.
    sends: [Option<Message>; target::SLOTS],
    out: Vec<u8>,
    chunks: usize,
    /// After so many chunks, at least and at most so many more were promised.
    hints: Vec<(usize, usize, Option<usize>)>,
    /// What a failure shows.
    opened: (Origin, Vec<Adapter>),
    played: Vec<Step>,
}

enum Inner {
    Source(Rc<Source>),
    Target(Box<dyn target::Origin>),
}

impl Life {
    fn new(origin: Origin, adapters: &[Adapter]) -> Self {
        let (clock, signal) = (Clock::new(), Signal::new());
        let (inner, mut stack, within): (Inner, Stack, Within) = match origin {
            Origin::Fed => {
                let source = Source::new();
                let stack = life_stack::fed(source.stream());
                (Inner::Source(source), stack, Within::fed())
            }
            Origin::Shared(rules) => {
                let (target, stream) = target::shared(rules);
                let inner = Inner::Target(Box::new(target));
                (inner, Box::pin(stream), Within::target(rules))
            }
            Origin::Local(rules) => {
                let (target, stream) = target::local(rules);
                let inner = Inner::Target(Box::new(target));
                (inner, Box::pin(stream), Within::target(rules))
            }
        };
        for adapter in adapters {
            stack = life_stack::put_around(stack, *adapter, &clock, &signal);
        }
        Self {
            stack: Some(stack),
            model: Model::new(adapters, within),
            inner,
            clock,
            signal,
            wakes: Wakes::new(),
            moved: false,
            last: None,
            woken: false,
            target_wakes: 0,
            fed: Vec::new(),
            sends: [None; target::SLOTS],
            out: Vec::new(),
            chunks: 0,
            hints: Vec::new(),
            opened: (origin, adapters.to_vec()),
            played: Vec::new(),
        }
    }

    /// What a failure shows: the law, and the life so far.
    fn case(&self, law: &str) -> String {
        let (origin, adapters) = &self.opened;
        format!(
            "law: {law}\nstream: {origin:?}\nadapters: {adapters:?}\nsteps: {:?}\nout: {:?}",
            self.played,
            Chunk(self.out.clone())
        )
    }

    fn step(&mut self, step: &Step) {
        self.played.push(step.clone());
        match step {
            Step::Feed(chunk) => self.feed(&chunk.0),
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
                self.target_wakes += wakes;
                let once = self.target_wakes <= 1;
                assert!(once, "{}", self.case("a task is woken once between polls"));
                self.woken |= wakes > 0;
            }
        }
        self.woken |= self.wakes.take() > 0;
        if self.last == Some(Polled::Pending) && !self.woken && self.stack.is_some() {
            let now = self.model.clone().poll();
            assert_eq!(now, Polled::Pending, "{}", self.case("no wake is lost"));
        }
        self.see();
    }

    /// Polls until the stream has ended, so that what is held comes out.
    fn finish(&mut self) {
        for _ in 0..8 {
            while !matches!(self.poll(), Polled::Pending | Polled::End) {}
            self.step(&Step::Advance(16));
        }
        assert_eq!(self.poll(), Polled::End, "{}", self.case("a stream ends"));
    }

    fn feed(&mut self, chunk: &[u8]) {
        match (&self.inner, &mut self.model.world.within) {
            (Inner::Source(source), Within::Fed { chunks, ended, .. }) => {
                if !*ended {
                    self.fed.extend_from_slice(chunk);
                    source.feed(chunk.to_vec());
                    chunks.push_back(chunk.to_vec());
                }
            }
            _ => self.ask(&Command::Dispatch(Message {
                event_type: None,
                letter: 'd',
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
        // Without a handle, a permit may keep the target open.
        self.ask(&Command::End(CloseReason::Closed));
        (0..target::SLOTS).for_each(|slot| self.ask(&Command::GiveUp(slot)));
    }

    fn ask(&mut self, command: &Command) {
        let Inner::Target(target) = &mut self.inner else {
            return;
        };
        let outcome = target.obey(command);
        let expected = self.model.world.within.obey(command);
        // Without a handle, nothing is sent, and what the slot has stays.
        if let (Command::Send(slot, message), Outcome::Sends(_)) = (command, &outcome) {
            self.sends[*slot] = Some(*message);
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
                Command::Again(slot) => self.sends[*slot].expect("it is sent").wire(),
                _ => unreachable!("it sends nothing"),
            });
        }
        let law = "a target does what its model does";
        assert_eq!(outcome, expected, "{}\n{command:?}", self.case(law));
    }

    fn see(&mut self) {
        if let Inner::Target(target) = &mut self.inner {
            let (seen, expected) = (target.see(), self.model.world.within.see());
            let law = "a target tells what its model tells";
            assert_eq!(Some(seen), expected, "{}", self.case(law));
        }
    }

    fn poll(&mut self) -> Polled {
        let Some(stack) = &mut self.stack else {
            return Polled::End;
        };
        (self.woken, self.target_wakes) = (false, 0);
        if std::mem::take(&mut self.moved) {
            self.wakes = Wakes::new();
        }
        let (least, most) = stack.size_hint();
        self.hints.push((self.chunks, least, most));

        let was_closed = self.model.world.within.reason().is_some();
        let task = self.wakes.waker();
        let polled = match stack.as_mut().poll_next(&mut Context::from_waker(&task)) {
            Poll::Ready(Some(chunk)) => Polled::Chunk(Chunk(chunk.to_vec())),
            Poll::Ready(None) => Polled::End,
            Poll::Pending => Polled::Pending,
        };
        let expected = self.model.poll();
        let law = "a poll gives what the model gives";
        assert_eq!(polled, expected, "{}", self.case(law));
        // A poll in which `until` closes the target wakes all who wait for that, also itself.
        let closed_it = self.model.world.within.reason().is_some() && !was_closed;
        let wakes = self.wakes.take();
        let law = "a poll does not wake its own task";
        assert!(wakes <= usize::from(closed_it), "{}", self.case(law));
        match &polled {
            Polled::Chunk(chunk) => {
                self.chunks += 1;
                self.out.extend_from_slice(&chunk.0);
            }
            Polled::End => self.check_that_all_is_dropped(),
            Polled::Pending => {}
        }
        if most == Some(0) || self.last == Some(Polled::End) {
            let law = "an ended stream stays ended, and one that says that it ends does";
            assert_eq!(polled, Polled::End, "{}", self.case(law));
        }
        self.last = Some(polled.clone());
        self.see();
        polled
    }

    fn drop_stack(&mut self) {
        if self.stack.take().is_some() {
            self.model.world.within.end(CloseReason::ClientGone);
        }
        let held = (self.clock.timers(), self.clock.sleeps(), self.signal.held());
        let law = "a stack that is dropped drops all that it holds";
        assert_eq!(held, (0, 0, 0), "{}", self.case(law));
    }

    fn check_that_all_is_dropped(&self) {
        let stack = self.stack.as_ref().expect("it was polled");
        let law = "an ended stack drops timers, futures and the stream of the test";
        if let Inner::Source(source) = &self.inner {
            assert!(source.is_dropped(), "{}", self.case(law));
        }
        assert_eq!(stack.size_hint(), (0, Some(0)), "{}", self.case(law));
        let held = (self.clock.timers(), self.clock.sleeps(), self.signal.held());
        assert_eq!(held, (0, 0, 0), "{}", self.case(law));
    }

    /// What holds for any stack, whatever its model says.
    fn check_the_end(&self) {
        // A stack that was dropped had what it held dropped.
        let mut all = self.stack.is_some();
        match &self.model.world.within {
            // It is dropped at the signal, with the chunks that come later.
            Within::Fed { shut_down, .. } => all &= !shut_down,
            Within::Target(target) => {
                if target.counts().2 > 0 {
                    // Only the model knows what is missing.
                    return;
                }
                all &= target.is_drained();
            }
        }
        if self.stack.is_some() {
            for &(chunks, least, most) in &self.hints {
                let came = self.chunks - chunks;
                let holds = least <= came && most.is_none_or(|most| came <= most);
                assert!(holds, "{}", self.case("a size hint holds"));
            }
        }
        assert!(
            is_fed_with_blocks_between(&self.out, &self.fed, all),
            "{}\nfed: {:?}",
            self.case("bytes pass in order, and whole lines come between blocks"),
            Chunk(self.fed.clone())
        );
        // A byte order mark counts only at the start.
        if all && !self.fed.starts_with("\u{FEFF}".as_bytes()) {
            let law = "all decodes as without the adapters";
            assert_eq!(said(&self.out), said(&self.fed), "{}", self.case(law));
        }
    }
}

/// What a stream says, without all that an adapter may say.
fn said(stream: &[u8]) -> Vec<Said> {
    let of_adapters = oracle::decode(
        &[COMMENT, HELLO, BYE].concat().into_bytes(),
        &Settings::default(),
    )
    .0;
    let is_foreign = |said: &Said| match said {
        Said::Event {
            data, event_type, ..
        } => (&**data, &**event_type) != ("bye", "message"),
        said => !of_adapters.contains(said),
    };
    let mut said = oracle::decode(stream, &Settings::default()).0;
    said.retain(is_foreign);
    said
}

/// Whether `out` is `fed` (all of it, or its beginning) and whole lines of the adapters, which stand
/// only between blocks.
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
        for block in [COMMENT, HELLO, BYE] {
            if out[at..].starts_with(block.as_bytes()) && is_between_blocks(&out[..at]) {
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
