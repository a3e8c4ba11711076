//! A hundred clients, each an `EventSource` over plain sockets, whose connections are cut at
//! random.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sse_proto::client::{Options, Output, Request, Response};
use sse_proto::decode::OwnedItem;
use sse_proto::{EventSource, EventType};

use crate::support::{PATIENCE, Server};

const CLIENTS: usize = 100;
const EVENTS: u64 = 10_000;
/// The number of rounds. Each publishes some events and cuts some connections.
const GOES: u64 = 100;
const CUT_EACH: usize = 10;

/// The time after which a client gives up, so that a missing line fails the test instead of
/// blocking it.
const LIMIT: Duration = Duration::from_secs(100);

const LINE: EventType<'static> = EventType::from_static("line");

#[test]
fn each_of_a_hundred_clients_that_are_cut_off_gets_each_of_10_000_events_once_and_in_order() {
    let mut server = Server::start();
    let address = server.address.clone();
    let shared = Shared::default();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| {
                let (address, shared) = (&address, &shared);
                scope.spawn(move || Client::new(address, seed as u64, shared).run())
            })
            .collect();
        // A client that reconnects without an id misses events, so wait until each client has an
        // id.
        shared.wait_until(|shared| shared.ready.load(Ordering::Relaxed) == CLIENTS as u64);
        let mut random = 4;
        for go in 0..GOES {
            let each = EVENTS / GOES;
            let lines = (go * each..(go + 1) * each).map(|number| format!("{number}\n"));
            server.write(lines.collect::<String>().as_bytes());
            for _ in 0..CUT_EACH {
                shared.cut_one(&mut random);
            }
            // Waits until one client has all lines of this round.
            shared.wait_until(|shared| shared.most.load(Ordering::Relaxed) >= (go + 1) * each);
        }
        for client in clients {
            let (seen, losses) = client.join().expect("the client's thread");
            let first_wrong = seen.iter().zip(0..).find(|(seen, wanted)| *seen != wanted);
            assert_eq!(first_wrong, None, "each once, in order");
            assert_eq!(seen.len() as u64, EVENTS);
            shared.losses.fetch_add(losses, Ordering::Relaxed);
        }
    });
    let losses = shared.losses.load(Ordering::Relaxed);
    assert!(losses >= GOES, "only {losses} connections were lost");
}

/// The state that the clients share with the test that cuts their connections.
#[derive(Default)]
struct Shared {
    sockets: Mutex<HashMap<u64, TcpStream>>,
    /// The number of clients that have seen an id.
    ready: AtomicU64,
    /// The number of lines that the fastest client has.
    most: AtomicU64,
    losses: AtomicU64,
}

impl Shared {
    fn cut_one(&self, random: &mut u64) {
        // Pseudorandom numbers, the same in each run.
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let which = (*random >> 33) % CLIENTS as u64;
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = sockets.get(&which) {
            // Fails if the connection has already ended.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn wait_until(&self, come: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !come(self) {
            let (ready, most) = (&self.ready, &self.most);
            assert!(
                start.elapsed() < PATIENCE,
                "{ready:?} are ready, one has {most:?} lines"
            );
            thread::yield_now();
        }
    }
}

struct Client<'a> {
    source: EventSource,
    address: &'a str,
    number: u64,
    shared: &'a Shared,
    started: Instant,
    is_ready: bool,
    lines: Vec<u64>,
    losses: u64,
}

impl<'a> Client<'a> {
    fn new(address: &'a str, number: u64, shared: &'a Shared) -> Self {
        // At most 5 ms of delay, whatever reconnection time the server sends.
        let options = Options::resilient()
            .with_delay_bounds(Duration::ZERO, Duration::from_millis(5))
            .with_max_retries(None)
            .with_max_elapsed(None);
        Self {
            source: EventSource::with_seed(&format!("http://{address}/events"), options, number),
            address,
            number,
            shared,
            started: Instant::now(),
            is_ready: false,
            lines: Vec::new(),
            losses: 0,
        }
    }

    /// Returns the numbers of the received lines, and how often the connection was lost.
    fn run(mut self) -> (Vec<u64>, u64) {
        let mut body: Option<BufReader<TcpStream>> = None;
        let mut bytes = [0; 16 * 1024];
        self.source.start(self.now());
        while self.lines.last() != Some(&(EVENTS - 1)) && self.now() < LIMIT {
            if let Some(output) = self.source.poll_output() {
                match output {
                    Output::Request(request) => match self.send(&request) {
                        Ok((response, opened)) => {
                            body = Some(opened);
                            self.source.handle_response(self.now(), response);
                        }
                        Err(error) => self.source.handle_error(self.now(), error),
                    },
                    Output::Abort => body = None,
                    Output::Lost(_) => (body, self.losses) = (None, self.losses + 1),
                    Output::Closed(closed) => panic!("{closed:?}"),
                    _ => {}
                }
            } else if let Some(open) = &mut body {
                match open.read(&mut bytes) {
                    Ok(0) => self.source.handle_end(self.now()),
                    Ok(len) => self.take(&bytes[..len]),
                    Err(error) => self.source.handle_error(self.now(), error),
                }
            } else if let Some(deadline) = self.source.next_deadline() {
                thread::sleep(deadline.saturating_sub(self.now()));
                self.source.handle_deadline(self.now());
            }
        }
        (self.lines, self.losses)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn send(&self, request: &Request) -> io::Result<(Response, BufReader<TcpStream>)> {
        let mut socket = TcpStream::connect(self.address)?;
        let mut head = "GET /events HTTP/1.0\r\n".to_owned();
        for (name, value) in request.headers() {
            head.extend([name, ": ", value, "\r\n"]);
        }
        socket.write_all((head + "\r\n").as_bytes())?;
        let twice = socket.try_clone()?;
        let mut sockets = self
            .shared
            .sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sockets.insert(self.number, twice);
        drop(sockets);

        let mut reader = BufReader::new(socket);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut content_type = Vec::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(": ") {
                None => break,
                Some(("content-type", value)) => content_type = value.as_bytes().to_vec(),
                Some(_) => {}
            }
        }
        let response = Response::from_headers(status, [("content-type", &content_type)]);
        Ok((response, reader))
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut items = self.source.handle_bytes(self.started.elapsed(), bytes);
        while let Some(item) = items.next_owned().expect("within the limits") {
            let OwnedItem::Event(event) = item else {
                continue;
            };
            if event.has_own_id() && !mem::replace(&mut self.is_ready, true) {
                self.shared.ready.fetch_add(1, Ordering::Relaxed);
            }
            if event.event_type() == LINE.as_str() {
                self.lines
                    .push(event.data().parse().expect("the number of the line"));
                let lines = self.lines.len() as u64;
                self.shared.most.fetch_max(lines, Ordering::Relaxed);
            }
        }
    }
}
