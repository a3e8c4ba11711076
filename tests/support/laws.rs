//! The laws of encoding, one function each.

use std::fmt::Write;
use std::time::Duration;

use sse_proto::deps::bytes::BytesMut;
use sse_proto::event::{WriteError, lines};
use sse_proto::{Event, EventId, EventType, EventWriter, Frame};

use super::law::{law, text};
use super::laws_decode::{WAYS, run};
use super::oracle::{self, Said, Settings};

/// What an event is made of, not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub event_type: Option<String>,
    pub id: Option<String>,
    pub reconnection_time: Option<Duration>,
    pub comment: Option<String>,
    pub data: Option<String>,
}

impl Parts {
    /// Builds the event, without the fields that are refused; refusals must be exact.
    pub fn event(&self) -> Event<'_> {
        let mut event = Event::block();
        if let Some(text) = &self.event_type {
            let bad = text.find(['\r', '\n']);
            match EventType::new(text) {
                Ok(event_type) => {
                    assert!(bad.is_none() && !text.is_empty());
                    event = event.with_event_type(event_type);
                }
                Err(error) => {
                    assert_eq!(error.offset(), bad.unwrap_or(0));
                    assert_eq!(
                        error.character(),
                        bad.and_then(|at| text[at..].chars().next())
                    );
                }
            }
        }
        if let Some(text) = &self.id {
            let bad = text.find(['\r', '\n', '\0']);
            match EventId::new(text) {
                Ok(id) => {
                    assert!(bad.is_none());
                    event = event.with_id(id);
                }
                Err(error) => {
                    assert_eq!(Some(error.offset()), bad);
                    assert_eq!(error.character(), text[error.offset()..].chars().next());
                }
            }
        }
        if let Some(time) = self.reconnection_time {
            event = event.with_reconnection_time(time);
        }
        if let Some(comment) = &self.comment {
            event = event.with_comment(comment);
        }
        if let Some(data) = &self.data {
            event = event.with_data(data);
        }
        event
    }
}

/// What a client is to see of an event, after the changes that are allowed on the way: `normalize`.
pub fn normalized(event: &Event<'_>) -> (Vec<Said>, String) {
    let mut said = Vec::new();
    for line in event.comment().map_or(Vec::new(), oracle::lines) {
        said.push(Said::Comment(line));
    }
    if let Some(time) = event.reconnection_time() {
        let whole = time.as_millis() + u128::from(time.subsec_nanos() % 1_000_000 > 0);
        let whole = u64::try_from(whole).unwrap_or(u64::MAX);
        said.push(Said::ReconnectionTime(Duration::from_millis(whole)));
    }
    let id = event.id().map(|id| id.to_str().into_owned());
    let last_event_id = id.clone().unwrap_or_default();
    match event.data() {
        Some(data) => said.push(Said::Event {
            event_type: event
                .event_type()
                .map_or("message", |event_type| event_type.as_str())
                .to_owned(),
            data: oracle::lines(data).join("\n"),
            last_event_id: last_event_id.clone(),
            own_id: id.is_some(),
        }),
        None if id.is_some() => said.push(Said::LastEventId(last_event_id.clone())),
        None => {}
    }
    (said, last_event_id)
}

/// Laws 4 and 5: a client receives the normalized event, or nothing, and never two.
pub fn arrives_normalized(event: &Event<'_>) {
    let bytes = event.to_bytes();
    let _law = law("4, 5: an event arrives once and normalized", &bytes);
    let expected = normalized(event);
    assert_eq!(oracle::decode(&bytes, &Settings::default()), expected);

    // The blocks before and after the event are not touched by it.
    let framed = [b"data: before\n\n", &bytes[..], b"data: after\n\n"].concat();
    let own = expected
        .0
        .iter()
        .filter(|said| matches!(said, Said::Event { .. }));
    assert_eq!(oracle::events(&framed).len(), 2 + own.count());
    assert!(!bytes.contains(&b'\r'), "never a CR on the wire");
    assert!(bytes.ends_with(b"\n"));
    let blank = bytes.windows(2).filter(|pair| pair == b"\n\n").count();
    assert_eq!(
        (blank, bytes.ends_with(b"\n\n")),
        if is_apart(event) {
            (0, false)
        } else {
            (1, true)
        },
        "no blank line after comments and a reconnection time alone, otherwise one at the end"
    );
    if is_apart(event) && bytes != "\n" {
        // They take part in the block around them without a change to it.
        let within = [b"id: 7\ndata: x\n", &bytes[..], b"\n"].concat();
        assert_eq!(
            oracle::events(&within),
            oracle::events(b"id: 7\ndata: x\n\n")
        );
        let blank_line = event.clone().with_blank_line(true);
        let expected = [&bytes[..], b"\n"].concat();
        assert_eq!(blank_line.to_bytes(), expected);
        encodes_exactly(&blank_line);
    } else {
        assert_eq!(event.clone().with_blank_line(true).to_bytes(), bytes);
    }
}

/// Whether it has nothing but comments and a reconnection time.
fn is_apart(event: &Event<'_>) -> bool {
    event.event_type().is_none() && event.id().is_none() && event.data().is_none()
}

