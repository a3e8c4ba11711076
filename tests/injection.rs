//! No text of anybody's becomes a line of its own: every field, against every trick.

#![cfg(feature = "std")]

mod support;

use std::fmt::Write;

use sse_proto::deps::bytes::BytesMut;
use sse_proto::event::LastEventId;
use sse_proto::http::last_event_id;
use sse_proto::{Event, EventId, EventType, EventWriter};
use support::laws::{arrives_normalized, encodes_exactly};
use support::oracle::{self, Said};

fn attacks() -> Vec<String> {
    vec![
        "x\ndata: evil".to_owned(),
        "x\rdata: evil".to_owned(),
        "x\r\n\r\nevent: evil".to_owned(),
        "x\n\nid: evil\n\n".to_owned(),
        "\ndata: evil".to_owned(),
        "x\n".to_owned(),
        "x\r".to_owned(),
        "a\0b".to_owned(),
        "\0".to_owned(),
        "a\u{85}data: evil".to_owned(),
        "a\u{2028}data: evil".to_owned(),
        "a\u{2029}data: evil".to_owned(),
        "a\u{0B}data: evil\u{0C}b".to_owned(),
        "\u{FEFF}data: evil".to_owned(),
        ": evil".to_owned(),
        " leading and trailing ".to_owned(),
        "\n".repeat(1024 * 1024),
        "\r\n".repeat(1024),
    ]
}

/// What an attack must never achieve: an event that the server did not send.
fn assert_one_event(bytes: &[u8], event_type: &str, data: &str, id: &str) {
    let expected = Said::Event {
        event_type: event_type.to_owned(),
        data: data.to_owned(),
        last_event_id: id.to_owned(),
        own_id: !id.is_empty(),
    };
    assert_eq!(oracle::events(bytes), [expected]);
}

#[test]
fn event_type() {
    for attack in attacks() {
        match EventType::new(&attack) {
            Ok(event_type) => {
                assert!(!attack.contains(['\r', '\n']));
                let event = Event::new(event_type, "data");
                assert_one_event(&event.to_bytes(), &attack, "data", "");
            }
            Err(error) => {
                assert!(attack.contains(['\r', '\n']));
                assert_eq!(error.offset(), attack.find(['\r', '\n']).unwrap());
            }
        }
    }
}

#[test]
fn id() {
    for attack in attacks() {
        match EventId::new(&attack) {
            Ok(id) => {
                assert!(!attack.contains(['\r', '\n', '\0']));
                assert_one_event(
                    &Event::message("data").with_id(id).to_bytes(),
                    "message",
                    "data",
                    &attack,
                );
            }
            Err(error) => {
                assert_eq!(error.offset(), attack.find(['\r', '\n', '\0']).unwrap());
            }
        }
    }
}

#[test]
fn owned_values_are_checked_like_borrowed_ones() {
    for attack in attacks() {
        assert_eq!(
            EventType::new(attack.clone()).map_err(|error| error.to_string()),
            EventType::new(&attack).map_err(|error| error.to_string()),
            "{attack:?}"
        );
        assert_eq!(
            EventId::new(attack.clone()).map_err(|error| error.to_string()),
            EventId::new(&attack).map_err(|error| error.to_string()),
            "{attack:?}"
        );
    }
}

#[test]
fn data() {
    for attack in attacks() {
        let event = Event::message(&*attack);
        let normalized = oracle::lines(&attack).join("\n");
        assert_one_event(&event.to_bytes(), "message", &normalized, "");
        arrives_normalized(&event);
        encodes_exactly(&event);
    }
}

#[test]
fn comment() {
    for attack in attacks() {
        let event = Event::message("data").with_comment(&*attack);
        assert_one_event(&event.to_bytes(), "message", "data", "");
        let block = Event::block().with_comment(&*attack);
        assert_eq!(oracle::events(&block.to_bytes()), []);
        arrives_normalized(&block);
    }
}

#[test]
fn pieces_of_data() {
    for attack in attacks().iter().filter(|attack| attack.len() < 4096) {
        for cut in 0..=attack.len() {
            let mut writer = EventWriter::new(BytesMut::new(), &Event::block().with_id(1_u8));
            std::io::Write::write_all(&mut writer, &attack.as_bytes()[..cut]).unwrap();
            std::io::Write::write_all(&mut writer, &attack.as_bytes()[cut..]).unwrap();
            let frame = writer.into_frame().unwrap();
            let normalized = oracle::lines(attack).join("\n");
            assert_one_event(frame.as_bytes(), "message", &normalized, "1");
        }
    }
}

#[test]
fn pieces_that_are_no_utf8_take_the_event_back() {
    use std::io::Write as _;
    for (bytes, offset) in [
        (&b"ab\xFF"[..], 2),
        (b"ab\xC3", 2),
        (b"\xE2\x82", 0),
        (b"\xF0\x9F\x98", 0),
        (b"\xED\xA0\x80", 0),
    ] {
        for cut in 0..=bytes.len() {
            let mut out = sse_proto::deps::bytes::BytesMut::from("before");
            let mut writer = EventWriter::new(&mut out, &Event::block());
            let written = writer
                .write_all(&bytes[..cut])
                .and_then(|()| writer.write_all(&bytes[cut..]));
            let error = writer.finish().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the data is not UTF-8 at byte {offset}")
            );
            if let Err(io) = written {
                assert_eq!(io.kind(), std::io::ErrorKind::InvalidData);
            }
            assert_eq!(out, "before");
        }
    }
}

#[test]
fn last_event_id_of_a_request() {
    for attack in attacks() {
        let is_control = |character: char| character.is_ascii_control() && character != '\t';
        let good = attack.len() <= 1024 && !attack.contains(is_control);
        let trimmed = attack.trim_matches([' ', '\t']);
        let expected = |text: &str| match text {
            "" => LastEventId::None,
            _ if good => LastEventId::Id(EventId::new(text.to_owned()).unwrap()),
            _ => LastEventId::Invalid,
        };
        let id = last_event_id([&*attack], None, "");
        assert_eq!(id, expected(trimmed), "{attack:?}");
        let mut query = "a=b&lastEventId=".to_owned();
        for byte in attack.bytes() {
            write!(query, "%{byte:02x}").unwrap();
        }
        let id = last_event_id([""], Some(&query), "lastEventId");
        if trimmed == attack {
            assert_eq!(id, expected(&attack), "{attack:?}");
        } else {
            assert_eq!(id, LastEventId::Invalid, "{attack:?}");
        }
    }
}
