//! Chunks so small that they are gathered: what else is asked of the decoder between two of them.

use sse_proto::{Chunk, Decoder, Item};

/// The data of all events, and all comments, of a stream whose setting changes behind some of its chunks.
fn read(
    stream: &[u8],
    size: usize,
    first: bool,
    then: bool,
    change: usize,
) -> (Vec<String>, Vec<String>) {
    let (mut data, mut comments) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::new().with_comments(first);
    for (number, mut piece) in stream.chunks(size).enumerate() {
        if number == change {
            decoder = decoder.with_comments(then);
        }
        while let Some(item) = decoder.decode(&mut piece).unwrap() {
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
            assert_eq!(data, ["a\nb", "c"], "{size} bytes, behind {asked}");
            let first = starts.iter().filter(|&&start| start < asked).count();
            assert_eq!(comments, all[first..], "{size} bytes, behind {asked}");

            let (data, comments) = read(stream, size, true, false, change);
            assert_eq!(data, ["a\nb", "c"], "{size} bytes, behind {asked}");
            // One that has begun is handed out.
            assert!(all.starts_with(&comments.iter().map(String::as_str).collect::<Vec<_>>()));
            assert!([first, first - usize::from(first > 0)].contains(&comments.len()));
        }
    }
}

#[test]
fn comments_may_be_asked_for_within_a_chunk() {
    let mut decoder = Decoder::new();
    let mut chunk = Chunk::new(b"data: a\n\ndata: b\n: one\nda");
    let event = decoder.decode_chunk(&mut chunk).unwrap();
    assert!(event.is_some_and(|item| item.is_event()));
    let mut decoder = decoder.with_comments(true);
    let comment = decoder.decode_chunk(&mut chunk).unwrap();
    assert!(matches!(comment, Some(Item::Comment(text)) if text.as_bytes() == b"one"));
    assert!(decoder.decode_chunk(&mut chunk).unwrap().is_none());
    let event = decoder.decode(&mut &b"ta: c\n\n"[..]).unwrap();
    assert_eq!(event.and_then(Item::event).unwrap().data(), "b\nc");
}
