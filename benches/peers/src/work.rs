use crate::reader::{self, Arrived};
use std::iter;

/// One event to encode.
#[derive(Debug)]
pub struct Work {
    /// What it stands for.
    pub name: &'static str,
    /// The event type.
    pub event_type: Option<&'static str>,
    /// The id.
    pub id: Option<&'static str>,
    /// The data.
    pub data: &'static str,
    /// What goes on the wire, written by hand here.
    pub wire: Vec<u8>,
}

/// Returns the work of the comparison. It lives as long as the process: russe takes text without copying it only if it is `'static`.
pub fn works() -> &'static [Work] {
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" the quick brown fox jumps over a dog!!!"}}"#;
    let tick = r#"{"t":21.5,"h":0.413}"#;
    assert!(
        delta.len() == 120 && tick.len() == 20,
        "the names tell the lengths"
    );
    let lines: Vec<String> = (0..40)
        .map(|line| format!("{line:02} {}", "x".repeat(77)))
        .collect();
    let with_breaks = "fifteen bytes!!\n".repeat(256 * 1024 / 16);
    Vec::leak(vec![
        Work::new(
            "delta (event type, 120 bytes)",
            Some("content_block_delta"),
            None,
            delta,
        ),
        Work::new("tick (id, 20 bytes)", None, Some("1700000042"), tick),
        Work::new("40 lines of 80 bytes, LF", None, None, lines.join("\n")),
        Work::new("40 lines of 80 bytes, CRLF", None, None, lines.join("\r\n")),
        Work::new("one line of 256 KiB", None, None, "x".repeat(256 * 1024)),
        Work::new("256 KiB, a break every 16 bytes", None, None, with_breaks),
    ])
}

impl Work {
    fn new(
        name: &'static str,
        event_type: Option<&'static str>,
        id: Option<&'static str>,
        data: impl Into<String>,
    ) -> Self {
        let data: &'static str = String::leak(data.into());
        let data_lines = data.replace("\r\n", "\n").replace('\n', "\ndata: ");
        let head = iter::zip(["event", "id"], [event_type, id]);
        let head: String = head
            .filter_map(|(field, value)| value.map(|value| format!("{field}: {value}\n")))
            .collect();
        let wire = format!("{head}data: {data_lines}\n\n").into_bytes();
        let work = Self {
            name,
            event_type,
            id,
            data,
            wire,
        };
        assert!(
            work.is_what_arrives_from(&work.wire),
            "the reference is right: {name}"
        );
        work
    }

    pub(crate) fn is_what_arrives_from(&self, wire: &[u8]) -> bool {
        let sent = Arrived {
            event_type: self.event_type.unwrap_or("message").to_owned(),
            id: self.id.unwrap_or_default().to_owned(),
            data: self.data.replace("\r\n", "\n").replace('\r', "\n"),
        };
        reader::read(wire) == [sent]
    }
}
