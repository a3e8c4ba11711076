//! A session: what its client asks, and the streams that it can resume.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sse_proto::broadcast::{Handle, Retention, Subscribed};
use sse_proto::event::LastEventId;
use sse_proto::http::{response, stop};
use sse_proto::{Broadcast, EventStreamExt};
use tokio::{task::AbortHandle, time::sleep};

use crate::count;

/// The number of streams that are kept. While this many run, a further call is refused.
const MAX_STREAMS: usize = 32;

pub(crate) type Refusal = (StatusCode, &'static str);

const UNKNOWN: Refusal = (StatusCode::BAD_REQUEST, "the event is not known");

/// The streams by number: 0 has the server's own notifications, each other one answers a request.
pub(crate) struct Session {
    streams: BTreeMap<u64, Stream>,
    next: u64,
}

impl Session {
    pub(crate) fn new() -> Self {
        let streams = BTreeMap::from([(0, Stream::new(0, Value::Null))]);
        Self { streams, next: 1 }
    }

    /// Takes a message of the client. A request that takes time is answered with a stream.
    pub(crate) fn take(&mut self, message: &Value) -> Result<Response, Refusal> {
        let (id, params) = (&message["id"], &message["params"]);
        let error = |code: i32, message: &str| json!({ "code": code, "message": message });
        let (key, value) = match message["method"].as_str() {
            Some("notifications/cancelled") if id.is_null() => {
                let is_kept = |stream: &Stream| stream.request != params["requestId"];
                self.streams
                    .retain(|&number, stream| number == 0 || is_kept(stream));
                return Ok(StatusCode::ACCEPTED.into_response());
            }
            Some(_) if id.is_null() => return Ok(StatusCode::ACCEPTED.into_response()),
            // An answer, though this server asks nothing.
            None if !id.is_null() => return Ok(StatusCode::ACCEPTED.into_response()),
            None => return Err((StatusCode::BAD_REQUEST, "not a message")),
            Some("ping" | "logging/setLevel") => ("result", json!({})),
            Some("tools/list") => ("result", json!({ "tools": [count::tool()] })),
            Some("tools/call") => match count::limit(params) {
                Ok(limit) => return self.call(id, params, limit),
                Err(why) => ("error", error(-32602, why)),
            },
            Some(_) => ("error", error(-32601, "there is no such method")),
        };
        Ok(Json(json!({ "jsonrpc": "2.0", "id": id, key: value })).into_response())
    }

    /// Starts the tool, and answers with its stream. The tool runs on without the connection.
    fn call(&mut self, id: &Value, params: &Value, limit: u64) -> Result<Response, Refusal> {
        if self.streams.len() > MAX_STREAMS {
            let mut streams = self.streams.iter();
            let ended = streams.find(|(_, stream)| stream.log.is_closed());
            let number = *ended
                .ok_or((StatusCode::TOO_MANY_REQUESTS, "too many calls"))?
                .0;
            self.streams.remove(&number);
        }
        let mut stream = Stream::new(self.next, id.clone());
        let answer = stream.open(LastEventId::None)?;
        let token = params["_meta"].get("progressToken").cloned();
        let (log, unasked) = (stream.log.clone(), self.streams[&0].log.clone());
        let run = count::run(limit, id.clone(), token, log, unasked);
        stream.task = Some(tokio::spawn(run).abort_handle());
        self.streams.insert(self.next, stream);
        self.next += 1;
        Ok(answer)
    }

    /// Resumes the stream that has an event, or opens that of the server's own notifications.
    pub(crate) fn open(&mut self, last: LastEventId<'_>) -> Result<Response, Refusal> {
        let number = match &last {
            LastEventId::Id(id) => id.to_str().split('-').next().and_then(|id| id.parse().ok()),
            _ => Some(0),
        };
        let stream = number.and_then(|number: u64| self.streams.get_mut(&number));
        stream.ok_or(UNKNOWN)?.open(last)
    }
}

/// The messages of a stream, and the connection that reads them. Its drop ends both and cancels the
/// tool.
struct Stream {
    log: Broadcast,
    reader: Option<Handle>,
    /// The id of the request that it answers.
    request: Value,
    task: Option<AbortHandle>,
}

impl Stream {
    /// The ids of the events begin with the number, so they resume this stream and no other.
    fn new(number: u64, request: Value) -> Self {
        Self {
            log: Broadcast::with_epoch(Retention::default(), number),
            reader: None,
            request,
            task: None,
        }
    }

    fn open(&mut self, last: LastEventId<'_>) -> Result<Response, Refusal> {
        let subscription = match self.log.subscribe(last) {
            // The client has the whole answer. Without a 204, some clients would reconnect forever.
            Subscribed::Resumed { missed: 0, .. } if self.log.is_closed() => return Ok(stop()),
            Subscribed::Live(new) => new,
            Subscribed::Resumed { subscription, .. } => subscription,
            _ => return Err(UNKNOWN),
        };
        // A message is for one connection only. So the previous connection is closed, even if the server
        // does not know yet that it is dead.
        if let Some(previous) = self.reader.replace(subscription.handle()) {
            previous.close(None);
        }
        Ok(response(subscription.with_defaults(sleep)).into_response())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
