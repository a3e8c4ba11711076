//! Plays a fake server, a clock and random numbers to a reconnecting client, and holds it against its model and against
//! what holds without one.

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{Output, Response};

use super::client_model::Model;
use super::client_setup::{Setup, Step};
use super::client_told::{Answer, SECOND, Told, Why, why};
use super::driver::state;
use super::laws_decode::{say, say_owned};

/// Where an HTTP client that follows redirects comes to by itself.
const ARRIVED: &str = "http://one.example/arrived";
const ARRIVED_ELSEWHERE: &str = "http://two.example/events";

/// A client does at each step what its model does; no request is sent while one is open, nothing follows the end, no
/// deadline either, delays are within their bounds, and what is sent as id is the last one committed.
pub fn reconnects_like_its_model(setup: &Setup, steps: &[Step]) {
    let (source, model) = setup.make();
    let mut play = Play {
        source,
        model,
        setup,
        now: 0,
        in_flight: false,
        ended: false,
        delay: None,
        played: Vec::new(),
    };
    play.check();
    for step in steps {
        play.played.push(step);
        play.step(step);
        play.check();
    }
}

/// Fails with the name of the law and the play so far, as texts.
macro_rules! holds {
    ($play:expr, $holds:expr, $($what:tt)+) => {
        if !$holds {
            $play.is_broken(&format!($($what)+));
        }
    };
}

struct Play<'a> {
    source: EventSource,
    model: Model,
    setup: &'a Setup,
    now: u128,
    /// The driver has a request under way or a body open.
    in_flight: bool,
    ended: bool,
    /// What the last `Lost` has promised.
    delay: Option<Duration>,
    played: Vec<&'a Step>,
}

