//! Server-sent events on actix-web, which has its own header types: the example uses `HEADERS` as plain data. For `App`
//! see `../README.md`.

use std::io;

use actix_web::http::header::HeaderValue;
use actix_web::web::{Bytes, Data, PayloadConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse, HttpServer, rt, rt::net::TcpStream, rt::time::sleep};
use app::{App, ECHO_LIMIT};
use futures_util::{FutureExt, StreamExt};
use sse_proto::EventStreamExt;
use sse_proto::http::{HEADERS, last_event_id};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let app = App::start();
    let data = Data::new(app.clone());
    let stats = |app: Data<App>| async move { app.stats() };
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(Data::clone(&data))
            .app_data(PayloadConfig::new(ECHO_LIMIT))
            // A resource answers other methods with 405 and `Allow`.
            .service(resource("/events").route(get().to(events)))
            .service(resource("/echo").route(post().to(echo)))
            .service(resource("/stats").route(get().to(stats)))
    })
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    .on_connect(|io, _| {
        let tcp: Option<&TcpStream> = io.downcast_ref();
        _ = tcp.map(|tcp| tcp.set_nodelay(true));
    })
    // `app.shutdown()` handles them.
    .disable_signals()
    .shutdown_timeout(3)
    .bind(app.address())?;
    app.listens(server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    rt::spawn(app.shutdown().then(move |()| handle.stop(true)));
    server.await
}

async fn events(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let header = request.headers().get_all("last-event-id");
    let header = header.map(HeaderValue::as_bytes);
    let last = last_event_id(header, Some(request.query_string()), "lastEventId");
    let stream = app.events(last).keep_alive(app.keep_alive(), sleep);
    let mut answer = HttpResponse::Ok();
    for header in HEADERS {
        answer.insert_header(header);
    }
    answer.streaming(stream.map(Ok::<_, io::Error>))
}

async fn echo(app: Data<App>, body: Bytes) -> HttpResponse {
    let status = app.echo(&body).as_u16().try_into();
    HttpResponse::new(status.unwrap_or_default())
}
