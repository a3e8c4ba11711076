//! What one event, one line and one id may take. (What is held for them: `tests/alloc`.)

use sse_proto::decode::{DecodeError, DecodeLimits, OwnedItem, OwnedMessageEvent};
use sse_proto::{Decoder, Item};

use crate::events;

fn data(decoder: &mut Decoder, bytes: &[u8]) -> Vec<String> {
    let events = events(decoder, bytes).into_iter();
    events.map(OwnedMessageEvent::into_data).collect()
}

#[test]
fn the_line_limit_bites_in_the_middle_of_a_line() {
    let limits = DecodeLimits::new().with_max_line_bytes(10);
    let mut decoder = Decoder::new().with_limits(limits);
    assert!(matches!(decoder.feed(b"data: 1234").next(), Ok(None)));
    assert_eq!(
        decoder.feed(b"5").next().unwrap_err(),
        DecodeError::LineTooLong { limit: 10 }
    );
    let rest = b"6\ndata: x\nid: 1\n\ndata: y\n\n";
    assert_eq!(data(&mut decoder, rest), ["y"]);
    assert_eq!(decoder.last_event_id(), "");
}

#[test]
fn the_event_limit_counts_all_lines_of_the_block() {
    let limits = DecodeLimits::new().with_max_event_bytes(12);
    let mut decoder = Decoder::new().with_limits(limits);
    let mut items = decoder.feed(b"data: x\ndata:\n\ndata: x\ndata:1\ndata: lost\n\ndata: y\n\n");
    let event = items.next().unwrap().and_then(Item::into_event).unwrap();
    assert_eq!(event.data(), "x\n");
    assert_eq!(
        items.next().unwrap_err(),
        DecodeError::EventTooLong { limit: 12 }
    );
    let event = items.next().unwrap().and_then(Item::into_event).unwrap();
    assert_eq!(event.data(), "y");
}

#[test]
fn comments_and_unknown_fields_never_count() {
    let limits = DecodeLimits::new()
        .with_max_line_bytes(10)
        .with_max_event_bytes(10);
    let mut decoder = Decoder::new().with_limits(limits);
    let mut stream = b":".repeat(1000);
    stream.extend(b"\nunknown: ".repeat(100));
    stream.extend(b"\ndata: x\n\n");
    assert_eq!(data(&mut decoder, &stream), ["x"]);
}

#[test]
fn past_a_limit_the_stream_may_end() {
    let limits = DecodeLimits::new()
        .with_max_line_bytes(6)
        .with_end_at_limit(true);
    let mut decoder = Decoder::new().with_limits(limits);
    let mut items = decoder.feed(b"data: x\n\ndata:y\n\n");
    assert_eq!(
        items.next().unwrap_err(),
        DecodeError::LineTooLong { limit: 6 }
    );
    assert!(matches!(items.next(), Ok(None)));
    assert!(items.remaining().is_empty());
    assert!(decoder.is_stopped());
    decoder.reconnect();
    assert!(!decoder.is_stopped());
    assert_eq!(data(&mut decoder, b"data:y\n\n"), ["y"]);
}

#[test]
fn sixteen_mebibytes_pass_by_default_and_no_more() {
    const MOST: usize = 16 << 20;
    for len in [MOST, MOST + 1] {
        let mut stream = b"data: ".to_vec();
        stream.resize(len, b'x');
        stream.extend(b"\n\n");
        let mut decoder = Decoder::new();
        let mut told = Vec::new();
        for piece in stream.chunks(1460) {
            let mut items = decoder.feed(piece);
            if let Some(item) = items.next_owned().transpose() {
                told.push(item.map(|item| item.into_event().unwrap().data().len()));
            }
        }
        if len == MOST {
            assert_eq!(told, [Ok(MOST - 6)]);
        } else {
            assert_eq!(told, [Err(DecodeError::LineTooLong { limit: MOST })]);
        }
    }
}

#[test]
fn data_taken_out_carries_no_more_than_itself() {
    let stream = [b"id: ", &vec![b'7'; 100_000][..], b"\ndata: hi\n\n"].concat();
    let mut decoder = Decoder::new().with_limits(DecodeLimits::unlimited());
    let event = events(&mut decoder, &stream).remove(0);
    assert!(event.into_data().capacity() <= 64);
}

#[test]
fn a_comment_does_not_count_against_its_event_however_it_is_cut() {
    let limits = DecodeLimits::new().with_max_event_bytes(10);
    let stream = b": a comment that is longer than the event may be\ndata: x\n\n";
    for cut in 0..=stream.len() {
        let mut decoder = Decoder::new().with_limits(limits).with_comments(true);
        let mut said = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            let mut items = decoder.feed(piece);
            while let Some(item) = items.next_owned().unwrap() {
                said.push(item);
            }
        }
        assert!(matches!(
            said[..],
            [OwnedItem::Comment(_), OwnedItem::Event(_)]
        ));
    }
}

#[test]
fn a_large_id_is_refused_and_the_earlier_one_stands() {
    let stream = [
        &b"id: 7\n\nid: "[..],
        &[b'8'; 10_000],
        b"\ndata: x\n\ndata: y\n\n",
    ]
    .concat();
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(&stream);
    let limit = 8 << 10;
    assert_eq!(items.next().unwrap_err(), DecodeError::IdTooLong { limit });
    let event = items.next().unwrap().and_then(Item::into_event).unwrap();
    assert_eq!((&*event.data(), event.last_event_id()), ("y", "7"));
}

#[test]
fn errors_say_which_limit_was_passed() {
    for (error, text) in [
        (
            DecodeError::LineTooLong { limit: 1 },
            "line is longer than the limit of 1 bytes",
        ),
        (
            DecodeError::IdTooLong { limit: 2 },
            "id line is longer than the limit of 2 bytes",
        ),
        (
            DecodeError::EventTooLong { limit: 3 },
            "event is longer than the limit of 3 bytes",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
