//! A gateway in front of an API that streams: each event is rewritten and sent on as it comes.
//!
//! `cargo run --manifest-path examples/gateway/Cargo.toml -- http://127.0.0.1:8010`, with the address
//! of the upstream, then use <http://127.0.0.1:8020> as if it were that one.

use std::env;

use async_stream::stream;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve::ListenerExt};
use futures_util::Stream;
use serde_json::{Value, json};
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, from_stream};
use sse_proto::decode::{DecodeStream, OwnedItem, OwnedMessageEvent, ReceiveError};
use sse_proto::http::response;
use sse_proto::{Decoder, Event, EventStreamExt, client, event_type};
use tokio::{net::TcpListener, time::sleep};

#[derive(Clone)]
struct Gateway {
    client: reqwest::Client,
    upstream: String,
}

async fn forward(
    State(gateway): State<Gateway>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", gateway.upstream);
    // These headers belong to the connection to the client, not to the request.
    for name in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
    // Events are read here, so they must not be compressed.
    headers.insert(
        header::ACCEPT_ENCODING,
        "identity".parse().expect("it is valid"),
    );
    let request = gateway
        .client
        .request(method, url)
        .headers(headers)
        .body(body);
    let upstream = match request.send().await {
        Ok(upstream) => upstream,
        Err(error) => {
            return (StatusCode::BAD_GATEWAY, error.without_url().to_string()).into_response();
        }
    };
    let content_type = upstream.headers().get(header::CONTENT_TYPE).cloned();
    let head = client::Response::from_headers(upstream.status().as_u16(), upstream.headers());
    if !head.is_event_stream() || head.content_encoding().is_some() {
        // A refusal, or an answer in one piece.
        let answer = (
            upstream.status(),
            Body::from_stream(upstream.bytes_stream()),
        );
        return match content_type {
            Some(content_type) => ([(header::CONTENT_TYPE, content_type)], answer).into_response(),
            None => answer.into_response(),
        };
    }
    // Dropped when the client goes away, and the connection to the upstream with it.
    let events = rewritten(DecodeStream::new(upstream.bytes_stream(), Decoder::new()));
    response(from_stream(events).keep_alive(KEEP_ALIVE_INTERVAL, sleep)).into_response()
}

/// The events for the client. Each is read from the upstream when the client takes it, so nothing is
/// buffered here.
fn rewritten<E: std::error::Error>(
    upstream: impl Stream<Item = Result<OwnedItem, ReceiveError<E>>>,
) -> impl Stream<Item = Event<'static>> {
    stream! {
        for await item in upstream {
            match item {
                Ok(item) => {
                    if let Some(event) = item.into_event() {
                        yield rewrite(&event);
                    }
                }
                // The status was sent long ago, so the client learns of it by an event.
                Err(error) => {
                    let why = match error {
                        ReceiveError::Unfinished(_) => "the upstream ended within an event",
                        ReceiveError::Decode(_) => "the upstream sent an event that is too long",
                        _ => "the upstream broke off",
                    };
                    let data = json!({ "error": { "message": why, "type": "upstream_error" } });
                    yield Event::new(event_type!("error"), data.to_string());
                    return;
                }
            }
        }
    }
}

/// Puts the name of the gateway into each chunk. Everything else passes unchanged.
fn rewrite(event: &OwnedMessageEvent) -> Event<'static> {
    let passed = Event::from(event).with_id_of(event);
    let rewritten = serde_json::from_str(event.data())
        .ok()
        .and_then(|mut data: Value| {
            data.as_object_mut()?.insert("via".into(), "gateway".into());
            Some(data.to_string())
        });
    match rewritten {
        Some(data) => passed.with_data(data).into_owned(),
        None => passed.into_owned(),
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let upstream = env::args().nth(1).unwrap_or("http://127.0.0.1:8010".into());
    let address = env::args().nth(2).unwrap_or("127.0.0.1:8020".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let client = reqwest::Client::new();
    let gateway = Gateway { client, upstream };
    let router = Router::new().fallback(forward).with_state(gateway);
    axum::serve(listener, router).await
}
