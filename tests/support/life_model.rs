//! What adapters do, without pins, wakers and cleverness: each keeps all that it was given, and asks
//! the one within. A target in the stack is the plain [model of a target](super::model), and the
//! number of its handles.

use std::collections::VecDeque;

use sse_proto::target::CloseReason;

use super::life::{Adapter, Chunk};
use super::life_target::{Command, Outcome, Seen};
use super::model;
use super::oracle;
use super::play::Rules;

pub const COMMENT: &str = ": keep-alive comment\n";
pub const HELLO: &str = ": hello\nretry: 1000\n";
pub const BYE: &str = "data: bye\n\n";

/// What a poll gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    Chunk(Chunk),
    End,
    Pending,
}

/// A stream in a stack of adapters, and what they depend on.
#[derive(Clone)]
pub struct Model {
    /// Innermost first.
    stack: Vec<Layer>,
    pub world: World,
}

#[derive(Clone)]
pub struct World {
    pub within: Within,
    pub now: u64,
    pub signal: bool,
}

/// The stream in the stack.
#[derive(Clone)]
pub enum Within {
    Fed {
        chunks: VecDeque<Vec<u8>>,
        /// The test ended it.
        ended: bool,
        /// An `until` ends it at the first poll that finds nothing.
        shut_down: bool,
        over: bool,
    },
    Target(model::Model),
}

impl Within {
    pub fn fed() -> Self {
        Self::Fed {
            chunks: VecDeque::new(),
            ended: false,
            shut_down: false,
            over: false,
        }
    }

    pub fn target(rules: Rules) -> Self {
        Self::Target(model::Model::new(rules))
    }

    /// Why the target was closed.
    pub fn reason(&self) -> Option<CloseReason> {
        match self {
            Self::Fed { .. } => None,
            Self::Target(target) => target.reason(),
        }
    }

    /// What ends the target.
    pub fn end(&mut self, reason: CloseReason) {
        if let Self::Target(target) = self {
            target.end_quietly(reason);
        }
    }

    /// What `until` does to the stream; returns whether that ends it.
    fn shut_down(&mut self) -> bool {
        match self {
            Self::Fed {
                shut_down, over, ..
            } => {
                let runs = !*over && !*shut_down;
                *shut_down = true;
                runs
            }
            Self::Target(target) => {
                let runs = target.reason().is_none();
                self.end(CloseReason::Shutdown);
                runs
            }
        }
    }

    fn poll(&mut self) -> Polled {
        let (chunk, has_ended) = match self {
            Self::Fed {
                chunks,
                ended,
                shut_down,
                over,
            } => {
                let chunk = chunks.pop_front().filter(|_| !*over);
                *over |= chunk.is_none() && (*ended || *shut_down);
                (chunk, *over)
            }
            Self::Target(target) => {
                let chunk = target.poll_chunk();
                (chunk, target.is_ended())
            }
        };
        match chunk {
            Some(chunk) => Polled::Chunk(Chunk(chunk)),
            None if has_ended => Polled::End,
            None => Polled::Pending,
        }
    }

    /// Asks the target.
    pub fn obey(&mut self, command: &Command) -> Outcome {
        let Self::Target(target) = self else {
            return Outcome::Nothing;
        };
        let outcome = target.obey(command);
        // No listener of a life is heard.
        target.log.clear();
        outcome
    }

    /// All that can be seen of the target but its bytes.
    pub fn see(&self) -> Option<Seen> {
        match self {
            Self::Fed { .. } => None,
            Self::Target(target) => Some(target.see()),
        }
    }
}

#[derive(Clone)]
struct Layer {
    adapter: Adapter,
    over: bool,
    /// All bytes of the stream within.
    passed: Vec<u8>,
    /// When the timer fires, in half seconds.
    due: Option<u64>,
    /// Whether bytes went out since the timer was set, and how often it fired in silence.
    spoke: bool,
    quiet: u8,
    said_hello: bool,
    /// The signal was seen; and whether a farewell may follow.
    signaled: Option<bool>,
    held: Vec<Vec<u8>>,
    next: Option<Vec<u8>>,
}

impl Model {
    pub fn new(adapters: &[Adapter], within: Within) -> Self {
        let layer = |&adapter: &Adapter| Layer {
            adapter,
            over: false,
            passed: Vec::new(),
            due: None,
            spoke: false,
            quiet: 0,
            said_hello: false,
            signaled: None,
            held: Vec::new(),
            next: None,
        };
        Self {
            stack: adapters.iter().map(layer).collect(),
            world: World {
                within,
                now: 0,
                signal: false,
            },
        }
    }

