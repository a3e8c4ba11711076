//! The built example at a URL: the stream of `serve` across a restart, and servers that refuse.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::example;

/// The longest that a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program and the lines that it writes. The drop kills it.
struct Process {
    child: Child,
    out: Option<Receiver<String>>,
    errors: Receiver<String>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let out = lines(child.stdout.take().expect("it is piped"));
        let errors = lines(child.stderr.take().expect("it is piped"));
        Self {
            child,
            out: Some(out),
            errors,
        }
    }

    /// Waits for a line on standard error with this text.
    fn says(&self, text: &str) -> String {
        let mut all = Vec::new();
        loop {
            let line = self.errors.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {text:?}, {error}: {all:#?}"));
            if line.contains(text) {
                return line;
            }
            all.push(line);
        }
    }

    /// Waits for an event of this type on standard output, and returns all items up to it.
    fn until(&self, event_type: &str) -> Vec<Value> {
        let mut items = Vec::new();
        loop {
            let line = self
                .out
                .as_ref()
                .expect("it is read")
                .recv_timeout(PATIENCE);
            let line =
                line.unwrap_or_else(|error| panic!("no {event_type:?}, {error}: {items:#?}"));
            items.push(value(&line));
            if items.last().is_some_and(|item| item["type"] == event_type) {
                return items;
            }
        }
    }

    fn event(&self, event_type: &str) -> Value {
        self.until(event_type).pop().expect("the event")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).expect("each line is JSON")
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    // Ends, and so closes the pipe, once the receiver is dropped.
    thread::spawn(move || {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.try_for_each(|line| sender.send(line))
    });
    lines
}

/// Starts `serve` and returns it with its address.
fn serve(address: &str) -> (Process, String) {
    let mut command = example("serve");
    command.arg(address);
    let server = Process::start(command);
    let line = server.says("listening on http://");
    let address = line.trim_start_matches("listening on http://");
    let address = address.split(',').next().expect("an address").to_owned();
    (server, address)
}

fn tail(arguments: &[&str]) -> Process {
    let mut command = example("tail");
    command.args(arguments);
    Process::start(command)
}

