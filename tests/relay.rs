//! An event that was received is sent again as it is.

use proptest::prelude::*;
use sse_proto::decode::{OwnedMessageEvent, events};
use sse_proto::{Decoder, Event, EventId};

/// Streams whose blocks are complete, with all that a field can hold.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => prop::sample::select(vec![
            &b"data: "[..], b"data:", b"event: ", b"id: ", b"id", b"retry: 5", b": ", b"\n", b"\r", b"\r\n", b"\n\n",
            b"message", b"error", b"stream-start", b" ", b"\0", b"42", b"\xEF\xBB\xBF", b"\xFF", b"\xE2\x82\xAC", b"x",
            b"event: message\n", b"\ndata: x\n\n", b"\nid: \n", b"\xC2\x85", b"\xE2\x80\xA8",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// What a client that has received nothing else gets of the bytes: type, data and last event ID.
fn read(bytes: &[u8]) -> (String, String, String) {
    let events = events(bytes).expect("whole blocks");
    assert_eq!(events.len(), 1);
    parts(&events[0])
}

fn parts(event: &OwnedMessageEvent) -> (String, String, String) {
    let texts = [event.event_type(), event.data(), event.last_event_id()];
    let [event_type, data, id] = texts.map(str::to_owned);
    (event_type, data, id)
}

/// Passes each event on, and compares what arrives.
fn relays(bytes: &[u8]) {
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(bytes);
    while let Some(item) = items.next().expect("within the limits") {
        let Some(received) = item.into_event() else {
            continue;
        };
        let plain = Event::from(&received);
        let sent = Event::from(&received).with_id_of(&received);
        assert_eq!(
            plain.event_type().is_none(),
            received.event_type() == "message"
        );
        assert!(plain.id().is_none());
        let (plain, sent) = (plain.to_bytes(), sent.to_bytes());

        let received = received.into_owned();
        let owned = Event::from(&received);
        assert_eq!(owned.to_bytes(), plain);
        assert_eq!(owned.with_id_of(&received).to_bytes(), sent);

        let (event_type, data, id) = parts(&received);
        assert_eq!(
            read(&plain),
            (event_type.clone(), data.clone(), String::new())
        );
        assert_eq!(read(&sent), (event_type, data, id));
    }
}

#[test]
fn a_type_stays_what_it_is_and_message_stays_absent() {
    let upstream = "event: error\ndata: busy\n\nevent: message\ndata: 1\n\ndata: 2\n\n";
    let sent = events(upstream).unwrap();
    let sent = sent.iter().map(|received| Event::from(received).to_bytes());
    let expected = ["event: error\ndata: busy\n\n", "data: 1\n\n", "data: 2\n\n"];
    assert!(sent.eq(expected));
}

#[test]
fn an_id_is_kept_also_if_a_block_without_data_has_set_it() {
    let upstream = "data: 0\n\nid: 1\ndata: 1\n\nid: 2\n\ndata: 2\n\nid\ndata: 3\n\ndata: 4\n\n";
    let sent = events(upstream).unwrap();
    let sent = sent
        .iter()
        .map(|received| Event::from(received).with_id_of(received));
    let ids: Vec<_> = sent
        .map(|event| event.id().map(EventId::to_string))
        .collect();
    let [one, two, empty] = ["1", "2", ""].map(|id| Some(id.to_owned()));
    assert_eq!(ids, [None, one, two, empty, None]);
}

proptest! {
    #[test]
    fn whatever_a_decoder_hands_out_is_sent_and_arrives_as_it_was(mut bytes in stream()) {
        bytes.extend_from_slice(b"\n\n");
        relays(&bytes);
    }
}
