//! Those who wait for room, in the order in which they came.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use crate::server::listeners::Listener;
use crate::server::panics::Panics;
use crate::server::room::Room;
use crate::server::target::Target;

/// Names a place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// First those who were given room and have not come for it, then those who have none yet.
#[derive(Default)]
pub(super) struct Turns {
    places: VecDeque<Place>,
    next: u64,
    /// What a waker panicked with while a poll had a chunk to return: for the next poll.
    pub(super) late: Panics,
}

/// A place in the line. To be dropped without the lock.
pub(super) struct Place {
    ticket: Ticket,
    len: usize,
    state: State,
}

enum State {
    Waits(Waker),
    Given(Room),
}

impl Turns {
    /// Adds one who waits for `len` bytes.
    pub(super) fn wait<P: Listener>(
        &mut self,
        len: usize,
        waker: Waker,
        target: &mut Target<P>,
    ) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        let state = State::Waits(waker);
        self.places.push_back(Place { ticket, len, state });
        target.set_awaited(true);
        ticket
    }

    /// Gives room to those in front, as long as there is some; returns whom to wake.
    pub(super) fn serve<P: Listener>(&mut self, target: &mut Target<P>) -> Vec<Waker> {
        let mut served = Vec::new();
        let first = self.places.partition_point(Place::is_given);
        for place in self.places.range_mut(first..) {
            let Ok(Some(room)) = target.promise(place.len) else {
                break;
            };
            if let State::Waits(waker) = mem::replace(&mut place.state, State::Given(room)) {
                served.push(waker);
            }
        }
        target.set_awaited(self.places.back().is_some_and(|last| !last.is_given()));
        served
    }

    /// Fetches the room of one who was served, who leaves the line with it.
    pub(super) fn fetch(&mut self, ticket: Ticket) -> Option<Room> {
        let at = self.find(ticket)?;
        if !self.places[at].is_given() {
            return None;
        }
        let place = self.places.remove(at)?;
        self.shrink();
        match place.state {
            State::Given(room) => Some(room),
            State::Waits(_) => None,
        }
    }

    /// Takes one out of the line who waits no more. Then [serve](Self::serve): who stands behind may
    /// fit now.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Place> {
        let place = self.places.remove(self.find(ticket)?);
        self.shrink();
        place
    }

    /// Returns whom to wake for a ticket.
    pub(super) fn waker(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        let at = self.find(ticket)?;
        match &mut self.places[at].state {
            State::Waits(waker) => Some(waker),
            State::Given(_) => None,
        }
    }

    /// Ends the line: returns whom to wake.
    pub(super) fn end(self) -> impl Iterator<Item = Waker> {
        self.places
            .into_iter()
            .filter_map(|place| match place.state {
                State::Waits(waker) => Some(waker),
                // Woken before.
                State::Given(_) => None,
            })
    }

    fn find(&self, ticket: Ticket) -> Option<usize> {
        let by_ticket = |place: &Place| place.ticket;
        self.places.binary_search_by_key(&ticket, by_ticket).ok()
    }

    fn shrink(&mut self) {
        if self.places.is_empty() {
            self.places = VecDeque::new();
        }
    }
}

impl Place {
    fn is_given(&self) -> bool {
        matches!(self.state, State::Given(_))
    }
}
