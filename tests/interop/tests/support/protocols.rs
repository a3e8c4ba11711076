//! Answers in the protocols of SDKs that accept no other stream. This crate encodes the events.

use futures_util::stream::{self, StreamExt};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::ser::PrettyFormatter;
use serde_json::{Value, json};
use sse_proto::adapt::Preamble;
use sse_proto::event::START;
use sse_proto::{Event, EventId, EventType};

use super::cases::{self, Case};
use super::seen::Expected;
use super::server::{Body, empty, text};
use super::story::{Expectation, Form, Story, event_stream, sent};

/// The protocol of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A plain event stream.
    Plain,
    OpenAi,
    Anthropic,
    Google,
    /// Google's, without comments, ids and reconnection times.
    GoogleEvents,
    Mcp,
}

impl Protocol {
    /// Returns the events that a client should receive, and the requests that it should send.
    pub(crate) fn expectation(self) -> Expectation {
        if self == Self::Plain {
            return Expectation::new();
        }
        let mut events = Vec::new();
        let mut expect = |stage, name: &str, event_type: &str, data: String| {
            events.push(Expected::event(stage, name, event_type, data));
        };
        let forms: &[_] = match self {
            Self::GoogleEvents => &[(1, "events")],
            _ => &[(1, "line"), (4, "blank-line")],
        };
        for &(stage, form) in forms {
            for (name, text) in cases::texts() {
                expect(stage, name, "text", text);
            }
            expect(stage, "the end of an answer", "answered", form.to_owned());
        }
        let last = forms.last().map_or(1, |(stage, _)| *stage);
        expect(last, "the end", "last", String::new());
        let requests = match self {
            Self::Mcp => vec![
                (3, Some("line".to_owned())),
                (6, Some("line".to_owned())),
                (3, Some("blank-line".to_owned())),
            ],
            Self::GoogleEvents => vec![(1, None), (6, None)],
            _ => vec![(1, None), (6, None), (4, None)],
        };
        Expectation { events, requests }
    }
}

/// Answers a request. Its model, or its tool, is the form of keep-alives.
pub(crate) fn answer(
    story: &Story,
    protocol: Protocol,
    head: &Parts,
    request: &[u8],
) -> Response<Body> {
    if protocol == Protocol::Mcp {
        return answer_mcp(story, head, request);
    }
    if story.count(None) == 0 {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    let parts = cases::texts().into_iter();
    let parts = parts.map(|(name, text)| {
        let part = match protocol {
            Protocol::OpenAi => json!({
                "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "padding": cases::padding(name),
                "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }],
            }),
            Protocol::Google => json!({
                "candidates": [{ "content": { "role": "model", "parts": [{ "text": text }] } }],
                "padding": cases::padding(name),
            }),
            _ => json!({
                "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text },
                "padding": cases::padding(name),
            }),
        };
        let case = case(name, &part);
        match name {
            "empty data" | "NUL" | "300 kB in a line" => case.paused(),
            _ => case,
        }
    });
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    let (first, last) = match protocol {
        Protocol::Anthropic => (
            vec![
                json!({ "type": "message_start", "message": { "id": "1", "type": "message", "role": "assistant",
                    "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage } }),
                json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
            ],
            vec![
                json!({ "type": "content_block_stop", "index": 0 }),
                json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": usage }),
                json!({ "type": "message_stop" }),
            ],
        ),
        _ => (Vec::new(), Vec::new()),
    };
    let around = |parts: Vec<Value>| parts.into_iter().map(|part| case("", &part)).collect();
    let mut all: Vec<Case> = around(first);
    all.extend(parts);
    all.extend::<Vec<Case>>(around(last));
    if protocol == Protocol::OpenAi {
        all.push(Case::new("", Event::message("[DONE]")));
    }
    let form = form(request);
    if form == Form::Event {
        return event_stream(sent(all, form));
    }
    // Ids, as from a server that can resume, and a start whose data the SDK can parse.
    for (case, id) in all.iter_mut().zip(1_u32..) {
        case.event = case.event.clone().with_id(id);
    }
    let (event_type, data) = match protocol {
        Protocol::OpenAi => (START, r#"{"choices":[]}"#),
        Protocol::Anthropic => (EventType::from_static("ping"), r#"{"type":"ping"}"#),
        _ => (START, "{}"),
    };
    let start = Preamble::new()
        .with_id(0)
        .with_start(event_type, data)
        .to_bytes();
    let start = stream::once(async { Ok(start) });
    event_stream(start.chain(sent(all, form)).boxed())
}

/// Answers a message. The answer to a tool's call is only the start of a stream; the client resumes with its id.
fn answer_mcp(story: &Story, head: &Parts, request: &[u8]) -> Response<Body> {
    if head.method == Method::GET {
        let id = head.headers.get("last-event-id");
        let Some(id) = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()) else {
            // This server sends no messages of its own.
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        };
        if story.count(Some(id.clone())) == 0 {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        }
        let content: Vec<Value> = cases::texts()
            .into_iter()
            .map(|(_, text)| json!({ "type": "text", "text": text }))
            .collect();
        let padding = cases::padding("5000 lines");
        let result = json!({ "content": content, "_meta": { "padding": padding } });
        let about = json!({ "progressToken": 0, "progress": 1 });
        let about =
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": about });
        let all = vec![
            case("", &about).paused(),
            case(
                "",
                &json!({ "jsonrpc": "2.0", "id": story.call(), "result": result }),
            ),
        ];
        return event_stream(sent(all, form(id.as_bytes())));
    }
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let (id, params) = (&request["id"], &request["params"]);
    let tool = |name| json!({ "name": name, "inputSchema": { "type": "object" } });
    let result = match request["method"].as_str() {
        _ if id.is_null() => return empty(StatusCode::ACCEPTED),
        Some("initialize") => json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "interop", "version": "0" },
        }),
        Some("tools/list") => json!({ "tools": [tool("line"), tool("blank-line")] }),
        Some("tools/call") => {
            story.set_call(id.clone());
            let form = params["name"].as_str().unwrap_or_default().to_owned();
            let id = EventId::new(form).expect("an id");
            let start = cases::start(id).event.to_bytes();
            return event_stream(stream::once(async { Ok(start) }).boxed());
        }
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            let error = json!({ "jsonrpc": "2.0", "id": id, "error": error });
            return text(StatusCode::OK, "application/json", error.to_string());
        }
    };
    let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    event_stream(sent(vec![case("", &answer)], Form::Line))
}

/// Makes an event with JSON as its data, for `5000 lines` pretty-printed.
fn case(name: &'static str, part: &Value) -> Case {
    let event = match name {
        "5000 lines" => Event::json_with(part, PrettyFormatter::new()),
        _ => Event::json(part),
    };
    let event = event.expect("JSON");
    // Anthropic's SDKs read the event type.
    match part["type"].as_str() {
        Some(text) => {
            let event_type = EventType::new(text.to_owned()).expect("a type");
            Case::new(name, event.with_event_type(event_type))
        }
        None => Case::new(name, event),
    }
}

fn form(request: &[u8]) -> Form {
    let names = |name: &[u8]| request.windows(name.len()).any(|part| part == name);
    match (names(b"blank-line"), names(b"events")) {
        (true, _) => Form::BlankLine,
        (false, true) => Form::Event,
        (false, false) => Form::Line,
    }
}
