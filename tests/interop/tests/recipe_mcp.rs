//! `examples/mcp` with the SDKs of the protocol as clients, and what no SDK does by plain HTTP.

use std::env;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use programs::{PATIENCE, Process, built};
use reqwest::{Client, Method, RequestBuilder, Response};
use rmcp::model::{self, CallToolRequestParams, ProgressNotificationParam};
use rmcp::service::NotificationContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Value, json};
use sse_proto::Decoder;
use sse_proto::decode::{DecodeStream, OwnedItem};
use sse_proto::deps::bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{Folder, output};

/// What each SDK reports: each progress once and in order, though the connection is cut after the second.
const SEEN: [&str; 9] = [
    "server counter",
    "tool count",
    "log counted to 1",
    "progress 1",
    "progress 2",
    "progress 3",
    "progress 4",
    "progress 5",
    "result counted to 5",
];

#[tokio::test]
async fn the_sdk_in_typescript_passes() {
    let folder = Folder::new();
    let script = folder.clients().join("mcp-recipe.mjs");
    passes(|url| reported(folder.node(), script, url)).await;
}

#[tokio::test]
async fn the_sdk_in_python_passes() {
    let folder = Folder::new();
    let script = folder.clients().join("mcp-recipe.py");
    passes(|url| reported(folder.python(), script, url)).await;
}

#[tokio::test]
async fn the_sdk_in_rust_passes() {
    passes(rust_sdk).await;
}

#[tokio::test]
async fn no_answer_is_needed_to_a_notification_or_a_response() {
    let server = Server::start();
    let session = server.session().await;
    let messages = [
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled" }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": 1, "message": "no" } }),
    ];
    for message in messages {
        let answer = session.post(&message).await;
        assert_eq!(answer.status(), 202, "{message}");
        assert_eq!(answer.text().await.unwrap(), "");
    }
    assert_eq!(session.count(1).await.status(), 200);
}

#[tokio::test]
async fn a_request_is_answered_with_its_id() {
    let server = Server::start();
    let session = server.session().await;
    let mut answers = Vec::new();
    for (method, params) in [
        ("ping", json!({})),
        ("nothing", json!({})),
        ("tools/call", json!({ "name": "nothing" })),
        (
            "tools/call",
            json!({ "name": "count", "arguments": { "to": 101 } }),
        ),
    ] {
        let message = json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params });
        let answer = session.post(&message).await;
        assert_eq!(answer.headers()["content-type"], "application/json");
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(answer["id"], "a");
        answers.push(answer["error"]["code"].clone());
    }
    assert_eq!(
        answers,
        [Value::Null, json!(-32601), json!(-32602), json!(-32602)]
    );
}

#[tokio::test]
async fn a_request_that_is_wrong_is_refused() {
    let server = Server::start();
    let session = server.session().await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    let post = || server.request(Method::POST);
    let in_session = || session.request(Method::POST);
    let cases = [
        (post().body(ping.clone()), 400, "there is no session id"),
        (
            post().header("mcp-session-id", "x").body(ping.clone()),
            404,
            "the session is over",
        ),
        (in_session().body("{"), 400, "not JSON"),
        (in_session().body(format!("[{ping}]")), 400, "not a message"),
        (
            in_session()
                .header("mcp-protocol-version", "2024-11-05")
                .body(ping.clone()),
            400,
            "the version is not known",
        ),
        (
            in_session()
                .header("origin", "http://rebound.example")
                .body(ping.clone()),
            403,
            "the page is from another site",
        ),
        (
            in_session().header("origin", "null").body(ping.clone()),
            403,
            "the page is from another site",
        ),
    ];
    for (request, status, why) in cases {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{why}");
        assert_eq!(answer.text().await.unwrap(), why);
    }
    for origin in [
        "http://localhost:5173",
        "http://127.0.0.1",
        "http://[::1]:80",
    ] {
        let request = in_session().header("origin", origin).body(ping.clone());
        assert_eq!(request.send().await.unwrap().status(), 200, "{origin}");
    }
}

#[tokio::test]
async fn another_method_is_not_allowed() {
    let server = Server::start();
    let answer = server.request(Method::HEAD).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "POST,GET,DELETE");
    for method in [Method::PUT, Method::PATCH, Method::OPTIONS] {
        let answer = server.request(method).send().await.unwrap();
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.headers()["allow"], "POST,GET,HEAD,DELETE");
    }
}

