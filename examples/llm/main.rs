//! A chat-completions endpoint that streams tokens as the API of `OpenAI` does. Its model repeats the
//! prompt, a word at a time.
//!
//! `cargo run --manifest-path examples/llm/Cargo.toml`, then point any client for that API at
//! <http://127.0.0.1:8010/v1>. A prompt with the word `think` waits before its first token, one with
//! `fail` fails in the middle of the answer.

mod model;

use std::time::{Duration, SystemTime};
use std::{env, pin::pin};

use async_stream::try_stream;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use axum::{Json, Router, routing::post};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto::adapt::from_stream;
use sse_proto::http::response;
use sse_proto::{Event, EventStreamExt};
use tokio::{net::TcpListener, time::sleep};

#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Value>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Value,
}

async fn completions(
    headers: HeaderMap,
    request: Result<Json<Request>, JsonRejection>,
) -> Response {
    if !headers.contains_key("authorization") {
        return refusal(StatusCode::UNAUTHORIZED, "there is no token");
    }
    let request = match request {
        Ok(Json(request)) if request.stream => request,
        Ok(_) => return refusal(StatusCode::BAD_REQUEST, "there are only streams here"),
        Err(error) => return refusal(error.status(), &error.body_text()),
    };
    // Proxies and clients give up on a silence, and a model may think for minutes. Many pages read such
    // a stream by hand and split it at blank lines, so the comment ends with one.
    let stream = from_stream(answer(request))
        .keep_alive(keep_alive(), sleep)
        .with_blank_line(true);
    response(stream).into_response()
}

/// The events of an answer. It is dropped when the client goes away, and the model with it.
fn answer(request: Request) -> impl Stream<Item = Result<Event<'static>, serde_json::Error>> {
    try_stream! {
        let head = Head::new(&request);
        let last = request.messages.last();
        let prompt = last.and_then(|last| last["content"].as_str()).unwrap_or_default().to_owned();
        yield head.delta(&json!({ "role": "assistant", "content": "" }), None)?;
        let mut tokens = pin!(model::answer(prompt.clone()));
        let mut count = 0;
        while let Some(token) = tokens.next().await {
            match token {
                Ok(text) => yield head.delta(&json!({ "content": text }), None)?,
                // The status was sent long ago, so the error is an event, and no `[DONE]` follows it.
                Err(error) => {
                    yield Event::json(&error_body(error))?;
                    return;
                }
            }
            count += 1;
        }
        yield head.delta(&json!({}), Some("stop"))?;
        if request.stream_options["include_usage"] == true {
            let asked = prompt.split_whitespace().count();
            yield head.chunk(&json!([]), &json!({
                "prompt_tokens": asked, "completion_tokens": count, "total_tokens": asked + count,
            }))?;
        }
        yield Event::message("[DONE]");
    }
}

/// What all chunks of an answer share.
struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn new(request: &Request) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            id: format!("chatcmpl-{:x}", now.as_nanos()),
            created: now.as_secs(),
            model: request.model.clone(),
        }
    }

    fn delta(
        &self,
        delta: &Value,
        finish_reason: Option<&str>,
    ) -> Result<Event<'static>, serde_json::Error> {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        self.chunk(&json!([choice]), &Value::Null)
    }

    fn chunk(&self, choices: &Value, usage: &Value) -> Result<Event<'static>, serde_json::Error> {
        Event::json(&json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": choices, "usage": usage,
        }))
    }
}

fn error_body(message: &str) -> Value {
    json!({ "error": { "message": message, "type": "server_error", "code": null, "param": null } })
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(error_body(message))).into_response()
}

/// The longest silence: 15 seconds, or as many milliseconds as `KEEP_ALIVE_MS` says.
fn keep_alive() -> Duration {
    let millis = env::var("KEEP_ALIVE_MS")
        .ok()
        .and_then(|text| text.parse().ok());
    millis.map_or(sse_proto::adapt::KEEP_ALIVE_INTERVAL, Duration::from_millis)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8010".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/v1", listener.local_addr()?);
    // Without this, the system may delay a token until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let router = Router::new().route("/v1/chat/completions", post(completions));
    axum::serve(listener, router).await
}
