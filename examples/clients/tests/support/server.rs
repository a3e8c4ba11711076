//! A server that follows a script, one connection after another.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::PATIENCE;

/// The line that a test sends in place of a request to end the server.
const END: &str = "end";

/// The steps of a server on one connection, after it has read the request. Then the server closes
/// the connection.
pub(crate) type Answer = Vec<Step>;

/// One step of a server.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends bytes. `{elsewhere}` in them is the address of the other server.
    Send(Vec<u8>),
    /// Sends these bytes this many times, with a pause before each.
    Drip(&'static [u8], Duration, u32),
    /// Sends nothing, and waits until the client closes the connection.
    Silence,
    /// Waits for the client to read, and then resets the connection.
    Reset,
}

/// A status line and headers, without a body.
pub(crate) fn status(status: &str, headers: &str) -> Answer {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}Connection: close\r\n\r\n");
    vec![Step::Send(head.into_bytes())]
}

/// A redirect.
pub(crate) fn redirect(code: u16, location: &str) -> Answer {
    status(
        &format!("{code} Redirect"),
        &format!("Location: {location}\r\n"),
    )
}

/// An event stream, which ends with the connection.
pub(crate) fn event_stream(body: impl AsRef<[u8]>) -> Answer {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    vec![Step::Send([head.as_bytes(), body.as_ref()].concat())]
}

/// An event stream in chunks of this size, with their end or without it.
pub(crate) fn in_chunks(body: impl AsRef<[u8]>, size: usize, is_whole: bool) -> Answer {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for chunk in body.as_ref().chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    if is_whole {
        bytes.extend(b"0\r\n\r\n");
    }
    vec![Step::Send(bytes)]
}

/// A server that has an address but does not run yet.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Host and port.
    pub(crate) address: String,
    listener: TcpListener,
}

impl Listener {
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        Self { address, listener }
    }

    /// Runs one answer for each connection. Later connections are closed at once.
    pub(crate) fn play(self, script: Vec<Answer>, elsewhere: String) -> Server {
        let Self { address, listener } = self;
        let thread = thread::spawn(move || {
            let mut requests = Vec::new();
            let mut answers = script.iter();
            loop {
                let (mut socket, _) = listener.accept().expect("a connection");
                let Some(request) = request(&socket).expect("a request") else {
                    return requests;
                };
                requests.push(request);
                if let Some(answer) = answers.next() {
                    // Fails if the client closes the connection early.
                    let _ = play(&mut socket, answer, &elsewhere);
                }
            }
        });
        Server { address, thread }
    }
}

/// A server on a thread of its own. It listens until the end of the test, because another server
/// could take a port that is free.
#[derive(Debug)]
pub(crate) struct Server {
    address: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    /// Ends the server, and returns its requests as text: `/path`, then ` secret` if there were
    /// credentials, then ` #7` if there was a last event ID.
    pub(crate) fn requests(self) -> Vec<String> {
        let mut socket = TcpStream::connect(&self.address).expect("it listens");
        writeln!(socket, "{END}").expect("it reads");
        self.thread.join().expect("the server does not panic")
    }
}

/// Reads a request and returns it as text. Returns `None` for the line that ends the server.
fn request(socket: &TcpStream) -> io::Result<Option<String>> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    let mut lines = BufReader::new(socket).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    if first == END {
        return Ok(None);
    }
    let (mut accept, mut cache_control) = <(String, String)>::default();
    let mut accept_encoding = String::new();
    let (mut authorization, mut id) = <(String, String)>::default();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "accept" => value.clone_into(&mut accept),
            "cache-control" => value.clone_into(&mut cache_control),
            "accept-encoding" => value.clone_into(&mut accept_encoding),
            "authorization" => authorization = format!(" {value}"),
            "last-event-id" => id = format!(" #{value}"),
            _ => {}
        }
    }
    let mut first = first.split(' ');
    assert_eq!(first.next(), Some("GET"));
    assert_eq!(
        (&*accept, &*cache_control, &*accept_encoding),
        ("text/event-stream", "no-cache", "identity")
    );
    let path = first.next().unwrap_or_default();
    Ok(Some(format!("{path}{authorization}{id}")))
}

fn play(socket: &mut TcpStream, answer: &Answer, elsewhere: &str) -> io::Result<()> {
    for step in answer {
        match step {
            Step::Send(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => socket.write_all(text.replace("{elsewhere}", elsewhere).as_bytes())?,
                Err(_) => socket.write_all(bytes)?,
            },
            Step::Drip(bytes, pause, times) => {
                for _ in 0..*times {
                    thread::sleep(*pause);
                    socket.write_all(bytes)?;
                }
            }
            Step::Silence => {
                // The client ends or resets the connection. If it stays, the read runs into its
                // time limit.
                let read = socket.read(&mut [0]);
                let stays = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
                assert!(!read.as_ref().is_err_and(stays), "the client stays");
            }
            Step::Reset => {
                // Without a pause, the reset could discard bytes that the client has not read yet.
                thread::sleep(Duration::from_millis(200));
                SockRef::from(&*socket).set_linger(Some(Duration::ZERO))?;
            }
        }
    }
    Ok(())
}
