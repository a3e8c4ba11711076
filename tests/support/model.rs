//! A plain model of a target: vectors, no sharing, no bytes kept but those that a client gets.

use sse_proto::{CloseReason, DispatchError, Dispatched, MAX_DISPATCH_DEPTH};

use super::play::{Action, ENOUGH, Heard, MOST_LISTENERS, Message, Operation, Outcome, When};

pub struct Model {
    frames: usize,
    bytes: usize,
    queue: Vec<Vec<u8>>,
    reason: Option<CloseReason>,
    discarded: usize,
    listeners: Vec<Listener>,
    /// Close and error listeners that the end is about to call.
    ending: Vec<Listener>,
    added: usize,
    /// Lengths of the dispatches under way within each other, outermost first.
    under_way: Vec<usize>,
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
struct Panicked;

impl Model {
    pub fn new(frames: usize, bytes: usize) -> Self {
        Self {
            frames,
            bytes,
            queue: Vec::new(),
            reason: None,
            discarded: 0,
            listeners: Vec::new(),
            ending: Vec::new(),
            added: 0,
            under_way: Vec::new(),
            log: Vec::new(),
        }
    }

    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        let outcome = match operation {
            Operation::Dispatch(message) => self.dispatch(message).map(Outcome::Dispatched),
            Operation::Queue(message) => Ok(Outcome::Queued(self.queue(message))),
            Operation::Listen(when, once, action) => {
                self.listen(*when, *once, *action);
                Ok(Outcome::Nothing)
            }
            Operation::Remove(number) => Ok(Outcome::Removed(self.remove(*number))),
            Operation::Take => Ok(Outcome::Taken(self.take())),
            Operation::End(reason) => self.end(*reason).map(|()| Outcome::Nothing),
        };
        // What a panic left under way is over.
        self.under_way.clear();
        outcome.unwrap_or(Outcome::Panicked)
    }

    pub fn reason(&self) -> Option<CloseReason> {
        self.reason
    }

    pub fn is_ended(&self) -> bool {
        self.reason.is_some() && self.queue.is_empty()
    }

    pub fn is_drained(&self) -> bool {
        self.is_ended() && self.discarded == 0
    }

    fn dispatch(
        &mut self,
        message: &Message,
    ) -> Result<Result<Dispatched, DispatchError>, Panicked> {
        let len = message.wire().len();
        if self.listeners.is_empty() {
            return Ok(self.check(len).map(|()| self.push(message)));
        }
        if let Err(error) = self.check(len) {
            return Ok(Err(error));
        }
        if self.under_way.len() >= MAX_DISPATCH_DEPTH {
            return Ok(Err(DispatchError::TooDeep));
        }
        self.under_way.push(len);
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
        self.under_way.pop();
        Ok(match self.reason {
            Some(reason) => Err(DispatchError::Closed(reason)),
            None if canceled => Ok(Dispatched::Canceled),
            None => Ok(self.push(message)),
        })
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

    fn queue(&mut self, message: &Message) -> Result<(), DispatchError> {
        self.check(message.wire().len())?;
        let _ = self.push(message);
        Ok(())
    }

    fn check(&self, len: usize) -> Result<(), DispatchError> {
        if let Some(reason) = self.reason {
            return Err(DispatchError::Closed(reason));
        }
        if len > self.bytes {
            return Err(DispatchError::TooLarge {
                len,
                limit: self.bytes,
            });
        }
        let frames = self.queue.len() + self.under_way.len();
        let queued: usize = self.queue.iter().map(Vec::len).sum();
        let bytes = queued + self.under_way.iter().sum::<usize>();
        if frames + 1 > self.frames || bytes + len > self.bytes {
            return Err(DispatchError::Full);
        }
        Ok(())
    }

    fn push(&mut self, message: &Message) -> Dispatched {
        self.queue.push(message.wire());
        Dispatched::Sent
    }

    fn listen(&mut self, when: When, once: bool, action: Action) {
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
        Some(self.queue.drain(..).flatten().collect())
    }

    fn end(&mut self, reason: CloseReason) -> Result<(), Panicked> {
        if !reason.delivers_queue() && !self.is_ended() {
            self.discarded += self.queue.len();
            self.queue.clear();
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
