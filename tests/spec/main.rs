//! WHATWG HTML 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream": each sentence above the test
//! that holds it, word for word; `[...]` stands for words left out. Left out too: the MIME type, the fourth and the
//! eighth step of dispatching and the script of an example, which are about documents and not about decoding.

mod interpreting_9_2_6;
mod parsing_9_2_5;

use sse_proto::{Decoder, Item};

/// Decodes a whole stream; an event is told as `type/id/data`.
fn decode(stream: &[u8]) -> Vec<String> {
    decode_with(Decoder::new(), stream)
}

fn decode_with(mut decoder: Decoder, stream: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    let mut items = decoder.feed(stream);
    while let Some(item) = items.next().unwrap() {
        told.push(match item {
            Item::Event(event) => format!(
                "{}/{}/{}",
                event.event_type(),
                event.last_event_id(),
                event.data()
            ),
            Item::ReconnectionTime(time) => format!("retry {}", time.as_millis()),
            other => format!("{other:?}"),
        });
    }
    told
}
