//! The complete server that README.md shows, on axum.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::{Router, response::IntoResponse, routing::get, serve::ListenerExt};
use sse_proto::broadcast::Retention;
use sse_proto::http::{last_event_id, response};
use sse_proto::{Broadcast, Event, EventStreamExt, event_type};
use tokio::{net::TcpListener, time::sleep};

async fn events(State(all): State<Broadcast>, uri: Uri, headers: HeaderMap) -> impl IntoResponse {
    // Browsers send the header. Polyfills that can't set it add the parameter to the URL.
    let last = last_event_id(headers.get_all("last-event-id"), uri.query(), "lastEventId");
    // Tells a client that cannot be resumed that it may have missed events.
    let reset = Event::new(event_type!("reset"), "{}");
    response(all.subscribe(last).or_oldest(&reset).with_defaults(sleep))
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
