//! What is in the model's queue, who waits for room in it, and who holds some.

use std::task::Poll;

use sse_proto::target::{CloseReason, DispatchError, Dispatched};

use super::life_target::{Command, NEVER, Outcome, Says, Seen};
use super::model::Model;
use super::play::{Action, Message, When, comment};

/// A frame, and the type of the event that it fires.
#[derive(Clone)]
pub struct Queued {
    pub wire: Vec<u8>,
    pub fires: Option<&'static str>,
    /// Too large to be copied: no other frame is in its chunk.
    pub is_chunk: bool,
}

/// Frames above this are not copied.
const LARGE: usize = 4096;

impl Queued {
    pub fn of(message: &Message) -> Self {
        Self {
            wire: message.wire(),
            fires: Some(message.event_type.unwrap_or("message")),
            is_chunk: false,
        }
    }

    /// One that is encoded already.
    pub fn frame(message: &Message) -> Self {
        let is_chunk = message.wire().len() > LARGE;
        Self {
            is_chunk,
            ..Self::of(message)
        }
    }

    pub fn comment(len: u8) -> Self {
        Self {
            wire: comment(len),
            fires: None,
            is_chunk: false,
        }
    }
}

/// In the order in which they came.
#[derive(Clone, Default)]
pub struct Line(Vec<Place>);

#[derive(Clone)]
struct Place {
    who: usize,
    len: usize,
    /// What is sent once there is room; without it, a permit is waited for.
    sends: Option<Message>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    /// Has room, and was woken for it.
    Given,
    /// Has a permit.
    Holds,
}

impl Line {
    /// How many frames and bytes are held by others.
    pub fn held(&self) -> (usize, usize) {
        self.sum(|_| true)
    }

    /// How many of those no newer event takes.
    pub fn permits(&self) -> (usize, usize) {
        self.sum(|place| place.sends.is_none())
    }

    fn sum(&self, counts: impl Fn(&Place) -> bool) -> (usize, usize) {
        let places = self.0.iter().filter(|place| place.state != State::Waits);
        let lens: Vec<usize> = places
            .filter(|place| counts(place))
            .map(|place| place.len)
            .collect();
        (lens.len(), lens.iter().sum())
    }

    pub fn is_awaited(&self) -> bool {
        self.0.iter().any(|place| place.state == State::Waits)
    }

    /// One who waits, and what is sent once there is room.
    fn waits(&self, who: usize) -> Option<&Place> {
        let place = self.0.iter().find(|place| place.who == who)?;
        (place.state != State::Holds).then_some(place)
    }

    fn holds(&self, who: usize) -> bool {
        let place = self.0.iter().find(|place| place.who == who);
        place.is_some_and(|place| place.state == State::Holds)
    }

    /// Gives a place up; returns what room was behind it.
    fn leave(&mut self, who: usize) -> Option<usize> {
        let at = self.0.iter().position(|place| place.who == who)?;
        Some(self.0.remove(at).len)
    }
}

/// A model whose target is in a stack of adapters.
impl Model {
    pub fn obey(&mut self, command: &Command) -> Outcome {
        let outcome = self.outcome(command);
        if self.handles + self.line.0.len() == 0 {
            self.end_quietly(CloseReason::HandlesDropped);
        }
        self.serve();
        outcome
    }

    /// What one poll of the stream gives: a chunk, or nothing now.
    pub fn poll_chunk(&mut self) -> Option<Vec<u8>> {
        let chunk = self.take_chunk();
        self.serve();
        chunk
    }

    pub fn end_quietly(&mut self, reason: CloseReason) {
        self.end(reason).expect("no listener panics");
    }

    pub fn see(&self) -> Seen {
        let reason = self.reason();
        let says = Says {
            reason,
            counts: self.counts(),
            is_drained: self.is_drained(),
        };
        Seen {
            told: reason.into_iter().collect(),
            closed: reason,
            closed_wakes: usize::from(reason.is_some()),
            wakes: std::array::from_fn(|who| self.wakes(who)),
            says: (self.handles > 0).then_some(says),
        }
    }

