//! What the examples send, written out: none of it is made by the crate.

/// What the stream of a new client begins with, after the event of this number: a client that is cut here comes back
/// with the id.
pub(crate) fn hello(epoch: &str, number: u64) -> String {
    format!(": hello\nevent: stream-start\nid: {epoch}-{number}\nretry: 200\ndata: {{}}\n\n")
}

/// What it begins with for a client that is resumed.
pub(crate) const HELLO_AGAIN: &str = ": hello\nretry: 200\n";

/// What it begins with for a client whose id is not in the log: the id comes with the reset, or it might get that alone.
pub(crate) fn reset(epoch: &str, number: u64) -> String {
    format!(": hello\nretry: 200\nevent: reset\nid: {epoch}-{number}\ndata: \n\n")
}

/// The lines of the ticks' data behind the number, by number modulo 8.
const LINES: [&[&str]; 8] = [
    &["one line"],
    &["two", "lines"],
    &["", "first and last empty", ""],
    &["a CR", "and a CRLF", "end lines too"],
    &[r#"{"json": [1, "two", null], "text": "\n"}"#],
    &["🦀 👩‍🔬 é"],
    &["U+2028\u{2028}and U+0085\u{85}are text"],
    &[
        " a space first, and what looks like one",
        "id: 7",
        "data: x",
    ],
];

/// Returns the data of a tick, as a client is given it.
pub(crate) fn tick(number: u64) -> String {
    let lines = LINES[usize::try_from(number % 8).expect("below 8")];
    format!("{number} {}", lines.join("\n"))
}

/// Returns the bytes of the ticks from 1 to this.
pub(crate) fn ticks(epoch: &str, to: u64) -> String {
    let ticks = (1..=to).map(|number| block("tick", epoch, number, &tick(number)));
    ticks.collect()
}

/// Returns the bytes of an echo.
pub(crate) fn echo(epoch: &str, number: u64, data: &str) -> String {
    block("echo", epoch, number, data)
}

fn block(event_type: &str, epoch: &str, number: u64, data: &str) -> String {
    let data = data.replace('\n', "\ndata: ");
    format!("event: {event_type}\nid: {epoch}-{number}\ndata: {data}\n\n")
}
