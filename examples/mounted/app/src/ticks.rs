//! The data of the ticks: kinds of data that are easy to get wrong on the wire.

use sse_proto::EventType;

/// The type of the ticks.
pub const TICK: EventType = EventType::from_static("tick");

/// Returns the data of a tick: the same for the same number, whichever server sends it.
pub fn data(number: u64) -> String {
    let kinds = [
        "one line",
        "two\nlines",
        "\nfirst and last empty\n",
        "a CR\rand a CRLF\r\nend lines too",
        r#"{"json": [1, "two", null], "text": "\n"}"#,
        "\u{1F980} \u{1F469}\u{200D}\u{1F52C} é",
        "U+2028\u{2028}and U+0085\u{85}are text",
        " a space first, and what looks like one\nid: 7\ndata: x",
    ];
    let kind = usize::try_from(number % 8).unwrap_or_default();
    format!("{number} {}", kinds[kind])
}
