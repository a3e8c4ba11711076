//! A client without its decoder: the table of states applied, with what it remembers.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::time::Duration;

use super::options::{Options, Repeat};
use super::output::{Closed, Down, Output, Pending};
use super::reason::{Cause, ClosedReason, DownReason, Rejected};
use super::reconnect::Reconnect;
use super::redirect::Route;
use super::request::{Request, sendable};
use super::response::Response;
use super::state::{Effect, Input, State};
use crate::wire::decode::{DecodeError, Decoder};

pub(super) struct Life {
    /// GET if there is none.
    method: Option<Box<str>>,
    pub(super) repeat: Repeat,
    pub(super) route: Route,
    pub(super) options: Options,
    pub(super) state: State,
    pub(super) reconnect: Reconnect,
    pub(super) closed: Option<Closed>,
    /// What the last connection was lost by.
    pub(super) last: Option<DownReason>,
    /// When the wait of the state is over: for a response, for a byte, for the retry.
    pub(super) until: Option<Duration>,
    pub(super) opened_at: Duration,
    pub(super) is_offline: bool,
    /// The driver holds a request or a response.
    pub(super) is_in_flight: bool,
    /// A request was sent at all.
    pub(super) was_sent: bool,
    /// The last event ID that the last request has gone out with, and so no progress if it comes again.
    known_id: Box<str>,
    pub(super) pending: Pending,
}

/// What an item means for reconnecting.
pub(super) enum News<'a> {
    Event,
    /// A block set the last event ID and nothing else.
    LastEventId(Cow<'a, str>),
    ReconnectionTime(Duration),
    Comment,
}

