//! What the decoder promises beyond the standard: here borrowing, and what is shown of it.

mod connections;
#[cfg(feature = "std")]
mod layers;
mod limits;
mod tiny_chunks;

use sse_proto::{Chunk, Decoder, Item};

fn next_data(decoder: &mut Decoder, input: &mut &[u8]) -> Option<String> {
    decoder
        .decode(input)
        .unwrap()
        .and_then(Item::event)
        .map(|event| event.data().into_owned())
}

#[test]
fn an_event_that_lies_whole_in_the_input_is_borrowed_from_it() {
    let stream = b"event: e\nid: 1\ndata: hello\n\n";
    let mut decoder = Decoder::new();
    let mut input = &stream[..];
    let event = decoder
        .decode(&mut input)
        .unwrap()
        .and_then(Item::event)
        .unwrap();
    let range = stream.as_ptr_range();
    assert!(range.contains(&event.data_bytes().as_ptr()));
    assert!(range.contains(&event.event_type_bytes().as_ptr()));
    let mut chunk = Chunk::new(stream);
    let event = decoder
        .decode_chunk(&mut chunk)
        .unwrap()
        .and_then(Item::event)
        .unwrap();
    assert!(range.contains(&event.data().as_ptr()));
}

#[test]
fn debug_dumps_no_payload() {
    let mut decoder = Decoder::new();
    let mut input = &b"data: secret\n\n"[..];
    let item = decoder.decode(&mut input).unwrap().unwrap();
    assert!(!format!("{item:?}").contains("secret"));
    assert!(!format!("{:?}", item.to_owned()).contains("secret"));
}

#[test]
fn an_explicit_message_type_is_no_type() {
    let both = b"event: message\ndata: x\n\ndata: x\n\n";
    let mut decoder = Decoder::new();
    let mut input = &both[..];
    let events: Vec<_> = std::iter::from_fn(|| decoder.decode_owned(&mut input).unwrap()).collect();
    assert_eq!(events[0], events[1]);
    let (mut first, mut second) = (&both[..], &both[24..]);
    let (mut one, mut other) = (Decoder::new(), Decoder::new());
    assert_eq!(
        one.decode(&mut first).unwrap(),
        other.decode(&mut second).unwrap()
    );
}

#[test]
fn a_type_that_is_cut_within_a_character_ends_in_a_replacement() {
    // The long comment makes the chunk worth a check of its own.
    let head = [&b":"[..], &[b'x'; 65], b"\nevent: a\xE2\x82"].concat();
    let mut decoder = Decoder::new();
    let mut chunk = Chunk::new(&head);
    assert!(decoder.decode_chunk(&mut chunk).unwrap().is_none());
    let mut chunk = Chunk::new(b"\ndata: x\n\n");
    let event = decoder
        .decode_chunk(&mut chunk)
        .unwrap()
        .and_then(Item::event)
        .unwrap();
    assert_eq!(event.event_type(), "a\u{FFFD}");
}
