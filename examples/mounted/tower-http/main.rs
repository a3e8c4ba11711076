//! Server-sent events on axum behind layers of tower-http, which must not change or end a stream. For `App` see
//! `../README.md`.

use std::io;

use app::{App, ECHO_LIMIT};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use futures_util::FutureExt;
use sse_proto::EventStreamExt;
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let router = Router::new()
        .fallback(answer)
        // Lets pages of this origin read the streams. `EventSource` sends `Last-Event-ID` unasked; for a script that
        // sets this header the browser asks first, with OPTIONS, which this layer answers.
        .layer(
            CorsLayer::new()
                .allow_origin(HeaderValue::from_static("http://localhost:3000"))
                .allow_methods([Method::GET, Method::POST])
                .allow_headers([HeaderName::from_static("last-event-id")]),
        )
        // By default it does not compress `text/event-stream`. A custom predicate needs `NotForContentType::SSE` for
        // that; otherwise each open stream holds a compressor of more than 200 KiB.
        .layer(CompressionLayer::new())
        // Limits the time until the head of a response. It does not limit the life of a stream.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(3),
        ))
        // Limits the silence of a body. It must be longer than the interval of keep-alive comments.
        .layer(ResponseBodyTimeoutLayer::new(app.keep_alive() * 2))
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

async fn answer(State(app): State<App>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, ECHO_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(head, body);
    let keep_alive = app.keep_alive();
    let answer = app.answer(&request, |events| events.keep_alive(keep_alive, sleep));
    answer.into_response()
}
