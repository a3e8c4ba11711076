//! How a connection is lost, and what decides whether another follows.

use core::time::Duration;

use super::life::Life;
use super::options::Repeat;
use super::output::{Closed, Down};
use super::reason::{ClosedReason, DownReason};
use super::reconnect::Exhausted;
use super::request::sendable;
use super::state::{Input, State};
use crate::wire::decode::Decoder;

impl Life {
    /// The body ended, or the connection failed.
    pub(super) fn fail(&mut self, now: Duration, is_end: bool, decoder: &Decoder) {
        if !core::mem::take(&mut self.is_in_flight) {
            return;
        }
        let reason = match (self.state, is_end) {
            (State::Open, true) if decoder.is_within_block() => DownReason::Interrupted,
            (State::Open, true) => DownReason::Ended,
            // A body that ends before its head came is no end.
            _ => DownReason::IoError,
        };
        self.lose(now, reason, None, decoder);
    }

    pub(super) fn network_lost(&mut self, now: Duration, decoder: &Decoder) {
        self.is_offline = true;
        self.last = Some(DownReason::NetworkLost);
        if !matches!(self.state, State::Connecting | State::Open) {
            return;
        }
        if !self.may_repeat(decoder) {
            let reason = ClosedReason::NotRepeatable(DownReason::NetworkLost);
            return self.give_up(now, reason, decoder.is_within_block());
        }
        self.begin_loss(now);
        // A network that comes and goes makes no storm of requests, and is no failure of the server's.
        let delay = self.reconnect.delay(None, &self.options);
        self.go_down(
            now,
            Input::NetworkLost,
            DownReason::NetworkLost,
            delay,
            decoder,
        );
    }

    /// Loses the connection, and waits for the next one if there may be one.
    pub(super) fn lose(
        &mut self,
        now: Duration,
        reason: DownReason,
        retry_after: Option<Duration>,
        decoder: &Decoder,
    ) {
        let is_interrupted = decoder.is_within_block();
        if !self.may_repeat(decoder) {
            return self.give_up(now, ClosedReason::NotRepeatable(reason), is_interrupted);
        }
        self.begin_loss(now);
        match self.reconnect.fail(now, retry_after, &self.options) {
            Ok(delay) => self.go_down(now, Input::Lost, reason, delay, decoder),
            Err(Exhausted::Attempts(attempts)) => {
                let last = reason;
                let reason = ClosedReason::AttemptsExhausted { attempts, last };
                self.give_up(now, reason, is_interrupted);
            }
            Err(Exhausted::Time(elapsed)) => {
                let last = Some(reason);
                let reason = ClosedReason::TimeExhausted { elapsed, last };
                self.give_up(now, reason, is_interrupted);
            }
        }
    }

    /// The time without progress counts from here on, if it does not already. Behind a stable while this is the first loss,
    /// whatever it is lost by.
    fn begin_loss(&mut self, now: Duration) {
        let open_for = now.saturating_sub(self.opened_at);
        if self.state == State::Open && open_for >= self.options.stable_after {
            self.reconnect.succeed();
        }
        self.reconnect.begin(now);
    }

    fn go_down(
        &mut self,
        now: Duration,
        input: Input,
        reason: DownReason,
        delay: Duration,
        decoder: &Decoder,
    ) {
        self.last = Some(reason.clone());
        self.pending.down = Some(Down {
            reason,
            is_interrupted: decoder.is_within_block(),
            retry_in: (!self.is_offline).then_some(delay),
            attempt: self.reconnect.failures(),
        });
        self.advance(now, input);
        self.until = Some(now.saturating_add(delay));
    }

    /// The limit of elapsed time is reached.
    pub(super) fn run_out(&mut self, now: Duration) {
        let elapsed = self.reconnect.elapsed(now);
        let last = self.last.take();
        self.give_up(now, ClosedReason::TimeExhausted { elapsed, last }, false);
    }

    /// Closes for a reason other than that the caller wants it.
    pub(super) fn give_up(&mut self, now: Duration, reason: ClosedReason, is_interrupted: bool) {
        self.closed = Some(Closed {
            reason,
            is_interrupted,
        });
        self.advance(now, Input::GiveUp);
    }

    fn may_repeat(&self, decoder: &Decoder) -> bool {
        match self.repeat {
            Repeat::Always => true,
            Repeat::OnceResumable => {
                let id = sendable(decoder.last_event_id());
                !self.was_sent || matches!(id, Ok(Some(_)))
            }
        }
    }
}
