//! sse-stream's events own `String`s, and each is encoded to a `Bytes` of its own; it appends to nobody's buffer.

use crate::harness::Role;
use crate::{Entry, Way, Work};
use bytes::Bytes;
use sse_stream::Sse;

pub(crate) fn entries(work: &'static Work, way: Way) -> Vec<Entry> {
    match way {
        Way::Append | Way::Split => Vec::new(),
        Way::Bytes => vec![Entry::bytes(Role::Peer, "sse-stream", work, encode)],
    }
}

fn encode(work: &Work) -> Bytes {
    let event = Sse {
        event: work.event_type.map(String::from),
        data: Some(String::from(work.data)),
        id: work.id.map(String::from),
        retry: None,
    };
    event.encode().expect("a valid event")
}
