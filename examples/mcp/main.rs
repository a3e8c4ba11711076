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

use session::{Refusal, Session};

type Sessions = Arc<Mutex<BTreeMap<String, Session>>>;

/// A new session above this number ends the oldest one.
const MAX_SESSIONS: usize = 1000;

const VERSIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

async fn answer(
    State(sessions): State<Sessions>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let bad = |why| (StatusCode::BAD_REQUEST, why);
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.get("origin").is_some_and(is_foreign) {
        return Err((StatusCode::FORBIDDEN, "the page is from another site"));
    }
    if header("mcp-protocol-version").is_some_and(|version| !VERSIONS.contains(&version)) {
        return Err(bad("the version is not known"));
    }
    let message: Value = match method {
        Method::POST => serde_json::from_slice(&body).map_err(|_| bad("not JSON"))?,
        _ => Value::Null,
    };
    let mut sessions = sessions.lock().expect("nothing panics while it is locked");
    if message["method"] == "initialize" {
        return initialize(&mut sessions, &message);
    }
    let name = header("mcp-session-id").ok_or(bad("there is no session id"))?;
    let over = (StatusCode::NOT_FOUND, "the session is over");
    let session = sessions.get_mut(name).ok_or(over)?;
    match method {
        Method::POST => session.take(&message),
        Method::DELETE => {
            sessions.remove(name);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => session.open(last_event_id(headers.get_all("last-event-id"), None, "")),
    }
}

fn initialize(
    sessions: &mut BTreeMap<String, Session>,
    request: &Value,
) -> Result<Response, Refusal> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // The names sort by age. They can't be guessed, because anyone who knows the name of a session can
    // use it.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let random = || getrandom::u64().or(Err((StatusCode::SERVICE_UNAVAILABLE, "try later")));
    let name = format!("{count:016x}-{:016x}{:016x}", random()?, random()?);
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
    Ok(([("mcp-session-id", name)], Json(answer)).into_response())
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
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    // Any other method is answered with 405 and the list of these.
    let methods = routing::post(answer).get(answer).delete(answer);
    // Otherwise a HEAD would take the place of the open stream.
    let allow = [("allow", "POST,GET,DELETE")];
    let methods = methods.head(async move || (StatusCode::METHOD_NOT_ALLOWED, allow));
    let router = Router::new().route("/mcp", methods);
    axum::serve(listener, router.with_state(Sessions::default())).await
}
