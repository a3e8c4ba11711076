//! Plays a fake server, a clock and random numbers to a reconnecting client, and holds it against its model and against
//! what holds without one.

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{Output, Response, State};

use super::client_model::Model;
use super::client_setup::{Setup, Step};
use super::client_told::{Answer, OTHER, SECOND, Told, Why, why_closed, why_down};
use super::laws_decode::{say, say_owned};

/// Where an HTTP client that follows redirects comes to by itself.
const ARRIVED: &str = "http://one.example/arrived";

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
    };
    play.check();
    for step in steps {
        play.step(step);
        play.check();
    }
}

struct Play<'a> {
    source: EventSource,
    model: Model,
    setup: &'a Setup,
    now: u128,
    /// The driver has a request under way or a body open.
    in_flight: bool,
    ended: bool,
    /// What the last `Down` has promised.
    delay: Option<Duration>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) {
        let now = self.now();
        // Inputs of a connection that is not there come too: late ones, which must change nothing.
        match step {
            Step::Start => self.source.start(now),
            Step::Answer(answer) => self.source.handle_response(now, response(*answer)),
            Step::Bytes(bytes) => return self.bytes(bytes),
            Step::End | Step::Error => {
                if *step == Step::End {
                    self.source.handle_end(now);
                } else {
                    self.source.handle_error(now);
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
                            let before_state = self.source.state();
                            self.source.handle_deadline(before);
                            assert_eq!(self.source.state(), before_state, "too early");
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
            Step::Shrink => self.source.shrink_to_fit(),
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
            Step::Bytes(_) | Step::Shrink | Step::Poll => Vec::new(),
        };
        compare(&actual, &told);
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
        let cut = bytes.len() / 3;
        for (number, mut piece) in [&bytes[..cut], &bytes[cut..]].into_iter().enumerate() {
            if number == 0 {
                while let Some(item) = self.source.handle_bytes_owned(now, &mut piece) {
                    said.push(say_owned(item.expect("no limits")));
                }
            } else {
                while let Some(item) = self.source.handle_bytes(now, &mut piece) {
                    said.push(say(&item.expect("no limits")));
                }
            }
            assert!(piece.is_empty(), "all bytes are taken");
        }
        if self.setup.is_lazy {
            return;
        }
        assert_eq!(said, self.model.bytes(self.now, bytes));
        assert!(self.source.poll_output().is_none());
    }

    /// What holds whatever the model says, also where outputs are polled late.
    fn watch(&mut self, outputs: &[Output]) {
        for output in outputs {
            assert!(!self.ended, "nothing follows the end: {output:?}");
            match output {
                Output::Request(request) => {
                    assert!(!self.in_flight, "a request while one is open");
                    self.in_flight = true;
                    let id = self.source.last_event_id();
                    if let Some(sent) = request.last_event_id() {
                        assert!(sent == id && !sent.is_empty(), "the id that is committed");
                        assert!(request.left_out().is_none());
                    } else {
                        assert!(id.is_empty() || request.left_out().is_some());
                    }
                }
                Output::Abort => {
                    // One that was late to poll may have seen the end in between.
                    let may_be = self.in_flight || self.setup.is_lazy;
                    assert!(may_be, "there is nothing to abort");
                    self.in_flight = false;
                }
                Output::Opened => {}
                Output::Down(down) => self.delay = down.retry_in,
                Output::Closed(closed) => {
                    self.ended = true;
                    assert_eq!(self.source.closed(), Some(closed));
                }
                other => unreachable!("{other:?}"),
            }
        }
        let plain = &self.setup.plain;
        if let Some(delay) = self.delay.take().filter(|delay| !delay.is_zero()) {
            let delay = delay.as_nanos();
            let longest = plain.longest.max(plain.shortest);
            assert!(
                plain.shortest <= delay && delay <= longest,
                "{delay} is out of bounds"
            );
        }
    }

    fn check(&mut self) {
        let deadline = self
            .source
            .next_deadline()
            .map(|deadline| deadline.as_nanos());
        if self.source.state() == State::Closed {
            assert_eq!(deadline, None, "a deadline after the end");
            assert!(self.source.closed().is_some());
        }
        if self.setup.is_lazy {
            return;
        }
        assert_eq!(self.model.is_closed(), self.source.state() == State::Closed);
        assert_eq!(self.model.is_open(), self.source.state() == State::Open);
        assert_eq!(self.model.id, self.source.last_event_id());
        match (deadline, self.model.deadline()) {
            (None, None) => {}
            (Some(deadline), Some((least, most))) => {
                assert!(
                    least <= deadline && deadline <= most,
                    "{least} {deadline} {most}"
                );
            }
            other => panic!("(deadline, its model's): {other:?}"),
        }
        if !self.model.is_open() {
            let id = self.source.last_event_id().len();
            assert!(
                self.source.memory_held() <= 2 * id + 300,
                "what is kept while nothing is read"
            );
        }
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
    let redirect =
        |status, location: &str| Response::new(status).with_location(location.as_bytes());
    match answer {
        Answer::Stream => {
            Response::new(200).with_content_type(b"Text/Event-Stream ; charset=utf-8")
        }
        Answer::Html => Response::new(200).with_content_type(b"text/html"),
        Answer::Status(status) => Response::new(status).with_content_type(b"text/event-stream"),
        Answer::Busy(seconds) => {
            Response::new(503).with_retry_after(seconds.to_string().as_bytes())
        }
        Answer::RedirectSame(status) => redirect(status, "./here/../moved#fragment"),
        Answer::RedirectOther(status) => redirect(status, "//TWO.example:80/events"),
        Answer::RedirectArrived { same } => {
            redirect(307, "moved").with_url(if same { ARRIVED } else { OTHER })
        }
        Answer::RedirectNowhere => Response::new(302),
    }
}

fn compare(actual: &[Output], told: &[Told]) {
    let same =
        actual.len() == told.len() && actual.iter().zip(told).all(|(one, other)| is(one, other));
    assert!(same, "the client: {actual:?}\nits model: {told:?}");
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
                attempt,
                credentials,
                get,
            },
        ) => {
            // Redirects name the port and shout the host.
            let asked = request.url().replace(":80", "");
            asked.eq_ignore_ascii_case(url)
                && request.last_event_id() == id.as_deref()
                && request.left_out().is_some() == *left_out
                && request.attempt() == *attempt
                && request.may_have_credentials() == *credentials
                && request.is_get() == *get
        }
        (
            Output::Down(down),
            Told::Down {
                why,
                interrupted,
                delay,
                attempt,
            },
        ) => {
            let in_bounds = match (down.retry_in.map(|delay| delay.as_nanos()), delay) {
                (Some(delay), Some((least, most))) => *least <= delay && delay <= *most,
                (None, None) => true,
                _ => false,
            };
            why_down(&down.reason) == *why
                && down.is_interrupted == *interrupted
                && in_bounds
                && down.attempt == *attempt
        }
        (Output::Closed(closed), Told::Closed { why, interrupted }) => {
            why_closed(&closed.reason) == *why && closed.is_interrupted == *interrupted
        }
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
                let mut input = &bytes[..];
                while source.handle_bytes(now, &mut input).is_some() {}
            }
            Step::End => source.handle_end(now),
            Step::Error => source.handle_error(now),
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
            Step::Shrink => source.shrink_to_fit(),
            Step::Poll => {}
        }
        while let Some(output) = source.poll_output() {
            match output {
                Output::Down(down) => reasons.push(why_down(&down.reason)),
                Output::Closed(closed) => reasons.push(why_closed(&closed.reason)),
                _ => {}
            }
        }
    }
    reasons
}
