//! The recipes `llm` and `gateway`, with the clients that they are for.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use programs::{Process, built};
use reqwest::Client;
use sse_proto::decode::events;

use super::support::{Folder, output};

/// The programs, built.
static PROGRAMS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    built(
        "examples/mounted",
        &["--package", "llm", "--package", "gateway"],
    )
});

/// Starts a recipe on a free port.
fn start(name: &str, arguments: &[&str]) -> (Process, String) {
    let program = PROGRAMS
        .iter()
        .find(|path| path.ends_with(name))
        .expect("it was built");
    let child = Command::new(program)
        .args(arguments)
        .env("KEEP_ALIVE_MS", "200")
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("it starts");
    let stdout = child.stdout.take().expect("it is piped");
    let process = Process::new(child, stdout);
    let url = process.line_with("http://");
    (process, url.trim().to_owned())
}

fn start_llm() -> (Process, String) {
    start("llm", &["127.0.0.1:0"])
}

/// Starts a gateway in front of an address.
fn start_gateway(upstream: &str) -> (Process, String) {
    start("gateway", &[upstream, "127.0.0.1:0"])
}

/// What a client in JavaScript or Python reports: types and data.
async fn reports(folder: &Folder, script: &str, url: &str) -> Vec<(String, String)> {
    let path = folder.clients().join(script);
    let is_python = Path::new(script).extension().is_some_and(|end| end == "py");
    let program = if is_python {
        folder.python()
    } else {
        folder.node()
    };
    let lines = output(&program, &path, url, &[]).await;
    let seen = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (text("type"), text("data"))
    });
    seen.collect()
}

fn expected(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    let lines = lines
        .iter()
        .map(|(name, data)| ((*name).to_owned(), (*data).to_owned()));
    lines.collect()
}

const TOKENS: [(&str, &str); 8] = [
    ("text", "think "),
    ("text", "of "),
    ("text", "one "),
    ("text", "two"),
    ("finish", "stop"),
    ("usage", "8"),
    ("text", "one "),
    ("failed", "the model is overloaded"),
];

#[tokio::test(flavor = "multi_thread")]
async fn openai_and_ai_read_tokens_usage_and_errors_also_through_the_gateway() {
    let folder = Folder::new();
    let (llm, url) = start_llm();
    let (_gateway, behind) = start_gateway(url.trim_end_matches("/v1"));
    let behind = behind + "/v1";
    let of_node = [
        ("refused", "401"),
        ("canceled", ""),
        ("ai", "by the ai package"),
        ("last", ""),
    ];
    for url in [&url, &behind] {
        let (node, python) = tokio::join!(
            reports(&folder, "llm-recipe.mjs", url),
            reports(&folder, "llm-recipe.py", url)
        );
        assert_eq!(node, expected(&[&TOKENS[..], &of_node].concat()), "{url}");
        assert_eq!(
            python,
            expected(&[&TOKENS[..], &[("last", "")]].concat()),
            "{url}"
        );
        // The client that went away in the middle of its answer ended the model's work.
        llm.line_with("canceled");
    }
}

fn ask(url: &str, prompt: &str) -> reqwest::RequestBuilder {
    let body = format!(
        r#"{{"model": "echo", "stream": true, "messages": [{{"role": "user", "content": "{prompt}"}}]}}"#
    );
    let request = Client::new().post(format!("{url}/chat/completions"));
    request
        .header("authorization", "Bearer x")
        .header("content-type", "application/json")
        .body(body)
}

#[tokio::test]
async fn a_silence_before_the_first_token_has_comments_that_readers_by_hand_split_off() {
    let (_llm, url) = start_llm();
    let answer = ask(&url, "think").send().await.expect("an answer");
    let text = answer.text().await.expect("a whole answer");
    let first = text.find("think").expect("a token");
    assert!(
        text[..first].contains("\n\n: keep-alive comment\n\ndata: "),
        "{text}"
    );
    let events = events(text.as_bytes()).expect("whole events");
    assert_eq!(events.last().expect("an event").data(), "[DONE]");
}

/// A server that sends these bytes to its first client and closes the connection.
fn upstream(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        // The request is small.
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(bytes).expect("it reads");
        thread::sleep(Duration::from_millis(50));
    });
    address
}

#[tokio::test]
async fn the_gateway_tells_of_a_cut_within_an_event_and_loses_none_before_it() {
    let address = upstream(b"id: 1\nevent: error\ndata: {\"a\":1}\n\ndata: text\n\ndata: {\"cut");
    let (_gateway, url) = start_gateway(&format!("http://{address}"));
    let answer = reqwest::get(format!("{url}/events"))
        .await
        .expect("an answer");
    assert_eq!(
        answer.text().await.expect("a whole answer"),
        "event: error\nid: 1\ndata: {\"a\":1,\"via\":\"gateway\"}\n\n\
         id: 1\ndata: text\n\n\
         event: error\n\
         data: {\"error\":{\"message\":\"the upstream ended within an event\",\"type\":\"upstream_error\"}}\n\n"
    );
}

#[tokio::test]
async fn the_gateway_answers_502_where_there_is_no_upstream() {
    let (_gateway, url) = start_gateway("http://127.0.0.1:1");
    let answer = reqwest::get(url).await.expect("an answer");
    assert_eq!(answer.status(), 502);
}
