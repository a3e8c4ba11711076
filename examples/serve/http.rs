//! Requests and responses.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use sse_proto::http::{Body, last_event_id, response};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::log::log;
use crate::page::PAGE;
use crate::publisher::Publisher;
use crate::watch::Watched;

type Answer = Response<Body<Watched>>;

/// Serves one connection to its end.
pub(crate) fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    publisher: Arc<Publisher>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Without it the system would hold an event back until the client has acknowledged the one
    // before, to send fewer and larger packets.
    if let Err(error) = stream.set_nodelay(true) {
        log(format_args!("events to {peer} may be late: {error}"));
    }
    let cut = Arc::new(Notify::new());
    let service = service_fn({
        let cut = Arc::clone(&cut);
        move |request| {
            let answer = answer(&request, peer, &publisher, &cut);
            async move { Ok::<_, Infallible>(answer) }
        }
    });
    let served = graceful.watch(
        http1::Builder::new()
            // Without a timer, a client may take any time for the head of its request.
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service),
    );
    async move {
        tokio::select! {
            // An error is one of this client's; that its stream is gone has been logged.
            _ = served => {}
            // The end of the body is not enough: a client that reads nothing would never see it.
            () = cut.notified() => {}
        }
    }
}

fn answer(
    request: &Request<Incoming>,
    peer: SocketAddr,
    publisher: &Publisher,
    cut: &Arc<Notify>,
) -> Answer {
    match (request.uri().path(), request.method()) {
        ("/", &Method::GET | &Method::HEAD) => page(),
        ("/events", &Method::GET) => events(request, peer, publisher, cut),
        ("/", _) => not_allowed("GET, HEAD"),
        ("/events", _) => not_allowed("GET"),
        _ => text(StatusCode::NOT_FOUND, "there is / and /events"),
    }
}

fn page() -> Answer {
    let mut answer = text(StatusCode::OK, PAGE);
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // The page needs nothing from elsewhere, so nothing that arrives as an event gets it either.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; connect-src 'self'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
        ),
    );
    answer
}

fn events(
    request: &Request<Incoming>,
    peer: SocketAddr,
    publisher: &Publisher,
    cut: &Arc<Notify>,
) -> Answer {
    let header = request.headers().get_all("last-event-id");
    let last = last_event_id(header, request.uri().query(), "last_event_id");
    let stream = publisher.subscribe(peer, &last, Arc::clone(cut));
    response(request.version(), stream)
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = text(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not for this path",
    );
    answer
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    answer
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Body::from(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}
