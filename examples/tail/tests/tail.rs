//! The built example on real input: files of bytes, closed pipes, and the stream of `serve`.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A built example of the workspace: it lies beside the folder of this test.
fn example(name: &str) -> Command {
    let mut path: PathBuf = env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(
        path.exists(),
        "run `cargo build --example {name}` before this test alone"
    );
    Command::new(path)
}

fn tail(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = example("tail")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // On a thread of its own: both pipes may fill up.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends with its input");
    let _ = writer.join();
    output
}

fn shown(arguments: &[&str], input: &[u8]) -> String {
    let output = tail(arguments, input);
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("it writes text")
}

const STREAM: &[u8] =
    b": hi\nretry: 1500\n\nevent: tick\nid: 7\ndata: one\ndata: two\n\ndata: a\xFFb\n\nid: 8\n\n";

#[test]
fn each_item_is_shown_for_a_person() {
    assert_eq!(
        shown(&[], STREAM),
        "-- hi\n-- reconnection time 1.5s\ntick #7:\n    one\n    two\nmessage: a\u{FFFD}b\n\
         -- last event ID 8\n"
    );
}

#[test]
fn each_item_is_a_line_of_json_for_a_program() {
    let output = shown(&["--json"], STREAM);
    let lines: Vec<serde_json::Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[1]["reconnection_time"], 1500);
    assert_eq!(
        lines[2],
        serde_json::json!({"type": "tick", "data": "one\ntwo", "last_event_id": "7", "own_id": true})
    );
}

#[test]
fn nothing_of_a_stranger_drives_the_terminal() {
    let hostile =
        "event: -- last event ID 5\ndata: \u{1B}[31m \u{9B} \u{202E} \u{2066} \u{7F} \t\n\n";
    let text = shown(&[], hostile.as_bytes());
    let marks = |c: char| c == '\u{FFFD}';
    assert_eq!(text.chars().filter(|&c| marks(c)).count(), 5);
    assert!(!text.starts_with("--"), "it looks like no notice of ours");
    let json = shown(&["--json"], hostile.as_bytes());
    assert!(
        json.trim_end()
            .chars()
            .all(|c| !c.is_control() && !('\u{202A}'..='\u{206F}').contains(&c))
    );
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        value["data"],
        "\u{1B}[31m \u{9B} \u{202E} \u{2066} \u{7F} \t"
    );
}

#[test]
fn what_is_no_event_stream_is_told() {
    let output = tail(&[], b"<html>404</html>\n");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "tail: the input had no event\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [&["--help"][..], &[]] {
        let mut child = example("tail")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().expect("it is piped");
        // Fails once the example has noticed.
        while stdin.write_all(STREAM).is_ok() && !arguments.contains(&"--help") {}
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }
}

/// Ends a process whatever the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_shows_the_stream_of_serve_as_it_comes() {
    let serve = example("serve")
        .arg("127.0.0.1:0")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server runs");
    let mut serve = Running(serve);
    let mut log = BufReader::new(serve.0.stderr.take().expect("it is piped")).lines();
    let line = log
        .next()
        .expect("it says where it listens")
        .expect("a line");
    let address = line.trim_start_matches("listening on http://");
    let address = address.split(',').next().expect("an address").to_owned();

    let tail = example("tail")
        .arg("--json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example runs");
    let mut tail = Running(tail);
    let mut stdin = tail.0.stdin.take().expect("it is piped");
    std::thread::spawn(move || {
        let mut socket = BufReader::new(TcpStream::connect(&address)?);
        // HTTP/1.0: the body is not in chunks, and ends with the connection.
        write!(
            socket.get_mut(),
            "GET /events HTTP/1.0\r\nHost: {address}\r\n\r\n"
        )?;
        let mut line = String::new();
        while socket.read_line(&mut line)? > 2 {
            line.clear();
        }
        let mut bytes = [0; 4096];
        loop {
            let len = socket.read(&mut bytes)?;
            stdin.write_all(&bytes[..len])?;
            if len == 0 {
                return std::io::Result::Ok(());
            }
        }
    });
    let shown = BufReader::new(tail.0.stdout.take().expect("it is piped")).lines();
    let mut wanted = vec!["hello", "cpu", "memory", "load"];
    for line in shown {
        let value: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        wanted.retain(|event_type| value["type"] != *event_type);
        if wanted.is_empty() {
            return;
        }
    }
    panic!("the stream ended without {wanted:?}");
}
