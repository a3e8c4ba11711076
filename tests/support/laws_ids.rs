//! Law 12: what a broadcast sends, it takes back. And what a request brings is read like a naive
//! reader does, whatever it is.

use std::fmt::Write;

use sse_proto::broadcast::{Key, Publication, PublishError, Retention, Subscribed};
use sse_proto::event::LastEventId;
use sse_proto::http::last_event_id;
use sse_proto::{Broadcast, Event, EventId, Frame};

/// The name of the parameter in the laws.
pub const PARAMETER: &str = "lastEventId";

/// A publication takes exactly the ids that come back, and names what is wrong with any other.
pub fn what_is_published_comes_back(text: &str) {
    let Ok(id) = EventId::new(text) else { return };
    let event = Event::message("x").with_id(id.clone());
    // Each text has a key.
    let broadcast = || Broadcast::with_key(Retention::default(), Key::from_fn(|_| Some(0)));
    let mut as_frame = broadcast().publish_all([Publication::new(Frame::new(&event))]);
    let broadcast = broadcast();
    let published = broadcast.publish(&event);
    assert_eq!(Some(&published), as_frame.pop().as_ref());

    let in_header = last_event_id([text], None, PARAMETER);
    let queries = [percent_encoded(text), form_encoded(text)];
    let in_queries = queries
        .each_ref()
        .map(|query| last_event_id([""], Some(query), PARAMETER));
    if let Err(error) = published {
        assert!(!is_ours(text), "{text:?}: {error}");
        let PublishError::InvalidId(error) = error else {
            panic!("{error}")
        };
        match error.character() {
            Some(character) => assert!(text[error.offset()..].starts_with(character)),
            None => assert!(text.len() > error.offset()),
        }
        assert_eq!(in_queries, [LastEventId::Invalid, LastEventId::Invalid]);
        // A header has no blanks at its ends.
        assert!(!matches!(in_header, LastEventId::Id(id) if id == text));
        return;
    }
    assert!(is_ours(text), "{text:?}");
    assert_eq!(published, Ok(1));
    let expected = LastEventId::from(id);
    for came_back in [in_header].into_iter().chain(in_queries) {
        assert_eq!(came_back, expected);
        match broadcast.subscribe(came_back) {
            Subscribed::Live(_) => assert_eq!(text, ""),
            Subscribed::Resumed { missed, .. } => assert_eq!(missed, 0),
            other => panic!("{text:?} is {other:?}"),
        }
    }
}

/// Whatever a request brings is read, and like a naive reader reads it.
pub fn a_request_is_read_like_a_naive_reader_does(lines: &[&[u8]], query: Option<&str>) {
    let expected = match naive_header(lines) {
        LastEventId::None => naive_query(query.unwrap_or_default()),
        in_header => in_header,
    };
    let read = last_event_id(lines.iter().copied(), query, PARAMETER);
    assert_eq!(read, expected);
    let is_invalid = matches!(read, LastEventId::Invalid);
    match Broadcast::new(Retention::default()).subscribe(read) {
        Subscribed::Live(_) => assert_eq!(expected, LastEventId::None),
        Subscribed::Unknown(_) => assert!(is_invalid || matches!(expected, LastEventId::Id(_))),
        other => panic!("{other:?}"),
    }
}

/// Returns whether an id is one that a broadcast publishes.
fn is_ours(text: &str) -> bool {
    let is_control = |c: char| c < ' ' && c != '\t' || c == '\u{7F}';
    text.len() <= 1024 && !text.contains(is_control) && text.trim_matches([' ', '\t']) == text
}

fn naive_header(lines: &[&[u8]]) -> LastEventId<'static> {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let mut values = Vec::new();
    for line in lines {
        let Some(start) = line.iter().position(|byte| !is_blank(byte)) else {
            continue;
        };
        let end = line.iter().rposition(|byte| !is_blank(byte)).unwrap();
        values.push(line[start..=end].to_vec());
    }
    judged(values.join(&b", "[..]))
}

fn naive_query(query: &str) -> LastEventId<'static> {
    let mut last = LastEventId::None;
    for pair in query.split('&') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        if decoded(name).as_deref() == Some(PARAMETER.as_bytes()) && !value.is_empty() {
            last = decoded(value).map_or(LastEventId::Invalid, judged);
        }
    }
    last
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('+', " ");
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

fn judged(bytes: Vec<u8>) -> LastEventId<'static> {
    match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => LastEventId::None,
        Ok(text) if is_ours(&text) => LastEventId::Id(EventId::new(text).unwrap()),
        _ => LastEventId::Invalid,
    }
}

/// As `encodeURIComponent`, and more.
fn percent_encoded(text: &str) -> String {
    let mut query = format!("room=7&{PARAMETER}=");
    if !text.is_empty() {
        // It was in the URL before.
        write!(query, "old&{PARAMETER}=").unwrap();
    }
    for byte in text.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() => query.push(char::from(byte)),
            byte => write!(query, "%{byte:02X}").unwrap(),
        }
    }
    query
}

/// As `URLSearchParams`, with small digits.
fn form_encoded(text: &str) -> String {
    let mut query = format!("{PARAMETER}=");
    for byte in text.bytes() {
        match byte {
            b' ' => query.push('+'),
            byte if byte.is_ascii_alphanumeric() => query.push(char::from(byte)),
            byte => write!(query, "%{byte:02x}").unwrap(),
        }
    }
    query
}
