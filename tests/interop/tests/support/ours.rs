//! This crate's client on real servers. Each server runs once.

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use programs::Process;
use serde_json::{Value, json};
use sse_proto::client::{self, EventSourceStream, Options, Update};
use sse_proto::decode::{DecodeStream, OwnedItem};
use sse_proto::{Decoder, Event, EventId, EventSource, EventType};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::cases::{self, Case, END};
use super::folder::Folder;
use super::seen::{Expected, Line, Seen};
use super::{PATIENCE, quiet};

/// The columns of the table.
pub(crate) const STAGES: [&str; 4] = ["hard cases", "cut and 503", "keep-alives", "restart"];

const RESUMED: EventType = EventType::from_static("resumed");
const AGAIN: EventType = EventType::from_static("again");

/// The id of the last hard case, with which the client resumes.
const LAST_ID: EventId = EventId::from_static("last-1");

/// A server of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    /// The file in the folder of the servers.
    file: &'static str,
    kind: Kind,
}

/// How a server sends events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The data is the text.
    Plain,
    /// The data is the text as JSON.
    Json,
    /// The events are messages of the Model Context Protocol.
    Mcp,
}

const fn server(
    name: &'static str,
    package: &'static str,
    file: &'static str,
    kind: Kind,
) -> Server {
    Server {
        name,
        package,
        file,
        kind,
    }
}

/// Every server, in the order of the table.
pub(crate) const SERVERS: [Server; 6] = [
    server("better-sse", "better-sse", "better-sse.mjs", Kind::Json),
    server("hono", "hono", "hono.mjs", Kind::Plain),
    server(
        "sse-starlette",
        "sse-starlette",
        "sse-starlette-server.py",
        Kind::Plain,
    ),
    server("FastAPI", "fastapi", "fastapi-server.py", Kind::Plain),
    server(
        "@modelcontextprotocol/sdk",
        "@modelcontextprotocol/sdk",
        "mcp-node.mjs",
        Kind::Mcp,
    ),
    server("mcp (Python)", "mcp", "mcp-server.py", Kind::Mcp),
];

impl Server {
    pub(crate) fn is_python(self) -> bool {
        Path::new(self.file)
            .extension()
            .is_some_and(|end| end == "py")
    }

    /// Returns the events that the client should receive.
    pub(crate) fn expected(self) -> Vec<Expected> {
        let hard = cases::hard(LAST_ID);
        if self.kind == Kind::Mcp {
            let texts = hard.iter().map(|case| {
                let data = case.event.data().unwrap_or_default().to_owned();
                Expected::event(0, case.name, "text", data)
            });
            let resumed = Expected::event(
                1,
                "coming back after a cut",
                RESUMED.as_str(),
                String::new(),
            );
            return [resumed].into_iter().chain(texts).collect();
        }
        let mut read = Expected::list(0, &hard, "");
        if self.kind == Kind::Json {
            // JSON preserves line ends.
            for (expected, case) in read.iter_mut().zip(&hard) {
                let data = case.event.data().unwrap_or_default();
                data.clone_into(&mut expected.seen.data);
            }
        }
        let case =
            |name, event_type, data: &'static str| Case::new(name, Event::new(event_type, data));
        let id = LAST_ID.to_string();
        let after = |stage, case| Expected::list(stage, &[case], &id);
        [
            read,
            after(
                1,
                case("coming back after a cut and a 503", RESUMED, "last-1"),
            ),
            after(2, case("a keep-alive", KEPT_ALIVE, "")),
            after(3, case("coming back after a restart", AGAIN, "last-1")),
            after(3, case("the end", END, "")),
        ]
        .concat()
    }

    /// Runs the server, and returns what the client received.
    pub(crate) async fn run(self, folder: &Folder) -> Vec<Line> {
        let mut lines = Vec::new();
        let run = async {
            if self.kind == Kind::Mcp {
                self.call(folder, &mut lines).await
            } else {
                self.follow(folder, &mut lines).await
            }
        };
        let ended = timeout(PATIENCE, run).await;
        if let Some(error) = ended.unwrap_or_else(|_| Some("stuck".into())) {
            lines.push(Line::Failed { error });
        }
        lines
    }

    /// Follows a plain stream. Restarts the server after the client has resumed and received a keep-alive.
    async fn follow(self, folder: &Folder, lines: &mut Vec<Line>) -> Option<String> {
        let mut running = Running::start(self, folder, None);
        let url = format!("http://127.0.0.1:{}/events", running.port);
        let source = EventSource::with_seed(&url, options().with_comments(true), 0);
        let http = reqwest::Client::new();
        let updates = follow(source, move |request| http.get(request.url()));
        let mut updates = pin!(updates);
        let mut is_resumed = false;
        while let Some(update) = updates.next().await {
            match update {
                Update::Item(OwnedItem::Event(event)) => {
                    let data = match self.kind {
                        Kind::Json => event.json().expect("JSON"),
                        Kind::Plain | Kind::Mcp => event.data().to_owned(),
                    };
                    lines.push(Line::Event(Seen {
                        event_type: event.event_type().to_owned(),
                        data,
                        id: event.last_event_id().to_owned(),
                    }));
                    is_resumed |= event.event_type() == RESUMED.as_str();
                    if event.event_type() == END.as_str() {
                        return None;
                    }
                }
                Update::Item(OwnedItem::Comment(_)) if is_resumed => {
                    is_resumed = false;
                    lines.push(Line::Event(Seen {
                        event_type: KEPT_ALIVE.to_string(),
                        data: String::new(),
                        id: LAST_ID.to_string(),
                    }));
                    running = running.again(self, folder);
                }
                Update::Closed(loss) => return Some(loss.to_string()),
                _ => {}
            }
        }
        None
    }

