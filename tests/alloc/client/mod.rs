//! Reconnecting clients on a fake clock, for the test and for the bench.
#![expect(
    unreachable_pub,
    reason = "a test and a bench each have it as a module"
)]

use std::time::Duration;

use allocation_counter::measure;
use sse_proto::EventSource;
use sse_proto::client::{Options, Output, Response};
use sse_proto::decode::DecodeLimits;

/// What a client is doing while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Not started.
    Idle,
    /// Its request is under way.
    Connecting,
    /// The stream is open, and silent since events that came whole.
    Silent,
    /// The same, but they came cut.
    SilentAfterCuts,
    /// Waiting for the retry, after events that came cut and a large one.
    Waiting,
    Closed,
}

pub const ALL: [Doing; 6] = [
    Doing::Idle,
    Doing::Connecting,
    Doing::Silent,
    Doing::SilentAfterCuts,
    Doing::Waiting,
    Doing::Closed,
];

/// The bytes that each of so many clients takes, its own size with them.
pub fn bytes_for_each(doing: Doing, clients: u32) -> i64 {
    let mut made = Vec::new();
    let held = measure(|| {
        made.extend((0..clients).map(|seed| client(doing, seed.into())));
    });
    drop(made);
    held.bytes_current / i64::from(clients)
}

/// The bytes that a client holds which a limit has closed in the middle of a chunk, while it read
/// an event of 1 MiB in pieces.
pub fn bytes_after_a_limit() -> i64 {
    let limits = DecodeLimits::new()
        .with_max_event_bytes(1 << 20)
        .with_end_at_limit(true);
    let options = Options::resilient().with_decode_limits(limits);
    let now = Duration::ZERO;
    let mut made = Vec::with_capacity(1);
    let held = measure(|| {
        let mut source = EventSource::with_seed("http://localhost/", options, 0);
        source.start(now);
        while source.poll_output().is_some() {}
        open(&mut source, now);
        feed(&mut source, now, b"data: ");
        let chunk = vec![b'x'; 60_000];
        // The driver drops the rest of its chunk, as it may.
        let is_past = |source: &mut EventSource| source.handle_bytes(now, &chunk).next().is_err();
        assert!((0..20).any(|_| is_past(&mut source)));
        while source.poll_output().is_some() {}
        assert!(!source.is_open());
        made.push(source);
    });
    drop(made);
    held.bytes_current
}

fn client(doing: Doing, seed: u64) -> EventSource {
    let url = "https://api.example.org/v1/accounts/0123456789/events";
    let mut source = EventSource::with_seed(url, Options::resilient(), seed);
    if doing == Doing::Idle {
        return source;
    }
    let now = Duration::ZERO;
    source.start(now);
    while source.poll_output().is_some() {}
    if doing == Doing::Connecting {
        return source;
    }
    open(&mut source, now);
    let events =
        "id: 1700000042-0\nevent: delta\ndata: {\"text\":\"the quick brown fox jumps over\"}\n\n"
            .repeat(10);
    if doing == Doing::Silent {
        feed(&mut source, now, events.as_bytes());
        return source;
    }
    for byte in events.as_bytes().chunks(50) {
        feed(&mut source, now, byte);
    }
    if doing == Doing::SilentAfterCuts {
        return source;
    }
    let large = format!("data: {}\n\n", "x".repeat(30_000));
    for piece in large.as_bytes().chunks(1460) {
        feed(&mut source, now, piece);
    }
    if doing == Doing::Waiting {
        source.handle_error(now, "reset");
    } else {
        source.close();
    }
    while source.poll_output().is_some() {}
    source
}

/// A year of reconnects: each minute the server hangs up, refuses or goes silent.
pub struct Year {
    source: EventSource,
    now: Duration,
    pub requests: u64,
    pub events: u64,
}

impl Year {
    pub const MONTHS: u32 = 12;
    const MONTH: Duration = Duration::from_secs(365 * 24 * 60 * 60 / 12);

    pub fn new() -> Self {
        let mut source =
            EventSource::with_seed("https://example.org/events", Options::resilient(), 1);
        source.start(Duration::ZERO);
        Self {
            source,
            now: Duration::ZERO,
            requests: 0,
            events: 0,
        }
    }

    /// Lets a month go by; returns by how many bytes memory has grown.
    pub fn month(&mut self) -> i64 {
        let end = self.now + Self::MONTH;
        let held = measure(|| {
            while self.now < end {
                self.step();
            }
        });
        held.bytes_current
    }

    fn step(&mut self) {
        let mut is_asked = false;
        while let Some(output) = self.source.poll_output() {
            is_asked |= matches!(output, Output::Request(_));
        }
        if is_asked {
            self.requests += 1;
            match self.requests % 5 {
                0 => self.source.handle_response(
                    self.now,
                    Response::from_headers(503, [("retry-after", b"60")]),
                ),
                1 => self.source.handle_error(self.now, "reset"),
                // Silence, until the idle timeout.
                2 => open(&mut self.source, self.now),
                rest => {
                    open(&mut self.source, self.now);
                    // Ids of a fixed length, so that only growth is growth.
                    let event = format!(
                        "id: {:020}\nretry: 30000\ndata: {rest}\n\ndata: cut",
                        self.requests
                    );
                    for piece in event.as_bytes().chunks(16) {
                        self.events += feed(&mut self.source, self.now, piece);
                    }
                    self.now += Duration::from_secs(30);
                    self.source.handle_end(self.now);
                }
            }
        } else {
            self.now = self.source.next_deadline().expect("it never gives up");
            self.source.handle_deadline(self.now);
        }
    }
}

fn open(source: &mut EventSource, now: Duration) {
    source.handle_response(
        now,
        Response::from_headers(200, [("content-type", b"text/event-stream")]),
    );
    while source.poll_output().is_some() {}
}

fn feed(source: &mut EventSource, now: Duration, bytes: &[u8]) -> u64 {
    let mut events = 0;
    let mut received = source.handle_bytes(now, bytes);
    while let Some(item) = received.next().expect("within the limits") {
        events += u64::from(matches!(item, sse_proto::Item::Event(_)));
    }
    events
}
