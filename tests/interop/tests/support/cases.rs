//! The events that are sent: every case that some reader gets wrong.

use std::time::Duration;

use serde_json::{Value, json};
use sse_proto::event::START;
use sse_proto::{Event, EventId, EventType};

const NAMED: EventType = EventType::from_static("named");

/// The type of the last event, which ends a client.
pub(crate) const END: EventType = EventType::from_static("last");

/// One event and its name in the table.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) event: Event<'static>,
    /// True if a keep-alive follows.
    pub(crate) is_paused: bool,
}

impl Case {
    pub(crate) fn new(name: &'static str, event: Event<'static>) -> Self {
        Self {
            name,
            event,
            is_paused: false,
        }
    }

    fn message(name: &'static str, data: impl Into<String>) -> Self {
        Self::new(name, Event::message(data.into()))
    }

    fn with_id(mut self, id: impl Into<EventId<'static>>) -> Self {
        self.event = self.event.with_id(id);
        self
    }

    /// Sends a keep-alive after the event.
    pub(crate) fn paused(mut self) -> Self {
        self.is_paused = true;
        self
    }
}

/// Returns every hard case. The client resumes with the id `last`.
pub(crate) fn hard(last: EventId<'static>) -> Vec<Case> {
    let id = |text| EventId::new(text).expect("an id");
    let texts = TEXTS.map(|(name, text)| Case::message(name, text));
    let mut cases = vec![
        Case::message("an id", "one").with_id(1_u32).paused(),
        Case::new("a type", Event::new(NAMED, "named")),
        Case::message("id 0", "zero").with_id(0_u32).paused(),
        Case::message("no id after id 0", "still zero"),
        Case::message("id reset", "reset").with_id(id("")).paused(),
        Case::message("no id after a reset", "still none").paused(),
        Case::message("id beyond ASCII", "é").with_id(id("é€😀")),
        Case::message("id again", "two").with_id(2_u32),
    ];
    cases.extend(texts);
    cases.extend([
        Case::message("300 kB in a line", "x".repeat(300_000)).paused(),
        Case::message("5000 lines", lines(5000)).paused(),
        Case::new(
            "retry within an event",
            Event::message("retry").with_reconnection_time(RETRY),
        ),
        Case::message("the last before a cut", "last").with_id(last),
    ]);
    cases
}

/// Returns the event that starts a new client's stream.
pub(crate) fn start(id: EventId<'static>) -> Case {
    Case::new("the start", Event::new(START, "{}")).with_id(id)
}

/// Returns the events for a client that has resumed.
pub(crate) fn resumed() -> Vec<Case> {
    vec![
        Case::message("resumed", "resumed").paused(),
        Case::new(
            "a type after a keep-alive",
            Event::new(NAMED, "named again"),
        )
        .paused(),
        Case::message("the last before a restart", "before the restart"),
    ]
}

/// Returns the event after a restart.
pub(crate) fn restarted() -> Case {
    Case::message("after a restart", "restarted")
}

/// Returns the last events of a client.
pub(crate) fn last() -> Vec<Case> {
    vec![
        Case::message("after a 503", "back").paused(),
        // A client that loses this event still ends.
        Case::message("after a keep-alive", "on"),
        Case::new("the end", Event::new(END, "")),
    ]
}

/// The reconnection time that is sent.
pub(crate) const RETRY: Duration = Duration::from_millis(50);

/// Texts that some readers get wrong, with their names in the table.
pub(crate) const TEXTS: [(&str, &str); 11] = [
    ("empty data", ""),
    ("leading spaces", "  two"),
    ("trailing spaces", "two  "),
    ("emoji", "😀 e\u{301} \u{1F469}\u{200D}\u{1F4BB}"),
    ("U+2028, U+2029, U+0085", "a\u{2028}b\u{2029}c\u{85}d"),
    ("vertical tab, form feed, U+001C", "a\u{b}b\u{c}c\u{1c}d"),
    ("CR and CRLF", "a\rb\r\nc"),
    ("empty lines", "\n\na\n\n\nb\n"),
    ("what looks like fields", "data: 1\nid: 9\n: c\n:"),
    ("NUL", "a\0b"),
    ("U+FEFF", "\u{FEFF}a"),
];

/// Returns a text of this many lines.
fn lines(count: usize) -> String {
    let lines: Vec<String> = (0..count).map(|line| line.to_string()).collect();
    lines.join("\n")
}

/// Returns the texts that an SDK receives within JSON, which escapes line ends.
pub(crate) fn texts() -> Vec<(&'static str, String)> {
    let short = TEXTS.map(|(name, text)| (name, text.to_owned()));
    let long = [
        ("300 kB in a line", "x".repeat(300_000)),
        ("5000 lines", "5000 lines".to_owned()),
    ];
    short.into_iter().chain(long).collect()
}

/// Returns a value to add to a part of an answer: for `5000 lines`, it takes that many when pretty-printed.
pub(crate) fn padding(name: &str) -> Value {
    match name {
        "5000 lines" => json!((0..5000).collect::<Vec<_>>()),
        _ => json!([]),
    }
}
