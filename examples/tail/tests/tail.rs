//! The built example on standard input: files of bytes, and closed pipes.

mod support;

use std::io::Write;
use std::process::{Output, Stdio};

use support::example;

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
    // Written on a separate thread, because both pipes may fill up.
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
fn nothing_that_is_not_seen_is_left() {
    let unseen = "\u{AD}\u{34F}\u{61C}\u{115F}\u{180E}\u{200B}\u{200E}\u{202E}\u{2028}\u{2060}\u{2069}\u{3164}\
                  \u{FE0F}\u{FEFF}\u{FFA0}\u{FFF9}\u{FFFB}\u{1D173}\u{E0001}\u{E0041}\u{E007F}\u{E01EF}\u{85}";
    let stream = format!("data: a{unseen}b \u{A0}\u{E9}\u{1F600}\u{4E2D}\n\n");
    let marks = "\u{FFFD}".repeat(unseen.chars().count());
    assert_eq!(
        shown(&[], stream.as_bytes()),
        format!("message: a{marks}b \u{A0}\u{E9}\u{1F600}\u{4E2D}\n")
    );
    let json = shown(&["--json"], stream.as_bytes());
    assert!(!json.contains(|c| unseen.contains(c)), "{json:?}");
    assert!(json.contains("\\udb40\\udc41"), "above U+FFFF, too: {json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["data"], stream[6..stream.len() - 2]);
}

#[test]
fn the_type_is_the_first_field_of_the_json() {
    let output = shown(&["--json"], b"event: tick\nid: 7\ndata: x\n\n");
    assert_eq!(
        output,
        "{\"type\":\"tick\",\"data\":\"x\",\"last_event_id\":\"7\",\"own_id\":true}\n"
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
        // The write fails once the example has ended.
        while stdin.write_all(STREAM).is_ok() && !arguments.contains(&"--help") {}
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }
}
