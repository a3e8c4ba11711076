//! Server-sent events next to gRPC, on tonic: its router takes the response unchanged, and one port serves both.

use std::error::Error;

use app::{App, ECHO_LIMIT, Events, text};
use futures_util::FutureExt;
use http_body_util::{BodyExt, Limited};
use sse_proto::EventStreamExt;
use sse_proto::adapt::KeepAlive;
use sse_proto::deps::http::{Request, Response, StatusCode};
use sse_proto::http::Body;
use tokio::net::TcpListener;
use tokio::time::{Duration, Sleep, sleep};
use tonic::service::{AxumBody, AxumRouter, Routes};
use tonic::transport::{Server, server::TcpIncoming};

type Answer = Response<Body<KeepAlive<Events, fn(Duration) -> Sleep>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = App::start();
    let events = app.clone();
    let events = AxumRouter::new().fallback(move |request| answer(events, request));
    let (_, health) = tonic_health::server::health_reporter();
    let routes = Routes::from(events).add_service(health);
    let listener = TcpListener::bind(app.address()).await?;
    app.listens(listener.local_addr()?);
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        // For browsers, which speak HTTP/2 only over TLS. gRPC always uses HTTP/2.
        .accept_http1(true)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, app.shutdown());
    // At shutdown, the streams end by themselves. After three seconds, clients that read nothing are cut off.
    let late = app.shutdown().then(|()| sleep(Duration::from_secs(3)));
    tokio::select! {
        ended = server => Ok(ended?),
        () = late => Ok(()),
    }
}

async fn answer(app: App, request: Request<AxumBody>) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, ECHO_LIMIT).collect().await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "");
    };
    let request = Request::from_parts(head, body.to_bytes());
    app.answer(&request, |events| {
        events.keep_alive(app.keep_alive(), sleep as fn(Duration) -> Sleep)
    })
}
