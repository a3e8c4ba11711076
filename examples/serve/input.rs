//! Publishes each line of standard input as an event.

use std::io::{self, BufRead, Read};

use sse_proto::{Event, EventType};

use crate::log::log;
use crate::publisher::{EVENT_LIMIT, Publisher};

const LINE: EventType<'static> = EventType::from_static("line");
/// The most bytes of a line that are read into memory. The rest of the line is skipped.
const LINE_LIMIT: usize = 16 << 20;
/// The number of bytes that are sent of a line that is too long. They fit into an event even if
/// each byte is a CR, which begins a `data` field of its own.
const SENT_OF_LONG: usize = 1 << 20;
/// The largest buffer, in bytes, that is kept after a long line.
const KEPT: usize = 64 << 10;

/// Publishes the lines of standard input until it ends.
pub(crate) fn publish(publisher: &Publisher) {
    match publish_lines(&mut io::stdin().lock(), publisher) {
        Ok(()) => log(format_args!("standard input has ended; the metrics go on")),
        Err(error) => log(format_args!(
            "standard input cannot be read any more: {error}"
        )),
    }
}

fn publish_lines(input: &mut impl BufRead, publisher: &Publisher) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        line.shrink_to(KEPT);
        if input.take(LINE_LIMIT as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n") || line.len() < LINE_LIMIT;
        publisher.publish(&event(&line, whole));
        if !whole {
            let skipped = input.skip_until(b'\n')?;
            log(format_args!(
                "a line of standard input was cut: {} bytes",
                line.len() + skipped
            ));
        }
    }
}

/// Makes the event of a line. Bytes that are not UTF-8 become U+FFFD. A CR within the line becomes
/// a line break in the data.
fn event(line: &[u8], whole: bool) -> Event<'_> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let event = Event::new(LINE, String::from_utf8_lossy(line));
    if whole && event.encoded_len() <= EVENT_LIMIT {
        return event;
    }
    let sent = String::from_utf8_lossy(&line[..line.len().min(SENT_OF_LONG)]);
    Event::new(
        LINE,
        format!("{sent}\n[cut here: the line is too long to be sent]"),
    )
}
