//! Entries, and what clients read.

use core::time::Duration;

use futures_util::StreamExt;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventId, EventType};
use sse_proto_relay::{Body, Entry};
use tokio::time::{Instant, sleep, timeout};

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// The time in which what a test waits for must come.
const PATIENCE: Duration = Duration::from_secs(15);

/// Subscribes to what is for all.
pub fn all() -> SubscribeOptions {
    SubscribeOptions::new()
}

/// Tells a client that it cannot be resumed.
pub fn reset() -> Event<'static> {
    Event::new(EventType::from_static("reset"), "told")
}

/// Makes an id.
pub fn event_id(id: &str) -> EventId<'static> {
    EventId::new(id.to_owned()).unwrap()
}

/// Makes an entry for all.
pub fn entry(data: &str) -> Entry {
    Entry::new(&Event::message(data)).unwrap()
}

/// Reads from a stream until an event has the data, and returns all that came, as text.
pub async fn until(body: &mut Body, data: &str) -> String {
    let mut text = String::new();
    let ends = format!("data: {data}\n\n");
    let read = async {
        while !text.contains(&ends) {
            let chunk = body.next().await.unwrap_or_else(|| panic!("ended: {text}"));
            text.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    let in_time = timeout(PATIENCE, read).await.is_ok();
    assert!(in_time, "{data} did not come: {text}");
    text
}

/// Reads a stream to its end.
pub async fn end(body: &mut Body) -> String {
    let mut text = String::new();
    let read = async {
        while let Some(chunk) = body.next().await {
            text.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    let in_time = timeout(PATIENCE, read).await.is_ok();
    assert!(in_time, "no end: {text}");
    text
}

/// Waits until something is true.
pub async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "not {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the data of events in the text of a stream.
pub fn data(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect()
}
