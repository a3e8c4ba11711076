//! A client without its decoder. It applies the table of states, and stores the data that the
//! transitions need.

use alloc::boxed::Box;
use core::mem;
use core::panic::AssertUnwindSafe;
use core::time::Duration;

use super::backoff::Backoff;
use super::options::Options;
use super::output::{Cause, Loss, LossReason, Output};
use super::request::{Request, header_id};
use super::response::{Response, is_redirect};
use super::route::Route;
use super::state::{Action, State, Trigger};
use crate::wire::decode::{DecodeError, Decoder};

pub(super) struct Machine {
    /// `None` means GET.
    method: Option<Box<str>>,
    sent: Sent,
    options: Options,
    route: Route,
    backoff: Backoff,
    state: State,
    /// Why the last connection was lost.
    last: Option<LossReason>,
    /// The deadline of the current state: for the response, for a byte, or for the retry.
    until: Option<Duration>,
    /// When the last stream was opened.
    opened_at: Option<Duration>,
    /// True if the open stream has brought an event.
    had_event: bool,
    is_offline: bool,
    /// True while the driver holds a request or a response.
    is_in_flight: bool,
    /// The last event ID of the last request, or of the start of its stream. Receiving the same ID
    /// again is not progress.
    known_id: Box<str>,
    unpolled: Unpolled,
}

/// Which requests the driver has taken. A request and its redirects count as one.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    Nothing,
    Once,
    /// This connection repeats the first one, or resumes it.
    Again,
}

/// Outputs that are not polled yet: at most one of each, in the order of the fields.
#[derive(Default)]
struct Unpolled {
    opened: bool,
    abort: bool,
    /// Boxed, because most of the time there is none.
    lost: Option<Box<Loss>>,
    request: bool,
    closed: Option<Box<Loss>>,
}

