//! Building and encoding an event allocates nothing but the bytes that are asked for.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use bytes::BytesMut;
use sse_proto::{Event, EventId, EventType, EventWriter, Frame};

fn delta() -> Event<'static> {
    Event::new(EventType::from_static("delta"), black_box(DELTA))
}

fn everything() -> Event<'static> {
    Event::new(EventType::from_static("tick"), black_box("a\r\nb\rc\nd"))
        .with_id(EventId::from_static("1526919030474-55"))
        .with_reconnection_time(Duration::from_millis(1500))
        .with_comment("one\ntwo")
}

const DELTA: &str =
    r#"{"id":"msg_01","index":0,"delta":{"type":"text_delta","text":" and so on"}}"#;

#[test]
fn an_event_of_borrowed_parts_is_built_and_encoded_into_reserved_room_without_an_allocation() {
    let mut out = BytesMut::with_capacity(4096);
    let made = measure(|| {
        for _ in 0..8 {
            delta().encode(&mut out);
            everything().encode(&mut out);
            Event::message(black_box("hi")).encode(&mut out);
        }
    });
    assert_eq!(made.count_total, 0);
    assert!(out.ends_with(b"data: hi\n\n"));
}

#[test]
fn types_and_ids_that_are_checked_at_run_time_are_borrowed() {
    let made = measure(|| {
        let event_type = EventType::new(black_box("tick")).expect("it is valid");
        let id = EventId::new(black_box("1526919030474-55")).expect("it is valid");
        black_box(Event::new(event_type, "x").with_id(id).encoded_len());
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn what_is_refused_is_refused_without_an_allocation() {
    let made = measure(|| {
        assert!(EventType::new(black_box("a\nb")).is_err());
        assert!(EventId::new(black_box("a\0b")).is_err());
        assert!(everything().encode_to_slice(&mut [0; 10]).is_err());
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn integer_ids_are_held_inline() {
    let made = measure(|| {
        let mut slice = [0; 128];
        for id in [
            EventId::from(black_box(0_u8)),
            EventId::from(black_box(u64::MAX)),
            EventId::from(black_box(u128::MAX)),
            EventId::from(black_box(7_usize)).clone().into_owned(),
        ] {
            let event = Event::message("x").with_id(id);
            assert!(event.encode_to_slice(&mut slice).is_ok());
        }
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_callers_slice_is_written_without_an_allocation() {
    let mut slice = [0; 512];
    let made = measure(|| {
        assert!(delta().encode_to_slice(&mut slice).is_ok());
        assert!(everything().encode_to_slice(&mut slice).is_ok());
    });
    assert_eq!(made.count_total, 0);
}

#[test]
fn to_bytes_makes_one_allocation_of_the_exact_length() {
    for event in [delta(), everything(), Event::message("x".repeat(100_000))] {
        let mut bytes = None;
        let made = measure(|| bytes = Some(event.to_bytes()));
        let len = bytes.map_or(0, |bytes| bytes.len() as u64);
        assert_eq!(len, event.encoded_len() as u64);
        assert_eq!((made.count_total, made.bytes_total), (1, len));
    }
}

#[test]
fn a_frame_is_one_exact_allocation_and_its_clones_share_it() {
    let event = everything();
    let mut frame = None;
    let made = measure(|| frame = Some(Frame::new(&event)));
    let frame = frame.expect("it was made");
    assert_eq!(
        (made.count_total, made.bytes_total),
        (1, frame.as_bytes().len() as u64)
    );

    // The first clone allocates what counts the clones.
    let first = frame.clone();
    let made = measure(|| drop(black_box([first.clone(), first.clone(), frame.clone()])));
    assert_eq!(made.count_total, 0);
}

#[test]
fn a_writer_into_reserved_room_allocates_nothing_whether_finished_or_not() {
    let mut out = BytesMut::with_capacity(1024);
    let head = Event::block().with_id(7_u32);
    let made = measure(|| {
        let mut writer = EventWriter::new(&mut out, &head);
        for part in ["one\r", "\ntwo", "\n"] {
            writer
                .write_str(black_box(part))
                .expect("there is no limit");
        }
        writer.finish().expect("nothing failed");
        let mut writer = EventWriter::new(&mut out, &head);
        writer.write_str("taken back").expect("there is no limit");
        drop(writer);
    });
    assert_eq!(made.count_total, 0);
    assert_eq!(out, "id: 7\ndata: one\ndata: two\ndata: \n\n");
}
