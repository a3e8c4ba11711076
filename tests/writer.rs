//! An event writer writes one event or nothing.

#![cfg(feature = "std")]

use std::fmt::{self, Write as _};
use std::io::Write as _;

use sse_proto::deps::bytes::BytesMut;
use sse_proto::event::WriteError;
use sse_proto::{Event, EventWriter};

#[test]
fn after_a_failure_every_write_fails_and_nothing_stays() {
    for pieces in [
        &[&b"\xF0\x9F\x98"[..], b"a", b"b", b"c"][..],
        &[b"\xC3", b"a", b"a", b"a", b"a", b"a"],
        &[b"\xFF", b"\x98\x80", b"\xF0", b"abc", b"\xFF"],
    ] {
        let mut out = BytesMut::from("before");
        let mut writer = EventWriter::new(&mut out, &Event::block());
        let mut failed = false;
        for piece in pieces {
            failed |= writer.write(piece).is_err();
            assert_eq!(failed, writer.write(b"").is_err());
        }
        assert!(matches!(
            writer.finish(),
            Err(WriteError::InvalidUtf8 { .. })
        ));
        assert_eq!(out, "before");
    }
}

#[test]
fn the_first_failure_is_the_one_that_is_told() {
    let mut writer = EventWriter::with_limit(BytesMut::new(), &Event::block(), 12);
    assert!(writer.write_all(b"too long for it").is_err());
    assert!(writer.write_all(b"\xFF").is_err());
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, WriteError::TooLarge { limit: 12 }));
}

#[test]
fn a_head_above_the_limit_is_not_written() {
    let mut out = BytesMut::with_capacity(16);
    let head = Event::block().with_comment("x".repeat(1_000_000));
    let writer = EventWriter::with_limit(&mut out, &head, 100);
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, WriteError::TooLarge { limit: 100 }));
    assert_eq!((out.len(), out.capacity()), (0, 16));
}

#[test]
fn text_within_a_character_fails_but_no_text_does_not() {
    let mut writer = EventWriter::new(BytesMut::new(), &Event::block());
    writer.write_all(b"\xE2\x82").unwrap();
    writer.write_str("").unwrap();
    writer.write_all(b"\xAC").unwrap();
    assert_eq!(
        writer.into_frame().unwrap().as_bytes(),
        "data: €\n\n".as_bytes()
    );

    let mut writer = EventWriter::new(BytesMut::new(), &Event::block());
    writer.write_all(b"ab\xE2\x82").unwrap();
    assert!(writer.write_str("x").is_err());
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, WriteError::InvalidUtf8 { offset: 2 }));
}

#[test]
fn what_fails_to_format_fails_the_event() {
    struct Half;
    impl fmt::Display for Half {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    let mut writer = EventWriter::new(BytesMut::new(), &Event::block());
    assert!(fmt::Write::write_fmt(&mut writer, format_args!("{Half}")).is_err());
    assert!(matches!(writer.into_frame(), Err(WriteError::Aborted)));
    let mut writer = EventWriter::new(BytesMut::new(), &Event::block());
    assert!(std::io::Write::write_fmt(&mut writer, format_args!("{Half}")).is_err());
    assert!(matches!(writer.into_frame(), Err(WriteError::Aborted)));
}

#[test]
fn a_frame_holds_its_event_and_nothing_that_stood_before_it() {
    let mut writer = EventWriter::new(BytesMut::from("of others"), &Event::message("a"));
    writer.write_str("\nb").unwrap();
    assert_eq!(
        writer.into_frame().unwrap().as_bytes(),
        b"data: a\ndata: b\n\n"
    );
}

#[cfg(feature = "json")]
#[test]
fn a_serializer_that_panics_fails_the_event() {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde::ser::{Serialize, SerializeSeq, Serializer};
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            seq.serialize_element(&1)?;
            std::panic::resume_unwind(Box::new("a serializer's panic"));
        }
    }
    let mut out = BytesMut::from("before");
    let mut writer = EventWriter::new(&mut out, &Event::block());
    assert!(catch_unwind(AssertUnwindSafe(|| writer.json(&Panics))).is_err());
    assert!(matches!(writer.finish(), Err(WriteError::Aborted)));
    assert_eq!(out, "before");
}

#[test]
fn an_unwritten_event_has_empty_data_also_from_a_block() {
    let head = Event::block().with_id(1_u8);
    let frame = EventWriter::new(BytesMut::new(), &head)
        .into_frame()
        .unwrap();
    assert_eq!(frame.as_bytes(), b"id: 1\ndata: \n\n");
    assert_eq!(head.to_bytes(), "id: 1\n\n", "the block itself has none");
}

#[test]
fn a_limit_counts_the_head_the_data_and_the_blank_line() {
    for head in [Event::block().with_id(1_u8), Event::message("a\nb")] {
        let len = EventWriter::new(BytesMut::new(), &head)
            .into_frame()
            .unwrap()
            .as_bytes()
            .len();
        for limit in 0..=len {
            let mut out = BytesMut::from("before");
            match EventWriter::with_limit(&mut out, &head, limit).finish() {
                Ok(_) => assert!(limit >= len),
                Err(WriteError::TooLarge { limit: told }) => assert!(limit < len && told == limit),
                Err(error) => panic!("{error}"),
            }
            assert_eq!(
                out.len(),
                "before".len() + if limit < len { 0 } else { len }
            );
        }
    }
}
