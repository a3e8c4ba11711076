//! The clients. Each runs once, on a server of its own.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;

use super::browser::{Browser, Engine};
use super::files::clients;
use super::folder::Folder;
use super::protocols::Protocol;
use super::seen::Line;
use super::server::Server;
use super::{PATIENCE, quiet};

/// A client of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    /// The package whose version the table shows. The test's own clients and the system's browsers have none.
    pub(crate) package: Option<&'static str>,
    /// The file in the folder of the clients.
    file: &'static str,
    pub(crate) runs_on: RunsOn,
    pub(crate) protocol: Protocol,
}

/// The program that runs a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunsOn {
    Node,
    Python,
    Page(Engine),
}

/// The result of a client.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) lines: Vec<Line>,
    /// The last event ID of each request.
    pub(crate) asked: Vec<Option<String>>,
}

const fn client(
    name: &'static str,
    package: Option<&'static str>,
    file: &'static str,
    runs_on: RunsOn,
    protocol: Protocol,
) -> Client {
    Client {
        name,
        package,
        file,
        runs_on,
        protocol,
    }
}

const fn npm(package: &'static str, file: &'static str, protocol: Protocol) -> Client {
    client(package, Some(package), file, RunsOn::Node, protocol)
}

const fn pypi(
    name: &'static str,
    package: &'static str,
    file: &'static str,
    protocol: Protocol,
) -> Client {
    client(name, Some(package), file, RunsOn::Python, protocol)
}

const CHROMIUM: RunsOn = RunsOn::Page(Engine::Chromium);
const FIREFOX: RunsOn = RunsOn::Page(Engine::Firefox);

/// Every client, in the order of the table.
pub(crate) const CLIENTS: [Client; 20] = [
    client("Chromium", None, "browser", CHROMIUM, Protocol::Plain),
    client("Firefox", None, "browser", FIREFOX, Protocol::Plain),
    npm("eventsource", "eventsource.mjs", Protocol::Plain),
    npm(
        "eventsource-client",
        "eventsource-client.mjs",
        Protocol::Plain,
    ),
    npm(
        "eventsource-parser",
        "eventsource-parser.mjs",
        Protocol::Plain,
    ),
    npm("undici", "undici.mjs", Protocol::Plain),
    client(
        "@microsoft/fetch-event-source",
        Some("@microsoft/fetch-event-source"),
        "fetch-event-source",
        CHROMIUM,
        Protocol::Plain,
    ),
    npm(
        "launchdarkly-eventsource",
        "launchdarkly-eventsource.mjs",
        Protocol::Plain,
    ),
    client(
        "event-source-polyfill",
        Some("event-source-polyfill"),
        "event-source-polyfill",
        CHROMIUM,
        Protocol::Plain,
    ),
    pypi("httpx-sse", "httpx-sse", "httpx-sse.py", Protocol::Plain),
    pypi(
        "sseclient-py",
        "sseclient-py",
        "sseclient-py.py",
        Protocol::Plain,
    ),
    client(
        "a reader by hand",
        None,
        "by-hand.mjs",
        RunsOn::Node,
        Protocol::Plain,
    ),
    npm("openai", "openai-node.mjs", Protocol::OpenAi),
    pypi(
        "openai (Python)",
        "openai",
        "openai-python.py",
        Protocol::OpenAi,
    ),
    npm(
        "@anthropic-ai/sdk",
        "anthropic-node.mjs",
        Protocol::Anthropic,
    ),
    pypi(
        "anthropic (Python)",
        "anthropic",
        "anthropic-python.py",
        Protocol::Anthropic,
    ),
    pypi(
        "google-genai (Python)",
        "google-genai",
        "google-genai.py",
        Protocol::Google,
    ),
    pypi(
        "the same, given nothing but events",
        "google-genai",
        "google-genai.py",
        Protocol::GoogleEvents,
    ),
    npm("@modelcontextprotocol/sdk", "mcp-node.mjs", Protocol::Mcp),
    pypi("mcp (Python)", "mcp", "mcp-python.py", Protocol::Mcp),
];

impl Client {
    /// Runs the client as a program.
    pub(crate) async fn run(self, folder: &Folder) -> Run {
        let server = Server::start(folder.path().to_owned()).await;
        let url = format!("http://{}/events", server.address);
        let (program, script) = match self.runs_on {
            RunsOn::Node => (folder.node(), folder.clients().join(self.file)),
            RunsOn::Python | RunsOn::Page(_) => (folder.python(), clients().join(self.file)),
        };
        let forms: &[&str] = match self.protocol {
            Protocol::GoogleEvents => &["events"],
            _ => &[],
        };
        let lines = output(&program, &script, &url, forms).await;
        Run::new(&server, &lines)
    }

    /// Runs all clients of one browser at the same time, each in a page of its own.
    pub(crate) async fn run_in(engine: Engine, folder: &Folder) -> Vec<(Self, Run)> {
        let mut servers = Vec::new();
        for client in CLIENTS {
            if client.runs_on == RunsOn::Page(engine) {
                servers.push((client, Server::start(folder.path().to_owned()).await));
            }
        }
        let pages = servers
            .iter()
            .map(|(client, server)| format!("{}/page/{}", server.address, client.file));
        let pages: Vec<String> = pages.collect();
        let first = servers.first().expect("a client").1.address;
        let browser =
            Browser::open(engine, &format!("http://{first}/lobby/{}", pages.join(","))).await;
        let mut runs = Vec::new();
        for (client, server) in servers {
            let posted = timeout(PATIENCE, server.posted()).await.unwrap_or_default();
            runs.push((client, Run::new(&server, &posted)));
        }
        drop(browser);
        runs
    }
}

impl Run {
    fn new(server: &Server, lines: &str) -> Self {
        let lines = lines.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        Self {
            lines: lines.collect(),
            asked: server.story().asked(),
        }
    }
}

/// Runs a program and returns its output. Kills it if it takes too long.
pub(crate) async fn output(program: &Path, script: &Path, url: &str, forms: &[&str]) -> String {
    let mut command = Command::new(program);
    quiet(command.as_std_mut());
    let child = command
        .arg(script)
        .arg(url)
        .args(forms)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let Ok(output) = timeout(PATIENCE, child.wait_with_output()).await else {
        return r#"{"error":"killed"}"#.into();
    };
    let output = output.expect("output");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    if !lines.contains(r#""last""#) {
        eprintln!(
            "{}: {}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    lines
}
