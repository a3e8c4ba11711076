//! What a caller may do between two items.

use sse_proto::decode::{OwnedItem, OwnedMessageEvent};
use sse_proto::{Decoder, Item};

use crate::events;

#[test]
fn the_bytes_that_remain_are_fed_again_and_none_is_lost() {
    let stream =
        b"data: a\n\n: c\nretry: 1\nid: 7\n\ndata: b\r\n\r\nevent: e\ndata: c\n\ndata: cut";
    // After each number of items: feed the rest anew.
    for taken in 0..=6 {
        let mut decoder = Decoder::new().with_comments(true).with_last_event_ids(true);
        let mut all = Vec::new();
        let mut items = decoder.feed(stream);
        for _ in 0..taken {
            all.extend(items.next_owned().unwrap());
        }
        let rest = items.remaining();
        assert!(stream.ends_with(rest));
        let mut items = decoder.feed(rest);
        while let Some(item) = items.next_owned().unwrap() {
            all.push(item);
        }
        assert!(items.remaining().is_empty());
        assert_eq!(all.len(), 6, "{all:?}");
        let data: Vec<_> = all.into_iter().filter_map(OwnedItem::into_event).collect();
        let data: Vec<_> = data.iter().map(OwnedMessageEvent::data).collect();
        assert_eq!(data, ["a", "b", "c"]);
    }
}

#[test]
fn bytes_of_items_that_nobody_takes_are_not_decoded() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(b"data: lost\n\n").remaining().len(), 12);
    let mut items = decoder.feed(b"data: a\n\ndata: lost\n\n");
    assert!(items.next().unwrap().is_some());
    assert_eq!(items.remaining(), b"data: lost\n\n");
    let next = events(&mut decoder, b"data: b\n\n");
    assert_eq!((next.len(), next[0].data()), (1, "b"));
}

#[test]
fn an_open_block_outlives_its_bytes() {
    // The reconnection time is returned while the block is open, and other bytes stand where these stood.
    let mut decoder = Decoder::new();
    let mut bytes = *b"event: e\nid: 7\ndata: a\nretry: 1\n";
    let mut items = decoder.feed(&bytes);
    assert!(matches!(items.next(), Ok(Some(Item::ReconnectionTime(_)))));
    bytes.fill(b'x');
    let events = events(&mut decoder, b"data: b\n\n");
    let event = &events[0];
    assert_eq!(
        (event.event_type(), event.data(), event.last_event_id()),
        ("e", "a\nb", "7")
    );
}

/// The data of all events, and all comments, of a stream whose setting changes after some of its chunks.
fn read(
    stream: &[u8],
    size: usize,
    first: bool,
    then: bool,
    change: usize,
) -> (Vec<String>, Vec<String>) {
    let (mut data, mut comments) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::new().with_comments(first);
    for (number, piece) in stream.chunks(size).enumerate() {
        if number == change {
            decoder = decoder.with_comments(then);
        }
        let mut items = decoder.feed(piece);
        while let Some(item) = items.next().unwrap() {
            match item {
                Item::Event(event) => data.push(event.data().into_owned()),
                Item::Comment(text) => comments.push(text.to_str().into_owned()),
                _ => {}
            }
        }
    }
    (data, comments)
}

#[test]
fn comments_may_be_asked_for_in_the_middle_and_no_byte_is_lost() {
    let stream = b"data: a\n: one\ndata: b\n: two\n\n: three\n: four\ndata: c\n: five\n\n";
    let starts = [8, 22, 29, 37, 52];
    let all = ["one", "two", "three", "four", "five"];
    for size in 1..=stream.len() {
        for change in 0..stream.len().div_ceil(size) {
            let asked = change * size;
            let (data, comments) = read(stream, size, false, true, change);
            assert_eq!(data, ["a\nb", "c"], "{size} bytes, after {asked}");
            let first = starts.iter().filter(|&&start| start < asked).count();
            assert_eq!(comments, all[first..], "{size} bytes, after {asked}");

            let (data, comments) = read(stream, size, true, false, change);
            assert_eq!(data, ["a\nb", "c"], "{size} bytes, after {asked}");
            // A comment that has begun is returned.
            assert_eq!(comments, all[..first], "{size} bytes, after {asked}");
        }
    }
}
