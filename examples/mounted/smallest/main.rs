//! The complete server that README.md shows, on axum.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri, Version};
use axum::{Router, response::IntoResponse, routing::get, serve::ListenerExt};
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble};
use sse_proto::broadcast::{Retention, Subscribed};
use sse_proto::http::{last_event_id, response};
use sse_proto::{Broadcast, Event, EventStreamExt, EventType};
use tokio::{net::TcpListener, time::sleep};

const RESET: EventType = EventType::from_static("reset");

async fn events(
    State(all): State<Broadcast>,
    version: Version,
    uri: Uri,
    headers: HeaderMap,
) -> impl IntoResponse {
    // Browsers send the header. Polyfills that can't set it add the parameter to the URL.
    let last = last_event_id(headers.get_all("last-event-id"), uri.query(), "lastEventId");
    let subscribed = all.subscribe(last);
    // A new client that loses its connection before its first event resumes from this id.
    let is_new = matches!(subscribed, Subscribed::Live(_));
    // Tells a client that cannot be resumed that it may have missed events.
    let stream = subscribed.or_oldest(&Event::new(RESET, "{}"));
    let start = Preamble::new().with_id(stream.last_event_id().filter(|_| is_new));
    let stream = stream
        .preamble(&start)
        .keep_alive(KEEP_ALIVE_INTERVAL, sleep);
    response(version, stream)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let broadcast = Broadcast::new(Retention::default());
    let router = Router::new()
        .route("/events", get(events))
        .with_state(broadcast.clone());
    tokio::spawn(async move {
        while broadcast.publish(&Event::message("tick")).is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = TcpListener::bind("127.0.0.1:8000").await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
