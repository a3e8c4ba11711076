//! The stream of tokens that README.md shows, on axum.

use std::time::Duration;

use axum::{Router, response::IntoResponse, routing::post};
use futures_util::{StreamExt, stream};
use sse_proto::{Event, adapt::from_stream, http::response};
use sse_proto::{EventStreamExt, adapt::KEEP_ALIVE_INTERVAL};
use tokio::{net::TcpListener, time::sleep};

async fn answer(prompt: String) -> impl IntoResponse {
    // Any stream: of a model, a queue, a database. It is dropped when the client goes away.
    let tokens = stream::iter(prompt.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let events = tokens.then(|token| async {
        sleep(Duration::from_millis(100)).await;
        Event::message(token)
    });
    response(from_stream(events).keep_alive(KEEP_ALIVE_INTERVAL, sleep))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let router = Router::new().route("/answer", post(answer));
    axum::serve(TcpListener::bind("127.0.0.1:8000").await?, router).await
}
