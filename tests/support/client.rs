//! Plays a fake server, a clock and random numbers to a reconnecting client, and holds it against its model and against
//! what holds without one.

use std::time::Duration;

use sse_proto::EventId;
use sse_proto::client::{EventSource, Options, Output, Repeat, Response, State};

use super::client_model::{
    Answer, FIRST, Model, OTHER, Plain, SECOND, Told, Why, why_closed, why_down,
};
use super::input::Input;
use super::laws_decode::{say, say_owned};

/// Where an HTTP client that follows redirects comes to by itself.
const ARRIVED: &str = "http://one.example/arrived";

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Start,
    Answer(Answer),
    Bytes(Vec<u8>),
    End,
    Error,
    /// So many seconds pass; whoever is due is told.
    Pass(u8),
    /// The clock goes to the next deadline.
    Due,
    NetworkLost,
    NetworkBack,
    Reconnect,
    Close,
    /// Gives memory back; changes nothing.
    Shrink,
    /// Only a lazy driver needs to be told to poll.
    Poll,
}

/// How the client is made.
#[derive(Clone, Debug)]
pub struct Setup {
    pub options: Options,
    pub plain: Plain,
    pub method: &'static str,
    pub id: Option<String>,
    pub retry: Option<u64>,
    pub seed: u8,
    /// The driver polls only when it is told to: what holds without a model still holds.
    pub is_lazy: bool,
}

impl Setup {
    pub fn standard() -> Self {
        Self {
            options: Options::standard(),
            plain: Plain {
                base: 3 * SECOND,
                most_backoff: None,
                shortest: SECOND / 2,
                longest: 86_400 * SECOND,
                jitter: 0,
                connect: None,
                idle: None,
                stable: 60 * SECOND,
                elapsed: None,
                retries: None,
                redirects: 20,
                retries_statuses: false,
                needs_id: false,
                comments: false,
            },
            method: "GET",
            id: None,
            retry: None,
            seed: 0,
            is_lazy: false,
        }
    }

    pub fn resilient() -> Self {
        let standard = Self::standard();
        Self {
            options: Options::resilient(),
            plain: Plain {
                base: SECOND,
                most_backoff: Some(30 * SECOND),
                longest: 3600 * SECOND,
                jitter: 50,
                connect: Some(60 * SECOND),
                idle: Some(300 * SECOND),
                retries_statuses: true,
                ..standard.plain
            },
            ..standard
        }
    }

    /// Letters up to `|`, most with a number behind them: a byte, of which a digit is its own value. Times are seconds,
    /// but `m` is in tenths.
    fn read(input: &mut Input<'_>) -> Self {
        let mut setup = Self::standard();
        for _ in 0..20 {
            let letter = input.byte();
            if letter == b'|' || input.is_empty() {
                break;
            }
            setup.set(letter, input);
        }
        setup
    }

    fn set(&mut self, letter: u8, input: &mut Input<'_>) {
        let (options, plain) = (self.options, &mut self.plain);
        let mut seconds = || {
            let seconds = number(input);
            (
                Duration::from_secs(seconds.into()),
                u128::from(seconds) * SECOND,
            )
        };
        self.options = match letter {
            b'r' => return *self = Self::resilient(),
            b'P' => {
                plain.needs_id = true;
                self.method = "POST";
                return;
            }
            b'p' => {
                plain.needs_id = true;
                options.with_repeat(Repeat::OnceResumable)
            }
            b'k' => {
                plain.comments = true;
                options.with_comments(true)
            }
            b'a' => {
                let retries = u32::from(number(input));
                plain.retries = Some(retries);
                options.with_max_retries(Some(retries))
            }
            b'j' => {
                let percent = (number(input) * 10).min(100);
                plain.jitter = percent.into();
                options.with_jitter(percent)
            }
            b'R' => {
                plain.redirects = number(input);
                options.with_max_redirects(plain.redirects)
            }
            b'e' => {
                let (time, nanos) = seconds();
                plain.elapsed = Some(nanos);
                options.with_max_elapsed(Some(time))
            }
            b'i' => {
                let (time, nanos) = seconds();
                plain.idle = Some(nanos);
                options.with_idle_timeout(Some(time))
            }
            b'c' => {
                let (time, nanos) = seconds();
                plain.connect = Some(nanos);
                options.with_connect_timeout(Some(time))
            }
            b'b' => {
                let (time, nanos) = seconds();
                plain.most_backoff = Some(nanos);
                options.with_max_backoff(Some(time))
            }
            b'w' => {
                let (time, nanos) = seconds();
                plain.stable = nanos;
                options.with_stable_after(time)
            }
            b'm' => {
                let (least, nanos) = seconds();
                let (most, most_nanos) = seconds();
                (plain.shortest, plain.longest) = (nanos / 10, most_nanos);
                options.with_delay_bounds(least / 10, most)
            }
            b'I' => {
                let id = input.text();
                self.id = EventId::new(id.as_str()).is_ok().then_some(id);
                return;
            }
            b't' => return self.retry = Some(number(input).into()),
            b's' => return self.seed = input.byte(),
            b'L' => return self.is_lazy = true,
            _ => return,
        };
    }