    /// Calls a tool. The server ends the answer's stream before it sends the result.
    async fn call(self, folder: &Folder, lines: &mut Vec<Line>) -> Option<String> {
        let running = Running::start(self, folder, None);
        let url = format!("http://127.0.0.1:{}/mcp", running.port);
        let http = reqwest::Client::new();
        let version = "2025-11-25";
        let start = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "interop", "version": "0" },
        });
        let start = request(1, "initialize", &start);
        let response = post(&http, &url, &start).send().await.expect("an answer");
        let session = response.headers()["mcp-session-id"].clone();
        // This stream ends after one answer.
        let mut events = DecodeStream::new(response.bytes_stream(), Decoder::new());
        while events.next().await.is_some() {}
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let note = post(&http, &url, &note).header("mcp-session-id", &session);
        note.header("mcp-protocol-version", version)
            .send()
            .await
            .expect("an answer");

        let call = request(
            2,
            "tools/call",
            &json!({ "name": "texts", "arguments": {} }),
        );
        let source =
            EventSource::with_seed(&url, options().with_get_resume(true), 0).with_method("POST");
        let updates = follow(source, move |request| {
            let builder = match request.method() {
                "POST" => post(&http, request.url(), &call),
                _ => http.get(request.url()),
            };
            builder
                .header("mcp-session-id", &session)
                .header("mcp-protocol-version", version)
        });
        let mut updates = pin!(updates);
        let mut is_resumed = false;
        while let Some(update) = updates.next().await {
            match update {
                Update::Item(OwnedItem::Event(event)) => {
                    let message: Value = serde_json::from_str(event.data()).unwrap_or_default();
                    let Some(content) = message["result"]["content"].as_array() else {
                        continue;
                    };
                    if is_resumed {
                        lines.push(Line::Event(Seen {
                            event_type: RESUMED.to_string(),
                            data: String::new(),
                            id: String::new(),
                        }));
                    }
                    lines.extend(content.iter().map(|content| {
                        Line::Event(Seen {
                            event_type: "text".into(),
                            data: content["text"].as_str().unwrap_or_default().to_owned(),
                            id: String::new(),
                        })
                    }));
                    return None;
                }
                Update::Lost(_) => is_resumed = true,
                Update::Closed(loss) => return Some(loss.to_string()),
                _ => {}
            }
        }
        None
    }
}

/// Drives the client over reqwest. `begin` makes the request, to which the client's headers are added.
fn follow(
    source: EventSource,
    begin: impl Fn(&client::Request) -> reqwest::RequestBuilder,
) -> impl Stream<Item = Update> {
    let connect = move |request: client::Request| {
        let mut builder = begin(&request);
        // The protocol wants a POST to accept JSON, too.
        let is_ours = |name: &str| request.method() == "POST" && name == "accept";
        for (name, value) in request.headers().filter(|(name, _)| !is_ours(name)) {
            builder = builder.header(name, value);
        }
        async move {
            let response = builder.send().await?;
            let head =
                client::Response::from_headers(response.status().as_u16(), response.headers());
            Ok::<_, reqwest::Error>((head, response.bytes_stream()))
        }
    };
    let started = Instant::now();
    EventSourceStream::with_clock(source, connect, sleep, move || started.elapsed())
}

/// Stands for a keep-alive among the events.
const KEPT_ALIVE: EventType = EventType::from_static("kept alive");

/// Returns options for a server on this machine.
fn options() -> Options {
    Options::resilient()
        .with_reconnection_time(cases::RETRY)
        .with_delay_bounds(cases::RETRY, Duration::from_millis(200))
}

fn request(id: u32, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn post(http: &reqwest::Client, url: &str, message: &Value) -> reqwest::RequestBuilder {
    http.post(url)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(message.to_string())
}

/// A server as a process. Dropping it kills the process.
#[derive(Debug)]
struct Running {
    port: u16,
    // Dropped before its files.
    process: Process,
    cases: TempDir,
}

impl Running {
    fn start(server: Server, folder: &Folder, again: Option<(u16, TempDir)>) -> Self {
        let is_second = again.is_some();
        let (port, cases) = again.unwrap_or_else(|| (0, TempDir::new().expect("a folder")));
        let file = cases.path().join("cases.json");
        fs::write(&file, to_send()).expect("a file");
        let script = folder.servers().join(server.file);
        let program = if server.is_python() {
            folder.python()
        } else {
            folder.node()
        };
        let mut command = std::process::Command::new(program);
        quiet(&mut command);
        command.arg(script).arg(file).arg(port.to_string());
        if is_second {
            command.arg("again");
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{}: {error}", server.name));
        let output = child.stdout.take().expect("standard output is piped");
        let process = Process::new(child, output);
        let line = process.line_with("listening on ");
        let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
        Self {
            port: port.expect("a port"),
            process,
            cases,
        }
    }

    /// Kills the process, and starts another on the same port.
    fn again(self, server: Server, folder: &Folder) -> Self {
        let Self {
            port,
            process,
            cases,
        } = self;
        drop(process);
        Self::start(server, folder, Some((port, cases)))
    }
}

/// Returns the events for a server to send, as JSON.
fn to_send() -> String {
    let cases = cases::hard(LAST_ID).into_iter().map(|case| {
        let mut fields = json!({ "data": case.event.data() });
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields[name] = value;
            }
        };
        set(
            "type",
            case.event
                .event_type()
                .map(|event_type| json!(event_type.as_str())),
        );
        set("id", case.event.id().map(|id| json!(id.to_string())));
        let retry = case.event.reconnection_time();
        set(
            "retry",
            retry.map(|time| json!(u64::try_from(time.as_millis()).expect("milliseconds"))),
        );
        fields
    });
    Value::from(cases.collect::<Vec<_>>()).to_string()
}
