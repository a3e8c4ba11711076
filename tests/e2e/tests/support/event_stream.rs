//! An event stream over the raw client, decoded by the crate.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use sse_proto::Decoder;
use sse_proto::decode::{OwnedItem, OwnedMessageEvent};

use super::PATIENCE;
use super::http1::{Request, Response};

/// An event stream, and what has come of it.
#[derive(Debug)]
pub(crate) struct EventStream {
    pub(crate) response: Response,
    decoder: Decoder,
    /// All bytes of the body.
    pub(crate) bytes: Vec<u8>,
    pub(crate) events: Vec<OwnedMessageEvent>,
}

impl EventStream {
    /// Opens the stream of a server, and waits for the head.
    pub(crate) fn open(address: SocketAddr, last_event_id: Option<&str>) -> Self {
        let mut request = Request::get("/events");
        if let Some(id) = last_event_id {
            request = request.with_header("last-event-id", id.as_bytes());
        }
        Self::new(request.open(address).expect("a response"))
    }

    /// Opens the stream of a server from behind a proxy.
    pub(crate) fn through(proxy: SocketAddr) -> Self {
        Self::of(Request::get("/events").open(proxy).expect("a response"))
    }

    /// Takes the response of a server.
    pub(crate) fn new(response: Response) -> Self {
        assert_eq!(response.header("x-accel-buffering"), Some("no"));
        Self::of(response)
    }

    /// Takes a response that may have come from a proxy.
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        assert_eq!(
            response.header("cache-control"),
            Some("no-cache, no-transform")
        );
        Self {
            response,
            decoder: Decoder::new(),
            bytes: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Reads once; false is the end.
    pub(crate) fn read(&mut self) -> bool {
        self.read_or_cut().expect("the stream goes on, or ends")
    }

    fn read_or_cut(&mut self) -> io::Result<bool> {
        let bytes = self.response.read()?;
        let mut items = self.decoder.feed(&bytes);
        while let Some(item) = items.next_owned().expect("no limit") {
            if let OwnedItem::Event(event) = item {
                // It counts in nothing.
                if event.event_type() != "stream-start" {
                    self.events.push(event);
                }
            }
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(!bytes.is_empty())
    }

    /// Reads until this is so.
    pub(crate) fn until(&mut self, wanted: &str, is: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is(self) {
            assert!(start.elapsed() < PATIENCE, "not {wanted}");
            if !self.read() {
                let shown = String::from_utf8_lossy(&self.bytes);
                panic!("the stream ends without {wanted}:\n{shown}");
            }
        }
    }

    /// Reads the first block, which is there by itself.
    pub(crate) fn greeting(&mut self) -> String {
        let len = |bytes: &[u8]| bytes.windows(2).position(|two| two == b"\n\n");
        self.until("a greeting", |stream| len(&stream.bytes).is_some());
        let mut text = self.text();
        text.truncate(len(&self.bytes).map_or(0, |at| at + 2));
        text
    }

    /// Reads as many bytes at least.
    pub(crate) fn until_bytes(&mut self, count: usize) -> String {
        self.until("so many bytes", |stream| stream.bytes.len() >= count);
        self.text()
    }

    /// Reads to the end; true if it is one that the server made.
    pub(crate) fn finish(&mut self) -> bool {
        while self.read() {}
        self.response.is_whole()
    }

    /// Reads to the end; false if the connection was cut or reset.
    pub(crate) fn finish_or_cut(&mut self) -> bool {
        loop {
            match self.read_or_cut() {
                Ok(true) => {}
                Ok(false) => return self.response.is_whole(),
                Err(_) => return false,
            }
        }
    }

    /// Returns all that has come.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).expect("UTF-8")
    }

    /// Returns the part before the number of the ids that the server assigns.
    pub(crate) fn epoch(&self) -> String {
        let id = self.last_event_id();
        let (epoch, _) = id.split_once('-').expect("an id");
        epoch.to_owned()
    }

    /// Returns the id that the client would come back with.
    pub(crate) fn last_event_id(&self) -> String {
        self.decoder.last_event_id().to_owned()
    }
}
