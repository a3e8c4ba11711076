//! The clients: raw sockets on one thread, each of which checks that it gets every event.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use sse_proto::{Decoder, Item};

use crate::server::now;

/// So many clients share an address of their own: the ports of one are not enough.
const CLIENTS_AN_ADDRESS: usize = 20_000;

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// All clients of a server.
#[derive(Debug)]
pub(crate) struct Clients {
    poll: Poll,
    all: Vec<Client>,
    buffer: Vec<u8>,
    /// How long each event took from its publication to its client, in nanoseconds.
    pub(crate) delays: Vec<u64>,
}

#[derive(Debug)]
struct Client {
    socket: TcpStream,
    /// The head of the response has come.
    is_open: bool,
    head: Vec<u8>,
    chunked: Chunked,
    decoder: Decoder,
    /// The number of the next event.
    next: u64,
}

impl Clients {
    /// Connects so many, and waits until each has the head of its response.
    ///
    /// # Panics
    ///
    /// When a connection fails, here and below.
    pub(crate) fn connect(port: u16, count: usize) -> Self {
        let mut clients = Self {
            poll: Poll::new().expect("a poll"),
            all: Vec::with_capacity(count),
            buffer: vec![0; 256 * 1024],
            delays: Vec::new(),
        };
        for at in 0..count {
            let host = u8::try_from(1 + at / CLIENTS_AN_ADDRESS).expect("an address");
            let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), port));
            // Blocking, so that no more are under way than the server has accepted.
            let mut socket = std::net::TcpStream::connect(address).expect("it accepts");
            let request = b"GET /events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n";
            socket.write_all(request).expect("it reads");
            socket.set_nonblocking(true).expect("an option");
            let mut socket = TcpStream::from_std(socket);
            let registry = clients.poll.registry();
            registry
                .register(&mut socket, Token(at), Interest::READABLE)
                .expect("a place");
            clients.all.push(Client::new(socket));
        }
        clients.run(|client| client.is_open);
        clients
    }

    /// Reads until each client has had all events before this number.
    pub(crate) fn read_up_to(&mut self, number: u64) {
        self.run(|client| client.next == number);
    }

    fn run(&mut self, is_done: impl Fn(&Client) -> bool) {
        let mut left = self.all.iter().filter(|one| !is_done(one)).count();
        let mut events = Events::with_capacity(1024);
        while left > 0 {
            self.poll.poll(&mut events, Some(PATIENCE)).expect("a poll");
            assert!(!events.is_empty(), "{left} clients wait for something");
            for event in &events {
                let client = &mut self.all[event.token().0];
                let was_done = is_done(client);
                client.read(&mut self.buffer, &mut self.delays);
                left -= usize::from(!was_done && is_done(client));
            }
        }
    }
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            is_open: false,
            head: Vec::new(),
            chunked: Chunked::Size(0),
            decoder: Decoder::new(),
            next: 0,
        }
    }

    /// Reads all that is there.
    fn read(&mut self, buffer: &mut [u8], delays: &mut Vec<u64>) {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => panic!("the server has hung up"),
                Ok(len) => self.take(&buffer[..len], delays),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], delays: &mut Vec<u64>) {
        if !self.is_open {
            self.head.extend_from_slice(bytes);
            let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
                return;
            };
            assert!(self.head.starts_with(b"HTTP/1.1 200 "), "{:?}", self.head);
            self.is_open = true;
            let rest = std::mem::take(&mut self.head).split_off(end + 4);
            return self.take(&rest, delays);
        }
        let now = now();
        while let Some(data) = self.chunked.next(&mut bytes) {
            let mut items = self.decoder.feed(data);
            while let Some(item) = items.next().expect("within limits") {
                let Item::Event(event) = item else { continue };
                let data = event.data_bytes();
                let at = number_behind(data, b"{\"at\":");
                let rest = &data[data.iter().position(|&byte| byte == b',').expect("a field")..];
                assert_eq!(number_behind(rest, b",\"n\":"), self.next, "each, in order");
                self.next += 1;
                delays.push(now.saturating_sub(at));
            }
        }
    }
}

fn number_behind(text: &[u8], before: &[u8]) -> u64 {
    let digits = text.strip_prefix(before).expect("an event of ours");
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| 10 * number + u64::from(digit - b'0'))
}

/// Where the bytes are in a body of `transfer-encoding: chunked`.
#[derive(Clone, Copy, Debug)]
enum Chunked {
    /// Within the size of a chunk: what is known of it.
    Size(usize),
    /// Within a chunk: so many bytes are to come.
    Data(usize),
    /// Behind a chunk.
    End,
}

impl Chunked {
    /// Takes bytes from the front, up to and with the next data; `None` if there is no more.
    fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<&'i [u8]> {
        loop {
            if let Self::Data(left) = *self {
                let (data, rest) = input.split_at(left.min(input.len()));
                *input = rest;
                *self = match left - data.len() {
                    0 => Self::End,
                    left => Self::Data(left),
                };
                return (!data.is_empty()).then_some(data);
            }
            let (&first, rest) = input.split_first()?;
            *input = rest;
            *self = match (*self, first) {
                (Self::Size(size), b'\n') => Self::Data(size),
                (Self::Size(size), _) => match char::from(first).to_digit(16) {
                    Some(digit) => Self::Size(16 * size + digit as usize),
                    None => Self::Size(size),
                },
                (_, b'\n') => Self::Size(0),
                (other, _) => other,
            };
        }
    }
}