impl Play<'_> {
    fn is_broken(&self, what: &str) -> ! {
        let steps: Vec<String> = self
            .played
            .iter()
            .map(|step| format!("  {step:?}"))
            .collect();
        panic!(
            "the law `reconnects_like_its_model` is broken: {what}\nwith {:?}, after\n{}",
            self.setup,
            steps.join("\n")
        );
    }

    fn step(&mut self, step: &Step) {
        let now = self.now();
        // Inputs of a connection that is not there come too: late ones, which must change nothing.
        match step {
            Step::Start => self.source.start(now),
            Step::Answer(answer) => self.source.handle_response(now, response(*answer)),
            Step::Bytes(text) => return self.bytes(text.as_bytes()),
            Step::End | Step::Error => {
                if *step == Step::End {
                    self.source.handle_end(now);
                } else {
                    self.source.handle_error(now, "reset");
                }
                self.in_flight = false;
            }
            Step::Pass(seconds) => {
                self.now += u128::from(*seconds) * SECOND;
                self.source.handle_deadline(self.now());
            }
            Step::Due => {
                if let Some(deadline) = self.source.next_deadline() {
                    if let Some(before) = deadline.checked_sub(Duration::from_nanos(1)) {
                        if before >= now {
                            let before_state = state(&self.source);
                            self.source.handle_deadline(before);
                            holds!(self, state(&self.source) == before_state, "too early");
                        }
                    }
                    self.now = self.now.max(deadline.as_nanos());
                    self.source.handle_deadline(self.now());
                }
            }
            Step::NetworkLost => self.source.handle_network_lost(now),
            Step::NetworkBack => self.source.handle_network_back(now),
            Step::Reconnect => self.source.reconnect(now),
            Step::Close => self.source.close(),
            Step::Poll => {}
        }
        if self.setup.is_lazy && *step != Step::Poll {
            return;
        }
        let actual: Vec<Output> = std::iter::from_fn(|| self.source.poll_output()).collect();
        self.watch(&actual);
        if self.setup.is_lazy {
            return;
        }
        let now = self.now;
        let model = &mut self.model;
        let told = match step {
            Step::Start => model.start(now),
            Step::Answer(answer) => model.answer(now, *answer, &actual),
            Step::End => model.end_of_body(now, &actual),
            Step::Error => model.error(now, &actual),
            Step::Pass(_) | Step::Due => model.time(now, &actual),
            Step::NetworkLost => model.network_lost(now),
            Step::NetworkBack => model.network_back(now, &actual),
            Step::Reconnect => model.reconnect(now),
            Step::Close => model.close_here(),
            Step::Bytes(_) | Step::Poll => Vec::new(),
        };
        let same = actual.len() == told.len()
            && actual.iter().zip(&told).all(|(one, other)| is(one, other));
        holds!(self, same, "the client: {actual:?}\nits model: {told:?}");
        self.model.learn(
            self.source
                .next_deadline()
                .map(|deadline| deadline.as_nanos()),
        );
    }

    /// Bytes, cut anywhere, and items owned and borrowed in turns.
    fn bytes(&mut self, bytes: &[u8]) {
        let now = self.now();
        let mut said = Vec::new();
        let (owned, borrowed) = bytes.split_at(bytes.len() / 3);
        let mut received = self.source.handle_bytes(now, owned);
        while let Some(item) = received.next_owned().expect("no limits") {
            said.push(say_owned(item));
        }
        let mut received = self.source.handle_bytes(now, borrowed);
        while let Some(item) = received.next().expect("no limits") {
            said.push(say(item));
        }
        let left = received.remaining().len();
        holds!(self, left == 0, "{left} bytes are left");
        if self.setup.is_lazy {
            return;
        }
        let expected = self.model.bytes(self.now, bytes);
        holds!(
            self,
            said == expected,
            "the client: {said:?}\nits model: {expected:?}"
        );
        let output = self.source.poll_output();
        holds!(self, output.is_none(), "bytes ask for {output:?}");
    }

    /// What holds whatever the model says, also where outputs are polled late.
    fn watch(&mut self, outputs: &[Output]) {
        for output in outputs {
            holds!(self, !self.ended, "nothing follows the end: {output:?}");
            match output {
                Output::Request(request) => {
                    holds!(self, !self.in_flight, "a request while one is open");
                    self.in_flight = true;
                    let id = self.source.last_event_id();
                    let sent = request.last_event_id().or(request.unsendable_id());
                    holds!(
                        self,
                        sent.unwrap_or_default() == id,
                        "{id:?} is committed, and {sent:?} sent"
                    );
                }
                Output::Abort => {
                    // A driver that polls late may have seen the end in between.
                    let may_be = self.in_flight || self.setup.is_lazy;
                    holds!(self, may_be, "there is nothing to abort");
                    self.in_flight = false;
                }
                Output::Opened => {}
                Output::Lost(loss) => self.delay = loss.retry_in,
                Output::Closed(loss) => {
                    self.ended = true;
                    holds!(self, loss.retry_in.is_none(), "a retry after the end");
                }
                other => unreachable!("{other:?}"),
            }
        }
        let plain = &self.setup.plain;
        if let Some(delay) = self.delay.take().filter(|delay| !delay.is_zero()) {
            let delay = delay.as_nanos();
            let longest = plain.longest.max(plain.shortest);
            holds!(
                self,
                plain.shortest <= delay && delay <= longest,
                "the delay {delay} is out of bounds"
            );
        }
    }

    fn check(&mut self) {
        let deadline = self
            .source
            .next_deadline()
            .map(|deadline| deadline.as_nanos());
        let state = state(&self.source);
        let is_closed = state == "Closed";
        if is_closed {
            holds!(self, deadline.is_none(), "a deadline after the end");
        }
        if self.setup.is_lazy {
            return;
        }
        let model = &self.model;
        holds!(self, model.is_closed() == is_closed, "it is {state}");
        holds!(
            self,
            model.is_open() == self.source.is_open(),
            "it is {state}"
        );
        let id = self.source.last_event_id();
        holds!(
            self,
            model.id == id,
            "its last event ID is {id:?}, its model's {:?}",
            model.id
        );
        let expected = model.deadline();
        let is_right = match (deadline, expected) {
            (None, None) => true,
            (Some(deadline), Some((least, most))) => least <= deadline && deadline <= most,
            _ => false,
        };
        holds!(
            self,
            is_right,
            "the deadline {deadline:?}, its model's {expected:?}"
        );
    }

    fn now(&self) -> Duration {
        nanos(self.now)
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::new(
        u64::try_from(nanos / SECOND).expect("within the clamp"),
        u32::try_from(nanos % SECOND).expect("below a second"),
    )
}

