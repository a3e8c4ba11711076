//! Server-sent events on hyper and tokio, over HTTP/1 or HTTP/2, as the client chooses. For `App` see `../README.md`.

use std::io;
use std::time::Duration;

use app::{App, ECHO_LIMIT, Events, text};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::{conn::auto, graceful::GracefulShutdown};
use sse_proto::EventStreamExt;
use sse_proto::adapt::KeepAlive;
use sse_proto::http::Body;
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep, timeout};

type Answer = Response<Body<KeepAlive<Events, fn(Duration) -> Sleep>>>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let listener = TcpListener::bind(app.address()).await?;
    app.listens(listener.local_addr()?);
    let server = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    let mut shutdown = Box::pin(app.shutdown());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let Ok((stream, _)) = accepted else {
            // If there are no file descriptors left, the next attempt would fail at once.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Without this, the system may delay an event until the client has acknowledged the previous one.
        let _ = stream.set_nodelay(true);
        let app = app.clone();
        let service = service_fn(move |request| answer(app.clone(), request));
        let connection = server.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(graceful.watch(connection.into_owned()));
    }
    // The streams end by themselves. After three seconds, clients that read nothing are cut off.
    let _ = timeout(Duration::from_secs(3), graceful.shutdown()).await;
    Ok(())
}

async fn answer(app: App, request: Request<Incoming>) -> hyper::Result<Answer> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, ECHO_LIMIT).collect().await else {
        return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, ""));
    };
    let request = Request::from_parts(head, body.to_bytes());
    Ok(app.answer(&request, |events| {
        events.keep_alive(app.keep_alive(), sleep as fn(Duration) -> Sleep)
    }))
}
