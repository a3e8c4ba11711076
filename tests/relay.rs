//! A gateway: whatever is received can be sent again, and arrives as it was.

mod support;

use proptest::prelude::*;
use sse_proto::decode::{MessageEvent, OwnedMessageEvent, events};
use sse_proto::{Decoder, Event};
use support::law;

/// What a client sees of an event.
fn seen(event: &OwnedMessageEvent) -> (String, String, Option<String>) {
    let id = event.has_own_id().then(|| event.last_event_id().to_owned());
    (event.event_type().to_owned(), event.data().to_owned(), id)
}

/// Sends each event of a stream again; its form that borrows and its owned form give the same bytes.
fn relayed(stream: &[u8]) -> Vec<u8> {
    let mut relayed = Vec::new();
    let (mut borrowing, mut owned) = (Decoder::new(), Decoder::new());
    let (mut items, mut owned) = (borrowing.feed(stream), owned.feed(stream));
    while let Some(item) = items.next().expect("it is short") {
        let owned = owned.next_owned().expect("it is short").expect("an item");
        let (Some(event), Some(owned)) = (item.into_event(), owned.into_event()) else {
            continue;
        };
        let bytes = Event::from(&event).with_id_of(&event).to_bytes();
        assert_eq!(Event::from(&owned).with_id_of(&owned).to_bytes(), bytes);
        assert_eq!(
            Event::from(&owned).to_bytes(),
            Event::from(&MessageEvent::from(&owned)).to_bytes()
        );
        relayed.extend_from_slice(&bytes);
    }
    relayed
}

proptest! {
    #[test]
    fn whatever_is_received_is_sent_again(stream in "((data|event|id|retry|x)?:? ?[a-z0-9\u{0}\u{feff}é]{0,4}[\r\n]{1,3}){0,12}") {
        let stream = stream + "\n\n";
        let _law = law::law("a relayed event arrives as it was", stream.as_bytes());
        let first = events(stream.as_bytes()).expect("it is whole");
        let again = events(&relayed(stream.as_bytes())).expect("it is whole");
        let (first, again): (Vec<_>, Vec<_>) =
            (first.iter().map(seen).collect(), again.iter().map(seen).collect());
        assert_eq!(first, again);
    }
}

#[test]
fn a_type_stays_and_message_stays_absent() {
    let stream = b"data: a\n\nevent: message\ndata: b\n\nevent: error\nid\ndata\n\ndata: \xff\n\n";
    assert_eq!(
        String::from_utf8(relayed(stream)).unwrap(),
        "data: a\n\ndata: b\n\nevent: error\nid: \ndata: \n\ndata: \u{FFFD}\n\n"
    );
}

#[test]
fn an_id_is_kept_only_if_asked_for_and_only_an_own_one() {
    let received = events(b"id: 7\ndata: a\n\ndata: b\n\n").unwrap();
    let sent = |at: usize| Event::from(&received[at]).with_id_of(&received[at]);
    assert_eq!(Event::from(&received[0]).to_bytes(), "data: a\n\n");
    assert_eq!(sent(0).to_bytes(), "id: 7\ndata: a\n\n");
    assert_eq!(sent(1).to_bytes(), "data: b\n\n");
}

#[test]
fn literals_are_ids_without_a_suffix() {
    assert_eq!(
        Event::message("x").with_id(1).to_bytes(),
        "id: 1\ndata: x\n\n"
    );
    assert_eq!(
        Event::message("x").with_id(-1_i64).to_bytes(),
        "id: -1\ndata: x\n\n"
    );
    assert_eq!(sse_proto::EventId::from(1), "1");
}
