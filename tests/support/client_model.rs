//! What a reconnecting client is to do, written plainly: whole numbers of nanoseconds, the bytes of a connection kept and
//! decoded by the oracle from the start each time. Shares no code with the crate.

mod loss;

use sse_proto::client::Output;

use super::client_told::{Answer, EVENTS, MOVED, OTHER, OTHER_MOVED, Plain, SECOND, Told, Why};
use super::oracle::{self, Said, Settings};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    Open,
    Waiting,
    Closed,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "a plain model is a list of facts"
)]
#[derive(Clone, Debug)]
pub struct Model {
    plain: Plain,
    phase: Phase,
    online: bool,
    /// A request was sent before, and before this connection.
    was_sent: bool,
    again: bool,
    /// The open stream has brought an event.
    had_event: bool,
    /// When the wait is over: the earliest and the latest.
    until: Option<(u128, u128)>,
    since: Option<u128>,
    failures: u32,
    /// These, and the redirects: what the delay doubles with.
    steps: u32,
    retry: Option<u128>,
    pub id: String,
    known_id: String,
    /// That of the last request, or of the start of its stream.
    start_id: String,
    had_stream: bool,
    opened_at: u128,
    /// All bytes of this connection, and how many items they were.
    bytes: Vec<u8>,
    said: usize,
    /// The redirects of this connection.
    scheme: &'static str,
    place: &'static str,
    hops: u8,
    credentials: bool,
    get: bool,
}

impl Model {
    pub fn new(plain: Plain, id: &str) -> Self {
        Self {
            plain,
            phase: Phase::Idle,
            online: true,
            until: None,
            since: None,
            failures: 0,
            steps: 0,
            was_sent: false,
            again: false,
            had_event: false,
            retry: None,
            id: id.into(),
            known_id: String::new(),
            start_id: String::new(),
            had_stream: false,
            opened_at: 0,
            bytes: Vec::new(),
            said: 0,
            scheme: "http",
            place: EVENTS,
            hops: 0,
            credentials: true,
            get: false,
        }
    }

    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The earliest and the latest that the next deadline may be.
    pub fn deadline(&self) -> Option<(u128, u128)> {
        let end = self.end();
        match self.phase {
            Phase::Idle | Phase::Closed => None,
            Phase::Open => self.until,
            Phase::Waiting if !self.online => end,
            Phase::Connecting | Phase::Waiting => match (self.until, end) {
                (Some(until), Some(end)) => Some((until.0.min(end.0), until.1.min(end.1))),
                (until, end) => until.or(end),
            },
        }
    }

    fn end(&self) -> Option<(u128, u128)> {
        let end = self.since? + self.plain.elapsed?;
        Some((end, end))
    }

    fn is_over(&self, now: u128) -> bool {
        self.end().is_some_and(|(end, _)| end < now)
    }

    /// The real delay is random within its bounds: this is what it was.
    pub fn learn(&mut self, deadline: Option<u128>) {
        let (Phase::Waiting, true, Some(deadline)) = (&self.phase, self.online, deadline) else {
            return;
        };
        // Unless it is the end of all waiting, behind which the delay stays unknown.
        if self.end().is_none_or(|(end, _)| deadline < end) {
            self.until = Some((deadline, deadline));
        }
    }

    pub fn start(&mut self, now: u128) -> Vec<Told> {
        if self.phase != Phase::Idle {
            return Vec::new();
        }
        self.since = Some(now);
        if self.online {
            return vec![self.send(now)];
        }
        self.phase = Phase::Waiting;
        self.until = Some((now, now));
        Vec::new()
    }

    fn send(&mut self, now: u128) -> Told {
        self.phase = Phase::Connecting;
        (self.scheme, self.place) = ("http", EVENTS);
        (self.hops, self.credentials, self.get) = (0, true, false);
        self.again = self.was_sent;
        self.until = self
            .plain
            .connect
            .map(|timeout| (now + timeout, now + timeout));
        self.request(now)
    }

    fn request(&mut self, now: u128) -> Told {
        assert!(!self.is_over(now), "a request after the end of all waiting");
        self.was_sent = true;
        self.known_id = self.id.clone();
        let sendable = can_be_header(&self.id);
        let is_resume = self.again && self.can_resume();
        Told::Request {
            url: format!("{}://{}", self.scheme, self.place),
            id: (sendable && !self.id.is_empty()).then(|| self.id.clone()),
            left_out: !sendable,
            credentials: self.credentials,
            method: if self.get || is_resume {
                "GET"
            } else {
                self.plain.method
            },
        }
    }