/// Runs the example to its end.
fn tailed(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = example("tail");
    let output: Output = command.args(arguments).output().expect("the example runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let errors = String::from_utf8(output.stderr).expect("it writes text");
    (output.status.code(), errors)
}

/// Answers one request with this head, and returns the URL.
fn answer(head: &str) -> String {
    answer_bytes(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Answers one request with these bytes, and returns the URL.
fn answer_bytes(bytes: &[u8]) -> String {
    let bytes = bytes.to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut line = String::new();
        let mut request = BufReader::new(&socket);
        while request.read_line(&mut line).is_ok_and(|len| len > 2) {
            line.clear();
        }
        socket.write_all(&bytes)
    });
    format!("http://{address}/")
}

#[test]
fn it_shows_the_stream_of_serve_and_goes_on_after_a_restart() {
    let (server, address) = serve("127.0.0.1:0");
    let tail = tail(&[&format!("http://{address}/events"), "--json"]);
    tail.says("tail: up");
    let hello = tail.event("hello");
    assert_eq!(
        value(hello["data"].as_str().unwrap())["last_event_id"],
        Value::Null
    );
    for event_type in ["cpu", "memory", "load"] {
        assert_eq!(tail.event(event_type)["own_id"], true);
    }

    // At least one more event; the number is not known.
    let mut before = tail.until("cpu");
    drop(server);
    tail.says("tail: lost: ");
    let (server, _) = serve(&address);
    let connected = server.says("connected, Last-Event-ID ");
    tail.says("tail: up");
    before.extend(tail.until("hello"));
    let hello = before.pop().expect("the event");
    let mut shown = before.iter().rev();
    let last = shown.find(|item| item["own_id"] == true).expect("an event");
    let last = &last["last_event_id"];
    assert!(
        connected.ends_with(&last.to_string()),
        "{connected}: {last}"
    );
    let greeted = value(hello["data"].as_str().unwrap());
    assert_eq!(greeted["last_event_id"], *last);
    // The greeting says so, in one block with the id of the position where the client goes on.
    assert!(is_of_its_run(&hello), "{hello}");
    for event_type in ["cpu", "memory", "load"] {
        assert_eq!(tail.event(event_type)["own_id"], true);
    }
}

#[test]
fn it_begins_after_the_last_event_id_that_it_is_given() {
    let (server, address) = serve("127.0.0.1:0");
    let url = format!("http://{address}/events");
    let tail = tail(&["--last-event-id", "4é2", &url, "--json"]);
    server.says("connected, Last-Event-ID \"4é2\"");
    // The server does not know the id, and the greeting has the id of the position instead.
    let hello = tail.event("hello");
    assert!(is_of_its_run(&hello), "{hello}");
}

/// Returns whether the id of a greeting belongs to the run of the server that sent it.
fn is_of_its_run(hello: &Value) -> bool {
    let greeted = value(hello["data"].as_str().expect("a text"));
    let id = hello["last_event_id"].as_str().expect("a text");
    id.split_once('-')
        .is_some_and(|(run, _)| greeted["run"] == run)
}

#[test]
fn an_id_that_no_header_can_hold_is_told_and_is_no_failure() {
    let (server, address) = serve("127.0.0.1:0");
    let url = format!("http://{address}/events");
    let tail = tail(&["--last-event-id", "4\u{1}2", &url, "--json"]);
    tail.says(r#"tail: the server can't resume after "4\u{1}2""#);
    let connected = server.says(" connected");
    assert!(!connected.contains("Last-Event-ID"), "{connected}");
    // The server sees a new client, and sends it the id of the position where its stream begins.
    let hello = tail.event("hello");
    assert!(is_of_its_run(&hello), "{hello}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (_server, address) = serve("127.0.0.1:0");
    let mut tail = tail(&[&format!("http://{address}/events")]);
    tail.says("tail: up");
    tail.out = None;
    assert!(tail.child.wait().expect("it ends").success());
}

#[test]
fn what_is_no_event_stream_is_told_in_text_that_drives_no_terminal() {
    let (status, errors) = tailed(&[&answer("404 Not Found\r\nContent-Length: 0")]);
    assert_eq!(
        (status, &*errors),
        (Some(1), "tail: closed: the server answered 404\n")
    );

    let hostile = answer("200 OK\r\nContent-Type: text/\u{202E}html");
    let (status, errors) = tailed(&[&hostile]);
    assert_eq!(status, Some(1));
    assert!(errors.contains("and not text/event-stream"), "{errors}");
    assert!(!errors.contains('\u{202E}'), "{errors:?}");
}

#[test]
fn a_server_that_has_no_more_is_no_failure() {
    let (status, errors) = tailed(&[&answer("204 No Content")]);
    assert_eq!(
        (status, &*errors),
        (Some(0), "tail: closed: the server answered 204\n")
    );
}

#[test]
fn a_server_that_is_not_there_is_told_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let tail = tail(&[&url]);
    for _ in 0..2 {
        // With all causes.
        let line = tail.says("tail: lost: the connection failed: ");
        assert!(line.contains("(Connect): tcp connect error: "), "{line}");
        assert!(line.contains("refused"), "{line}");
        assert!(line.contains("; again in "), "{line}");
    }
}

#[test]
fn what_can_not_heal_is_not_tried_again() {
    let tls = answer("307 Moved\r\nLocation: https://127.0.0.1/");
    let (status, errors) = tailed(&[&tls]);
    assert_eq!(
        (status, &*errors),
        (
            Some(1),
            "tail: closed: the connection failed: there is no TLS in this example\n"
        )
    );
    // HTTP/2 without TLS: its settings and its goodbye, whatever the request is.
    let frames = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    let (status, errors) = tailed(&[&answer_bytes(frames)]);
    assert_eq!(status, Some(1), "{errors}");
    assert!(
        errors.starts_with("tail: closed: the connection failed: "),
        "{errors}"
    );
    assert!(errors.contains("invalid HTTP version"), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    let (status, errors) = tailed(&["http://a b/"]);
    assert_eq!((status, errors.lines().count()), (Some(1), 1), "{errors}");
}

#[test]
fn a_url_may_leave_out_its_scheme_or_shout_it() {
    let url = answer("204 No Content");
    let (_, address) = url.split_once("://").expect("it has a scheme");
    let (status, errors) = tailed(&[address]);
    assert_eq!(
        (status, &*errors),
        (Some(0), "tail: closed: the server answered 204\n")
    );
    let url = answer("204 No Content");
    let address = url.strip_prefix("http://").expect("it has a scheme");
    let with_query = format!("{address}?next=http://other.example/");
    assert_eq!(
        tailed(&[&with_query]).0,
        Some(0),
        "of a query it is no scheme"
    );
    let shouted = answer("204 No Content").replace("http", "HTTP");
    assert_eq!(tailed(&[&shouted]).0, Some(0));
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for (arguments, reason) in [
        (
            &["https://example.org/"][..],
            "there is no TLS in this example",
        ),
        (&["HTTPS://example.org/"], "there is no TLS in this example"),
        (&["file:///etc/passwd"], "there is no way to follow file"),
        (&["http://"], "the URL has no host"),
        (&["--last-event-id", "7"], "--last-event-id needs a URL"),
        (
            &["http://127.0.0.1/", "--last-event-id"],
            "--last-event-id needs an id",
        ),
        (&["http://127.0.0.1/", "--last-event-id", "4\n2"], "U+000A"),
        (
            &["http://127.0.0.1/", "http://127.0.0.1/"],
            "unknown argument",
        ),
        (&["--jsn"], "unknown argument --jsn"),
    ] {
        let (status, errors) = tailed(arguments);
        assert_eq!(status, Some(2), "{arguments:?}");
        let first = errors.lines().next().expect("a line");
        assert!(first.contains(reason), "{first}");
        assert!(errors.contains("--last-event-id ID"), "the help: {errors}");
    }
}
