//! Server-sent events on warp: its replies have their own body type, which is made from a stream of data.

use std::future::{Ready, ready};
use std::{io, time::Duration};

use app::{App, ECHO_LIMIT};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use sse_proto::http::{last_event_id, response};
use sse_proto::{EventStreamExt, deps::bytes::Bytes};
use tokio::{net::TcpSocket, time::sleep};
use warp::http::{HeaderMap, StatusCode};
use warp::reject::{MethodNotAllowed, Rejection};
use warp::reply::{Reply, Response, stream, with_header};
use warp::{Filter, body, header, path};

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let service = app.clone();
    let service = warp::any().map(move || service.clone());
    let events = path!("events").and(warp::get()).and(service.clone());
    let echoes = path!("echo").and(warp::post()).and(service.clone());
    let echoes = echoes.and(body::content_length_limit(ECHO_LIMIT as u64));
    let stats = path!("stats").and(warp::get()).and(service);
    let events = events.and(header::headers_cloned()).map(answer);
    let echo = |app: App, body: Bytes| app.echo(&body);
    let echoes = echoes.and(body::bytes()).map(echo);
    let routes = (events.recover(only("GET")))
        .or(echoes.recover(only("POST")))
        .or(stats.map(|app: App| app.stats()).recover(only("GET")));
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Applies to every connection. Without this, the system may delay an event until the client has acknowledged the
    // previous one.
    socket.set_nodelay(true)?;
    socket.bind(app.address())?;
    let listener = socket.listen(1024)?;
    app.listens(listener.local_addr()?);
    let server = warp::serve(routes).incoming(listener);
    // At shutdown, the streams end by themselves. After three seconds, clients that read nothing are cut off.
    let late = app.shutdown().then(|()| sleep(Duration::from_secs(3)));
    tokio::select! { () = server.graceful(app.shutdown()).run() => {}, () = late => {} }
    Ok(())
}

/// Lists the methods of a path in the answer to others.
fn only(allowed: &'static str) -> impl Fn(Rejection) -> Ready<Result<Response, Rejection>> + Clone {
    move |why| {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let refusal = |_| with_header(status, "allow", allowed).into_response();
        let answer = why.find::<MethodNotAllowed>().map(refusal);
        ready(answer.ok_or(why))
    }
}

fn answer(app: App, headers: HeaderMap) -> Response {
    let events = app.events(last_event_id(headers.get_all("last-event-id"), None, ""));
    let answer = response(events.keep_alive(app.keep_alive(), sleep));
    let (head, body) = answer.into_parts();
    let mut reply = stream(body.into_data_stream()).into_response();
    (*reply.status_mut(), *reply.headers_mut()) = (head.status, head.headers);
    reply
}
