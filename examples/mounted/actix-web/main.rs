//! Server-sent events on actix-web, which has header types of its own: the headers and the readers of
//! this crate are plain data and functions over bytes, and the stream is a stream.

use std::convert::Infallible;
use std::io;

use actix_web::http::StatusCode;
use actix_web::rt::{net::TcpStream, time::sleep};
use actix_web::web::{Bytes, Data, PayloadConfig, get, post};
use actix_web::{HttpRequest, HttpResponse, HttpServer, rt};
use app::{App, ECHO_LIMIT};
use futures_util::StreamExt;
use sse_proto::adapt::EventStreamExt;
use sse_proto::{HEADERS, accepts_event_stream, last_event_id};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let data = Data::new(app.clone());
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(data.clone())
            .app_data(PayloadConfig::new(ECHO_LIMIT))
            .route("/events", get().to(events))
            .route("/echo", post().to(echo))
            .route("/stats", get().to(stats))
    })
    // Or the system holds an event back until the client has acknowledged the one before.
    .on_connect(|stream, _| {
        let stream = stream.downcast_ref::<TcpStream>();
        _ = stream.map(|stream| stream.set_nodelay(true));
    })
    .shutdown_timeout(3)
    .bind(app.address())?;
    app.listens(server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    rt::spawn(async move {
        app.shutdown().await;
        handle.stop(true).await;
    });
    server.await
}

async fn events(app: Data<App>, request: HttpRequest) -> HttpResponse {
    if !accepts_event_stream(request.headers().get_all("accept")) {
        return HttpResponse::NotAcceptable().finish();
    }
    let header = request.headers().get("last-event-id");
    let stream = match last_event_id(header.map(|value| value.as_bytes())) {
        Ok(last_event_id) => app.events(last_event_id.as_ref()),
        Err(error) => return HttpResponse::BadRequest().body(error.to_string()),
    };
    let mut answer = HttpResponse::Ok();
    for header in HEADERS {
        answer.insert_header(header);
    }
    let stream = stream.keep_alive(app.keep_alive(), sleep);
    answer.streaming(stream.map(Ok::<_, Infallible>))
}

async fn echo(app: Data<App>, body: Bytes) -> HttpResponse {
    let status = StatusCode::from_u16(app.echo(&body).as_u16());
    HttpResponse::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn stats(app: Data<App>) -> String {
    app.stats()
}
