//! The built example as a process, and a client over a plain socket.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// The longest that a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running example. The drop kills it.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) input: Option<ChildStdin>,
    pub(crate) address: String,
    log: Receiver<String>,
}

impl Server {
    /// Starts the example on a free port, and returns once it listens.
    pub(crate) fn start() -> Self {
        let mut child = command()
            .arg("127.0.0.1:0")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let input = child.stdin.take();
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            child,
            input,
            address: String::new(),
            log,
        };
        let line = server.logged("listening on http://");
        let address = line.trim_start_matches("listening on http://");
        address
            .split(',')
            .next()
            .unwrap_or_default()
            .clone_into(&mut server.address);
        server
    }

    /// Waits for a line of the log that has this text.
    pub(crate) fn logged(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{text:?} was not logged: {error}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal to the process.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Writes to standard input.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("standard input is open");
        input.write_all(bytes).expect("standard input takes it");
    }

    /// Sends a request and reads the head of the response.
    pub(crate) fn request(&self, request: &[u8]) -> Response {
        let address = self.address.to_socket_addrs().unwrap().next().unwrap();
        let mut socket = TcpStream::connect(address).expect("the server accepts");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(request).expect("the server reads");
        let mut reader = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                reader.read_line(&mut head).expect("a response"),
                0,
                "{head}"
            );
        }
        Response { head, reader }
    }

    /// Requests a path with HTTP/1.0, so that the body is not in chunks.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.request(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())
    }

    /// Opens the event stream, and reads up to its greeting.
    pub(crate) fn events(&self) -> Response {
        let mut response = self.get("/events");
        response.block_of("hello");
        response
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the command of the example that `cargo test` built next to this test.
pub(crate) fn command() -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let example: PathBuf = profile
        .join("examples")
        .join(format!("serve{}", env::consts::EXE_SUFFIX));
    assert!(
        example.exists(),
        "run `cargo test` or `cargo build --example serve`: no {}",
        example.display()
    );
    Command::new(example)
}

/// A response whose head has been read.
pub(crate) struct Response {
    pub(crate) head: String,
    reader: BufReader<TcpStream>,
}

impl Response {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn has_header(&self, line: &str) -> bool {
        self.head.lines().any(|one| one == line)
    }

    /// Reads the rest of the body as text.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.reader
            .read_to_string(&mut rest)
            .expect("the rest of the body");
        rest
    }

    /// Reads the next block of the event stream, without its blank line.
    pub(crate) fn block(&mut self) -> String {
        let mut block = String::new();
        loop {
            let start = block.len();
            let read = self
                .reader
                .read_line(&mut block)
                .expect("more of the stream");
            assert_ne!(read, 0, "the stream has ended after {block:?}");
            if &block[start..] == "\n" {
                block.truncate(start);
                return block;
            }
        }
    }

    /// Reads up to the next block of an event type.
    pub(crate) fn block_of(&mut self, event_type: &str) -> String {
        let line = format!("event: {event_type}");
        loop {
            let block = self.block();
            // Comments may come before it.
            if block.lines().any(|one| one == line) {
                return block;
            }
        }
    }

    /// Reads up to the next event of a type, and returns its data.
    pub(crate) fn data_of(&mut self, event_type: &str) -> String {
        let block = self.block_of(event_type);
        let data: Vec<&str> = block
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        data.join("\n")
    }

    /// Reads up to the next event of a type, and returns the number in its id, without the epoch.
    pub(crate) fn id_of(&mut self, event_type: &str) -> u64 {
        let block = self.block_of(event_type);
        let id = block.lines().find_map(|line| line.strip_prefix("id: "));
        let number = id.and_then(|id| id.split_once('-')?.1.parse().ok());
        number.expect("two numbers as id")
    }
}