    pub fn answer(&mut self, now: u128, answer: Answer, actual: &[Output]) -> Vec<Told> {
        if self.phase != Phase::Connecting {
            return Vec::new();
        }
        let is_refused = answer == Answer::Gzip && !self.plain.decodes_gzip;
        match answer {
            Answer::Stream | Answer::Gzip if !is_refused => {
                self.had_event = false;
                self.had_stream = true;
                self.start_id = self.known_id.clone();
                self.phase = Phase::Open;
                self.opened_at = now;
                self.bytes.clear();
                self.said = 0;
                self.rearm(now);
                vec![Told::Opened]
            }
            Answer::RedirectSame(_)
            | Answer::RedirectOther(_)
            | Answer::RedirectScheme(_)
            | Answer::RedirectArrived { .. }
                if self.hops < self.plain.redirects && self.is_over(now) =>
            {
                self.close(Why::Time, false, true)
            }
            Answer::RedirectSame(status)
            | Answer::RedirectOther(status)
            | Answer::RedirectScheme(status)
                if self.hops < self.plain.redirects =>
            {
                self.hops += 1;
                self.steps += 1;
                let same = matches!(answer, Answer::RedirectSame(_));
                // Relative to where the redirect comes from.
                (self.scheme, self.place) = match (answer, self.place) {
                    (Answer::RedirectSame(_), EVENTS | MOVED) => (self.scheme, MOVED),
                    (Answer::RedirectSame(_), _) => (self.scheme, OTHER_MOVED),
                    (Answer::RedirectScheme(_), _) => ("https", EVENTS),
                    _ => (self.scheme, OTHER),
                };
                self.credentials &= same;
                self.get |= status == 303 || (status < 303 && self.plain.method == "POST");
                vec![Told::Abort, self.request(now)]
            }
            Answer::RedirectArrived { same } if self.hops < self.plain.redirects => {
                self.hops += 1;
                self.steps += 1;
                self.scheme = "http";
                self.place = if same { MOVED } else { OTHER_MOVED };
                self.credentials &= same;
                vec![Told::Abort, self.request(now)]
            }
            _ => {
                let (is_busy, after) = match answer {
                    Answer::Busy(seconds) | Answer::BusyUntil(seconds) => {
                        (true, Some(u128::from(seconds) * SECOND))
                    }
                    Answer::Status(status) => (matches!(status, 408 | 425 | 429 | 500..=599), None),
                    _ => (false, None),
                };
                let why = if is_refused {
                    Why::Encoded
                } else {
                    Why::Rejected
                };
                if self.plain.retries_all || (is_busy && self.plain.retries_statuses) {
                    self.lose(now, why, after, true, actual)
                } else {
                    self.close(why, false, true)
                }
            }
        }
    }

