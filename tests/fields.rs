//! Event types and ids: what they hold, compare to and show.

use sse_proto::event::LastEventId;
use sse_proto::{Event, EventId, EventType, Frame, event_type};

#[test]
fn an_id_is_made_of_every_integer() {
    let ids: [(EventId<'_>, String); 24] = [
        (0_u8.into(), "0".to_owned()),
        (u8::MAX.into(), u8::MAX.to_string()),
        (10_u16.into(), "10".to_owned()),
        (u16::MAX.into(), u16::MAX.to_string()),
        (u32::MAX.into(), u32::MAX.to_string()),
        (99_u64.into(), "99".to_owned()),
        (u64::MAX.into(), u64::MAX.to_string()),
        (usize::MAX.into(), usize::MAX.to_string()),
        (7_u128.into(), "7".to_owned()),
        (
            (u128::from(u64::MAX) + 1).into(),
            "18446744073709551616".to_owned(),
        ),
        ((10_u128.pow(38)).into(), format!("1{}", "0".repeat(38))),
        (u128::MAX.into(), u128::MAX.to_string()),
        (0_i8.into(), "0".to_owned()),
        ((-1_i8).into(), "-1".to_owned()),
        (i8::MIN.into(), "-128".to_owned()),
        (i16::MIN.into(), i16::MIN.to_string()),
        ((-10_i32).into(), "-10".to_owned()),
        (i32::MAX.into(), i32::MAX.to_string()),
        (i64::MAX.into(), i64::MAX.to_string()),
        (i64::MIN.into(), i64::MIN.to_string()),
        (isize::MIN.into(), isize::MIN.to_string()),
        (
            (i128::from(i64::MIN) - 1).into(),
            "-9223372036854775809".to_owned(),
        ),
        (i128::MAX.into(), i128::MAX.to_string()),
        (i128::MIN.into(), i128::MIN.to_string()),
    ];
    for (id, digits) in ids {
        assert_eq!(id.to_str(), *digits);
        assert_eq!(id.to_string(), digits);
        let event = Event::block().with_id(id);
        assert_eq!(event.to_bytes(), format!("id: {digits}\n\n"));
        assert_eq!(event.encoded_len(), event.to_bytes().len());
        assert_eq!(event.clone().into_owned(), event);
        assert_eq!(Frame::new(&event).id(), Some(&*digits));
    }
}

#[test]
fn a_literal_needs_no_suffix_wherever_an_id_is_taken() {
    let event = Event::message("x").with_id(1);
    assert_eq!(event.to_bytes(), "id: 1\ndata: x\n\n");
    assert_eq!(Event::message("x").with_id(1_i64), event);
    assert_eq!(EventId::from(-1), "-1");
    assert_eq!(LastEventId::from(1), LastEventId::Id(EventId::from(1)));
    assert_eq!(LastEventId::from(None), LastEventId::None);
    assert_eq!(
        LastEventId::from(&EventId::from(1)),
        LastEventId::from(1_i64)
    );
    let preamble = sse_proto::adapt::Preamble::new();
    assert!(preamble.with_id(1).to_bytes().starts_with(b"event: "));
}

#[test]
fn a_literal_type_is_a_constant() {
    const TICK: EventType<'_> = event_type!("tick");
    assert_eq!(event_type!("tick"), TICK);
    assert_eq!(
        Event::new(event_type!("tick"), "").event_type(),
        Some(&TICK)
    );
}

#[test]
fn an_id_equals_its_text_however_it_was_made() {
    let (number, text) = (EventId::from(42_u32), EventId::from_static("42"));
    assert_eq!(number, text);
    assert_eq!(number, "42");
    assert_eq!(EventId::from(42_u128), number);
    assert_eq!(EventId::from(42_i64), number);
    assert_eq!(EventId::from(-42_i64), "-42");
    assert_ne!(EventId::from(-42_i64), number);
    assert_ne!(EventId::new("43").unwrap(), text);
}

#[test]
fn a_literal_outside_a_constant_is_checked_too() {
    assert!(std::panic::catch_unwind(|| EventId::from_static("a\0")).is_err());
    assert!(std::panic::catch_unwind(|| EventId::from_static("a\n")).is_err());
    assert!(std::panic::catch_unwind(|| EventType::from_static("a\r")).is_err());
    assert!(std::panic::catch_unwind(|| EventType::from_static("")).is_err());
}

#[cfg(feature = "std")]
#[test]
fn no_debug_shows_data_or_comments() {
    let secret = "hunter2";
    let event = Event::message(secret).with_comment(secret).with_id(1_u8);
    assert!(!format!("{event:?}").contains(secret));
    let frame = Frame::new(&event);
    assert!(!format!("{frame:?}").contains(secret));
    let (target, stream) = sse_proto::channel();
    target.listen(sse_proto::target::On::message(), |dispatch| {
        assert!(!format!("{dispatch:?}").contains("hunter2"));
    });
    target.dispatch(&event).unwrap();
    assert!(!format!("{target:?} {stream:?}").contains(secret));
}

#[test]
fn every_field_at_once_in_the_order_of_the_wire() {
    let event = Event::new(EventType::from_static("t"), "d\r\n")
        .with_comment("c")
        .with_id(EventId::from_static("i"))
        .with_reconnection_time(std::time::Duration::from_nanos(1));
    assert_eq!(
        event.to_bytes(),
        ": c\nevent: t\nid: i\nretry: 1\ndata: d\ndata: \n\n"
    );
}

#[test]
fn a_type_is_printed_as_its_text() {
    let tick = EventType::from_static("tick");
    assert_eq!(format!("{tick}|{tick:>6}|{tick:?}"), "tick|  tick|\"tick\"");
    assert_eq!(tick, EventType::new(String::from("tick")).unwrap());
    assert_eq!(tick.as_ref(), "tick");
}
