//! What of one connection counts in the next.

use sse_proto::Decoder;
use sse_proto::decode::DecodeLimits;

use crate::next_data;

/// A decoder whose connection broke behind these bytes.
fn decoder_after(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new();
    let mut input = bytes;
    while decoder.decode(&mut input).unwrap().is_some() {}
    decoder.reconnect();
    decoder
}

#[test]
fn a_second_connection_starts_anew() {
    let read = |decoder: &mut Decoder, bytes: &[u8]| {
        let mut input = bytes;
        let mut events = Vec::new();
        while let Some(item) = decoder.decode_owned(&mut input).unwrap() {
            events.extend(item.event());
        }
        events
    };
    // Cut anywhere: within the mark, a line, a CRLF, a block.
    let first = b"\xEF\xBB\xBFid: 1\r\ndata: a\r\n\r\nevent: cut\r\ndata: off\r\nid: 2\r\n";
    for cut in 0..=first.len() {
        let seen = read(&mut Decoder::new(), &first[..cut]).len();
        // A mark may stand at the start again, and an LF there is a line of its own.
        for second in [
            &b"\xEF\xBB\xBFdata: b\n\n"[..],
            b"\ndata: b\n\n",
            b"data: b\n\n",
        ] {
            let mut decoder = decoder_after(&first[..cut]);
            let events = read(&mut decoder, second);
            assert_eq!(events.len(), 1, "cut at {cut}");
            let id = if seen == 1 { "1" } else { "" };
            let event = &events[0];
            assert_eq!(
                (event.event_type(), event.data(), event.last_event_id()),
                ("message", "b", id)
            );
        }
    }
}

#[test]
fn a_block_of_the_connection_before_does_not_count_against_the_next() {
    let limits = DecodeLimits::default().with_event(20);
    let mut decoder = Decoder::new().with_limits(limits);
    assert!(
        decoder
            .decode(&mut &b"data: 0123456789\n"[..])
            .unwrap()
            .is_none()
    );
    decoder.reconnect();
    assert!(
        decoder
            .decode(&mut &b"data: 0123456789\n\n"[..])
            .unwrap()
            .is_some()
    );
}

#[test]
fn the_seed_is_an_id_that_a_stream_could_have_set() {
    for bad in ["1\r\nX: y", "a\0b", "a\nb"] {
        let decoder = Decoder::new()
            .with_last_event_id("7")
            .with_last_event_id(bad);
        assert_eq!(
            decoder.last_event_id(),
            "7",
            "as a stream's id with NUL: ignored"
        );
    }
    assert_eq!(
        Decoder::new()
            .with_last_event_id("7")
            .with_last_event_id("")
            .last_event_id(),
        ""
    );
}

#[test]
fn what_the_stream_before_ended_with_is_no_part_of_the_next() {
    let mut decoder = Decoder::new();
    assert_eq!(
        next_data(&mut decoder, &mut &b"data: a\r\n\r"[..]).as_deref(),
        Some("a")
    );
    decoder.reconnect();
    // This line feed ends a line of its own, and so what follows is no byte order mark.
    let next = next_data(&mut decoder, &mut "\n\u{FEFF}data: x\n\n".as_bytes());
    assert_eq!(next, None);
}
