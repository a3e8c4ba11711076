//! Server-sent events on poem: a response of the crate `http`, errors of poem's own type. For `App` see `../README.md`.

use std::io;
use std::time::Duration;

use app::{App, ECHO_LIMIT};
use http_body_util::BodyExt;
use poem::http::{HeaderMap, StatusCode, Uri, Version};
use poem::listener::TcpAcceptor;
use poem::middleware::{AddData, SizeLimit};
use poem::web::Data;
use poem::{EndpointExt, Response, Route, Server, get, handler, post};
use sse_proto::EventStreamExt;
use sse_proto::http::{last_event_id, response};
use tokio::net::TcpSocket;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let routes = Route::new()
        .at("/events", get(events))
        .at("/echo", post(echo).with(SizeLimit::new(ECHO_LIMIT)))
        .at("/stats", get(stats))
        .with(AddData::new(app.clone()));
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // For every connection. Or an event is held back until the client has acknowledged the last.
    socket.set_nodelay(true)?;
    socket.bind(app.address())?;
    let listener = socket.listen(1024)?;
    app.listens(listener.local_addr()?);
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .run_with_graceful_shutdown(routes, app.shutdown(), Some(Duration::from_secs(3)))
        .await
}

#[handler]
fn events(app: Data<&App>, version: Version, uri: &Uri, headers: &HeaderMap) -> Response {
    let header = headers.get_all("last-event-id");
    let events = app.events(last_event_id(header, uri.query(), "lastEventId"));
    let fails = |never| -> io::Error { match never {} };
    response(version, events.keep_alive(app.keep_alive(), sleep)).map(|body| body.map_err(fails)).into()
}

#[handler]
fn echo(app: Data<&App>, body: Vec<u8>) -> StatusCode {
    app.echo(&body)
}

#[handler]
fn stats(app: Data<&App>) -> String {
    app.stats()
}
