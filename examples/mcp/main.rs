//! A server of the Model Context Protocol over streamable HTTP (its revision 2025-06-18). Its tool
//! counts and reports progress. A client that was cut gets the rest of an answer by a GET.
//!
//! `cargo run --manifest-path examples/mcp/Cargo.toml`, then point any client for that protocol at
//! <http://127.0.0.1:8030/mcp>.

mod count;
mod session;

use std::collections::BTreeMap;
use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing, serve::ListenerExt};
use serde_json::{Value, json};
use sse_proto::http::last_event_id;
use tokio::net::TcpListener;

use session::Session;

type Sessions = Arc<Mutex<BTreeMap<String, Session>>>;

/// If there are so many, a new session ends the oldest.
const MAX_SESSIONS: usize = 1000;

const VERSIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

async fn answer(
    State(sessions): State<Sessions>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refuse = |status: StatusCode, why: &'static str| (status, why).into_response();
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.get("origin").is_some_and(is_foreign) {
        return refuse(StatusCode::FORBIDDEN, "the page is from another site");
    }
    let version = header("mcp-protocol-version");
    if version.is_some_and(|version| !VERSIONS.contains(&version)) {
        return refuse(StatusCode::BAD_REQUEST, "the version is not known");
    }
    let message = match method {
        Method::POST => serde_json::from_slice(&body),
        _ => Ok(Value::Null),
    };
    let Ok(message) = message else {
        return refuse(StatusCode::BAD_REQUEST, "the message is not JSON");
    };
    let mut sessions = sessions.lock().expect("nothing panics while it is locked");
    if message["method"] == "initialize" {
        return initialize(&mut sessions, &message);
    }
    let Some(name) = header("mcp-session-id") else {
        return refuse(StatusCode::BAD_REQUEST, "there is no session id");
    };
    let Some(session) = sessions.get_mut(name) else {
        return refuse(StatusCode::NOT_FOUND, "the session is over");
    };
    match method {
        Method::POST => session.take(&message),
        Method::DELETE => {
            sessions.remove(name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => session.open(last_event_id(headers.get_all("last-event-id"), None, "")),
    }
}

fn initialize(sessions: &mut BTreeMap<String, Session>, request: &Value) -> Response {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // A name that sorts by age. It can't be guessed, because a session is for whoever knows its name.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let (Ok(high), Ok(low)) = (getrandom::u64(), getrandom::u64()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let name = format!("{count:016x}-{high:016x}{low:016x}");
    if sessions.len() >= MAX_SESSIONS {
        sessions.pop_first();
    }
    sessions.insert(name.clone(), Session::new());
    let asked = request["params"]["protocolVersion"].as_str();
    let version = VERSIONS.iter().find(|&&version| asked == Some(version));
    let result = json!({
        "protocolVersion": version.unwrap_or(&VERSIONS[2]),
        "capabilities": { "tools": {}, "logging": {} },
        "serverInfo": { "name": "counter", "version": "1.0.0" },
    });
    let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
    ([("mcp-session-id", name)], Json(answer)).into_response()
}

/// The name of another site can be made to point to this machine (DNS rebinding), but the browser
/// still says where the page is from.
fn is_foreign(origin: &HeaderValue) -> bool {
    let origin = origin.to_str().unwrap_or_default().parse::<Uri>();
    let host = origin.as_ref().ok().and_then(Uri::host);
    !host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
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
    let methods = routing::post(answer).get(answer).delete(answer);
    let router = Router::new().route("/mcp", methods);
    axum::serve(listener, router.with_state(Sessions::default())).await
}
