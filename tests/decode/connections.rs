//! What of one connection counts in the next.

use sse_proto::decode::{DecodeLimits, OwnedMessageEvent};
use sse_proto::{Decoder, EventId};

use crate::events;

/// A decoder whose connection broke after these bytes.
fn decoder_after(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new();
    events(&mut decoder, bytes);
    decoder.reconnect();
    decoder
}

#[test]
fn a_second_connection_starts_anew() {
    // Cut anywhere: within the mark, a line, a CRLF, a block.
    let first = b"\xEF\xBB\xBFid: 1\r\ndata: a\r\n\r\nevent: cut\r\ndata: off\r\nid: 2\r\n";
    for cut in 0..=first.len() {
        let seen = events(&mut Decoder::new(), &first[..cut]).len();
        // A mark may stand at the start again, and an LF there is a line of its own.
        for second in [
            &b"\xEF\xBB\xBFdata: b\n\n"[..],
            b"\ndata: b\n\n",
            b"data: b\n\n",
        ] {
            let mut decoder = decoder_after(&first[..cut]);
            let events = events(&mut decoder, second);
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
    let limits = DecodeLimits::new().with_max_event_bytes(20);
    let mut decoder = Decoder::new().with_limits(limits);
    assert_eq!(events(&mut decoder, b"data: 0123456789\n").len(), 0);
    decoder.reconnect();
    assert_eq!(events(&mut decoder, b"data: 0123456789\n\n").len(), 1);
}

#[test]
fn the_decoder_starts_with_the_id_that_it_is_given() {
    let decoder = Decoder::new().with_last_event_id(EventId::from_static("7"));
    assert_eq!(decoder.last_event_id(), "7");
    let decoder = decoder.with_last_event_id(EventId::from_static(""));
    assert_eq!(decoder.last_event_id(), "");
}

#[test]
fn the_end_of_the_stream_before_is_no_part_of_the_next() {
    let mut decoder = Decoder::new();
    assert_eq!(events(&mut decoder, b"data: a\r\n\r").len(), 1);
    decoder.reconnect();
    // This line feed ends a line of its own, and so what follows is no byte order mark.
    let next = events(&mut decoder, "\n\u{FEFF}data: x\n\n".as_bytes());
    assert_eq!(next.len(), 0);
}

#[test]
fn the_end_cuts_off_a_block_that_has_a_field_with_a_meaning() {
    let cut = |bytes: &str| {
        let of_size = |size: usize| {
            let mut decoder = Decoder::new().with_comments(true);
            for chunk in bytes.as_bytes().chunks(size) {
                events(&mut decoder, chunk);
            }
            decoder.finish()
        };
        let (whole, bytewise) = (of_size(bytes.len().max(1)), of_size(1));
        let text = |event: &OwnedMessageEvent| format!("{} {}", event.event_type(), event.data());
        assert_eq!(
            whole.as_ref().map(text),
            bytewise.as_ref().map(text),
            "{bytes:?} in any chunking"
        );
        whole.as_ref().map(text)
    };
    for (bytes, unfinished) in [
        ("d", "message "),
        ("data", "message "),
        ("data: x", "message x"),
        ("data: x\n", "message x"),
        ("data: x\r", "message x"),
        ("data: x\n\u{20}", "message x"),
        ("data: x\ndata:\n", "message x\n"),
        ("event: a\n", "a "),
        // What is not known to be whole is no type.
        ("event: a", "message "),
        ("id: 1\n", "message "),
        ("data: x\n\nid", "message "),
        ("retry: 1", "message "),
    ] {
        assert_eq!(cut(bytes).as_deref(), Some(unfinished), "{bytes:?}");
    }
    for bytes in [
        "",
        "\n",
        ":",
        ": comment",
        ": comment\n",
        "data: x\n\n",
        "data: x\r\n\r",
        "unknown: x",
        "retry: 1\n",
        "\u{FEFF}",
        "id: \0\n",
    ] {
        assert_eq!(cut(bytes), None, "{bytes:?}");
    }
}

#[test]
fn a_cut_character_is_malformed_and_a_cut_id_does_not_count() {
    let mut decoder = Decoder::new();
    events(&mut decoder, b"id: 1\ndata: a\n\nid: 2\ndata: b\xE2\x82");
    let unfinished = decoder.finish().expect("it was cut");
    assert_eq!(unfinished.data(), "b\u{FFFD}");
    assert_eq!(
        (unfinished.last_event_id(), unfinished.has_own_id()),
        ("1", false)
    );
    assert_eq!(decoder.last_event_id(), "1");
    // The next stream starts anew.
    let next = events(&mut decoder, b"\xEF\xBB\xBFdata: c\n\n");
    assert_eq!((next[0].data(), next[0].last_event_id()), ("c", "1"));
}

#[test]
fn a_block_beyond_a_limit_is_not_told_twice() {
    for end_at_limit in [false, true] {
        let limits = DecodeLimits::new()
            .with_max_event_bytes(8)
            .with_end_at_limit(end_at_limit);
        let mut decoder = Decoder::new().with_limits(limits);
        assert!(decoder.feed(b"data: too long\ndata: x").next().is_err());
        assert!(decoder.finish().is_none());
    }
}
