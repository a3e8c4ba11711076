//! Requests and responses.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
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

use crate::host::Hosts;
use crate::log::log;
use crate::page::PAGE;
use crate::publisher::{Events, Publisher};
use crate::watch::{Stuck, Watched};

type Answer = Response<Body<Events>>;

/// What all connections share.
pub(crate) struct Service {
    pub(crate) publisher: Publisher,
    pub(crate) hosts: Hosts,
}

/// Serves one connection to its end.
pub(crate) fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Without this, the system may delay an event until the client has acknowledged the previous
    // one, to send fewer and larger packets.
    if let Err(error) = stream.set_nodelay(true) {
        log(format_args!("events to {peer} may be late: {error}"));
    }
    let stuck = Stuck::default();
    let client = Client {
        peer,
        // Fails only if the connection has already ended.
        local: stream.local_addr().unwrap_or(peer).ip(),
        stuck: stuck.clone(),
    };
    let io = TokioIo::new(Watched::new(stream, stuck.clone()));
    let served = graceful.watch(
        http1::Builder::new()
            // Without a timer, a client could take any time to send the head of its request.
            .timer(TokioTimer::new())
            .serve_connection(
                io,
                service_fn(move |request| {
                    let answer = service.answer(&request, &client);
                    async move { Ok::<_, Infallible>(answer) }
                }),
            ),
    );
    async move {
        // An error concerns only this client. The end of its stream has been logged.
        let _ = served.await;
        if stuck.get() {
            log(format_args!("{peer} was cut: it reads nothing"));
        }
    }
}

/// The client of a connection.
struct Client {
    peer: SocketAddr,
    /// The address at which it connected.
    local: IpAddr,
    stuck: Stuck,
}

impl Service {
    fn answer(&self, request: &Request<Incoming>, client: &Client) -> Answer {
        if let Err(status) = self.hosts.check(request, client.local) {
            return text(status, "this server has another name");
        }
        match (request.uri().path(), request.method()) {
            ("/", &Method::GET | &Method::HEAD) => page(),
            ("/events", &Method::GET) => self.events(request, client),
            ("/", _) => not_allowed("GET, HEAD"),
            ("/events", _) => not_allowed("GET"),
            _ => text(StatusCode::NOT_FOUND, "there is / and /events"),
        }
    }

    fn events(&self, request: &Request<Incoming>, client: &Client) -> Answer {
        let query = request.uri().query();
        let header = request.headers().get_all("last-event-id");
        let last = last_event_id(header, query, "last_event_id");
        let from_oldest = query == Some("from=oldest");
        let (peer, stuck) = (client.peer, client.stuck.clone());
        let stream = (self.publisher).subscribe(peer, &last, from_oldest, stuck);
        response(stream)
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
    // The page loads nothing from other servers. This policy also forbids it to content that
    // arrives in an event.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; connect-src 'self'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
        ),
    );
    answer
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
