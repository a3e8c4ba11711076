//! Writes items to the terminal, or as JSON.

use std::error::Error;
use std::io::{self, Write};

use serde_json::Value;
use sse_proto::decode::{OwnedItem, OwnedMessageEvent};

/// Writes an item to standard output: as text for a person, or as a line of JSON for a program.
pub(crate) fn show(item: &OwnedItem, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", escaped(&as_json(item)))?;
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

/// Replaces the characters with which a server could deceive the reader of a terminal: control
/// characters, invisible ones, and those that turn the direction of text.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c| {
        if is_unseen(c) && c != '\t' {
            '\u{FFFD}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// An error with the chain of its causes, each of which says only its own part.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = printable(&error.to_string());
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {}", printable(&error.to_string()));
        source = error.source();
    }
    text
}

/// The same for JSON, which has escapes for them.
fn escaped(json: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unseen(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` never fails.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Control characters, Unicode's `Default_Ignorable_Code_Point` and `Bidi_Control`, the separators
/// of lines and paragraphs, and the format characters without a glyph that are none of these.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}'
                | '\u{34F}'
                | '\u{61C}'
                | '\u{115F}'..='\u{1160}'
                | '\u{17B4}'..='\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFFB}'
                | '\u{13430}'..='\u{1343F}'
                | '\u{1BCA0}'..='\u{1BCA3}'
                | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

/// An object whose fields are in this order. The type of an event comes first, because people read
/// a line from its start.
fn as_json(item: &OwnedItem) -> String {
    let fields: &[(&str, Value)] = &match item {
        OwnedItem::Event(event) => vec![
            ("type", event.event_type().into()),
            ("data", event.data().into()),
            ("last_event_id", event.last_event_id().into()),
            ("own_id", event.has_own_id().into()),
        ],
        OwnedItem::ReconnectionTime(time) => {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            vec![("reconnection_time", millis.into())]
        }
        OwnedItem::Comment(text) => vec![("comment", text.as_str().into())],
        OwnedItem::LastEventId(id) => vec![("last_event_id", id.as_str().into())],
        other => vec![("other", format!("{other:?}").into())],
    };
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}
