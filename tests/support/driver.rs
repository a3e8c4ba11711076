//! A client on a fake clock, with a server that the test plays by hand.

use std::time::Duration;

use sse_proto::EventSource;
use sse_proto::client::{Loss, Options, Output, Request, Response};

use super::laws_decode::say;
use super::oracle::Said;

pub const URL: &str = "https://example.org/events";

pub struct Driver {
    pub source: EventSource,
    pub now: Duration,
}

impl Driver {
    /// A started client.
    pub fn new(options: Options) -> Self {
        Self::of(EventSource::with_seed(URL, options, 0))
    }

    pub fn of(source: EventSource) -> Self {
        let mut driver = Self {
            source,
            now: Duration::ZERO,
        };
        driver.source.start(driver.now);
        driver
    }

    /// The next output, which is a request.
    pub fn request(&mut self) -> Request {
        match self.source.poll_output() {
            Some(Output::Request(request)) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    pub fn lost(&mut self) -> Loss {
        match self.source.poll_output() {
            Some(Output::Lost(loss)) => loss,
            other => panic!("not lost: {other:?}"),
        }
    }

    pub fn closed(&mut self) -> Loss {
        match self.source.poll_output() {
            Some(Output::Closed(loss)) => {
                assert!(self.source.poll_output().is_none(), "it is the last");
                assert_eq!(self.source.next_deadline(), None);
                loss
            }
            other => panic!("not closed: {other:?}"),
        }
    }

    pub fn aborts(&mut self) -> bool {
        matches!(self.source.poll_output(), Some(Output::Abort))
    }

    pub fn is_quiet(&mut self) -> bool {
        self.source.poll_output().is_none()
    }

    pub fn respond(&mut self, response: Response) {
        self.source.handle_response(self.now, response);
    }

    /// The request is sent, and its response is an event stream.
    pub fn open(&mut self) -> Request {
        let request = self.request();
        self.respond(stream());
        assert!(matches!(self.source.poll_output(), Some(Output::Opened)));
        request
    }

    /// The items that these bytes complete.
    pub fn feed(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Said> {
        let mut received = self.source.handle_bytes(self.now, bytes.as_ref());
        let mut said = Vec::new();
        while let Some(item) = received.next().expect("within the limits") {
            said.push(say(item));
        }
        said
    }

    pub fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.source.handle_deadline(self.now);
    }

    /// Waits for the deadline.
    pub fn due(&mut self) {
        self.now = self.source.next_deadline().expect("it waits for a time");
        self.source.handle_deadline(self.now);
    }

    /// The stream breaks, and the client is back.
    pub fn reopen(&mut self) -> Request {
        self.source.handle_error(self.now, "reset");
        self.lost();
        self.due();
        self.open()
    }
}

pub fn stream() -> Response {
    Response::from_headers(200, [("content-type", b"text/event-stream")])
}

/// The data of the events.
pub fn data(said: &[Said]) -> Vec<&str> {
    said.iter()
        .filter_map(|said| match said {
            Said::Event { data, .. } => Some(&**data),
            _ => None,
        })
        .collect()
}

/// The state that the client's `Debug` shows.
pub fn state(source: &EventSource) -> String {
    let shown = format!("{source:?}");
    let (_, state) = shown.split_once("state: ").expect("it shows its state");
    state.split(',').next().unwrap_or_default().to_owned()
}