/// What a decoded item means for reconnecting.
#[derive(Clone, Copy)]
pub(super) enum Progress<'a> {
    Event,
    /// The start of a stream. A server sends it to every new client, however soon it ends.
    Start(&'a str),
    /// A block set the last event ID and nothing else.
    LastEventId(&'a str),
    ReconnectionTime(Duration),
    /// An event exceeded a limit.
    TooLarge(DecodeError),
    None,
}

impl Machine {
    pub(super) fn new(url: &str, options: Options, seed: u64) -> Self {
        Self {
            method: None,
            sent: Sent::Nothing,
            options,
            route: Route::new(url.into()),
            backoff: Backoff::new(seed),
            state: State::Idle,
            last: None,
            until: None,
            opened_at: None,
            had_event: false,
            is_offline: false,
            is_in_flight: false,
            known_id: Box::default(),
            unpolled: Unpolled::default(),
        }
    }

    pub(super) fn set_method(&mut self, method: &str) {
        self.method = Some(method.into());
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) fn url(&self) -> &str {
        self.route.url()
    }

    pub(super) const fn reconnection_time(&self) -> Option<Duration> {
        self.backoff.reconnection_time
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let end = self.backoff.end(&self.options);
        match self.state {
            State::Idle | State::Closed => None,
            State::Waiting if self.is_offline => end,
            State::Connecting | State::Waiting => self.until.into_iter().chain(end).min(),
            State::Open => self.until,
        }
    }

    pub(super) fn start(&mut self, now: Duration) {
        if self.state != State::Idle {
            return;
        }
        self.backoff.start(now);
        if self.is_offline {
            self.until = Some(now);
            self.advance(now, Trigger::StartOffline);
        } else {
            self.advance(now, Trigger::Start);
        }
    }

    pub(super) fn handle_response(&mut self, now: Duration, response: Response, decoder: &Decoder) {
        if self.state != State::Connecting || !self.is_in_flight {
            return;
        }
        if let Some(url) = &response.url {
            self.route.arrive(url.clone());
        }
        let status = response.status();
        let retry_after = response.retry_after;
        let mut reason = LossReason::Rejected(status);
        if response.is_event_stream() {
            if !response.is_encoded(self.options.accept_encoding) {
                return self.advance(now, Trigger::Accepted);
            }
            reason = LossReason::ContentEncoding;
        } else if is_redirect(status) {
            let location = response.location.as_deref();
            let is_get = response.turns_to_get(self.method.as_deref().unwrap_or("GET"));
            if self.route.redirects() >= self.options.max_redirects {
                reason = LossReason::TooManyRedirects(status);
            } else if self.route.follow(location, is_get) {
                if self.backoff.is_over(now, &self.options) {
                    return self.close_exhausted(now);
                }
                self.backoff.redirect();
                return self.advance(now, Trigger::Redirected);
            }
        }
        let is_retried = self.options.retries(&response);
        let mut loss = Loss::new(reason);
        loss.response = Some(Box::new(response));
        if is_retried {
            self.lose(now, loss, retry_after, decoder);
        } else {
            self.close(loss, Trigger::GiveUp);
        }
    }

    /// Takes the arrival of bytes. Any byte shows that the connection is alive.
    pub(super) fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) {
        if self.state == State::Open && !bytes.is_empty() {
            self.restart_idle_timeout(now);
        }
    }

    /// Takes the result of decoding: an item, or an event that exceeded a limit.
    pub(super) fn note(&mut self, progress: Progress<'_>) {
        let forgets = self.options.forgets_at_events;
        self.had_event |= matches!(progress, Progress::Event);
        match progress {
            Progress::Event if forgets => self.backoff.reset(),
            Progress::Start(id) if *id != *self.known_id => self.known_id = id.into(),
            Progress::LastEventId(id) if forgets && *id != *self.known_id => self.backoff.reset(),
            Progress::ReconnectionTime(time) => self.backoff.reconnection_time = Some(time),
            Progress::TooLarge(error) if self.options.decode_limits.end_at_limit => {
                let mut loss = Loss::new(LossReason::TooLarge(error));
                loss.is_interrupted = true;
                self.close(loss, Trigger::GiveUp);
            }
            Progress::Event
            | Progress::Start(_)
            | Progress::LastEventId(_)
            | Progress::TooLarge(_)
            | Progress::None => {}
        }
    }

    /// Takes the end of the body. Before the head of the response, it is a failure.
    pub(super) fn handle_end(&mut self, now: Duration, decoder: &Decoder) {
        let is_open = self.state == State::Open;
        let reason = if is_open {
            LossReason::EndOfStream
        } else {
            LossReason::IoError
        };
        self.end(now, Loss::new(reason), decoder);
    }

    pub(super) fn handle_error(&mut self, now: Duration, error: Cause, decoder: &Decoder) {
        let mut loss = Loss::new(LossReason::IoError);
        loss.error = Some(AssertUnwindSafe(error));
        self.end(now, loss, decoder);
    }

    fn end(&mut self, now: Duration, loss: Loss, decoder: &Decoder) {
        if mem::take(&mut self.is_in_flight) {
            self.lose(now, loss, None, decoder);
        }
    }

    pub(super) fn handle_deadline(&mut self, now: Duration, decoder: &Decoder) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let end = self.backoff.end(&self.options);
        let reason = match self.state {
            State::Open => LossReason::IdleTimeout,
            State::Connecting if end.is_some_and(|end| end <= now) => {
                return self.close_exhausted(now);
            }
            State::Connecting => LossReason::ConnectTimeout,
            State::Waiting => return self.end_wait(now),
            State::Idle | State::Closed => return,
        };
        self.lose(now, Loss::new(reason), None, decoder);
    }

    pub(super) fn handle_network_lost(&mut self, now: Duration, decoder: &Decoder) {
        self.is_offline = true;
        self.last = Some(LossReason::NetworkLost);
        if matches!(self.state, State::Connecting | State::Open) {
            self.lose(now, Loss::new(LossReason::NetworkLost), None, decoder);
        }
    }

    pub(super) fn handle_network_back(&mut self, now: Duration) {
        self.is_offline = false;
        let is_due = self.next_deadline().is_some_and(|due| due <= now);
        if self.state == State::Waiting && is_due {
            self.end_wait(now);
        }
    }

    pub(super) fn reconnect(&mut self, now: Duration, decoder: &Decoder) {
        if !matches!(self.state, State::Open | State::Waiting) {
            return;
        }
        self.is_offline = false;
        self.last = None;
        self.backoff.reset();
        self.backoff.start(now);
        if self.state == State::Open {
            let mut loss = Loss::new(LossReason::Reconnect);
            loss.is_interrupted = decoder.is_within_block();
            loss.retry_in = Some(Duration::ZERO);
            self.unpolled.lost = Some(Box::new(loss));
        }
        self.advance(now, Trigger::Reconnect);
    }

    pub(super) fn handle_close(&mut self, decoder: &Decoder) {
        if self.state != State::Closed {
            let mut loss = Loss::new(LossReason::Closed);
            loss.is_interrupted = decoder.is_within_block();
            self.close(loss, Trigger::Close);
        }
    }

    pub(super) fn poll_output(&mut self, decoder: &Decoder) -> Option<Output> {
        let unpolled = &mut self.unpolled;
        if mem::take(&mut unpolled.opened) {
            return Some(Output::Opened);
        }
        if mem::take(&mut unpolled.abort) {
            return Some(Output::Abort);
        }
        if let Some(loss) = unpolled.lost.take() {
            return Some(Output::Lost(*loss));
        }
        if mem::take(&mut unpolled.request) {
            self.is_in_flight = true;
            if self.sent == Sent::Nothing {
                self.sent = Sent::Once;
            }
            self.known_id = decoder.last_event_id().into();
            return Some(Output::Request(self.request()));
        }
        unpolled.closed.take().map(|loss| Output::Closed(*loss))
    }

    fn request(&self) -> Request {
        let is_resume = self.sent == Sent::Again && self.resumes(&self.known_id);
        Request {
            method: self
                .method
                .clone()
                .filter(|_| !is_resume && !self.route.is_get()),
            url: self.route.url().into(),
            last_event_id: self.known_id.clone(),
            accept_encoding: self.options.accept_encoding,
            is_same_origin: self.route.is_same_origin(),
        }
    }

    /// Handles the loss of the connection: waits for the retry, or closes if no request may follow.
    fn lose(
        &mut self,
        now: Duration,
        mut loss: Loss,
        retry_after: Option<Duration>,
        decoder: &Decoder,
    ) {
        loss.is_interrupted = decoder.is_within_block();
        if !self.may_repeat(decoder) {
            return self.close_after(loss, LossReason::NotRepeatable);
        }
        self.start_loss(now, &loss, decoder);
        let delay = if loss.reason == LossReason::NetworkLost {
            // This is not a failure of the server. The delay prevents a burst of requests if the
            // network is lost often.
            Ok(self.backoff.delay(None, &self.options))
        } else {
            self.backoff.fail(now, retry_after, &self.options)
        };
        match delay {
            Ok(delay) => self.wait(now, loss, delay),
            Err(limit) => self.close_after(loss, limit),
        }
    }

    /// Starts the time without progress, if it does not run yet. After a connection that counts as
    /// progress, this is the first loss again.
    fn start_loss(&mut self, now: Duration, loss: &Loss, decoder: &Decoder) {
        let opened_for = now.saturating_sub(self.opened_at.unwrap_or(now));
        let is_stable = opened_for >= self.options.stable_after;
        // A server that is polled ends each of its answers, so such an end is progress.
        let id = decoder.last_event_id();
        let has_new_id = !id.is_empty() && *id != *self.known_id;
        let is_polled = self.had_event && has_new_id && is_whole(loss);
        if self.state == State::Open && (is_stable || is_polled) {
            self.backoff.reset();
        }
        self.backoff.start(now);
    }

    fn wait(&mut self, now: Duration, mut loss: Loss, delay: Duration) {
        self.last = Some(loss.reason.clone());
        loss.attempt = self.backoff.failures();
        loss.retry_in = (!self.is_offline).then_some(delay);
        self.unpolled.lost = Some(Box::new(loss));
        self.advance(now, Trigger::Lost);
        self.until = Some(now.saturating_add(delay));
    }

    /// Ends the wait for the retry, or closes if the limit of elapsed time is reached. The driver
    /// or the network may be late, so the limit is checked before a request is sent.
    fn end_wait(&mut self, now: Duration) {
        let is_due = !self.is_offline && self.until.is_some_and(|until| until <= now);
        if is_due && !self.backoff.is_over(now, &self.options) {
            self.advance(now, Trigger::Due);
        } else {
            self.close_exhausted(now);
        }
    }

    /// Closes without a connection, because the limit of elapsed time is reached.
    fn close_exhausted(&mut self, now: Duration) {
        let mut loss = Loss::new(self.backoff.exhausted(now));
        loss.last = self.last.take();
        self.close(loss, Trigger::GiveUp);
    }

    /// Closes after a loss, because no other request may follow.
    fn close_after(&mut self, mut loss: Loss, why: LossReason) {
        // The response of a request that must not be repeated is complete, unless it was cut off.
        if why != LossReason::NotRepeatable || !is_whole(&loss) {
            loss.last = Some(mem::replace(&mut loss.reason, why));
        }
        self.close(loss, Trigger::GiveUp);
    }

    fn close(&mut self, mut loss: Loss, trigger: Trigger) {
        loss.attempt = self.backoff.failures();
        self.unpolled.closed = Some(Box::new(loss));
        // Closing starts no deadline, so the time does not matter.
        self.advance(Duration::ZERO, trigger);
    }

    fn may_repeat(&self, decoder: &Decoder) -> bool {
        self.sent == Sent::Nothing
            || self.options.repeats(self.method.as_deref())
            || self.resumes(decoder.last_event_id())
    }

    /// Returns whether a repetition is a GET that resumes after this ID. A request that no stream
    /// has answered may be lost, so a GET cannot stand for it.
    fn resumes(&self, id: &str) -> bool {
        self.options.get_resume && self.opened_at.is_some() && header_id(id).is_some()
    }

    /// Moves to the next state and carries out its action.
    fn advance(&mut self, now: Duration, trigger: Trigger) {
        let action;
        (self.state, action) = self.state.next(trigger);
        match action {
            Action::Nothing => {}
            Action::Send => self.send(now),
            Action::Follow => {
                // The connect timeout keeps running over redirects.
                self.drop_connection();
                self.unpolled.request = true;
            }
            Action::Open => {
                self.unpolled.opened = true;
                self.opened_at = Some(now);
                self.had_event = false;
                self.restart_idle_timeout(now);
            }
            Action::Wait => {
                self.drop_connection();
                self.route.restart();
            }
            Action::Replace => {
                self.drop_connection();
                self.send(now);
            }
            Action::Close => {
                self.drop_connection();
                self.until = None;
                self.route.restart();
            }
        }
    }

    fn send(&mut self, now: Duration) {
        self.route.restart();
        if self.sent == Sent::Once {
            self.sent = Sent::Again;
        }
        self.until = after(now, self.options.connect_timeout);
        self.unpolled.request = true;
    }

    fn restart_idle_timeout(&mut self, now: Duration) {
        self.until = after(now, self.options.idle_timeout);
    }

    fn drop_connection(&mut self) {
        self.unpolled.request = false;
        self.unpolled.abort |= mem::take(&mut self.is_in_flight);
    }
}

/// Returns whether the body ended, and not within a block.
fn is_whole(loss: &Loss) -> bool {
    loss.reason == LossReason::EndOfStream && !loss.is_interrupted
}

fn after(now: Duration, timeout: Option<Duration>) -> Option<Duration> {
    Some(now.saturating_add(timeout?))
}