    fn make(&self) -> (EventSource, Model) {
        let seed = self.seed.into();
        let mut source = EventSource::for_method(self.method, FIRST, self.options, seed);
        if let Some(id) = &self.id {
            source = source.with_last_event_id(&EventId::new(id.as_str()).expect("checked"));
        }
        if let Some(retry) = self.retry {
            source = source.with_reconnection_time(Duration::from_secs(retry));
        }
        let id = self.id.as_deref().unwrap_or_default();
        let retry = self.retry.map(|seconds| u128::from(seconds) * SECOND);
        (source, Model::new(self.plain.clone(), id, retry))
    }
}

/// The setup, then a letter for each step: `s`tart; `o` a stream, `h` an HTML page, `4` 204, `5` 500, `u` and seconds 503
/// with Retry-After, `m` and `g` redirects to the same and to another origin, `M` and `G` with 303, `n` one to nowhere,
/// `a` and `A` from where the HTTP client came to by itself, at the same and at another origin;
/// `d` and a text up to `|` bytes; `e`nd, error `x`; `t` and seconds; `.` to the deadline; `l` network lost, `b` back;
/// `r`econnect; `c`lose; `z` shrink; all else polls.
pub fn read(data: &[u8]) -> (Setup, Vec<Step>) {
    let mut input = Input(data);
    let setup = Setup::read(&mut input);
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < 200 {
        steps.push(match input.byte() {
            b's' => Step::Start,
            b'o' => Step::Answer(Answer::Stream),
            b'h' => Step::Answer(Answer::Html),
            b'4' => Step::Answer(Answer::Status(204)),
            b'5' => Step::Answer(Answer::Status(500)),
            b'u' => Step::Answer(Answer::Busy(number(&mut input))),
            b'm' => Step::Answer(Answer::RedirectSame(307)),
            b'M' => Step::Answer(Answer::RedirectSame(303)),
            b'g' => Step::Answer(Answer::RedirectOther(301)),
            b'G' => Step::Answer(Answer::RedirectOther(308)),
            b'n' => Step::Answer(Answer::RedirectNowhere),
            b'a' => Step::Answer(Answer::RedirectArrived { same: true }),
            b'A' => Step::Answer(Answer::RedirectArrived { same: false }),
            b'd' => {
                // A text has no NUL for a person to write: `~` is one.
                let text = input.text().replace('~', "\0");
                Step::Bytes(text.into_bytes())
            }
            b'e' => Step::End,
            b'x' => Step::Error,
            b't' => Step::Pass(number(&mut input)),
            b'.' => Step::Due,
            b'l' => Step::NetworkLost,
            b'b' => Step::NetworkBack,
            b'r' => Step::Reconnect,
            b'c' => Step::Close,
            b'z' => Step::Shrink,
            _ => Step::Poll,
        });
    }
    (setup, steps)
}

fn number(input: &mut Input<'_>) -> u8 {
    input.byte() % 16
}

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
