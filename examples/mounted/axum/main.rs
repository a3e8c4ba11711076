//! Server-sent events on axum, which takes the result of `response` unchanged. For `App` see `../README.md`.

use std::io;

use app::{App, ECHO_LIMIT};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use futures_util::FutureExt;
use sse_proto::EventStreamExt;
use sse_proto::http::{last_event_id, response};
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let router = Router::new()
        .route("/events", get(events))
        .route("/echo", post(echo))
        .route("/stats", get(stats))
        .layer(DefaultBodyLimit::max(ECHO_LIMIT))
        .with_state(app.clone());
    let listener = TcpListener::bind(app.address()).await?;
    app.listens(listener.local_addr()?);
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(app.shutdown());
    // At shutdown, the streams end by themselves. After three seconds, clients that read nothing are cut off.
    let late = app.shutdown().then(|()| sleep(Duration::from_secs(3)));
    tokio::select! {
        ended = server.into_future() => ended,
        () = late => Ok(()),
    }
}

async fn events(State(app): State<App>, uri: Uri, headers: HeaderMap) -> impl IntoResponse {
    let header = headers.get_all("last-event-id");
    let events = app.events(last_event_id(header, uri.query(), "lastEventId"));
    response(events.keep_alive(app.keep_alive(), sleep))
}

async fn echo(State(app): State<App>, body: Bytes) -> StatusCode {
    app.echo(&body)
}

async fn stats(State(app): State<App>) -> String {
    app.stats()
}
