//! A decoder written straight from the standard (HTML, sections 9.2.5 and 9.2.6), with `String`s
//! and without any thought of speed. Shares no code with the crate.

use std::time::Duration;

/// What the stream said, as the decoder's items say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Event {
        event_type: String,
        data: String,
        last_event_id: String,
        own_id: bool,
    },
    ReconnectionTime(Duration),
    Comment(String),
    LastEventId(String),
    LineTooLong,
    IdTooLong,
    EventTooLong,
}

/// What is not the standard's: what is handed out, and how much is taken.
#[derive(Clone, Debug)]
pub struct Settings {
    pub comments: bool,
    pub last_event_ids: bool,
    pub last_event_id: String,
    /// The limits of a line and of an event.
    pub limits: Option<(usize, usize)>,
    pub end_at_limit: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            comments: true,
            last_event_ids: true,
            last_event_id: String::new(),
            limits: None,
            end_at_limit: false,
        }
    }
}

/// All that a stream says, and the last event ID string it leaves.
pub fn decode(stream: &[u8], settings: &Settings) -> (Vec<Said>, String) {
    let (said, last_event_id, _) = read(stream, settings);
    (said, last_event_id)
}

/// The block that the end of the stream cuts off, as an event without an id of its own.
pub fn unfinished(stream: &[u8], settings: &Settings) -> Option<Said> {
    read(stream, settings).2
}

#[expect(
    clippy::too_many_lines,
    reason = "the standard's text from top to bottom"
)]
fn read(stream: &[u8], settings: &Settings) -> (Vec<Said>, String, Option<Said>) {
    // Streams must be decoded using the UTF-8 decode algorithm. (It strips one leading BOM, if any.)
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let lens = wire_lens(stream);
    let stream = String::from_utf8_lossy(stream);
    let (lines, unfinished) = split_lines(&stream);

    let mut said = Vec::new();
    // When a stream is parsed, a data buffer, an event type buffer, and a last event ID buffer must be associated with
    // it. They must be initialized to the empty string.
    let mut data = String::new();
    let mut event_type = String::new();
    let mut last_event_id_buffer = settings.last_event_id.clone();
    let mut last_event_id = settings.last_event_id.clone();
    let mut own_id = false;

    let mut taken = 0;
    let mut skipping = false;
    // Whether the block has a field that means something at its end.
    let mut is_open = false;

    let finished = lines.iter().map(|line| (line.as_str(), true));
    assert_eq!(lens.len(), lines.len() + 1, "malformed bytes end no line");
    for ((line, is_finished), len) in finished.chain([(unfinished.as_str(), false)]).zip(lens) {
        if skipping {
            if line.is_empty() && is_finished {
                skipping = false;
            }
            continue;
        }
        if let Some(error) = over_limit(line, len, is_finished, taken, settings) {
            said.push(error);
            (is_open, skipping) = (false, true);
            if settings.end_at_limit {
                break;
            }
            (data, event_type, own_id, taken) = (String::new(), String::new(), false, 0);
            last_event_id_buffer.clone_from(&last_event_id);
            continue;
        }
        if !is_finished {
            // Once the end of the file is reached, any pending data must be discarded.
            continue;
        }
        // If the line is empty (a blank line): Dispatch the event, as defined below.
        if line.is_empty() {
            (taken, is_open) = (0, false);
            // 1. Set the last event ID string of the event source to the value of the last event ID buffer.
            last_event_id.clone_from(&last_event_id_buffer);
            let had_own_id = std::mem::take(&mut own_id);
            // 2. If the data buffer is an empty string, set the data buffer and the event type buffer to the empty
            //    string and return.
            if data.is_empty() {
                event_type.clear();
                if had_own_id && settings.last_event_ids {
                    said.push(Said::LastEventId(last_event_id.clone()));
                }
                continue;
            }
            // 3. If the data buffer's last character is a U+000A LINE FEED (LF) character, then remove the last
            //    character from the data buffer.
            if data.ends_with('\n') {
                data.pop();
            }
            // 5. Initialize event's type attribute to "message".
            // 6. If the event type buffer has a value other than the empty string, change the type.
            let name = if event_type.is_empty() {
                "message".to_owned()
            } else {
                event_type.clone()
            };
            said.push(Said::Event {
                event_type: name,
                data: data.clone(),
                last_event_id: last_event_id.clone(),
                own_id: had_own_id,
            });
            // 7. Set the data buffer and the event type buffer to the empty string.
            data.clear();
            event_type.clear();
            continue;
        }
        // If the line starts with a U+003A COLON character (:): Ignore the line.
        if let Some(comment) = line.strip_prefix(':') {
            if settings.comments {
                said.push(Said::Comment(
                    comment.strip_prefix(' ').unwrap_or(comment).to_owned(),
                ));
            }
            continue;
        }
        let (field, value) = match line.split_once(':') {
            // If the line contains a U+003A COLON character (:)
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            // Otherwise, the string is not empty but does not contain a U+003A COLON character (:)
            None => (line, ""),
        };
        match field {
            "event" => {
                value.clone_into(&mut event_type);
                is_open = true;
            }
            "data" => {
                data.push_str(value);
                data.push('\n');
                is_open = true;
            }
            "id" => {
                if !value.contains('\0') {
                    value.clone_into(&mut last_event_id_buffer);
                    (own_id, is_open) = (true, true);
                }
            }
            "retry" => {
                if !value.is_empty() && value.chars().all(|character| character.is_ascii_digit()) {
                    let digits = value.trim_start_matches('0');
                    let time = if digits.is_empty() {
                        0
                    } else {
                        digits.parse().unwrap_or(u64::MAX)
                    };
                    said.push(Said::ReconnectionTime(Duration::from_millis(time)));
                }
            }
            // Otherwise: The field is ignored.
            _ => continue,
        }
        taken += len;
    }

    let line = if skipping { "" } else { unfinished.as_str() };
    let names = ["data", "event", "id", "retry"];
    let is_field = match line.split_once(':') {
        Some((name, _)) => names.contains(&name),
        // It may become one.
        None => !line.is_empty() && names.iter().any(|name| name.starts_with(line)),
    };
    if !is_open && !is_field {
        return (said, last_event_id, None);
    }
    if let Some(value) = line.strip_prefix("data:") {
        data.push_str(value.strip_prefix(' ').unwrap_or(value));
    }
    if data.ends_with('\n') {
        data.pop();
    }
    if event_type.is_empty() {
        "message".clone_into(&mut event_type);
    }
    let unfinished = Said::Event {
        event_type,
        data,
        last_event_id: last_event_id.clone(),
        own_id: false,
    };
    (said, last_event_id, Some(unfinished))
}

