//! A session: the streams that its client can resume, and the tool, which counts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sse_proto::broadcast::{Handle, Retention, Subscribed};
use sse_proto::event::LastEventId;
use sse_proto::http::{response, stop};
use sse_proto::{Broadcast, Event, EventStreamExt};
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// The number of answers that are kept. If so many run, the session takes no further call.
const MAX_STREAMS: usize = 32;

/// The stream of what the server says unasked.
const UNASKED: u64 = 0;

/// Dropped, it ends its streams and cancels what it runs.
pub(crate) struct Session {
    /// The time of its last request.
    pub(crate) used: Instant,
    streams: BTreeMap<u64, Stream>,
    next: u64,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self {
            used: Instant::now(),
            streams: BTreeMap::from([(UNASKED, Stream::new(UNASKED, Value::Null))]),
            next: UNASKED + 1,
        }
    }

    pub(crate) fn touch(&mut self) -> &mut Self {
        self.used = Instant::now();
        self
    }

    /// Resumes the stream that has the event, or opens the stream of what the server says unasked.
    pub(crate) fn open(&mut self, last: LastEventId<'_>) -> Response {
        let number = match &last {
            LastEventId::None => Some(UNASKED),
            LastEventId::Id(id) => Stream::number_of(&id.to_str()),
            LastEventId::Invalid => None,
        };
        let stream = number.and_then(|number| self.streams.get_mut(&number));
        let answer = stream.and_then(|stream| stream.open(last));
        answer.unwrap_or_else(|| StatusCode::BAD_REQUEST.into_response())
    }

    /// Starts the tool. The response is its stream; without the response, the tool runs on.
    pub(crate) fn call(&mut self, call: Call) -> Response {
        if self.streams.len() > MAX_STREAMS {
            let mut streams = self.streams.iter();
            let Some((&ended, _)) = streams.find(|(_, stream)| stream.log.is_closed()) else {
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            };
            self.streams.remove(&ended);
        }
        let mut stream = Stream::new(self.next, call.id.clone());
        let answer = stream.open(LastEventId::None);
        let unasked = self.streams[&UNASKED].log.clone();
        stream.task = Some(tokio::spawn(call.run(stream.log.clone(), unasked)).abort_handle());
        self.streams.insert(self.next, stream);
        self.next += 1;
        answer.unwrap_or_default()
    }

    /// Cancels a request. There is no answer to it, not even later.
    pub(crate) fn cancel(&mut self, request: &Value) {
        self.streams
            .retain(|_, stream| stream.log.is_closed() || stream.request != *request);
    }
}

/// The messages of one stream, and the connection that has it.
struct Stream {
    log: Broadcast,
    reader: Option<Handle>,
    /// The id of the request that it answers.
    request: Value,
    task: Option<AbortHandle>,
}

impl Stream {
    /// The ids of a stream begin with its number. So an id resumes this stream, and no other.
    fn new(number: u64, request: Value) -> Self {
        Self {
            log: Broadcast::with_epoch(Retention::default(), number),
            reader: None,
            request,
            task: None,
        }
    }

    fn number_of(id: &str) -> Option<u64> {
        id.split_once('-')?.0.parse().ok()
    }

    /// Sends what comes after an event to a new connection; `None` if that is no longer known.
    fn open(&mut self, last: LastEventId<'_>) -> Option<Response> {
        let subscription = match self.log.subscribe(last) {
            // The client has everything. Some would come back for ever.
            Subscribed::Resumed { missed: 0, .. } if self.log.is_closed() => return Some(stop()),
            Subscribed::Live(new) => new,
            Subscribed::Resumed { subscription, .. } => subscription,
            _ => return None,
        };
        // Each message is for one connection only. The server may not have seen yet that the one before
        // is cut.
        if let Some(before) = self.reader.replace(subscription.handle()) {
            before.close(None);
        }
        Some(response(subscription.with_defaults(sleep)).into_response())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.log.close(None);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A call of the tool.
pub(crate) struct Call {
    id: Value,
    to: u64,
    progress_token: Option<Value>,
}

impl Call {
    /// Describes the tool.
    pub(crate) fn tool() -> Value {
        let to = json!({ "type": "integer", "minimum": 1, "maximum": 100 });
        json!({
            "name": "count",
            "description": "Counts, and reports progress",
            "inputSchema": { "type": "object", "properties": { "to": to }, "required": ["to"] },
        })
    }

    pub(crate) fn new(id: &Value, params: &Value) -> Result<Self, &'static str> {
        if params["name"] != "count" {
            return Err("there is no such tool");
        }
        let to = params["arguments"]["to"].as_u64();
        Ok(Self {
            id: id.clone(),
            to: to
                .filter(|to| (1..=100).contains(to))
                .ok_or("`to` is a number from 1 to 100")?,
            progress_token: params["_meta"].get("progressToken").cloned(),
        })
    }

    async fn run(self, answer: Broadcast, unasked: Broadcast) {
        for progress in 1..=self.to {
            sleep(Duration::from_millis(50)).await;
            if let Some(token) = &self.progress_token {
                let params =
                    json!({ "progressToken": token, "progress": progress, "total": self.to });
                send(
                    &answer,
                    json!({ "method": "notifications/progress", "params": params }),
                );
            }
        }
        let text = format!("counted to {}", self.to);
        let params = json!({ "level": "info", "logger": "count", "data": text });
        send(
            &unasked,
            json!({ "method": "notifications/message", "params": params }),
        );
        let content = json!({ "type": "text", "text": text });
        send(
            &answer,
            json!({ "id": self.id, "result": { "content": [content] } }),
        );
        answer.close(None);
    }
}

fn send(log: &Broadcast, mut message: Value) {
    message["jsonrpc"] = "2.0".into();
    // A `Value` is always JSON. A log that is closed has no readers.
    if let Ok(event) = Event::json(&message) {
        let _ = log.publish(&event);
    }
}
