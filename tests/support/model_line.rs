//! What is in the model's queue, who waits for room in it, and who holds some.

use std::task::Poll;

use sse_proto::target::{DispatchError, Dispatched};

use super::model::Model;
use super::play::{Message, comment};

/// A frame, and the type of the event that it fires.
#[derive(Clone)]
pub struct Queued {
    pub wire: Vec<u8>,
    pub fires: Option<&'static str>,
    /// What was queued before it was dropped, and something older was not: no chunk goes on here.
    pub behind_hole: bool,
}

impl Queued {
    pub fn of(message: &Message) -> Self {
        Self {
            wire: message.wire(),
            fires: Some(message.event_type.unwrap_or("message")),
            behind_hole: false,
        }
    }

    pub fn comment(len: u8) -> Self {
        Self {
            wire: comment(len),
            fires: None,
            behind_hole: false,
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
    /// How many frames and bytes belong to somebody.
    pub fn promised(&self) -> (usize, usize) {
        let rooms = self.0.iter().filter(|place| place.state != State::Waits);
        let lens: Vec<usize> = rooms.map(|place| place.len).collect();
        (lens.len(), lens.iter().sum())
    }

    pub fn is_awaited(&self) -> bool {
        self.0.iter().any(|place| place.state == State::Waits)
    }

    pub fn waits(&self, who: usize) -> bool {
        let place = self.0.iter().find(|place| place.who == who);
        place.is_some_and(|place| place.state != State::Holds)
    }

    pub fn holds(&self, who: usize) -> bool {
        let place = self.0.iter().find(|place| place.who == who);
        place.is_some_and(|place| place.state == State::Holds)
    }

    /// How many wait or hold.
    pub fn places(&self) -> usize {
        self.0.len()
    }

    /// Gives a place up; returns what room was behind it.
    pub fn leave(&mut self, who: usize) -> Option<usize> {
        let at = self.0.iter().position(|place| place.who == who)?;
        Some(self.0.remove(at).len)
    }
}

impl Model {
    /// Somebody new asks for room.
    pub fn reserve(&mut self, who: usize, len: usize) -> Poll<Result<usize, DispatchError>> {
        if let Some(reason) = self.reason() {
            return Poll::Ready(Err(DispatchError::Closed(reason)));
        }
        let limit = self.rules.bytes;
        if len > limit {
            return Poll::Ready(Err(DispatchError::TooLarge { len, limit }));
        }
        let at_once = self.fits(len) && !self.line.is_awaited();
        let state = if at_once { State::Holds } else { State::Waits };
        self.line.0.push(Place { who, len, state });
        if at_once {
            Poll::Ready(Ok(len))
        } else {
            Poll::Pending
        }
    }

    /// Who waits asks again.
    pub fn reserved(&mut self, who: usize) -> Poll<Result<usize, DispatchError>> {
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

    /// Uses a permit for an event, which listeners are asked about, or for a frame.
    pub fn send_promised(
        &mut self,
        who: usize,
        message: &Message,
        asks: bool,
    ) -> Result<Dispatched, DispatchError> {
        let frame = Queued::of(message);
        let closed = self.reason();
        let limit = self.line.leave(who).expect("it has a permit");
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
        assert!(self.fits(len), "the room was held");
        Ok(self.push(frame))
    }

    /// Gives room to those in front, as long as there is some.
    pub fn serve(&mut self) {
        if self.reason().is_some() {
            return;
        }
        for at in 0..self.line.0.len() {
            if self.line.0[at].state != State::Waits {
                continue;
            }
            if !self.fits(self.line.0[at].len) {
                break;
            }
            self.line.0[at].state = State::Given;
        }
    }

    /// How often somebody was woken since they began to wait.
    pub fn wakes(&self, who: usize) -> usize {
        let place = self.line.0.iter().find(|place| place.who == who);
        usize::from(place.is_some_and(|place| match place.state {
            State::Waits => self.reason().is_some(),
            State::Given => true,
            State::Holds => false,
        }))
    }
}
