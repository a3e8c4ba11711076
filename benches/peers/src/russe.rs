//! russe takes `ByteString`s: from `'static` text it makes them without a copy, which is what it is given here.

use crate::harness::Role;
use crate::{Entry, Way, Work};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use russe::{Encoder, Event, Message};
use tokio_util::codec::Encoder as _;

pub(crate) fn entries(work: &'static Work, way: Way) -> Vec<Entry> {
    match way {
        Way::Append => vec![Entry::append(Role::Peer, "russe, codec", work, encode)],
        Way::Split => vec![Entry::split(Role::Peer, "russe, codec", work, encode)],
        // Which of the two is the faster one depends on the number of lines.
        Way::Bytes => vec![
            Entry::bytes(Role::Peer, "russe, into_bytestring", work, |work| {
                event(work)
                    .into_bytestring()
                    .expect("a valid event")
                    .into_bytes()
            }),
            Entry::bytes(
                Role::Peer,
                "russe, codec into an empty buffer",
                work,
                |work| {
                    let mut buffer = BytesMut::new();
                    encode(work, &mut buffer);
                    Bytes::from(buffer)
                },
            ),
        ],
    }
}

fn encode(work: &Work, buffer: &mut BytesMut) {
    Encoder::default()
        .encode(event(work), buffer)
        .expect("a valid event");
}

#[expect(
    clippy::inline_always,
    reason = "built in place, as in a program that sends what it has at hand"
)]
#[inline(always)]
fn event(work: &Work) -> Event {
    Event::Message(Message {
        data: ByteString::from_static(work.data),
        event: work.event_type.map(ByteString::from_static),
        retry: None,
        id: work.id.map(ByteString::from_static),
    })
}
