//! A server of the Model Context Protocol (revision 2025-06-18) over streamable HTTP. Its tool counts
//! and reports progress; a client that loses the connection gets the rest of the answer by a GET.
//!
//! `cargo run --manifest-path examples/mcp/Cargo.toml`, then point any client for that protocol at
//! <http://127.0.0.1:8030/mcp>.

mod session;

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing, serve::ListenerExt};
use serde_json::{Value, json};
use session::{Call, Session};
use sse_proto::http::{accepts_event_stream, last_event_id};
use tokio::net::TcpListener;

type Sessions = Arc<Mutex<HashMap<String, Session>>>;

/// The newest last.
const VERSIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// One session more ends the one that was not used for the longest time.
const MAX_SESSIONS: usize = 1000;

/// Takes one message of the client. A request is answered with JSON, or with a stream if it takes time.
async fn post(State(sessions): State<Sessions>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, &Value::Null, -32700, "not JSON");
    };
    let (id, params) = (&message["id"], &message["params"]);
    let method = message["method"].as_str();
    if method == Some("initialize") && !id.is_null() {
        return initialize(&sessions, id, params);
    }
    with_session(&sessions, &headers, |session| match (method, id) {
        (Some("notifications/cancelled"), Value::Null) => {
            session.cancel(&params["requestId"]);
            StatusCode::ACCEPTED.into_response()
        }
        // Other notifications, and answers to requests, of which this server makes none.
        (Some(_), Value::Null) => StatusCode::ACCEPTED.into_response(),
        (None, _) if message.get("result").or(message.get("error")).is_some() => {
            StatusCode::ACCEPTED.into_response()
        }
        (Some("ping" | "logging/setLevel"), id) => result(id, &json!({})),
        (Some("tools/list"), id) => result(id, &json!({ "tools": [Call::tool()] })),
        (Some("tools/call"), id) => match Call::new(id, params) {
            Ok(call) => session.call(call),
            Err(why) => error(StatusCode::OK, id, -32602, why),
        },
        (Some(_), id) => error(StatusCode::OK, id, -32601, "there is no such method"),
        (None, id) => error(StatusCode::BAD_REQUEST, id, -32600, "not a message"),
    })
}

/// Opens the stream of what the server says unasked, or resumes a stream.
async fn get(State(sessions): State<Sessions>, headers: HeaderMap) -> Response {
    if !accepts_event_stream(headers.get_all("accept")) {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let last = last_event_id(headers.get_all("last-event-id"), None, "");
    with_session(&sessions, &headers, |session| session.open(last))
}

/// Ends a session: its streams end, and what it runs is canceled.
async fn delete(State(sessions): State<Sessions>, headers: HeaderMap) -> Response {
    let mut ended = None;
    let answer = with_session(&sessions, &headers, |_| {
        ended = headers.get("mcp-session-id");
        StatusCode::NO_CONTENT.into_response()
    });
    if let Some(Ok(name)) = ended.map(HeaderValue::to_str) {
        lock(&sessions).remove(name);
    }
    answer
}

fn initialize(sessions: &Sessions, id: &Value, params: &Value) -> Response {
    let asked = params["protocolVersion"].as_str();
    let version = VERSIONS.into_iter().find(|&version| asked == Some(version));
    let answer = result(
        id,
        &json!({
            "protocolVersion": version.unwrap_or("2025-11-25"),
            "capabilities": { "tools": {}, "logging": {} },
            "serverInfo": { "name": "counter", "version": "1.0.0" },
        }),
    );
    // Whoever knows a session's name is in it, so it can't be guessed.
    let (Ok(high), Ok(low)) = (getrandom::u64(), getrandom::u64()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let name = format!("{high:016x}{low:016x}");
    let mut sessions = lock(sessions);
    if sessions.len() >= MAX_SESSIONS {
        let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
        let oldest = oldest.map(|(name, _)| name.clone());
        oldest.and_then(|name| sessions.remove(&name));
    }
    sessions.insert(name.clone(), Session::new());
    ([("mcp-session-id", name)], answer).into_response()
}

/// Answers in the session of a request, or refuses the request.
fn with_session(
    sessions: &Sessions,
    headers: &HeaderMap,
    answer: impl FnOnce(&mut Session) -> Response,
) -> Response {
    let header = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let (bad, none) = (StatusCode::BAD_REQUEST, &Value::Null);
    match header("mcp-protocol-version") {
        Some(version) if !VERSIONS.contains(&version) => {
            return error(bad, none, -32600, "this version is not supported");
        }
        _ => {}
    }
    let Some(name) = header("mcp-session-id") else {
        return error(bad, none, -32600, "there is no session id");
    };
    match lock(sessions).get_mut(name) {
        Some(session) => answer(session.touch()),
        None => error(StatusCode::NOT_FOUND, none, -32001, "this session is over"),
    }
}

fn lock(sessions: &Sessions) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
    sessions.lock().expect("nothing panics while it is locked")
}

fn result(id: &Value, result: &Value) -> Response {
    Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response()
}

fn error(status: StatusCode, id: &Value, code: i32, message: &str) -> Response {
    let error = json!({ "code": code, "message": message });
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
    (status, Json(body)).into_response()
}

/// Refuses the pages of other sites. The name of such a site can be made to point to this machine (DNS
/// rebinding), but the browser still says where the page is from.
async fn local_only(request: Request, next: Next) -> Response {
    let is_local = |origin: &HeaderValue| {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|text| text.parse::<Uri>().ok());
        let host = origin.as_ref().and_then(Uri::host);
        host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
    };
    if request.headers().get_all("origin").iter().all(is_local) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8030".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/mcp", listener.local_addr()?);
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    // Any other method is answered with 405 and the list of these.
    let methods = routing::post(post).get(get).delete(delete);
    let router = Router::new()
        .route("/mcp", methods)
        .layer(from_fn(local_only));
    axum::serve(listener, router.with_state(Sessions::default())).await
}