    fn outcome(&mut self, command: &Command) -> Outcome {
        let panics = "no listener panics";
        match command {
            Command::Again(who) => match self.line.waits(*who).map(|place| place.sends) {
                Some(None) => return Outcome::Reserved(self.reserved(*who)),
                Some(Some(message)) => return Outcome::Sends(self.sends_again(*who, &message)),
                None => {}
            },
            Command::Use(who, message) if self.line.holds(*who) => {
                return Outcome::Sent(self.send_into_room(*who, message, true));
            }
            Command::UseForFrame(who, message) if self.line.holds(*who) => {
                return Outcome::Sent(self.send_into_room(*who, message, false));
            }
            Command::GiveUp(who) => _ = self.line.leave(*who),
            _ => {}
        }
        if self.handles == 0 {
            return Outcome::Nothing;
        }
        match command {
            Command::Dispatch(message) => {
                return Outcome::Sent(self.dispatch(message).expect(panics));
            }
            Command::Queue(message) => {
                let sent = self.queue(&Queued::frame(message)).expect(panics);
                return Outcome::Sent(sent.map(|()| Dispatched::Sent));
            }
            Command::Comment(len) => {
                let sent = self.queue(&Queued::comment(*len)).expect(panics);
                return Outcome::Sent(sent.map(|()| Dispatched::Sent));
            }
            Command::Reserve(who, len) => {
                self.line.leave(*who);
                self.serve();
                return Outcome::Reserved(self.reserve(*who, *len));
            }
            Command::Send(who, message) => {
                self.line.leave(*who);
                self.serve();
                return Outcome::Sends(self.send(*who, message));
            }
            Command::Mark(marked) => self.rules.marked = *marked,
            Command::Listen => self.listen(When::Type(NEVER), false, Action::Cancel),
            Command::End(reason) => self.end_quietly(*reason),
            Command::Clone => self.handles += 1,
            Command::DropHandle => self.handles -= 1,
            _ => {}
        }
        Outcome::Nothing
    }

    /// Somebody new asks for room.
    fn reserve(&mut self, who: usize, len: usize) -> Poll<Result<usize, DispatchError>> {
        if let Some(reason) = self.reason() {
            return Poll::Ready(Err(DispatchError::Closed(reason)));
        }
        let limit = self.rules.bytes;
        if len > limit {
            return Poll::Ready(Err(DispatchError::TooLarge { len, limit }));
        }
        let at_once = self.admits(len, false) && !self.line.is_awaited();
        let state = if at_once { State::Holds } else { State::Waits };
        let sends = None;
        self.line.0.push(Place {
            who,
            len,
            sends,
            state,
        });
        if at_once {
            Poll::Ready(Ok(len))
        } else {
            Poll::Pending
        }
    }

    /// Who waits for a permit asks again.
    fn reserved(&mut self, who: usize) -> Poll<Result<usize, DispatchError>> {
        if let Some(reason) = self.reason() {
            self.line.leave(who);
            return Poll::Ready(Err(DispatchError::Closed(reason)));
        }
        let place = self.line.0.iter_mut().find(|place| place.who == who);
        match place {
            Some(place) if place.state == State::Given => {
                place.state = State::Holds;
                Poll::Ready(Ok(place.len))
            }
            _ => Poll::Pending,
        }
    }

    /// Sends at once, as a dispatch does, or waits where that would be full.
    fn send(&mut self, who: usize, message: &Message) -> Poll<Result<Dispatched, DispatchError>> {
        match self.dispatch(message).expect("no listener panics") {
            Err(DispatchError::Full) => {
                self.line.0.push(Place {
                    who,
                    len: message.wire().len(),
                    sends: Some(*message),
                    state: State::Waits,
                });
                Poll::Pending
            }
            outcome => Poll::Ready(outcome),
        }
    }

    /// Who waits to send asks again.
    fn sends_again(
        &mut self,
        who: usize,
        message: &Message,
    ) -> Poll<Result<Dispatched, DispatchError>> {
        let place = self.line.0.iter().find(|place| place.who == who);
        let given = place.is_some_and(|place| place.state == State::Given);
        if given || self.reason().is_some() {
            Poll::Ready(self.send_into_room(who, message, true))
        } else {
            Poll::Pending
        }
    }

    /// Uses room for an event, which listeners are asked about, or for a frame.
    fn send_into_room(
        &mut self,
        who: usize,
        message: &Message,
        asks: bool,
    ) -> Result<Dispatched, DispatchError> {
        let frame = if asks {
            Queued::of(message)
        } else {
            Queued::frame(message)
        };
        let closed = self.reason();
        let limit = self.line.leave(who).expect("it has room");
        let len = frame.wire.len();
        if let Some(reason) = closed {
            return Err(DispatchError::Closed(reason));
        }
        if len > limit {
            return Err(DispatchError::TooLarge { len, limit });
        }
        if asks && self.ask(message).expect("no listener panics") {
            return Ok(Dispatched::Canceled);
        }
        Ok(self.push(frame))
    }

    /// Gives room to those in front, as long as there is some.
    fn serve(&mut self) {
        if self.reason().is_some() {
            return;
        }
        for at in 0..self.line.0.len() {
            let place = &self.line.0[at];
            if place.state != State::Waits {
                continue;
            }
            if !self.admits(place.len, place.sends.is_some()) {
                break;
            }
            self.line.0[at].state = State::Given;
        }
    }

    /// How often somebody was woken since they began to wait.
    fn wakes(&self, who: usize) -> usize {
        let place = self.line.0.iter().find(|place| place.who == who);
        usize::from(place.is_some_and(|place| match place.state {
            State::Waits => self.reason().is_some(),
            State::Given => true,
            State::Holds => false,
        }))
    }
}
