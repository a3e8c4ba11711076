//! What one event, one line and one id may take, and what is held for them.

use sse_proto::Decoder;
use sse_proto::decode::{AfterLimit, DecodeError, DecodeLimits, OwnedItem};

use crate::next_data;

#[test]
fn the_line_limit_bites_in_the_middle_of_a_line() {
    let mut decoder = Decoder::new().with_limits(DecodeLimits::default().with_line(10));
    assert_eq!(decoder.decode(&mut &b"data: 1234"[..]), Ok(None));
    assert_eq!(
        decoder.decode(&mut &b"5"[..]),
        Err(DecodeError::LineTooLong { limit: 10 })
    );
    let mut rest = &b"6\ndata: x\nid: 1\n\ndata: y\n\n"[..];
    assert_eq!(next_data(&mut decoder, &mut rest).as_deref(), Some("y"));
    assert_eq!(decoder.last_event_id(), "");
}

#[test]
fn the_event_limit_counts_all_lines_of_the_block() {
    let mut decoder = Decoder::new().with_limits(DecodeLimits::default().with_event(12));
    let mut input = &b"data: x\ndata:\n\ndata: x\ndata:1\ndata: lost\n\ndata: y\n\n"[..];
    assert_eq!(next_data(&mut decoder, &mut input).as_deref(), Some("x\n"));
    assert_eq!(
        decoder.decode(&mut input),
        Err(DecodeError::EventTooLong { limit: 12 })
    );
    assert_eq!(next_data(&mut decoder, &mut input).as_deref(), Some("y"));
}

#[test]
fn comments_and_unknown_fields_never_count() {
    let mut decoder =
        Decoder::new().with_limits(DecodeLimits::default().with_line(10).with_event(10));
    let mut stream = b":".repeat(1000);
    stream.extend(b"\nunknown: ".repeat(100));
    stream.extend(b"\ndata: x\n\n");
    assert_eq!(
        next_data(&mut decoder, &mut &stream[..]).as_deref(),
        Some("x")
    );
    assert_eq!(decoder.memory_held(), 0);
}

#[test]
fn past_a_limit_the_stream_may_end() {
    let limits = DecodeLimits::default()
        .with_line(6)
        .with_after(AfterLimit::End);
    let mut decoder = Decoder::new().with_limits(limits);
    let mut input = &b"data: x\n\ndata:y\n\n"[..];
    assert_eq!(
        decoder.decode(&mut input),
        Err(DecodeError::LineTooLong { limit: 6 })
    );
    assert!(decoder.is_ended());
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.is_empty());
}

#[test]
fn sixteen_mebibytes_pass_by_default() {
    let mut stream = b"data: ".to_vec();
    stream.resize(DecodeLimits::DEFAULT_BYTES, b'x');
    stream.extend(b"\n\n");
    let mut decoder = Decoder::new();
    assert!(
        stream
            .chunks(1460)
            .any(|piece| decoder.decode(&mut &piece[..]).unwrap().is_some())
    );
    let held = decoder.memory_held();
    let most = DecodeLimits::DEFAULT_BYTES;
    assert!((most - 6..=most + most / 8).contains(&held), "{held}");
    assert_eq!(decoder.decode(&mut &b": keep-alive\n\n"[..]), Ok(None));
    assert!(
        decoder.memory_held() <= 128 << 10,
        "{}",
        decoder.memory_held()
    );
}

#[test]
fn data_taken_out_carries_no_more_than_itself() {
    let stream = [b"id: ", &vec![b'7'; 100_000][..], b"\ndata: hi\n\n"].concat();
    let mut decoder = Decoder::new().with_limits(DecodeLimits::unlimited());
    let event = decoder
        .decode_owned(&mut &stream[..])
        .unwrap()
        .unwrap()
        .event()
        .unwrap();
    assert!(event.into_data().capacity() <= 64);
}

#[test]
fn a_comment_does_not_count_against_its_event_however_it_is_cut() {
    let limits = DecodeLimits::default().with_event(10);
    let stream = b": a comment that is longer than the event may be\ndata: x\n\n";
    for cut in 0..=stream.len() {
        let mut decoder = Decoder::new().with_limits(limits).with_comments(true);
        let mut said = Vec::new();
        for mut piece in [&stream[..cut], &stream[cut..]] {
            while let Some(item) = decoder.decode_owned(&mut piece).unwrap() {
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
    let mut input = &stream[..];
    let limit = DecodeLimits::DEFAULT_ID_BYTES;
    assert_eq!(
        decoder.decode(&mut input).unwrap_err(),
        DecodeError::IdTooLong { limit }
    );
    let event = decoder
        .decode_owned(&mut input)
        .unwrap()
        .unwrap()
        .event()
        .unwrap();
    assert_eq!((event.data(), event.last_event_id()), ("y", "7"));
}
