//! The answer to each request, in the types of the crate `http`.

use std::fmt::Write;

use futures_core::Stream;
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use sse_proto::event::LastEventId;
use sse_proto::http::{Body, last_event_id, response};
use sse_proto::{Event, EventType};

use crate::events::{Events, Watched};
use crate::run::App;

/// The maximum size of an echo in bytes.
pub const ECHO_LIMIT: usize = 16 * 1024;

const ECHO: EventType = EventType::from_static("echo");

impl App {
    /// Opens the event stream of a client.
    pub fn events(&self, last_event_id: LastEventId<'_>) -> Events {
        Watched::events(&self.broadcast, last_event_id, &self.ends)
    }

    /// Publishes text to all.
    pub fn echo(&self, body: &[u8]) -> StatusCode {
        if body.len() > ECHO_LIMIT {
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return StatusCode::BAD_REQUEST;
        };
        match self.broadcast.publish(&Event::new(ECHO, text)) {
            Ok(_) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns what is open and why the last streams ended, as JSON.
    pub fn stats(&self) -> String {
        let now = self.broadcast.statistics();
        let mut json = String::from("{");
        // Writing to a string cannot fail.
        let _ = write!(
            json,
            r#""open": {}, "lagging": {}, "published": {}, "retained_bytes": {}, "#,
            now.subscribers, now.lagging, now.published, now.retained_bytes
        );
        let _ = self.ends.write(&mut json);
        json.push('}');
        json
    }

    /// Answers any request. `around` puts adapters around the event stream, such as `keep_alive` with
    /// the timer of the runtime.
    pub fn answer<S: Stream<Item = Bytes>>(
        &self,
        request: &Request<Bytes>,
        around: impl FnOnce(Events) -> S,
    ) -> Response<Body<S>> {
        match (request.uri().path(), request.method()) {
            ("/events", &Method::GET) => {
                let header = request.headers().get_all("last-event-id");
                let last = last_event_id(header, request.uri().query(), "lastEventId");
                response(around(self.events(last)))
            }
            ("/echo", &Method::POST) => text(self.echo(request.body()), ""),
            ("/stats", &Method::GET) => text(StatusCode::OK, self.stats()),
            ("/events" | "/stats", _) => not_allowed("GET"),
            ("/echo", _) => not_allowed("POST"),
            // Not every server removes a body from the answer to HEAD.
            (_, &Method::HEAD) => text(StatusCode::NOT_FOUND, ""),
            _ => text(StatusCode::NOT_FOUND, "there is /events, /echo and /stats"),
        }
    }
}

/// Refuses a method. `allowed` lists the methods that the path has.
fn not_allowed<S: Stream<Item = Bytes>>(allowed: &'static str) -> Response<Body<S>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "");
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// Makes a response of text.
pub fn text<S: Stream<Item = Bytes>>(
    status: StatusCode,
    text: impl Into<Bytes>,
) -> Response<Body<S>> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
