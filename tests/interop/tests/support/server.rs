//! The server under test. Each client has a server of its own, so that each can be restarted by itself.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Collected, Full, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use super::files;
use super::protocols::{Protocol, answer};
use super::story::Story;

/// How long a restart takes. Connections are refused meanwhile.
const DOWN: Duration = Duration::from_millis(150);

/// The body of every response.
pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A running server. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// The state that outlives a restart.
#[derive(Debug)]
struct Shared {
    /// The folder with `node_modules`.
    packages: PathBuf,
    story: Story,
    /// The lines that a page has posted.
    posted: Mutex<Option<String>>,
    is_posted: Notify,
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) async fn start(packages: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            packages,
            story: Story::new(),
            posted: Mutex::default(),
            is_posted: Notify::new(),
        });
        let task = tokio::spawn(run(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    /// Returns the story of the client.
    pub(crate) fn story(&self) -> &Story {
        &self.shared.story
    }

    /// Waits for a page to post its lines, which another client would print.
    pub(crate) async fn posted(&self) -> String {
        loop {
            if let Some(posted) = self.shared.posted.lock().expect("no panic").take() {
                return posted;
            }
            self.shared.is_posted.notified().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections. When the story wants a restart, drops all of them and the listener, and listens again later.
async fn run(mut listener: TcpListener, shared: Arc<Shared>) {
    let address = listener.local_addr().expect("an address");
    loop {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (socket, _) = accepted.expect("a connection");
                    socket.set_nodelay(true).expect("an option");
                    let shared = Arc::clone(&shared);
                    let service = service_fn(move |request| respond(Arc::clone(&shared), request));
                    // A cut loses the bytes in this buffer, so it is small.
                    let mut builder = http1::Builder::new();
                    builder.max_buf_size(8 << 10);
                    connections.spawn(builder.serve_connection(TokioIo::new(socket), service));
                }
                () = shared.story.restarts() => break,
            }
        }
        drop(listener);
        drop(connections);
        tokio::time::sleep(DOWN).await;
        listener = TcpListener::bind(address).await.expect("the same port");
    }
}

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let get = request.method() == Method::GET;
    let (head, body) = request.into_parts();
    // A connection that is closed with unread bytes is reset, and the client may lose the response.
    let body = body.collect().await.map(Collected::to_bytes);
    let body = body.unwrap_or_default();
    let response = match &*path {
        "/events" if get => shared.story.response(&head),
        "/seen" => {
            let text = String::from_utf8_lossy(&body).into_owned();
            *shared.posted.lock().expect("no panic") = Some(text);
            shared.is_posted.notify_one();
            empty(StatusCode::NO_CONTENT)
        }
        "/mcp" => answer(&shared.story, Protocol::Mcp, &head, &body),
        "/v1/messages" => answer(&shared.story, Protocol::Anthropic, &head, &body),
        "/v1/chat/completions" => answer(&shared.story, Protocol::OpenAi, &head, &body),
        _ if path.ends_with(":streamGenerateContent") => {
            answer(&shared.story, Protocol::Google, &head, path.as_bytes())
        }
        _ if get => files::response(&shared.packages, &path),
        _ => empty(StatusCode::NOT_FOUND),
    };
    Ok(response)
}

/// Makes a response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    text(status, "text/plain", "")
}

/// Makes a response with a text.
pub(crate) fn text(
    status: StatusCode,
    content_type: &str,
    text: impl Into<Bytes>,
) -> Response<Body> {
    let body = Full::new(text.into()).map_err(|never| match never {});
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("cache-control", "no-store")
        .body(body.boxed_unsync())
        .expect("a response")
}
