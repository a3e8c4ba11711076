//! The whole server that README.md shows, on axum.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Version};
use axum::{Router, response::IntoResponse, routing::get, serve::ListenerExt};
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble};
use sse_proto::broadcast::{Retention, Subscribed};
use sse_proto::{Broadcast, Event, EventStreamExt};
use tokio::{net::TcpListener, time::sleep};

async fn events(
    State(all): State<Broadcast>,
    version: Version,
    headers: HeaderMap,
) -> impl IntoResponse {
    match sse_proto::http::read_request(&headers) {
        Ok(last_event_id) => {
            let subscribed = all.subscribe(last_event_id.as_ref());
            // Tells a new client where its stream starts: if it is cut before its first event, it resumes there.
            let is_new = !matches!(subscribed, Subscribed::Resumed { .. });
            let stream = subscribed.or_oldest();
            let start = Preamble::new().with_id(stream.last_event_id().filter(|_| is_new));
            sse_proto::http::response(
                version,
                stream
                    .preamble(&start)
                    .keep_alive(KEEP_ALIVE_INTERVAL, sleep),
            )
        }
        Err(error) => error.to_response(), // 400 or 406
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let broadcast = Broadcast::assigning_ids(Retention::new(), 1); // Use a new epoch at each start.
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
