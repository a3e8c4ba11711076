//! What a delivered event costs, from `publish` through `poll_next` of each subscriber, each with a waker of its own that is
//! registered again each time. Events of one of many, beside a map of channels. And publishing to nobody, subscribing, catching
//! up, and a publisher on a thread of its own.
//!
//! `cargo bench --bench broadcast`; an argument picks the comparisons whose title contains it. Others do the same work in
//! `benches/peers`.

mod deliver;
#[path = "../harness/mod.rs"]
pub mod harness;
mod resume;
mod task;
mod topics;
mod two_threads;

use bytes::BytesMut;
use harness::{Candidate, Role, Work, compare};
use sse_proto::broadcast::{Key, Publication, Retention};
use sse_proto::{Broadcast, Event, EventType, Frame};

use crate::deliver::deliver;
use crate::resume::{catch_up, find_ids};
use crate::topics::{mixed_events, private_events, subscribing};
use crate::two_threads::two_threads;

const DATA: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" the quick brown fox jumps over a dog!!"}}"#;

fn main() {
    for subscribers in [1, 100, 10_000] {
        for burst in [1, 8, 64] {
            deliver(subscribers, burst);
        }
    }
    for subscribers in [1_000, 10_000, 100_000] {
        private_events(subscribers);
    }
    mixed_events();
    subscribing();
    publish_to_nobody();
    catch_up();
    find_ids();
    two_threads();
}

fn delta() -> Event<'static> {
    Event::new(EventType::from_static("content_block_delta"), DATA)
}

fn publish_to_nobody() {
    let event = delta();
    let (assigned, own, without) = (
        Broadcast::with_epoch(Retention::default(), 1),
        Broadcast::with_key(Retention::default(), Key::number()),
        Broadcast::with_key(Retention::default(), Key::number()),
    );
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let mut first = 0_u64;
    let wire = Frame::new(&event);
    compare(
        "publish, nobody subscribed",
        Work {
            events: 1,
            bytes: wire.as_bytes().len(),
        },
        &mut [
            Candidate::new(Role::Limit, "encode into a buffer", || {
                if buffer.len() > 60 * 1024 {
                    buffer.clear();
                }
                event.encode(&mut buffer);
            }),
            Candidate::new(Role::Ours, "Frame::new", || Frame::new(&event)),
            Candidate::new(Role::Ours, "publish, no id", || without.publish(&event)),
            Candidate::new(Role::Ours, "publish, ids assigned", || {
                assigned.publish(&event)
            }),
            Candidate::new(Role::Ours, "publish, ids of the user's", || {
                first += 1;
                own.publish(&delta().with_id(first))
            }),
            Candidate::new(Role::Ours, "Frame::new with id", || {
                Frame::new(&delta().with_id(1_000_000_u64))
            }),
            Candidate::new(Role::Ours, "publish_all of one frame", || {
                without.publish_all([Publication::new(wire.clone())])
            }),
            Candidate::new(Role::Ours, "publish_to, ids assigned", || {
                assigned.publish_to("user-7", &event)
            }),
        ],
    );
}