/// Splits a text at its ends-of-line; what follows the last one is a line too.
pub fn lines(text: &str) -> Vec<String> {
    let (mut lines, last) = split_lines(text);
    lines.push(last);
    lines
}

/// The events of a stream, for a reader who asks for nothing else.
pub fn events(stream: &[u8]) -> Vec<Said> {
    let settings = Settings {
        comments: false,
        last_event_ids: false,
        ..Settings::default()
    };
    let (mut said, _) = decode(stream, &settings);
    said.retain(|said| matches!(said, Said::Event { .. }));
    said
}

/// The last reconnection time that a stream sets.
pub fn reconnection_time(stream: &[u8]) -> Option<Duration> {
    let (said, _) = decode(stream, &Settings::default());
    said.iter().rev().find_map(|said| match said {
        Said::ReconnectionTime(time) => Some(*time),
        _ => None,
    })
}

/// The complete lines of a text, without their ends, and what follows the last of them.
fn split_lines(text: &str) -> (Vec<String>, String) {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            '\n' => lines.push(std::mem::take(&mut line)),
            other => line.push(other),
        }
    }
    (lines, line)
}

/// The limit of an `id` line that goes with that of a line, here: below it or above.
pub fn id_limit(line: usize) -> usize {
    if line % 3 == 0 { line / 2 } else { line + 1 }
}

/// How many bytes each line came in, what follows the last end-of-line included: limits count what is on the wire, and
/// a malformed byte is three in a text.
fn wire_lens(stream: &[u8]) -> Vec<usize> {
    let (mut lens, mut len, mut before) = (Vec::new(), 0, None);
    for &byte in stream {
        match byte {
            b'\n' if before == Some(b'\r') => {}
            b'\n' | b'\r' => lens.push(std::mem::take(&mut len)),
            _ => len += 1,
        }
        before = Some(byte);
    }
    lens.push(len);
    lens
}

/// The limit that a line of `len` bytes breaks, if it is one that counts.
fn over_limit(
    line: &str,
    len: usize,
    is_finished: bool,
    taken: usize,
    settings: &Settings,
) -> Option<Said> {
    let (most_line, most_event) = settings.limits?;
    let name = match line.split_once(':') {
        Some((name, _)) => name,
        None if is_finished => line,
        // Without its colon, nobody knows yet what it is.
        None => return None,
    };
    let is_comment = line.starts_with(':') && settings.comments;
    if !is_comment && !["data", "event", "id", "retry"].contains(&name) {
        return None;
    }
    let event_room = most_event.saturating_sub(taken);
    let most_id = id_limit(most_line);
    if name == "id" && most_id < most_line.min(event_room) && len > most_id {
        return Some(Said::IdTooLong);
    }
    if !is_comment && event_room < most_line && len > event_room {
        Some(Said::EventTooLong)
    } else if len > most_line {
        Some(Said::LineTooLong)
    } else {
        None
    }
}
