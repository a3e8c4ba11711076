//! Server-sent events on hyper and smol, without tokio's runtime. For `App` see `../README.md`.

use std::io;
use std::time::Duration;

use app::{App, ECHO_LIMIT, Events, text};
use futures_util::FutureExt;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::server::graceful::GracefulShutdown;
use smol::Timer;
use smol::future::or;
use smol::net::TcpListener;
use smol_hyper::rt::FuturesIo;
use sse_proto::Body;
use sse_proto::adapt::{EventStreamExt, KeepAlive};

type Answer = Response<Body<KeepAlive<Events, fn(Duration) -> Timer>>>;

fn main() -> io::Result<()> {
    smol::block_on(serve(App::start()))
}

async fn serve(app: App) -> io::Result<()> {
    let listener = TcpListener::bind(app.address()).await?;
    app.listens(listener.local_addr()?);
    let graceful = GracefulShutdown::new();
    let accept = || listener.accept().map(Some);
    let shut_down = || app.shutdown().map(|()| None);
    while let Some(accepted) = or(accept(), shut_down()).await {
        let Ok((stream, _)) = accepted else {
            // Too many files are open, for example: no reason to end all the others.
            Timer::after(Duration::from_millis(10)).await;
            continue;
        };
        // Or the system holds an event back until the client has acknowledged the one before.
        _ = stream.set_nodelay(true);
        let app = app.clone();
        let service = service_fn(move |request| answer(app.clone(), request));
        let connection = http1::Builder::new().serve_connection(FuturesIo::new(stream), service);
        smol::spawn(graceful.watch(connection)).detach();
    }
    // The streams end by themselves; who reads nothing is cut off.
    let late = async { _ = Timer::after(Duration::from_secs(3)).await };
    or(graceful.shutdown(), late).await;
    Ok(())
}

async fn answer(app: App, request: Request<Incoming>) -> hyper::Result<Answer> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, ECHO_LIMIT).collect().await else {
        return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, ""));
    };
    let request = Request::from_parts(head, body.to_bytes());
    Ok(app.answer(&request, |events| {
        events.keep_alive(app.keep_alive(), Timer::after as fn(Duration) -> Timer)
    }))
}