#[tokio::test]
async fn a_session_ends_by_delete_with_its_streams() {
    let server = Server::start();
    let (session, other) = (server.session().await, server.session().await);
    let mut running = Stream::of(session.count(100).await);
    running.next().await.unwrap();
    let answer = session.request(Method::DELETE).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let rest = running.rest().await;
    assert!(
        !rest.iter().any(|(_, data)| data.contains("result")),
        "{rest:?}"
    );
    for method in [Method::GET, Method::DELETE] {
        let answer = session.request(method).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
    assert_eq!(session.count(1).await.status(), 404);
    assert_eq!(other.count(1).await.status(), 200);
}

#[tokio::test]
async fn an_answer_resumes_after_each_event_exactly_once() {
    let server = Server::start();
    let session = server.session().await;
    let whole = Stream::of(session.count(4).await).rest().await;
    let data = |events: &[(String, String)]| -> Vec<String> {
        events.iter().map(|(_, data)| data.clone()).collect()
    };
    // The start, four times progress, and the result.
    assert_eq!(whole.len(), 6, "{whole:?}");
    assert!(whole[5].1.contains("counted to 4"), "{whole:?}");
    for cut in 1..whole.len() {
        // Cut while the tool runs.
        let mut stream = Stream::of(session.count(4).await);
        let mut events = Vec::new();
        while events.len() < cut {
            events.push(stream.next().await.unwrap());
        }
        drop(stream);
        let last = events[cut - 1].0.clone();
        events.extend(Stream::of(session.resume(&last).await).rest().await);
        assert_eq!(data(&events), data(&whole), "cut after {cut}");
        // And again, when it has ended.
        let again = Stream::of(session.resume(&last).await).rest().await;
        assert_eq!(data(&again), data(&whole[cut..]), "after {cut}");
    }
    let answer = session.resume(&whole[5].0).await;
    assert_eq!(answer.status(), 204, "there is nothing to come back for");
}

#[tokio::test]
async fn an_id_resumes_its_own_stream() {
    let server = Server::start();
    let session = server.session().await;
    let mut unasked = Stream::of(session.request(Method::GET).send().await.unwrap());
    let (start, _) = unasked.next().await.unwrap();
    let (one, two) = (session.count(2).await, session.count(3).await);
    let (mut one, mut two) = (Stream::of(one), Stream::of(two));
    let (first, _) = one.next().await.unwrap();
    let (second, _) = two.next().await.unwrap();
    drop((one, two));
    let resumed = |id: String| {
        let session = &session;
        async move { Stream::of(session.resume(&id).await).rest().await }
    };
    let (one, two) = (resumed(first).await, resumed(second).await);
    assert_eq!((one.len(), two.len()), (3, 4));
    assert!(one[2].1.contains("counted to 2"), "{one:?}");
    assert!(two[3].1.contains("counted to 3"), "{two:?}");
    drop(unasked);
    let mut unasked = Stream::of(session.resume(&start).await);
    for text in ["counted to 2", "counted to 3"] {
        let (_, data) = unasked.next().await.unwrap();
        assert!(
            data.contains("notifications/message") && data.contains(text),
            "{data}"
        );
    }
    for unknown in ["9-1", "0-9", "x"] {
        assert_eq!(session.resume(unknown).await.status(), 400, "{unknown}");
    }
}

#[tokio::test]
async fn a_message_is_for_one_connection() {
    let server = Server::start();
    let session = server.session().await;
    let mut before = Stream::of(session.request(Method::GET).send().await.unwrap());
    before.next().await.unwrap();
    let mut after = Stream::of(session.request(Method::GET).send().await.unwrap());
    after.next().await.unwrap();
    session.count(1).await;
    assert!(after.next().await.unwrap().1.contains("counted to 1"));
    assert_eq!(before.rest().await, []);
}

#[tokio::test]
async fn a_request_is_canceled() {
    let server = Server::start();
    let session = server.session().await;
    let mut unasked = Stream::of(session.request(Method::GET).send().await.unwrap());
    unasked.next().await.unwrap();
    let mut stream = Stream::of(session.count(4).await);
    let (id, _) = stream.next().await.unwrap();
    let params = json!({ "requestId": 1 });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params });
    assert_eq!(session.post(&cancel).await.status(), 202);
    let rest = stream.rest().await;
    assert!(
        !rest.iter().any(|(_, data)| data.contains("result")),
        "{rest:?}"
    );
    assert_eq!(session.resume(&id).await.status(), 400);
    // Its number is not given again.
    session.count(5).await;
    assert_eq!(session.resume(&id).await.status(), 400);
    // The tool has stopped, so it says nothing.
    let (_, said) = unasked.next().await.unwrap();
    assert!(said.contains("counted to 5"), "{said}");
}

