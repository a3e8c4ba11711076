//! The laws of encoding.

use std::fmt::Write;
use std::time::Duration;

use sse_proto::deps::bytes::BytesMut;
use sse_proto::event::lines;
use sse_proto::{
    Event, EventId, EventType, EventWriter, Frame, encode, encode_to_slice, encoded_len, to_bytes,
};

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
                    assert_eq!(error.field(), "event");
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
                    assert_eq!(error.field(), "id");
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
    let bytes = to_bytes(event);
    let expected = normalized(event);
    assert_eq!(oracle::decode(&bytes, &Settings::default()), expected);

    // What stands in front of the event and behind it is not touched by it.
    let framed = [b"data: before\n\n", &bytes[..], b"data: after\n\n"].concat();
    let own = expected
        .0
        .iter()
        .filter(|said| matches!(said, Said::Event { .. }));
    assert_eq!(oracle::events(&framed).len(), 2 + own.count());
    assert!(!bytes.contains(&b'\r'), "never a CR on the wire");
    assert!(bytes == "\n" || bytes.ends_with(b"\n\n"));
    assert_eq!(
        bytes.windows(2).filter(|pair| pair == b"\n\n").count(),
        usize::from(bytes != "\n"),
        "one blank line, at the end"
    );
}

/// Law 4, with the crate's own decoder, however the bytes are cut: what is encoded is decoded.
pub fn comes_back(event: &Event<'_>, plan: &[usize]) {
    let bytes = to_bytes(event);
    for way in WAYS {
        let decoded = run(&bytes, plan, way, &Settings::default(), |_| {});
        assert_eq!(decoded, normalized(event), "{way:?}, in chunks {plan:?}");
    }
}

/// Law 6: lengths are exact, a slice that is too short stays as it was; and all ways to encode
/// give the same bytes.
pub fn encodes_exactly(event: &Event<'_>) {
    let len = encoded_len(event);
    let bytes = to_bytes(event);
    assert_eq!(bytes.len(), len);

    let mut appended = BytesMut::from("before");
    encode(event, &mut appended);
    assert_eq!(appended, [b"before", &bytes[..]].concat());

    let mut slice = vec![0xAA; len + 3];
    assert_eq!(encode_to_slice(event, &mut slice), Ok(len));
    assert_eq!((&slice[..len], &slice[len..]), (&bytes[..], &[0xAA; 3][..]));
    for short in [0, len / 2, len - 1] {
        let mut slice = vec![0xAA; short];
        let error = encode_to_slice(event, &mut slice).unwrap_err();
        assert_eq!((error.needed(), error.available()), (len, short));
        assert!(slice.iter().all(|&b| b == 0xAA));
    }

    let frame = Frame::new(event);
    assert_eq!(frame.as_bytes(), bytes);
    assert_eq!(frame.len(), len);
    assert_eq!(frame.id(), event.id().map(|id| id.to_str()).as_deref());
    assert_eq!(
        frame.event_type(),
        event.event_type().map(EventType::as_str)
    );
    assert_eq!(to_bytes(&event.clone().into_owned()), bytes);
}

/// A text splits where the standard splits it; and data that a writer gets in two pieces, as text
/// or as bytes, is the data that it gets in one.
pub fn splits_the_same(text: &str, cut: usize) {
    assert_eq!(lines(text).collect::<Vec<_>>(), oracle::lines(text));

    let whole = to_bytes(&Event::message(text));
    let cut = cut % (text.len() + 1);
    let mut out = BytesMut::from("before");
    {
        let mut writer = EventWriter::new(&mut out, &Event::block());
        let at_character = (0..=cut)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap();
        writer.write_str(&text[..at_character]).unwrap();
        writer.write_str("").unwrap();
        writer.write_str(&text[at_character..]).unwrap();
        writer.finish().unwrap();
    }
    assert_eq!(out, [b"before", &whole[..]].concat());

    let mut writer = Frame::writer(&Event::message(""));
    std::io::Write::write_all(&mut writer, &text.as_bytes()[..cut]).unwrap();
    std::io::Write::write_all(&mut writer, &text.as_bytes()[cut..]).unwrap();
    assert_eq!(writer.into_frame().unwrap().as_bytes(), whole);

    // Unfinished, it takes all back; too large, it says so and takes all back.
    let before = out.clone();
    let mut writer = EventWriter::new(&mut out, &Event::message(text));
    writer.write_str(text).unwrap();
    drop(writer);
    assert_eq!(out, before);
    let mut writer = EventWriter::with_limit(&mut out, &Event::block(), whole.len() - 1);
    assert!(writer.write_str(text).is_err() || text.is_empty());
    assert!(writer.finish().is_err());
    assert_eq!(out, before);
    let mut writer = EventWriter::with_limit(&mut out, &Event::block(), whole.len());
    writer.write_str(text).unwrap();
    writer.finish().unwrap();
    assert_eq!(out, [&before[..], &whole[..]].concat());
}

/// Bytes that are text arrive as that text, however they are cut; others are refused at their
/// offset, and whatever is written after that, nothing stays.
pub fn takes_text_only(bytes: &[u8], cut: usize) {
    let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
    let mut out = BytesMut::from("before");
    let mut writer = EventWriter::new(&mut out, &Event::block());
    for piece in [head, tail] {
        let _ = std::io::Write::write(&mut writer, piece);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            writer.finish().unwrap();
            let whole = to_bytes(&Event::message(text));
            assert_eq!(out, [b"before", &whole[..]].concat());
        }
        Err(error) => {
            let _ = std::io::Write::write(&mut writer, b"x");
            let offset = error.valid_up_to();
            let failure = writer.finish().unwrap_err();
            assert_eq!(
                failure,
                sse_proto::event::WriteError::InvalidUtf8 { offset }
            );
            assert_eq!(out, "before");
        }
    }
}
