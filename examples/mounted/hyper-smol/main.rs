//! Server-sent events on hyper and smol, without tokio's runtime. For `App` see `../README.md`.

use std::{io, time::Duration};

use app::{App, ECHO_LIMIT, Events, text};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::server::graceful::GracefulShutdown;
use smol::{Timer, future::or, net::TcpListener};
use smol_hyper::rt::FuturesIo;
use sse_proto::EventStreamExt;
use sse_proto::adapt::KeepAlive;
use sse_proto::http::Body;

type Answer = Response<Body<KeepAlive<Events, fn(Duration) -> Timer>>>;

fn main() -> io::Result<()> {
    smol::block_on(serve(App::start()))
}

async fn serve(app: App) -> io::Result<()> {
    let listener = TcpListener::bind(app.address()).await?;
    app.listens(listener.local_addr()?);
    let graceful = GracefulShutdown::new();
    let accept = || async { Some(listener.accept().await) };
    let shut_down = || async {
        app.shutdown().await;
        None
    };
    // The shutdown is polled first. Otherwise a steady flow of new clients would delay it forever.
    while let Some(accepted) = or(shut_down(), accept()).await {
        let Ok((stream, _)) = accepted else {
            // If there are no file descriptors left, the next attempt would fail at once.
            Timer::after(Duration::from_millis(100)).await;
            continue;
        };
        // Without this, the system may delay an event until the client has acknowledged the previous one.
        let _ = stream.set_nodelay(true);
        let app = app.clone();
        let service = service_fn(move |request| answer(app.clone(), request));
        let connection = http1::Builder::new().serve_connection(FuturesIo::new(stream), service);
        smol::spawn(graceful.watch(connection)).detach();
    }
    // The streams end by themselves. After three seconds, clients that read nothing are cut off.
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
