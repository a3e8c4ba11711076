//! A decoder written straight from the standard (HTML, sections 9.2.5 and 9.2.6), with `String`s
//! and without any thought of speed.

/// What a client sees of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    pub event_type: String,
    pub data: String,
    pub last_event_id: String,
}

/// What a client has seen after a whole stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub events: Vec<Dispatched>,
    pub last_event_id: String,
    pub reconnection_time: Option<u64>,
    pub comments: Vec<String>,
}

pub fn decode(bytes: &[u8]) -> Received {
    // "Streams must be decoded using the UTF-8 decode algorithm", which strips one BOM.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes).into_owned();

    let mut received = Received::default();
    let (mut data, mut event_type, mut last_event_id) =
        (String::new(), String::new(), String::new());
    for line in complete_lines(&text) {
        if line.is_empty() {
            // Dispatch the event.
            received.last_event_id.clone_from(&last_event_id);
            if data.is_empty() {
                event_type.clear();
                continue;
            }
            if data.ends_with('\n') {
                data.pop();
            }
            received.events.push(Dispatched {
                event_type: if event_type.is_empty() {
                    "message".to_owned()
                } else {
                    event_type.clone()
                },
                data: data.clone(),
                last_event_id: last_event_id.clone(),
            });
            data.clear();
            event_type.clear();
        } else if let Some(comment) = line.strip_prefix(':') {
            received.comments.push(comment.to_owned());
        } else {
            let (field, value) = match line.split_once(':') {
                Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
                None => (line.as_str(), ""),
            };
            match field {
                "event" => value.clone_into(&mut event_type),
                "data" => {
                    data.push_str(value);
                    data.push('\n');
                }
                "id" if !value.contains('\0') => value.clone_into(&mut last_event_id),
                "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                    received.reconnection_time = Some(value.parse().unwrap_or(u64::MAX));
                }
                _ => {}
            }
        }
    }
    received
}

/// The lines that have an end; what follows the last end is no line yet.
fn complete_lines(text: &str) -> Vec<String> {
    let mut lines = lines(text);
    lines.pop();
    lines
}

/// Splits a text at its ends-of-line; what follows the last one is a line too.
pub fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            '\n' => lines.push(std::mem::take(&mut line)),
            c => line.push(c),
        }
    }
    lines.push(line);
    lines
}
