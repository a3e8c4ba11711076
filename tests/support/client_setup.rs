//! What a play of a reconnecting client is: how the client is made, and the steps, as a seed has them.

use std::fmt;
use std::time::Duration;

use sse_proto::client::Options;
use sse_proto::{EventId, EventSource};

use super::client_model::Model;
use super::client_told::{Answer, FIRST, Plain, SECOND};
use super::input::Input;

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Start,
    Answer(Answer),
    Bytes(String),
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
    /// Only a lazy driver needs to be told to poll.
    Poll,
}

/// How the client is made.
#[derive(Clone)]
pub struct Setup {
    pub options: Options,
    pub plain: Plain,
    pub id: Option<String>,
    pub retry: Option<u64>,
    pub seed: u8,
    /// The driver polls only when it is told to: what holds without a model still holds.
    pub is_lazy: bool,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("options", &self.plain)
            .field("id", &self.id)
            .field("retry", &self.retry)
            .field("seed", &self.seed)
            .field("is_lazy", &self.is_lazy)
            .finish_non_exhaustive()
    }
}

impl Setup {
    pub fn standard() -> Self {
        Self {
            options: Options::standard(),
            plain: Plain {
                method: "GET",
                base: 3 * SECOND,
                most_backoff: None,
                shortest: SECOND / 2,
                longest: 3600 * SECOND,
                jitter: 0,
                connect: None,
                idle: None,
                stable: 60 * SECOND,
                elapsed: None,
                retries: None,
                redirects: 5,
                retries_statuses: false,
                retries_all: false,
                forgives_at_events: true,
                repeats: None,
                resumes_with_get: false,
                decodes_gzip: false,
                comments: false,
            },
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
                jitter: 50,
                connect: Some(60 * SECOND),
                idle: Some(300 * SECOND),
                retries_statuses: true,
                forgives_at_events: false,
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
        let (options, plain) = (self.options.clone(), &mut self.plain);
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
                plain.method = "POST";
                return;
            }
            b'p' => {
                plain.repeats = Some(false);
                options.with_repeat(false)
            }
            b'y' => {
                plain.repeats = Some(true);
                options.with_repeat(true)
            }
            b'g' => {
                plain.resumes_with_get = true;
                options.with_get_resume(true)
            }
            b'z' => {
                plain.decodes_gzip = true;
                options.with_accept_encoding("br, gzip")
            }
            b'A' => {
                plain.retries_all = true;
                options.with_retry_if(|_| true)
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

    pub fn make(&self) -> (EventSource, Model) {
        let seed = self.seed.into();
        let (mut options, mut plain) = (self.options.clone(), self.plain.clone());
        if let Some(retry) = self.retry {
            options = options.with_reconnection_time(Duration::from_secs(retry));
            plain.base = u128::from(retry) * SECOND;
        }
        let mut source = EventSource::with_seed(FIRST, options, seed).with_method(plain.method);
        if let Some(id) = &self.id {
            source = source.with_last_event_id(EventId::new(id.as_str()).expect("checked"));
        }
        let id = self.id.as_deref().unwrap_or_default();
        (source, Model::new(plain, id))
    }
}

/// The setup, then a letter for each step: `s`tart; `o` a stream, `z` a zipped one, `h` an HTML page, `4` 204, `5` 500, `u` and seconds 503
/// with Retry-After, `U` with it as a date, `m` and `g` redirects to the same and to another origin, `M` and `G` with 303 and 308, `S` to another scheme on the same port, `n` one to nowhere,
/// `a` and `A` from where the HTTP client came to by itself, at the same and at another origin;
/// `d` and a text up to `|` bytes; `e`nd, error `x`; `t` and seconds; `.` to the deadline; `l` network lost, `b` back;
/// `r`econnect; `c`lose; all else polls.
pub fn read(data: &[u8]) -> (Setup, Vec<Step>) {
    let mut input = Input(data);
    let setup = Setup::read(&mut input);
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < 200 {
        steps.push(match input.byte() {
            b's' => Step::Start,
            b'o' => Step::Answer(Answer::Stream),
            b'z' => Step::Answer(Answer::Gzip),
            b'h' => Step::Answer(Answer::Html),
            b'4' => Step::Answer(Answer::Status(204)),
            b'5' => Step::Answer(Answer::Status(500)),
            b'u' => Step::Answer(Answer::Busy(number(&mut input))),
            b'U' => Step::Answer(Answer::BusyUntil(number(&mut input))),
            b'm' => Step::Answer(Answer::RedirectSame(307)),
            b'M' => Step::Answer(Answer::RedirectSame(303)),
            b'g' => Step::Answer(Answer::RedirectOther(301)),
            b'G' => Step::Answer(Answer::RedirectOther(308)),
            b'S' => Step::Answer(Answer::RedirectScheme(307)),
            b'n' => Step::Answer(Answer::RedirectNowhere),
            b'a' => Step::Answer(Answer::RedirectArrived { same: true }),
            b'A' => Step::Answer(Answer::RedirectArrived { same: false }),
            b'd' => {
                // A text has no NUL for a person to write: `~` is one.
                Step::Bytes(input.text().replace('~', "\0"))
            }
            b'e' => Step::End,
            b'x' => Step::Error,
            b't' => Step::Pass(number(&mut input)),
            b'.' => Step::Due,
            b'l' => Step::NetworkLost,
            b'b' => Step::NetworkBack,
            b'r' => Step::Reconnect,
            b'c' => Step::Close,
            _ => Step::Poll,
        });
    }
    (setup, steps)
}

fn number(input: &mut Input<'_>) -> u8 {
    input.byte() % 16
}