    pub fn poll(&mut self) -> Polled {
        poll(&mut self.stack, &mut self.world)
    }
}

fn poll(stack: &mut [Layer], world: &mut World) -> Polled {
    let Some((outer, within)) = stack.split_last_mut() else {
        return world.within.poll();
    };
    if outer.over {
        return Polled::End;
    }
    let polled = match outer.adapter {
        Adapter::KeepAlive { interval } => outer.keep_alive(u64::from(interval), within, world),
        Adapter::Preamble if !outer.said_hello => {
            outer.said_hello = true;
            Polled::Chunk(Chunk(HELLO.into()))
        }
        Adapter::Preamble => poll(within, world),
        Adapter::Until { farewell } => outer.until(farewell, within, world),
        Adapter::Coalesce { max } => outer.linger(usize::from(max), 0, within, world),
        Adapter::Linger { max, duration } => {
            outer.linger(usize::from(max), u64::from(duration), within, world)
        }
    };
    outer.over |= polled == Polled::End;
    polled
}

impl Layer {
    fn keep_alive(&mut self, interval: u64, within: &mut [Layer], world: &mut World) -> Polled {
        let polled = self.pass(within, world);
        match &polled {
            Polled::Chunk(chunk) => self.spoke |= !chunk.0.is_empty(),
            Polled::Pending if interval > 0 && is_between_blocks(&self.passed) => {
                // Half an interval has as many half seconds as a whole one has seconds.
                let (now, half) = (2 * world.now, interval);
                if self.due.is_none() {
                    (self.due, self.spoke, self.quiet) = (Some(now + half), false, 0);
                }
                if self.due.is_some_and(|due| now >= due) {
                    self.due = Some(now + half);
                    self.quiet = if self.spoke { 0 } else { self.quiet + 1 };
                    self.spoke = false;
                }
                if self.quiet == 2 {
                    self.due = None;
                    return Polled::Chunk(Chunk(COMMENT.into()));
                }
            }
            _ => {}
        }
        polled
    }

    fn until(&mut self, farewell: bool, within: &mut [Layer], world: &mut World) -> Polled {
        if world.signal && self.signaled.is_none() {
            self.signaled = Some(world.within.shut_down());
        }
        let polled = self.pass(within, world);
        if polled != Polled::End {
            return polled;
        }
        self.over = true;
        if farewell && self.signaled == Some(true) && is_between_blocks(&self.passed) {
            Polled::Chunk(Chunk(BYE.into()))
        } else {
            Polled::End
        }
    }

    fn linger(
        &mut self,
        max: usize,
        duration: u64,
        within: &mut [Layer],
        world: &mut World,
    ) -> Polled {
        loop {
            let held: usize = self.held.iter().map(Vec::len).sum();
            if self.next.is_some() || (held > 0 && held >= max) {
                break;
            }
            match poll(within, world) {
                Polled::Chunk(Chunk(chunk)) if chunk.is_empty() => {}
                Polled::Chunk(Chunk(chunk)) if held > 0 && held + chunk.len() > max => {
                    self.next = Some(chunk);
                }
                Polled::Chunk(Chunk(chunk)) => self.held.push(chunk),
                Polled::End => break,
                Polled::Pending if held == 0 => return Polled::Pending,
                Polled::Pending => {
                    let due = *self.due.get_or_insert(world.now + duration);
                    if world.now < due {
                        return Polled::Pending;
                    }
                    break;
                }
            }
        }
        self.due = None;
        let chunk = self.held.concat();
        self.held = Vec::from_iter(self.next.take());
        if chunk.is_empty() {
            Polled::End
        } else {
            Polled::Chunk(Chunk(chunk))
        }
    }

    fn pass(&mut self, within: &mut [Layer], world: &mut World) -> Polled {
        let polled = poll(within, world);
        if let Polled::Chunk(chunk) = &polled {
            self.passed.extend_from_slice(&chunk.0);
        }
        polled
    }
}

/// Whether lines may come after what was sent: it ends with a whole line, and since the last blank
/// one, or the start, there are only comments and `retry` fields.
pub fn is_between_blocks(sent: &[u8]) -> bool {
    if sent.ends_with(b"\r") {
        // An LF that comes next belongs to it.
        return false;
    }
    let blank = sent.windows(2).rposition(|pair| pair == b"\n\n");
    let lines = oracle::lines(&String::from_utf8_lossy(&sent[blank.unwrap_or(0)..]));
    let mut lines = lines.iter().rev();
    let is_apart =
        |line: &String| line.starts_with(':') || line == "retry" || line.starts_with("retry:");
    lines.next().is_some_and(String::is_empty)
        && lines.take_while(|line| !line.is_empty()).all(is_apart)
}
