//! A plain model of a target: vectors, no sharing, no bytes kept but those that a client gets.

use sse_proto::target::{CloseReason, DispatchError, Dispatched, Overflow};

use super::life::Chunk;
use super::model_line::{Line, Queued};
use super::play::{
    Action, ENOUGH, Heard, MARKER, MOST_LISTENERS, Message, Operation, Outcome, Rules, When,
};

/// How many dispatches may run within each other.
pub const MAX_DEPTH: usize = 16;

#[derive(Clone)]
pub struct Model {
    pub rules: Rules,
    queue: Vec<Queued>,
    dropped: usize,
    /// Something was dropped since the last one was taken.
    gap: bool,
    reason: Option<CloseReason>,
    discarded: usize,
    listeners: Vec<Listener>,
    /// Close and error listeners that the end is about to call.
    ending: Vec<Listener>,
    added: usize,
    /// Lengths of the dispatches under way within each other, outermost first.
    under_way: Vec<usize>,
    /// Those who wait for room, and those who hold some.
    pub line: Line,
    pub handles: usize,
    pub log: Vec<(usize, Heard)>,
}

#[derive(Clone)]
struct Listener {
    number: usize,
    when: When,
    once: bool,
    action: Action,
}

/// A listener's panic on its way out.
#[derive(Debug)]
pub struct Panicked;

