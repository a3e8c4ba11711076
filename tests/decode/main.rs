//! What the decoder promises beyond the standard: here borrowing, and what is shown of it.

mod connections;
mod items;
#[cfg(feature = "std")]
mod layers;
mod limits;

use sse_proto::decode::OwnedMessageEvent;
use sse_proto::{Decoder, Item};

/// Decodes all bytes and returns the events.
fn events(decoder: &mut Decoder, bytes: &[u8]) -> Vec<OwnedMessageEvent> {
    let mut items = decoder.feed(bytes);
    let mut events = Vec::new();
    while let Some(item) = items.next_owned().unwrap() {
        events.extend(item.into_event());
    }
    events
}

#[test]
fn an_event_that_lies_whole_in_the_input_is_borrowed_from_it() {
    let stream = b"event: e\nid: 1\ndata: hello\n\n".repeat(10);
    let range = stream.as_ptr_range();
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(&stream);
    let mut count = 0;
    while let Some(Item::Event(event)) = items.next().unwrap() {
        assert!(range.contains(&event.data_bytes().as_ptr()));
        assert!(range.contains(&event.event_type().as_ptr()));
        assert!(range.contains(&event.data().as_ptr()));
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn debug_dumps_no_payload() {
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(b"data: secret\n\n");
    assert!(!format!("{items:?}").contains("secret"));
    let item = items.next().unwrap().unwrap();
    assert!(!format!("{item:?}").contains("secret"));
    assert!(!format!("{:?}", item.into_owned()).contains("secret"));
    assert!(!format!("{decoder:?}").contains("secret"));
}

#[test]
fn an_explicit_message_type_is_no_type() {
    let (typed, plain) = (&b"event: message\ndata: x\n\n"[..], &b"data: x\n\n"[..]);
    let both = events(&mut Decoder::new(), &[typed, plain].concat());
    for event in both {
        assert_eq!((event.event_type(), event.data()), ("message", "x"));
    }
}

#[test]
fn a_type_that_is_cut_within_a_character_ends_in_a_replacement() {
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(b": x\nevent: a\xE2\x82");
    assert!(matches!(items.next(), Ok(None)));
    let mut items = decoder.feed(b"\ndata: x\n\n");
    let event = items.next().unwrap().and_then(Item::into_event).unwrap();
    assert_eq!(event.event_type(), "a\u{FFFD}");
}
