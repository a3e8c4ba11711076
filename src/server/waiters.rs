//! The tasks that wait for room, in the order in which they came.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use super::outbox::{Purpose, Reservation};

/// Names a waiter in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// First the waiters that have room and have not taken it, then those without room.
#[derive(Default)]
pub(crate) struct Waiters {
    line: VecDeque<Waiter>,
    next: u64,
}

/// A task in the line.
struct Waiter {
    ticket: Ticket,
    len: usize,
    purpose: Purpose,
    claim: Claim,
}

/// What a task in the line has. Drop its waker without the lock.
pub(crate) enum Claim {
    Awaits(Waker),
    Granted(Reservation),
}

impl Waiters {
    /// Adds a waiter for `len` bytes.
    pub(crate) fn join(&mut self, len: usize, purpose: Purpose, waker: Waker) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.line.push_back(Waiter {
            ticket,
            len,
            purpose,
            claim: Claim::Awaits(waker),
        });
        ticket
    }

    /// Grants room to the first waiters without any, as long as `reserve` finds some. Returns the
    /// wakers of those.
    pub(crate) fn grant(
        &mut self,
        mut reserve: impl FnMut(usize, Purpose) -> Option<Reservation>,
    ) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let first = self.line.partition_point(Waiter::has_room);
        for waiter in self.line.range_mut(first..) {
            let Some(room) = reserve(waiter.len, waiter.purpose) else {
                break;
            };
            if let Claim::Awaits(waker) = mem::replace(&mut waiter.claim, Claim::Granted(room)) {
                wakers.push(waker);
            }
        }
        wakers
    }

    /// Returns whether a waiter has no room yet.
    pub(crate) fn is_awaited(&self) -> bool {
        self.line.back().is_some_and(|last| !last.has_room())
    }

    /// Takes the room of a waiter, which leaves the line with it. `None` if it has none yet.
    pub(crate) fn take_room(&mut self, ticket: Ticket) -> Option<Reservation> {
        let at = self.find(ticket)?;
        if !self.line[at].has_room() {
            return None;
        }
        match self.leave(ticket)? {
            Claim::Granted(room) => Some(room),
            Claim::Awaits(_) => None,
        }
    }

    /// Takes a waiter out of the line. Then [grant](Self::grant): the next one may fit now.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Claim> {
        let waiter = self.line.remove(self.find(ticket)?)?;
        if self.line.is_empty() {
            self.line = VecDeque::new();
        }
        Some(waiter.claim)
    }

    /// Returns the waker of a waiter without room.
    pub(crate) fn waker_mut(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        let at = self.find(ticket)?;
        match &mut self.line[at].claim {
            Claim::Awaits(waker) => Some(waker),
            Claim::Granted(_) => None,
        }
    }

    /// Ends the line. Returns the wakers of the waiters without room: the others were woken.
    pub(crate) fn into_wakers(self) -> impl Iterator<Item = Waker> {
        let waiters = self.line.into_iter();
        waiters.filter_map(|waiter| match waiter.claim {
            Claim::Awaits(waker) => Some(waker),
            Claim::Granted(_) => None,
        })
    }

    fn find(&self, ticket: Ticket) -> Option<usize> {
        let by_ticket = |waiter: &Waiter| waiter.ticket;
        self.line.binary_search_by_key(&ticket, by_ticket).ok()
    }
}

impl Waiter {
    fn has_room(&self) -> bool {
        matches!(self.claim, Claim::Granted(_))
    }
}
