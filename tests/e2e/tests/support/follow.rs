//! The client of the crate, over the raw client.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use serde::Deserialize;
use sse_proto::client::{Options, Output};
use sse_proto::{EventSource, client};

use super::PATIENCE;
use super::http1::{Request, Response};

/// An event, as a client is given it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Seen {
    pub(crate) event_type: String,
    pub(crate) last_event_id: String,
    pub(crate) data: String,
}

impl Seen {
    /// Returns the two parts of the id that a server assigned.
    pub(crate) fn id(&self) -> (&str, u64) {
        let id = self.last_event_id.split_once('-').expect("an id");
        (id.0, id.1.parse().expect("a number"))
    }
}

/// A client that comes back, and what it has seen.
#[derive(Debug)]
pub(crate) struct Follower {
    address: SocketAddr,
    source: EventSource,
    started: Instant,
    response: Option<Response>,
    pub(crate) seen: Vec<Seen>,
    /// How often its connection has ended.
    pub(crate) downs: usize,
}

impl Follower {
    /// Follows the event stream at an address.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let url = format!("http://{address}/events");
        // Each cut is a failure. The delays must not grow with the number of cuts.
        let options = Options::resilient().with_max_backoff(None);
        Self {
            address,
            source: EventSource::with_seed(&url, options, 1),
            started: Instant::now(),
            response: None,
            seen: Vec::new(),
            downs: 0,
        }
    }

    /// Reads on until this is so.
    pub(crate) fn until(&mut self, wanted: &str, is: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        if self.source.next_deadline().is_none() && self.seen.is_empty() {
            self.source.start(self.started.elapsed());
        }
        while !is(self) {
            let seen = self.seen.last();
            assert!(start.elapsed() < PATIENCE, "not {wanted}; last {seen:?}");
            match self.source.poll_output() {
                Some(output) => self.obey(output),
                None if self.response.is_some() => self.read(),
                None => {
                    let deadline = self.source.next_deadline().expect("it comes back");
                    thread::sleep(deadline.saturating_sub(self.started.elapsed()));
                    self.source.handle_deadline(self.started.elapsed());
                }
            }
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Request(request) => match self.open(&request) {
                Ok((head, response)) => {
                    self.response = Some(response);
                    self.source.handle_response(self.started.elapsed(), head);
                }
                Err(error) => self.source.handle_error(self.started.elapsed(), error),
            },
            Output::Abort => self.response = None,
            Output::Lost(_) => self.downs += 1,
            Output::Closed(loss) => panic!("it gives up: {loss}"),
            _ => {}
        }
    }

    fn open(&self, request: &client::Request) -> std::io::Result<(client::Response, Response)> {
        let mut raw = Request::get("/events");
        for (name, value) in request.headers() {
            raw = raw.with_header(name, value.as_bytes());
        }
        let response = raw.open(self.address)?;
        let names = ["content-type", "location", "retry-after"];
        let headers = names.map(|name| (name, response.header(name)));
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let head = client::Response::from_headers(response.status, headers);
        Ok((head, response))
    }

    fn read(&mut self) {
        let response = self.response.as_mut().expect("there is one");
        let bytes = response.read();
        let now = self.started.elapsed();
        match bytes {
            Ok(bytes) if bytes.is_empty() => {
                let is_whole = response.is_whole();
                self.response = None;
                if is_whole {
                    self.source.handle_end(now);
                } else {
                    self.source.handle_error(now, "reset");
                }
            }
            Ok(bytes) => {
                let mut received = self.source.handle_bytes(now, &bytes);
                while let Some(item) = received.next_owned().expect("no limit") {
                    let event = item.into_event();
                    // The start of a stream counts in nothing.
                    if let Some(event) = event.filter(|event| event.event_type() != "stream-start")
                    {
                        self.seen.push(Seen {
                            event_type: event.event_type().to_owned(),
                            last_event_id: event.last_event_id().to_owned(),
                            data: event.data().to_owned(),
                        });
                    }
                }
            }
            Err(_) => {
                self.response = None;
                self.source.handle_error(now, "reset");
            }
        }
    }
}