impl Model {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            queue: Vec::new(),
            dropped: 0,
            gap: false,
            reason: None,
            discarded: 0,
            listeners: Vec::new(),
            ending: Vec::new(),
            added: 0,
            under_way: Vec::new(),
            line: Line::default(),
            handles: 1,
            log: Vec::new(),
        }
    }

    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        let outcome = match operation {
            Operation::Dispatch(message) => self.dispatch(message).map(Outcome::Dispatched),
            Operation::Queue(message) => self.queue(&Queued::frame(message)).map(Outcome::Queued),
            Operation::Comment(len) => self.queue(&Queued::comment(*len)).map(Outcome::Queued),
            Operation::Listen(when, once, action) => {
                self.listen(*when, *once, *action);
                Ok(Outcome::Nothing)
            }
            Operation::Remove(number) => Ok(Outcome::Removed(self.remove(*number))),
            Operation::Take => Ok(Outcome::Taken(self.take().map(Chunk))),
            Operation::End(reason) => self.end(*reason).map(|()| Outcome::Nothing),
        };
        // What a panic left under way is over.
        self.under_way.clear();
        outcome.unwrap_or(Outcome::Panicked)
    }

    pub fn reason(&self) -> Option<CloseReason> {
        self.reason
    }

    /// Frames queued, their bytes, and how many were dropped.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.queue.len(), self.queued_bytes(), self.dropped)
    }

    pub fn is_ended(&self) -> bool {
        self.reason.is_some() && self.queue.is_empty()
    }

    pub fn is_drained(&self) -> bool {
        self.is_ended() && self.discarded == 0
    }

    pub fn dispatch(
        &mut self,
        message: &Message,
    ) -> Result<Result<Dispatched, DispatchError>, Panicked> {
        let frame = Queued::of(message);
        let len = frame.wire.len();
        if let Err(error) = self.check(&frame)? {
            return Ok(Err(error));
        }
        if self.listeners.is_empty() {
            return Ok(Ok(self.push(frame)));
        }
        if self.under_way.len() >= MAX_DEPTH {
            return Ok(Err(DispatchError::TooDeep));
        }
        self.under_way.push(len);
        let canceled = self.ask(message)?;
        self.under_way.pop();
        Ok(match self.reason {
            Some(reason) => Err(DispatchError::Closed(reason)),
            None if canceled => Ok(Dispatched::Canceled),
            None => Ok(self.push(frame)),
        })
    }

    /// Calls the listeners of an event; returns whether one of them cancels it.
    pub fn ask(&mut self, message: &Message) -> Result<bool, Panicked> {
        let mut canceled = false;
        for listener in self.listeners.clone() {
            let hears = match listener.when {
                When::Type(event_type) => event_type == message.event_type.unwrap_or("message"),
                When::Every => true,
                When::Close | When::Error => false,
            };
            let gone = !self.listeners.iter().any(|l| l.number == listener.number);
            // Removed meanwhile, or the stream has ended.
            if !hears || gone {
                continue;
            }
            if listener.once {
                self.forget(listener.number);
            }
            self.log.push((listener.number, Heard::Event(*message)));
            match listener.action {
                Action::Cancel => canceled |= message.cancelable,
                Action::Stop => break,
                action => self.act(listener.number, action)?,
            }
        }
        Ok(canceled)
    }

    fn act(&mut self, number: usize, action: Action) -> Result<(), Panicked> {
        if self.log.len() > ENOUGH {
            return Ok(());
        }
        match action {
            Action::Nothing | Action::Cancel | Action::Stop => {}
            Action::Dispatch(message) => {
                let outcome = self.dispatch(&message)?;
                self.log.push((number, Heard::Answer(outcome)));
            }
            Action::Listen(when) => self.listen(when, false, Action::Nothing),
            Action::Remove(other) => {
                self.remove(other);
            }
            Action::End(reason) => self.end(reason)?,
            Action::Panic => return Err(Panicked),
        }
        Ok(())
    }

    pub fn queue(&mut self, frame: &Queued) -> Result<Result<(), DispatchError>, Panicked> {
        let outcome = self.check(frame)?;
        if outcome.is_ok() {
            let _ = self.push(frame.clone());
        }
        Ok(outcome)
    }

    fn check(&mut self, frame: &Queued) -> Result<Result<(), DispatchError>, Panicked> {
        if let Some(reason) = self.reason {
            return Ok(Err(DispatchError::Closed(reason)));
        }
        let (len, limit) = (frame.wire.len(), self.rules.bytes);
        if len > limit {
            return Ok(Err(DispatchError::TooLarge { len, limit }));
        }
        if self.admits(len, frame.fires.is_some()) && !self.line.is_awaited() {
            return Ok(Ok(()));
        }
        // What others hold or wait for is not the client's doing.
        let no_room = self.queue.len() >= self.rules.frames || self.queued_bytes() + len > limit;
        if matches!(self.rules.overflow, Overflow::Disconnect) && no_room {
            self.end(CloseReason::Overflow)?;
            return Ok(Err(DispatchError::Closed(CloseReason::Overflow)));
        }
        Ok(Err(DispatchError::Full))
    }

    pub fn push(&mut self, frame: Queued) -> Dispatched {
        let len = frame.wire.len();
        if matches!(self.rules.overflow, Overflow::KeepNewest) {
            while !self.fits(len) {
                let same = |queued: &Queued| queued.fires == frame.fires;
                let Some(at) = self.queue.iter().position(same) else {
                    break;
                };
                self.drop_at(at);
            }
        }
        while !self.fits(len) {
            self.drop_at(0);
        }
        self.queue.push(frame);
        Dispatched::Sent
    }

    fn drop_at(&mut self, at: usize) {
        assert!(self.drops(), "it fits");
        self.queue.remove(at);
        self.dropped += 1;
        self.gap = true;
    }

    fn drops(&self) -> bool {
        matches!(
            self.rules.overflow,
            Overflow::DropOldest | Overflow::KeepNewest
        )
    }

    /// Whether there is room beside what is queued and what permits hold.
    pub fn fits(&self, len: usize) -> bool {
        let (frames, bytes) = self.line.permits();
        self.queue.len() + frames < self.rules.frames
            && self.queued_bytes() + bytes + len <= self.rules.bytes
    }

    /// Whether there is room beside all that others hold; what is queued may be dropped for an event,
    /// but only later.
    pub fn admits(&self, len: usize, is_event: bool) -> bool {
        let (mut frames, mut bytes) = self.line.held();
        frames += self.under_way.len();
        bytes += self.under_way.iter().sum::<usize>();
        if !(is_event && self.drops()) {
            frames += self.queue.len();
            bytes += self.queued_bytes();
        }
        frames < self.rules.frames && bytes + len <= self.rules.bytes
    }

    fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|queued| queued.wire.len()).sum()
    }

    pub fn listen(&mut self, when: When, once: bool, action: Action) {
        if self.added == MOST_LISTENERS || self.reason.is_some() {
            return;
        }
        let number = self.added;
        self.added += 1;
        self.listeners.push(Listener {
            number,
            when,
            once,
            action,
        });
    }

    fn remove(&mut self, number: usize) -> bool {
        let before = self.listeners.len() + self.ending.len();
        self.forget(number);
        self.listeners.len() + self.ending.len() < before
    }

    fn forget(&mut self, number: usize) {
        self.listeners.retain(|l| l.number != number);
        self.ending.retain(|l| l.number != number);
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        if self.queue.is_empty() {
            return None;
        }
        let mut taken = Vec::new();
        if std::mem::take(&mut self.gap) && self.rules.marked {
            taken.extend_from_slice(MARKER);
        }
        taken.extend(self.queue.drain(..).flat_map(|queued| queued.wire));
        Some(taken)
    }

    /// What one poll takes: the marker alone, a large frame alone, or what is queued before one.
    pub fn take_chunk(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.gap) && self.rules.marked {
            return Some(MARKER.to_vec());
        }
        if self.queue.is_empty() {
            return None;
        }
        let first = self.queue.remove(0);
        let mut chunk = first.wire;
        while !first.is_chunk && self.queue.first().is_some_and(|next| !next.is_chunk) {
            chunk.extend(self.queue.remove(0).wire);
        }
        Some(chunk)
    }

    pub fn end(&mut self, reason: CloseReason) -> Result<(), Panicked> {
        if drops_queue(reason) && !self.is_ended() {
            self.discarded += self.queue.len();
            self.queue.clear();
            self.gap = false;
        }
        if self.reason.is_some() {
            return Ok(());
        }
        self.reason = Some(reason);
        self.ending = std::mem::take(&mut self.listeners);
        let mut panicked = false;
        panicked |= self.tell(When::Close, &Heard::Close(reason));
        if reason == CloseReason::Failed {
            panicked |= self.tell(When::Error, &Heard::Error("failed".to_owned()));
        }
        self.ending.clear();
        if panicked { Err(Panicked) } else { Ok(()) }
    }

    /// Calls all listeners of one kind, once; returns whether one of them panicked.
    fn tell(&mut self, when: When, heard: &Heard) -> bool {
        let mut panicked = false;
        while let Some(at) = self.ending.iter().position(|l| l.when == when) {
            let Listener { number, action, .. } = self.ending.remove(at);
            self.log.push((number, heard.clone()));
            panicked |= self.act(number, action).is_err();
        }
        panicked
    }
}

/// Whether an end for this reason drops what is queued.
pub fn drops_queue(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::Aborted | CloseReason::ClientGone | CloseReason::Overflow
    )
}
