//! The example `tail` as a process.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use programs::Process;
use serde::Deserialize;
use serde_json::Value;

use super::example;
use super::seen::Event;

/// A running `tail --json`. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Tail {
    process: Process,
    events: Vec<Event>,
}

impl Tail {
    /// Follows the events of a server.
    pub(crate) fn start(address: &str) -> Self {
        let mut child = Command::new(&*EXAMPLE)
            .args([&format!("http://{address}/events"), "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the example runs");
        let output = child.stdout.take().expect("standard output is piped");
        Self {
            process: Process::new(child, output),
            events: Vec::new(),
        }
    }

    /// Waits until these events have come, and returns all events so far.
    pub(crate) fn until(&mut self, has_come: impl Fn(&[Event]) -> bool) -> &[Event] {
        while !has_come(&self.events) {
            // What is no event has no type: comments, reconnection times.
            let line = self.process.line_with("");
            let item: Value = serde_json::from_str(&line).expect("each line is JSON");
            if item["type"].is_string() {
                let event = Shown::deserialize(item).expect("an event");
                self.events.push(event.into());
            }
        }
        &self.events
    }
}

/// An event as the example writes it.
#[derive(Deserialize)]
struct Shown {
    #[serde(rename = "type")]
    event_type: String,
    last_event_id: String,
    data: String,
}

impl From<Shown> for Event {
    fn from(shown: Shown) -> Self {
        Self {
            event_type: shown.event_type,
            last_event_id: shown.last_event_id,
            data: shown.data,
        }
    }
}

static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| example("tail"));
