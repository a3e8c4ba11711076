//! Server-sent events on poem: `response`, with its error mapped to one that poem accepts. For `App` see
//! `../README.md`.

use std::{io, time::Duration};

use app::{App, ECHO_LIMIT};
use http_body_util::BodyExt;
use poem::error::MethodNotAllowedError;
use poem::http::{HeaderMap, StatusCode, Uri};
use poem::listener::TcpAcceptor;
use poem::middleware::{AddData, SizeLimit};
use poem::web::Data;
use poem::{Endpoint, EndpointExt, IntoResponse, Response, Route, Server, get, handler, post};
use sse_proto::EventStreamExt;
use sse_proto::http::{last_event_id, response};
use tokio::net::TcpSocket;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let posts = post(echo.with(SizeLimit::new(ECHO_LIMIT)));
    let routes = Route::new()
        .at("/events", only(get(events), "GET, HEAD"))
        .at("/echo", only(posts, "POST"))
        .at("/stats", only(get(stats), "GET, HEAD"))
        .with(AddData::new(app.clone()));
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Applies to every connection. Without this, the system may delay an event until the client has acknowledged the
    // previous one.
    socket.set_nodelay(true)?;
    socket.bind(app.address())?;
    let listener = socket.listen(1024)?;
    app.listens(listener.local_addr()?);
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .run_with_graceful_shutdown(routes, app.shutdown(), Some(Duration::from_secs(3)))
        .await
}

/// Lists the methods of an endpoint in the answer to others.
fn only(endpoint: impl Endpoint, allowed: &'static str) -> impl Endpoint {
    endpoint.catch_error(move |_: MethodNotAllowedError| async move {
        StatusCode::METHOD_NOT_ALLOWED.with_header("allow", allowed)
    })
}

#[handler]
fn events(app: Data<&App>, uri: &Uri, headers: &HeaderMap) -> Response {
    let header = headers.get_all("last-event-id");
    let events = app.events(last_event_id(header, uri.query(), "lastEventId"));
    let fails = |never| -> io::Error { match never {} };
    response(events.keep_alive(app.keep_alive(), sleep))
        .map(|body| body.map_err(fails))
        .into()
}

#[handler]
fn echo(app: Data<&App>, body: Vec<u8>) -> StatusCode {
    app.echo(&body)
}

#[handler]
fn stats(app: Data<&App>) -> String {
    app.stats()
}