/// Law 4, with the crate's own decoder, however the bytes are cut: what is encoded is decoded.
pub fn comes_back(event: &Event<'_>, plan: &[usize]) {
    let bytes = event.to_bytes();
    let _law = law("4: what is encoded is decoded", &bytes);
    for way in WAYS {
        let (said, id, unfinished) = run(&bytes, plan, way, &Settings::default());
        let decoded = (said, id);
        assert_eq!(decoded, normalized(event), "{way:?}, in chunks {plan:?}");
        assert_eq!(unfinished, None, "an event ends its block");
    }
}

/// Law 6: lengths are exact, a slice that is too short stays as it was; and all ways to encode
/// give the same bytes.
pub fn encodes_exactly(event: &Event<'_>) {
    let len = event.encoded_len();
    let bytes = event.to_bytes();
    let _law = law("6: lengths are exact, and all ways to encode agree", &bytes);
    assert_eq!(bytes.len(), len);

    let mut appended = BytesMut::from("before");
    event.encode(&mut appended);
    assert_same(&appended, &[b"before", &bytes[..]].concat());

    let mut slice = vec![0xAA; len + 3];
    assert_eq!(event.encode_to_slice(&mut slice).unwrap(), len);
    assert_same(&slice, &[&bytes[..], &[0xAA; 3]].concat());
    for short in [0, len / 2, len - 1] {
        let mut slice = vec![0xAA; short];
        let error = event.encode_to_slice(&mut slice).unwrap_err();
        assert_eq!(error.needed(), len);
        assert!(slice.iter().all(|&b| b == 0xAA));
    }

    let frame = Frame::new(event);
    assert_same(frame.as_bytes(), &bytes);
    assert_eq!(frame.id(), event.id().map(|id| id.to_str()).as_deref());
    assert_eq!(
        frame.event_type(),
        event.event_type().map(EventType::as_str)
    );
    assert_same(&event.clone().into_owned().to_bytes(), &bytes);
}

/// A text splits where the standard splits it; and data that a writer gets in two pieces, as text
/// or as bytes, is the data that it gets in one.
pub fn splits_the_same(data: &str, cut: usize) {
    let _law = law("5, 6: data in two pieces is the data in one", data);
    assert_eq!(lines(data).collect::<Vec<_>>(), oracle::lines(data));

    let whole = Event::message(data).to_bytes();
    let cut = cut % (data.len() + 1);
    let mut out = BytesMut::from("before");
    {
        let mut writer = EventWriter::new(&mut out, &Event::block());
        let at_character = (0..=cut)
            .rev()
            .find(|&at| data.is_char_boundary(at))
            .unwrap();
        writer.write_str(&data[..at_character]).unwrap();
        writer.write_str("").unwrap();
        writer.write_str(&data[at_character..]).unwrap();
        writer.finish().unwrap();
    }
    assert_same(&out, &[b"before", &whole[..]].concat());

    let mut writer = EventWriter::new(BytesMut::new(), &Event::message(""));
    std::io::Write::write_all(&mut writer, &data.as_bytes()[..cut]).unwrap();
    std::io::Write::write_all(&mut writer, &data.as_bytes()[cut..]).unwrap();
    assert_same(writer.into_frame().unwrap().as_bytes(), &whole);

    // An unfinished event leaves the buffer as it was, and so does one that is too large.
    let before = out.clone();
    let mut writer = EventWriter::new(&mut out, &Event::message(data));
    writer.write_str(data).unwrap();
    drop(writer);
    assert_same(&out, &before);
    let mut writer = EventWriter::with_limit(&mut out, &Event::block(), whole.len() - 1);
    assert!(writer.write_str(data).is_err() || data.is_empty());
    assert!(writer.finish().is_err());
    assert_same(&out, &before);
    let mut writer = EventWriter::with_limit(&mut out, &Event::block(), whole.len());
    writer.write_str(data).unwrap();
    writer.finish().unwrap();
    assert_same(&out, &[&before[..], &whole[..]].concat());
}

/// Bytes that are text arrive as that text, however they are cut. Others are refused at their
/// offset, and nothing stays in the buffer, whatever is written after that.
pub fn takes_text_only(bytes: &[u8], cut: usize) {
    let _law = law("5: a writer takes UTF-8 and nothing else", bytes);
    let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
    let mut out = BytesMut::from("before");
    let mut writer = EventWriter::new(&mut out, &Event::block());
    for piece in [head, tail] {
        let _ = std::io::Write::write(&mut writer, piece);
    }
    match std::str::from_utf8(bytes) {
        Ok(data) => {
            writer.finish().unwrap();
            let whole = Event::message(data).to_bytes();
            assert_same(&out, &[b"before", &whole[..]].concat());
        }
        Err(error) => {
            let _ = std::io::Write::write(&mut writer, b"x");
            let offset = error.valid_up_to();
            let failure = writer.finish().unwrap_err();
            let WriteError::InvalidUtf8 { offset: found } = failure else {
                panic!("{failure}");
            };
            assert_eq!(found, offset);
            assert_same(&out, b"before");
        }
    }
}

/// Compares bytes, and shows them as text if they differ.
#[track_caller]
fn assert_same(bytes: &[u8], expected: &[u8]) {
    assert!(
        bytes == expected,
        "\n     found: \"{}\"\n  expected: \"{}\"",
        text(bytes),
        text(expected)
    );
}
