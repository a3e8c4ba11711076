//! One client: two buffers, one for its request and one for the bytes to send.

use core::fmt::{self, Write as _};

use embedded_io::{Read, ReadReady, Write, WriteReady};
use sse_proto::event::{LastEventId, START};
use sse_proto::http::{HEADERS, last_event_id};
use sse_proto::{Event, EventType};

use crate::log::Log;

/// The milliseconds after which a silent stream gets a comment.
const KEEP_ALIVE: u32 = 1000;
/// The milliseconds within which a client must complete its request, or take some of the pending
/// bytes. The number of clients is small, and a browser opens connections that it does not use yet.
const PATIENCE: u32 = 5000;

const READING: EventType = EventType::from_static("reading");
const RESET: EventType = EventType::from_static("reset");

pub(crate) struct Client<C> {
    connection: C,
    request: Buffer<1024>,
    output: Buffer<512>,
    state: State,
    /// The time of the last write; before the first write, the time of the connection.
    sent: u32,
}

enum State {
    /// The request is not complete.
    Asks,
    /// The client has an event stream. The reading with this number is sent next.
    Listens(u32),
    /// The client gets the rest of the buffer, then the connection ends.
    Leaves,
}

impl<C: Read + ReadReady + Write + WriteReady> Client<C> {
    pub(crate) fn new(connection: C, now: u32) -> Self {
        Self {
            connection,
            request: Buffer::new(),
            output: Buffer::new(),
            state: State::Asks,
            sent: now,
        }
    }

    /// Does all that is possible without waiting. Returns `None` if the connection must be closed.
    pub(crate) fn serve(&mut self, log: &Log, now: u32) -> Option<()> {
        if self.connection.read_ready().ok()? {
            // A client sends nothing after its request. If there is input, the client has closed
            // the connection or breaks the protocol.
            let State::Asks = self.state else { return None };
            let free = self.request.free();
            let read = self.connection.read(free).ok().filter(|&read| read > 0)?;
            self.request.end += read;
            self.answer(log);
        }
        // One event at a time: until the client has taken it, the later ones stay in the log.
        if self.output.is_empty() {
            self.fill(log, now)?;
        }
        while !self.output.is_empty() && self.connection.write_ready().ok()? {
            self.output.start += self.connection.write(self.output.bytes()).ok()?;
            self.sent = now;
        }
        let holds_up = matches!(self.state, State::Asks) || !self.output.is_empty();
        (!holds_up || now.wrapping_sub(self.sent) < PATIENCE).then_some(())
    }

    /// Puts the next bytes for the client into the buffer.
    fn fill(&mut self, log: &Log, now: u32) -> Option<()> {
        self.output.clear();
        let event = match &mut self.state {
            State::Asks => return Some(()),
            State::Leaves => return None,
            State::Listens(next) if !log.has_place(*next) => {
                *next = log.oldest();
                Event::new(RESET, "").with_id(log.id(*next - 1))
            }
            State::Listens(next) => match log.get(*next) {
                Some(reading) => {
                    let number = *next;
                    *next += 1;
                    let mut text = Buffer::<16>::new();
                    let _ = write!(text, "{}.{} °C", reading / 10, reading % 10);
                    let text = core::str::from_utf8(text.bytes()).unwrap_or_default();
                    let event = Event::new(READING, text).with_id(log.id(number));
                    return self.output.event(&event);
                }
                None if now.wrapping_sub(self.sent) < KEEP_ALIVE => return Some(()),
                None => Event::block().with_comment("keep-alive comment"),
            },
        };
        self.output.event(&event)
    }

    /// Answers the request, once it is complete.
    fn answer(&mut self, log: &Log) {
        let is_full = self.request.free().is_empty();
        let written = match asked(self.request.bytes(), log) {
            None if is_full => self.refuse("431 Request Header Fields Too Large"),
            None => return,
            Some(Ok((next, is_new))) => self.listen(next, is_new, log),
            Some(Err(status)) => self.refuse(status),
        };
        // The buffer is larger than any response head.
        debug_assert!(written.is_ok());
    }

    fn listen(&mut self, next: u32, is_new: bool, log: &Log) -> fmt::Result {
        self.state = State::Listens(next);
        self.output
            .write_str("HTTP/1.1 200 OK\r\nconnection: close\r\n")?;
        for (name, value) in HEADERS {
            write!(self.output, "{name}: {value}\r\n")?;
        }
        self.output.write_str("\r\n")?;
        // The comment is sent together with the head, so that the client sees an open connection.
        // The id lets a new client that loses its connection before its first event resume without a
        // gap.
        let hello = if is_new {
            Event::new(START, "{}").with_id(log.id(next - 1))
        } else {
            Event::block()
        };
        let hello = hello.with_comment("hello");
        self.output.event(&hello).ok_or(fmt::Error)
    }

    fn refuse(&mut self, status: &str) -> fmt::Result {
        self.state = State::Leaves;
        write!(
            self.output,
            "HTTP/1.1 {status}\r\nconnection: close\r\n\r\n"
        )
    }
}

/// Returns the number of the reading to begin with, and whether the client is new, or the status
/// that refuses the request. Returns `None` while the request is incomplete.
fn asked(request: &[u8], log: &Log) -> Option<Result<(u32, bool), &'static str>> {
    let head_len = request.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = &request[..head_len];
    if !head.starts_with(b"GET /events ") {
        return Some(Err("404 Not Found"));
    }
    // Several lines would be joined on the heap, and there is none. No client of ours sends them.
    let mut lines = values(head, b"last-event-id");
    let last = match (lines.next(), lines.next()) {
        (first, None) => last_event_id(first, None, ""),
        (_, Some(_)) => LastEventId::Invalid,
    };
    let number = match last {
        LastEventId::None => return Some(Ok((log.next(), true))),
        LastEventId::Id(id) => id.to_str().parse().ok().and_then(|id| log.number(id)),
        LastEventId::Invalid => None,
    };
    // An id that is not of this log gets a number that is never reached, so the client is reset.
    let next = number.map_or(u32::MAX, |number| number.saturating_add(1));
    Some(Ok((next, false)))
}

/// Returns the values of a header in the head of a request.
fn values<'h>(head: &'h [u8], name: &'static [u8]) -> impl Iterator<Item = &'h [u8]> {
    head.split(|&byte| byte == b'\n').filter_map(move |line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let is_it = line[..colon].eq_ignore_ascii_case(name);
        is_it.then(|| line[colon + 1..].trim_ascii())
    })
}

/// The bytes between two positions of an array.
struct Buffer<const N: usize> {
    array: [u8; N],
    start: usize,
    end: usize,
}

impl<const N: usize> Buffer<N> {
    const fn new() -> Self {
        Self {
            array: [0; N],
            start: 0,
            end: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn bytes(&self) -> &[u8] {
        &self.array[self.start..self.end]
    }

    fn free(&mut self) -> &mut [u8] {
        &mut self.array[self.end..]
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Adds an event. If there is no room for all of it, adds nothing and returns `None`.
    fn event(&mut self, event: &Event<'_>) -> Option<()> {
        self.end += event.encode_to_slice(self.free()).ok()?;
        Some(())
    }
}

impl<const N: usize> fmt::Write for Buffer<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.free().get_mut(..text.len()).ok_or(fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.end += text.len();
        Ok(())
    }
}