impl Life {
    pub(super) fn new(method: Option<&str>, url: &str, options: Options, seed: u64) -> Self {
        let by_method = method.map_or(Repeat::Always, Repeat::for_method);
        Self {
            method: method.map(Into::into),
            repeat: options.repeat.unwrap_or(by_method),
            route: Route::new(url),
            options,
            state: State::Idle,
            reconnect: Reconnect::new(seed),
            closed: None,
            last: None,
            until: None,
            opened_at: Duration::ZERO,
            is_offline: false,
            is_in_flight: false,
            was_sent: false,
            known_id: Box::default(),
            pending: Pending::default(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let end = self.reconnect.end(&self.options);
        match self.state {
            State::Idle | State::Closed => None,
            State::Waiting if self.is_offline => end,
            State::Connecting | State::Waiting => earlier(self.until, end),
            State::Open => self.until,
        }
    }

    pub(super) fn start(&mut self, now: Duration) {
        let (input, offline) = if self.is_offline {
            (Input::StartOffline, true)
        } else {
            (Input::Start, false)
        };
        if self.state == State::Idle {
            self.reconnect.begin(now);
            self.until = offline.then_some(now);
        }
        self.advance(now, input);
    }

    pub(super) fn response(&mut self, now: Duration, response: Response, decoder: &Decoder) {
        if self.state != State::Connecting || !self.is_in_flight {
            return;
        }
        if let Some(url) = &response.url {
            self.route.arrive(url.clone());
        }
        if response.is_event_stream() {
            return self.advance(now, Input::Accepted);
        }
        let cause = match self.route.follow(&response, self.options.max_redirects) {
            Ok(()) if self.reconnect.is_over(now, &self.options) => return self.run_out(now),
            Ok(()) => return self.advance(now, Input::Redirected),
            Err(cause) => cause,
        };
        let rejected = Rejected {
            status: response.status,
            content_type: response.content_type,
            cause,
        };
        if cause == Cause::Status && self.options.retries(rejected.status) {
            self.lose(
                now,
                DownReason::Rejected(rejected),
                response.retry_after,
                decoder,
            );
        } else {
            self.give_up(now, ClosedReason::Rejected(rejected), false);
        }
    }

    /// Whether bytes are wanted; any of them shows that the server is there.
    pub(super) fn hears(&mut self, now: Duration, input: &[u8]) -> bool {
        if self.state == State::Open && !input.is_empty() {
            self.hear(now);
        }
        self.state == State::Open
    }

    /// What an item, borrowed or owned, changes; and an event that was too large, which is told before the limits decide.
    pub(super) fn note<T>(
        &mut self,
        now: Duration,
        step: &Result<T, DecodeError>,
        news: fn(&T) -> News<'_>,
    ) {
        match step.as_ref().map(news) {
            Ok(News::Event) => self.reconnect.succeed(),
            Ok(News::LastEventId(id)) if *id != *self.known_id => self.reconnect.succeed(),
            Ok(News::ReconnectionTime(time)) => self.reconnect.reconnection_time = Some(time),
            Err(error) if self.options.limits.ends() => {
                self.give_up(now, ClosedReason::TooLarge(*error), true);
            }
            Ok(News::LastEventId(_) | News::Comment) | Err(_) => {}
        }
    }

    pub(super) fn deadline(&mut self, now: Duration, decoder: &Decoder) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let end = self.reconnect.end(&self.options);
        match self.state {
            State::Open => self.lose(now, DownReason::Idle, None, decoder),
            State::Connecting if end.is_some_and(|end| end <= now) => self.run_out(now),
            State::Connecting => self.lose(now, DownReason::ConnectTimeout, None, decoder),
            State::Waiting => self.end_wait(now),
            State::Idle | State::Closed => {}
        }
    }

    pub(super) fn network_back(&mut self, now: Duration) {
        self.is_offline = false;
        let is_due = self.next_deadline().is_some_and(|due| due <= now);
        if self.state == State::Waiting && is_due {
            self.end_wait(now);
        }
    }

    /// The wait for the retry is over, or the limit of elapsed time is reached before. A driver may be late, or the network:
    /// after the limit no request is sent.
    fn end_wait(&mut self, now: Duration) {
        let is_due = !self.is_offline && self.until.is_some_and(|until| until <= now);
        if is_due && !self.reconnect.is_over(now, &self.options) {
            self.advance(now, Input::Due);
        } else {
            self.run_out(now);
        }
    }

    pub(super) fn reconnect(&mut self, now: Duration, decoder: &Decoder) {
        if !matches!(self.state, State::Open | State::Waiting) {
            return;
        }
        self.is_offline = false;
        self.last = None;
        self.reconnect.succeed();
        self.reconnect.begin(now);
        if self.state == State::Open {
            self.pending.down = Some(Down {
                reason: DownReason::Reconnect,
                is_interrupted: decoder.is_within_block(),
                retry_in: Some(Duration::ZERO),
                attempt: 0,
            });
        }
        self.advance(now, Input::Reconnect);
    }

    pub(super) fn close(&mut self, is_interrupted: bool) {
        if self.state != State::Closed {
            self.closed = Some(Closed {
                reason: ClosedReason::Here,
                is_interrupted,
            });
            self.advance(Duration::ZERO, Input::Close);
        }
    }

    /// Does what the table of states says.
    pub(super) fn advance(&mut self, now: Duration, input: Input) {
        let effect;
        (self.state, effect) = self.state.next(input);
        match effect {
            Effect::None => {}
            Effect::Send => self.send(now),
            Effect::Follow => {
                // The time for the connection goes on.
                self.let_go();
                self.pending.request = true;
            }
            Effect::Open => {
                self.pending.opened = true;
                self.opened_at = now;
                self.hear(now);
            }
            Effect::GoDown => {
                self.let_go();
                self.route.restart();
            }
            Effect::Replace => {
                self.let_go();
                self.send(now);
            }
            Effect::Close => {
                self.let_go();
                self.until = None;
                self.route.restart();
                self.pending.closed = true;
            }
        }
    }

    /// The time for the next byte begins.
    fn hear(&mut self, now: Duration) {
        self.until = after(now, self.options.idle_timeout);
    }

    fn send(&mut self, now: Duration) {
        self.route.restart();
        self.until = after(now, self.options.connect_timeout);
        self.pending.request = true;
    }

    fn let_go(&mut self) {
        self.pending.request = false;
        self.pending.abort |= core::mem::take(&mut self.is_in_flight);
    }

    pub(super) fn poll(&mut self, decoder: &Decoder) -> Option<Output> {
        let pending = &mut self.pending;
        if core::mem::take(&mut pending.opened) {
            return Some(Output::Opened);
        }
        if core::mem::take(&mut pending.abort) {
            return Some(Output::Abort);
        }
        if let Some(down) = pending.down.take() {
            return Some(Output::Down(down));
        }
        if core::mem::take(&mut pending.request) {
            self.is_in_flight = true;
            self.was_sent = true;
            self.known_id = decoder.last_event_id().into();
            return Some(Output::Request(self.request(decoder)));
        }
        if core::mem::take(&mut pending.closed) {
            return self.closed.clone().map(Output::Closed);
        }
        None
    }

    fn request(&self, decoder: &Decoder) -> Request {
        let (last_event_id, left_out) = match sendable(decoder.last_event_id()) {
            Ok(id) => (id.map(Into::into), None),
            Err(error) => (None, Some(error)),
        };
        let as_get = self.route.is_get();
        Request {
            method: self.method.clone().filter(|_| !as_get),
            url: self.route.url().into(),
            last_event_id,
            left_out,
            attempt: self.reconnect.failures(),
            same_origin: self.route.is_same_origin(),
            as_get,
        }
    }
}

fn after(now: Duration, timeout: Option<Duration>) -> Option<Duration> {
    Some(now.saturating_add(timeout?))
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