#[tokio::test]
async fn a_session_runs_a_limited_number_of_calls() {
    let server = Server::start();
    let session = server.session().await;
    for _ in 0..32 {
        assert_eq!(session.count(100).await.status(), 200);
    }
    assert_eq!(session.count(100).await.status(), 429);
    // The answers that have ended make room.
    let session = server.session().await;
    for _ in 0..40 {
        assert_eq!(Stream::of(session.count(1).await).rest().await.len(), 3);
    }
}

#[tokio::test]
async fn the_oldest_session_makes_room() {
    let server = Server::start();
    let (first, second) = (server.session().await, server.session().await);
    for _ in 0..999 {
        server.session().await;
    }
    assert_eq!(first.count(1).await.status(), 404);
    assert_eq!(second.count(1).await.status(), 200);
}

/// A running server, which is ended when it is dropped.
struct Server {
    _process: Process,
    url: String,
    client: Client,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new(&*PROGRAM);
        let child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn();
        let mut child = child.expect("it runs");
        let output = child.stdout.take().expect("its output");
        let process = Process::new(child, output);
        let url = process.line_with("http://");
        Self {
            _process: process,
            url,
            client: Client::builder().no_proxy().build().expect("a client"),
        }
    }

    fn request(&self, method: Method) -> RequestBuilder {
        let accept = "application/json, text/event-stream";
        let request = self.client.request(method, &self.url);
        request.header("accept", accept).timeout(PATIENCE)
    }

    async fn session(&self) -> Session<'_> {
        let params = json!({ "protocolVersion": "2025-06-18" });
        let message =
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = self.request(Method::POST).body(message.to_string());
        let answer = answer.send().await.unwrap();
        let name = answer.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
        Session { server: self, name }
    }
}

/// A session without an SDK.
struct Session<'a> {
    server: &'a Server,
    name: String,
}

impl Session<'_> {
    fn request(&self, method: Method) -> RequestBuilder {
        self.server
            .request(method)
            .header("mcp-session-id", &self.name)
    }

    async fn post(&self, message: &Value) -> Response {
        let request = self.request(Method::POST).body(message.to_string());
        request.send().await.unwrap()
    }

    async fn count(&self, to: u32) -> Response {
        let params = json!({
            "name": "count", "arguments": { "to": to }, "_meta": { "progressToken": "token" },
        });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        self.post(&message).await
    }

    async fn resume(&self, last_event_id: &str) -> Response {
        let request = self
            .request(Method::GET)
            .header("last-event-id", last_event_id);
        request.send().await.unwrap()
    }
}

/// The events of a response, each as its id and its data.
struct Stream(DecodeStream<BoxStream<'static, reqwest::Result<Bytes>>, Bytes>);

impl Stream {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(DecodeStream::new(
            response.bytes_stream().boxed(),
            Decoder::new(),
        ))
    }

    async fn next(&mut self) -> Option<(String, String)> {
        while let Some(item) = self.0.next().await {
            if let OwnedItem::Event(event) = item.expect("the response is whole") {
                return Some((event.last_event_id().to_string(), event.data().to_owned()));
            }
        }
        None
    }

    async fn rest(&mut self) -> Vec<(String, String)> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// Runs an SDK through a connection that is cut, and compares what it reports.
async fn passes<F: Future<Output = Vec<String>>>(sdk: impl FnOnce(String) -> F) {
    let server = Server::start();
    let between = Between::start(&server.url).await;
    let seen = timeout(PATIENCE, sdk(between.url.clone())).await;
    assert_eq!(seen.expect("it ends"), SEEN);
    let told = between.told.lock().unwrap().clone();
    assert!(told.is_cut && !told.session.is_empty(), "{told:?}");
    // It has ended its session.
    let session = Session {
        server: &server,
        name: told.session,
    };
    let answer = session.request(Method::GET).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

/// Runs a script, and returns the lines that it reports.
async fn reported(program: PathBuf, script: PathBuf, url: String) -> Vec<String> {
    let output = output(&program, &script, &url, &[]).await;
    let lines = output.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |name| line[name].as_str().unwrap_or_default();
        format!("{}{} {}", text("error"), text("type"), text("data"))
    });
    let lines = lines.filter(|line| line != "last ");
    lines.collect()
}