fn response(answer: Answer) -> Response {
    let redirect = |status, location: &str| {
        Response::from_headers(status, [("location", location.as_bytes())])
    };
    match answer {
        Answer::Stream => Response::from_headers(
            200,
            [("content-type", b"Text/Event-Stream ; charset=utf-8")],
        ),
        Answer::Gzip => {
            let lines = [
                ("content-type", "text/event-stream"),
                ("content-encoding", "gzip"),
            ];
            Response::from_headers(200, lines)
        }
        Answer::Html => Response::from_headers(200, [("content-type", b"text/html")]),
        Answer::Status(status) => {
            Response::from_headers(status, [("content-type", b"text/event-stream")])
        }
        Answer::Busy(seconds) => {
            Response::from_headers(503, [("retry-after", seconds.to_string().as_bytes())])
        }
        Answer::BusyUntil(seconds) => {
            let until = format!("Sun Nov  6 08:49:{:02} 1994", 40 + seconds);
            let date = ("date", "Sunday, 06-Nov-94 08:49:40 GMT");
            Response::from_headers(503, [("retry-after", &*until), date])
        }
        Answer::RedirectSame(status) => redirect(status, "./here/../moved#fragment"),
        Answer::RedirectOther(status) => redirect(status, "//TWO.example:80/events"),
        Answer::RedirectScheme(status) => redirect(status, "https://ONE.example:80/events"),
        Answer::RedirectArrived { same } => {
            redirect(307, "moved").with_url(if same { ARRIVED } else { ARRIVED_ELSEWHERE })
        }
        Answer::RedirectNowhere => Response::new(302),
    }
}

fn is(actual: &Output, told: &Told) -> bool {
    match (actual, told) {
        (Output::Opened, Told::Opened) | (Output::Abort, Told::Abort) => true,
        (
            Output::Request(request),
            Told::Request {
                url,
                id,
                left_out,
                credentials,
                method,
            },
        ) => {
            // Redirects name the port and shout the host.
            let asked = request.url().replace(":80", "");
            asked.eq_ignore_ascii_case(url)
                && request.last_event_id() == id.as_deref()
                && request.unsendable_id().is_some() == *left_out
                && request.may_have_credentials() == *credentials
                && request.method() == *method
        }
        (
            Output::Lost(loss),
            Told::Lost {
                why: expected,
                interrupted,
                delay,
                attempt,
            },
        ) => {
            let in_bounds = match (loss.retry_in.map(|delay| delay.as_nanos()), delay) {
                (Some(delay), Some((least, most))) => *least <= delay && delay <= *most,
                (None, None) => true,
                _ => false,
            };
            why(loss) == *expected
                && loss.is_interrupted == *interrupted
                && in_bounds
                && loss.attempt == *attempt
        }
        (
            Output::Closed(loss),
            Told::Closed {
                why: expected,
                interrupted,
            },
        ) => why(loss) == *expected && loss.is_interrupted == *interrupted,
        _ => false,
    }
}

/// Whether a play reached a reason, for tests that want to know that all are played.
pub fn reasons(setup: &Setup, steps: &[Step]) -> Vec<Why> {
    let (mut source, _) = setup.make();
    let mut now = Duration::ZERO;
    let mut reasons = Vec::new();
    for step in steps {
        match step {
            Step::Start => source.start(now),
            Step::Answer(answer) => source.handle_response(now, response(*answer)),
            Step::Bytes(bytes) => {
                let mut received = source.handle_bytes(now, bytes.as_bytes());
                while received.next().is_ok_and(|item| item.is_some()) {}
            }
            Step::End => source.handle_end(now),
            Step::Error => source.handle_error(now, "reset"),
            Step::Pass(seconds) => {
                now += Duration::from_secs((*seconds).into());
                source.handle_deadline(now);
            }
            Step::Due => {
                now = source
                    .next_deadline()
                    .map_or(now, |deadline| deadline.max(now));
                source.handle_deadline(now);
            }
            Step::NetworkLost => source.handle_network_lost(now),
            Step::NetworkBack => source.handle_network_back(now),
            Step::Reconnect => source.reconnect(now),
            Step::Close => source.close(),
            Step::Poll => {}
        }
        while let Some(output) = source.poll_output() {
            match output {
                Output::Lost(loss) | Output::Closed(loss) => reasons.push(why(&loss)),
                _ => {}
            }
        }
    }
    reasons
}
