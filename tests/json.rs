//! JSON as data.

use serde::ser::{Error, Serialize, SerializeSeq, Serializer};
use serde_json::value::RawValue;
use sse_proto::deps::bytes::BytesMut;
use sse_proto::{Event, EventWriter};

/// Writes two elements and then fails.
struct Fails;

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        seq.serialize_element("some")?;
        seq.serialize_element("more")?;
        Err(S::Error::custom("this can't be serialized"))
    }
}

#[test]
fn raw_json_with_newlines_arrives_as_several_lines() {
    let raw = RawValue::from_string("{\r\n\t\"a\":\n1}".to_owned()).unwrap();
    let event = Event::json(&raw).unwrap();
    assert_eq!(event.to_bytes(), "data: {\ndata: \t\"a\":\ndata: 1}\n\n");
}

#[test]
fn newlines_in_strings_stay_escaped() {
    let event = Event::json("a\nb\rc\u{2028}").unwrap();
    assert_eq!(event.to_bytes(), "data: \"a\\nb\\rc\u{2028}\"\n\n");
}

#[test]
fn a_failing_serializer_returns_its_error() {
    let error = Event::json(&Fails).unwrap_err();
    assert_eq!(error.to_string(), "this can't be serialized");
}

#[test]
fn a_failing_serializer_takes_the_written_event_back() {
    let mut out = BytesMut::from("before");
    let mut writer = EventWriter::new(&mut out, &Event::block());
    assert!(writer.json(&[1, 2]).is_ok());
    assert!(writer.json(&Fails).is_err());
    assert!(writer.finish().is_err());
    assert_eq!(out, "before");
}

#[test]
fn a_formatter_that_writes_no_utf8_is_an_error() {
    struct Latin1;
    impl serde_json::ser::Formatter for Latin1 {
        fn write_null<W: std::io::Write + ?Sized>(&mut self, out: &mut W) -> std::io::Result<()> {
            out.write_all(b"\xE9")
        }
    }
    assert!(Event::json_with(&(), Latin1).is_err());
}

#[test]
fn written_json_is_the_same_as_serialized_json() {
    let value =
        serde_json::json!({"text": "é\n😀", "list": [1, 2.5, null], "s": "x".repeat(10_000)});
    let mut writer = EventWriter::new(BytesMut::new(), &Event::block().with_id(3_u8));
    writer.json(&value).unwrap();
    let event = Event::json(&value).unwrap().with_id(3_u8);
    assert_eq!(writer.into_frame().unwrap().as_bytes(), event.to_bytes());
}
