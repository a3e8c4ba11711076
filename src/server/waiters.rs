//! The tasks that wait for room or for the end, in order of arrival.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;

use super::outbox::{Purpose, Reservation};

/// Identifies a waiter in the line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// A line: first the waiters that have been granted room and have not taken it, then those without
/// room.
#[derive(Default)]
pub(crate) struct Waiters {
    line: VecDeque<Waiter>,
    next: u64,
}

/// A task in the line. Drop it without the lock, because that drops its waker.
pub(crate) struct Waiter {
    ticket: Ticket,
    len: usize,
    purpose: Purpose,
    /// `None` once it was woken.
    waker: Option<Waker>,
    pub(crate) room: Option<Reservation>,
}

impl Waiters {
    /// Keeps the waker of a task that waits for `len` bytes. A task without a ticket joins the line
    /// and gets a ticket. Returns the waker that was kept before.
    pub(crate) fn keep_waker(
        &mut self,
        ticket: &mut Option<Ticket>,
        len: usize,
        purpose: Purpose,
        waker: Waker,
    ) -> Option<Waker> {
        if let Some(ticket) = *ticket {
            let at = self.find(ticket)?;
            return self.line[at].waker.replace(waker);
        }
        let own = Ticket(self.next);
        self.next += 1;
        *ticket = Some(own);
        self.line.push_back(Waiter {
            ticket: own,
            len,
            purpose,
            waker: Some(waker),
            room: None,
        });
        None
    }

    /// Grants room to waiters in order, as long as `reserve` finds room. Returns the wakers of
    /// these waiters.
    pub(crate) fn grant(
        &mut self,
        mut reserve: impl FnMut(usize, Purpose) -> Option<Reservation>,
    ) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let first = self.line.partition_point(|waiter| waiter.room.is_some());
        for waiter in self.line.range_mut(first..) {
            waiter.room = reserve(waiter.len, waiter.purpose);
            if waiter.room.is_none() {
                break;
            }
            wakers.extend(waiter.waker.take());
        }
        wakers
    }

    /// Returns whether a waiter has no room yet.
    pub(crate) fn is_awaited(&self) -> bool {
        self.line.back().is_some_and(|last| last.room.is_none())
    }

    /// Takes a waiter with room out of the line and returns the room. `None` if the waiter has no
    /// room yet.
    pub(crate) fn take_room(&mut self, ticket: Ticket) -> Option<Reservation> {
        let at = self.find(ticket)?;
        self.line[at].room.as_ref()?;
        self.leave(ticket)?.room
    }

    /// Takes a waiter out of the line. Then call [`grant`](Self::grant), because the next waiter
    /// may fit now.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.line.remove(self.find(ticket)?)?;
        if self.line.is_empty() {
            self.line = VecDeque::new();
        }
        Some(waiter)
    }

    /// Ends the line. Returns the wakers of the waiters that were not woken.
    pub(crate) fn into_wakers(self) -> impl Iterator<Item = Waker> {
        self.line.into_iter().filter_map(|waiter| waiter.waker)
    }

    fn find(&self, ticket: Ticket) -> Option<usize> {
        let by_ticket = |waiter: &Waiter| waiter.ticket;
        self.line.binary_search_by_key(&ticket, by_ticket).ok()
    }
}