/// Does with the SDK in Rust what the scripts do.
async fn rust_sdk(url: String) -> Vec<String> {
    let handler = Seen::default();
    let transport = StreamableHttpClientTransport::from_uri(url);
    let client = handler.clone().serve(transport).await.expect("a session");
    let server = client.peer_info().expect("it is known");
    let server = server.server_info.as_ref().expect("it has a name");
    handler.note("server", &server.name);
    for tool in client.list_all_tools().await.expect("tools") {
        handler.note("tool", &tool.name);
    }
    let count = async |to: u32| {
        let arguments = json!({ "to": to }).as_object().cloned().unwrap_or_default();
        let call = CallToolRequestParams::new("count").with_arguments(arguments);
        let result = client.call_tool(call).await.expect("a result");
        let text = result.content[0].as_text().expect("a text");
        text.text.clone()
    };
    // The stream of what the server says unasked is opened by the client on its own.
    while handler.logged.lock().unwrap().is_empty() {
        count(1).await;
    }
    handler
        .lines
        .lock()
        .unwrap()
        .retain(|line| !line.starts_with("progress"));
    let log = handler.logged.lock().unwrap()[0].clone();
    handler.note("log", log.as_str().unwrap_or_default());
    // The connection is cut in the middle of this.
    let result = count(5).await;
    handler.note("result", &result);
    client.cancel().await.expect("it ends");
    handler.lines.lock().unwrap().clone()
}

/// What the SDK in Rust reports.
#[derive(Clone, Default)]
struct Seen {
    lines: Arc<Mutex<Vec<String>>>,
    logged: Arc<Mutex<Vec<Value>>>,
}

impl Seen {
    fn note(&self, name: &str, data: &str) {
        self.lines.lock().unwrap().push(format!("{name} {data}"));
    }
}

#[expect(deprecated, reason = "a later revision of the protocol has no log")]
impl ClientHandler for Seen {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.note("progress", &params.progress.to_string());
    }

    async fn on_logging_message(
        &self,
        params: model::LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.logged.lock().unwrap().push(params.data);
    }
}

/// Stands between a client and the server, and cuts one connection after the second progress.
struct Between {
    url: String,
    told: Arc<Mutex<Told>>,
}

/// What was seen on the way.
#[derive(Clone, Debug, Default)]
struct Told {
    session: String,
    is_cut: bool,
}

impl Between {
    async fn start(url: &str) -> Self {
        let server = url
            .trim_start_matches("http://")
            .trim_end_matches("/mcp")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let told = Arc::new(Mutex::new(Told::default()));
        let tells = Arc::clone(&told);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.expect("a connection");
                tokio::spawn(pass(client, server, Arc::clone(&tells)));
            }
        });
        Self {
            url: format!("http://{address}/mcp"),
            told,
        }
    }
}

/// Passes bytes both ways until one side ends, or the connection is to be cut.
async fn pass(mut client: TcpStream, mut server: TcpStream, told: Arc<Mutex<Told>>) {
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    loop {
        let sent = tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(1..) => server.write_all(&asked[..read.unwrap_or(0)]).await,
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(1..) => client.write_all(&answered[..read.unwrap_or(0)]).await,
                _ => return,
            },
        };
        if sent.is_err() {
            return;
        }
        let text = String::from_utf8_lossy(&answered);
        let mut told = told.lock().unwrap();
        if let Some((_, rest)) = text.split_once("mcp-session-id: ") {
            rest.split("\r\n")
                .next()
                .unwrap_or_default()
                .clone_into(&mut told.session);
        }
        if text.contains(r#""progress":2,"#) && !told.is_cut {
            told.is_cut = true;
            return;
        }
        drop(told);
        answered.fill(0);
    }
}

/// The example.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("examples/mounted").display().to_string();
    let all = built(
        "examples/mounted",
        &["--package", "mcp", "--target-dir", &target],
    );
    all.into_iter().next().expect("one program")
});
