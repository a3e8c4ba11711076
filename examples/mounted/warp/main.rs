//! Server-sent events on warp: its replies have a body of their own, which takes another's as a stream of data.

use std::io;
use std::time::Duration;

use app::{App, ECHO_LIMIT};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use sse_proto::EventStreamExt;
use sse_proto::deps::bytes::Bytes;
use sse_proto::http::{last_event_id, response};
use tokio::net::TcpSocket;
use tokio::time::sleep;
use warp::http::{HeaderMap, Version};
use warp::reply::{Reply, Response, stream};
use warp::{Filter, body, header, path};

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let service = app.clone();
    let service = warp::any().map(move || service.clone());
    let events = path!("events").and(warp::get()).and(service.clone());
    let echoes = path!("echo").and(warp::post()).and(service.clone());
    let echoes = echoes.and(body::content_length_limit(ECHO_LIMIT as u64));
    let routes = (events.and(header::headers_cloned()).map(answer))
        .or(echoes
            .and(body::bytes())
            .map(|app: App, body: Bytes| app.echo(&body)))
        .or(path!("stats").and(service).map(|app: App| app.stats()));
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // For every connection. Or an event is held back until the client has acknowledged the last.
    socket.set_nodelay(true)?;
    socket.bind(app.address())?;
    let listener = socket.listen(1024)?;
    app.listens(listener.local_addr()?);
    let server = warp::serve(routes).incoming(listener);
    // The streams end by themselves then; who reads nothing is cut off.
    let late = app.shutdown().then(|()| sleep(Duration::from_secs(3)));
    tokio::select! { () = server.graceful(app.shutdown()).run() => {}, () = late => {} }
    Ok(())
}

fn answer(app: App, headers: HeaderMap) -> Response {
    let events = app.events(last_event_id(headers.get_all("last-event-id"), None, ""));
    // No filter tells the version. This one's headers are right for every other, too.
    let answer = response(Version::HTTP_2, events.keep_alive(app.keep_alive(), sleep));
    let (head, body) = answer.into_parts();
    let mut reply = stream(body.into_data_stream()).into_response();
    (*reply.status_mut(), *reply.headers_mut()) = (head.status, head.headers);
    reply
}
