//! Writes items to the terminal, or as JSON.

use std::io::{self, Write};

use sse_proto::decode::{OwnedItem, OwnedMessageEvent};

/// Writes an item to standard output: as text for a person, or as a line of JSON for a program.
pub(crate) fn show(item: &OwnedItem, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", escaped(&as_json(item).to_string()))?;
    } else {
        match item {
            OwnedItem::Event(event) => show_event(&mut out, event)?,
            OwnedItem::ReconnectionTime(time) => writeln!(out, "-- reconnection time {time:?}")?,
            OwnedItem::Comment(text) => writeln!(out, "-- {}", printable(text))?,
            OwnedItem::LastEventId(id) => writeln!(out, "-- last event ID {}", printable(id))?,
            other => writeln!(out, "-- {other:?}")?,
        }
    }
    out.flush()
}

fn show_event(out: &mut impl Write, event: &OwnedMessageEvent) -> io::Result<()> {
    // Notices of this program begin with `--`, so an event type that begins with `--` is marked.
    let is_like_notice = event.event_type().starts_with("--");
    let mark = if is_like_notice { "\\" } else { "" };
    write!(out, "{mark}{}", printable(event.event_type()))?;
    if event.has_own_id() {
        write!(out, " #{}", printable(event.last_event_id()))?;
    }
    let mut lines = event.data().split('\n').map(printable);
    if lines.clone().nth(1).is_none() {
        return writeln!(out, ": {}", lines.next().unwrap_or_default());
    }
    writeln!(out, ":")?;
    lines.try_for_each(|line| writeln!(out, "    {line}"))
}

/// Replaces the characters that control a terminal, change the direction of text or are invisible.
/// Received text must not control the terminal.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c| {
        if drives_terminal(c) && c != '\t' {
            '\u{FFFD}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// Escapes the same characters in JSON.
fn escaped(json: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if drives_terminal(c) {
            // All of them are below U+10000, so one escape is enough. Writing to a string cannot
            // fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn drives_terminal(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        )
}

fn as_json(item: &OwnedItem) -> serde_json::Value {
    use serde_json::json;
    match item {
        OwnedItem::Event(event) => json!({
            "type": event.event_type(),
            "data": event.data(),
            "last_event_id": event.last_event_id(),
            "own_id": event.has_own_id(),
        }),
        OwnedItem::ReconnectionTime(time) => {
            json!({ "reconnection_time": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) })
        }
        OwnedItem::Comment(text) => json!({ "comment": text }),
        OwnedItem::LastEventId(id) => json!({ "last_event_id": id }),
        other => json!({ "other": format!("{other:?}") }),
    }
}
