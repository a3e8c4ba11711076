//! The tool: it counts, and reports progress.

use std::time::Duration;

use serde_json::{Value, json};
use sse_proto::{Broadcast, Event};
use tokio::time::sleep;

/// Describes the tool to the client.
pub(crate) fn tool() -> Value {
    let to = json!({ "type": "integer", "minimum": 1, "maximum": 100 });
    json!({
        "name": "count",
        "description": "Counts, and reports progress",
        "inputSchema": { "type": "object", "properties": { "to": to }, "required": ["to"] },
    })
}

/// Reads how far to count.
pub(crate) fn limit(params: &Value) -> Result<u64, &'static str> {
    if params["name"] != "count" {
        return Err("there is no such tool");
    }
    let to = params["arguments"]["to"].as_u64();
    to.filter(|to| (1..=100).contains(to))
        .ok_or("`to` is a number from 1 to 100")
}

/// Answers a request: the progress, if there is a token for it, and the result at last.
pub(crate) async fn run(
    limit: u64,
    request: Value,
    token: Option<Value>,
    answer: Broadcast,
    unasked: Broadcast,
) {
    for progress in 1..=limit {
        sleep(Duration::from_millis(50)).await;
        if let Some(token) = &token {
            let params = json!({ "progressToken": token, "progress": progress, "total": limit });
            send(&answer, "notifications/progress", params);
        }
    }
    let text = format!("counted to {limit}");
    let log = json!({ "level": "info", "logger": "count", "data": text });
    send(&unasked, "notifications/message", log);
    let content = json!([{ "type": "text", "text": text }]);
    publish(
        &answer,
        json!({ "id": request, "result": { "content": content } }),
    );
    answer.close(None);
}

fn send(log: &Broadcast, method: &str, params: Value) {
    publish(log, json!({ "method": method, "params": params }));
}

fn publish(log: &Broadcast, mut message: Value) {
    message["jsonrpc"] = "2.0".into();
    // A log that is closed has no readers.
    let _ = log.publish(&Event::message(message.to_string()));
}