    /// The items that these bytes complete.
    pub fn bytes(&mut self, now: u128, bytes: &[u8]) -> Vec<Said> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        if !bytes.is_empty() {
            self.rearm(now);
        }
        self.bytes.extend_from_slice(bytes);
        let settings = Settings {
            comments: self.plain.comments,
            last_event_id: self.known_id.clone(),
            ..Settings::default()
        };
        let (said, id) = oracle::decode(&self.bytes, &settings);
        self.id = id;
        let new = said[self.said..].to_vec();
        self.said = said.len();
        for said in &new {
            match said {
                Said::Event {
                    event_type,
                    last_event_id,
                    ..
                } if event_type == "stream-start" => self.start_id.clone_from(last_event_id),
                Said::Event { .. } => {
                    self.had_event = true;
                    if self.plain.forgives_at_events {
                        self.forgive();
                    }
                }
                Said::LastEventId(id) if *id != self.start_id && self.plain.forgives_at_events => {
                    self.forgive();
                }
                Said::ReconnectionTime(time) => {
                    self.retry = Some(time.as_nanos());
                }
                _ => {}
            }
        }
        new
    }

    fn rearm(&mut self, now: u128) {
        self.until = self.plain.idle.map(|idle| (now + idle, now + idle));
    }

    fn forgive(&mut self) {
        (self.failures, self.steps, self.since) = (0, 0, None);
    }

    pub fn end_of_body(&mut self, now: u128, actual: &[Output]) -> Vec<Told> {
        let why = match self.phase {
            Phase::Connecting => Why::IoError,
            Phase::Open if self.is_interrupted() => Why::Interrupted,
            Phase::Open => Why::Ended,
            _ => return Vec::new(),
        };
        self.lose(now, why, None, false, actual)
    }

    pub fn error(&mut self, now: u128, actual: &[Output]) -> Vec<Told> {
        if !matches!(self.phase, Phase::Connecting | Phase::Open) {
            return Vec::new();
        }
        self.lose(now, Why::IoError, None, false, actual)
    }

    pub fn time(&mut self, now: u128, actual: &[Output]) -> Vec<Told> {
        match self.deadline() {
            Some((earliest, _)) if now >= earliest => {}
            _ => return Vec::new(),
        }
        let is_reached = self.end().is_some_and(|(end, _)| end <= now);
        match self.phase {
            Phase::Open => self.lose(now, Why::Idle, None, true, actual),
            Phase::Connecting if is_reached => self.close(Why::Time, false, true),
            Phase::Connecting => self.lose(now, Why::ConnectTimeout, None, true, actual),
            Phase::Waiting => self.end_wait(now, actual),
            Phase::Idle | Phase::Closed => unreachable!("no deadline"),
        }
    }

    pub fn network_lost(&mut self, now: u128) -> Vec<Told> {
        self.online = false;
        if !matches!(self.phase, Phase::Connecting | Phase::Open) {
            return Vec::new();
        }
        let interrupted = self.is_interrupted();
        if !self.may_repeat() {
            return self.close(Why::NotRepeatable, interrupted, true);
        }
        self.begin_loss(now, Why::NetworkLost);
        let (least, most) = self.delay(None);
        self.phase = Phase::Waiting;
        self.until = Some((now + least, now + most));
        let attempt = self.failures;
        vec![
            Told::Abort,
            Told::Lost {
                why: Why::NetworkLost,
                interrupted,
                delay: None,
                attempt,
            },
        ]
    }

    pub fn network_back(&mut self, now: u128, actual: &[Output]) -> Vec<Told> {
        self.online = true;
        if self.phase != Phase::Waiting {
            return Vec::new();
        }
        self.end_wait(now, actual)
    }

    /// What happens where a delay may be over, or the end of all waiting is reached.
    fn end_wait(&mut self, now: u128, actual: &[Output]) -> Vec<Told> {
        let is_reached = self.end().is_some_and(|(end, _)| end <= now);
        let (least, most) = self.until.expect("it waits for a time");
        // Where it is a matter of chance, it is what it was.
        let is_sent = matches!(actual, [Output::Request(_)]);
        let is_due = self.online && (now >= most || (now >= least && is_sent));
        if self.is_over(now) || (is_reached && !is_due) {
            return self.close(Why::Time, false, false);
        }
        if is_due {
            vec![self.send(now)]
        } else {
            Vec::new()
        }
    }

    pub fn reconnect(&mut self, now: u128) -> Vec<Told> {
        let told = match self.phase {
            Phase::Open => {
                let interrupted = self.is_interrupted();
                let lost = Told::Lost {
                    why: Why::Reconnect,
                    interrupted,
                    delay: Some((0, 0)),
                    attempt: 0,
                };
                vec![Told::Abort, lost]
            }
            Phase::Waiting => Vec::new(),
            _ => return Vec::new(),
        };
        self.online = true;
        (self.failures, self.steps, self.since) = (0, 0, Some(now));
        told.into_iter().chain([self.send(now)]).collect()
    }

    pub fn close_here(&mut self) -> Vec<Told> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        let in_flight = matches!(self.phase, Phase::Connecting | Phase::Open);
        let interrupted = self.is_interrupted();
        self.close(Why::Here, interrupted, in_flight)
    }
}

fn can_be_header(id: &str) -> bool {
    let is_held = id.chars().all(|c| c == '\t' || (c >= ' ' && c != '\u{7F}'));
    is_held && id.trim_matches([' ', '\t']) == id && id.len() <= 4096
}
