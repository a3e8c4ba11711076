//! The event type is checked where it is made: in each event, as the peers do, or once, as a program does with a constant one.

use crate::harness::Role;
use crate::{Entry, Way, Work};
use sse_proto::{Event, EventId, EventType};

const CONSTANT: &str = "sse-proto, constant event type";
const NAME: &str = "sse-proto";

pub(crate) fn entries(work: &'static Work, way: Way) -> Vec<Entry> {
    let mut entries = vec![entry(NAME, work, way, event)];
    if let Some(text) = work.event_type {
        let event_type = EventType::from_static(text);
        entries.push(entry(CONSTANT, work, way, move |work| {
            with_id(Event::new(event_type.clone(), work.data), work)
        }));
    }
    entries
}

fn entry(
    name: &str,
    work: &'static Work,
    way: Way,
    event: impl Fn(&Work) -> Event<'_> + 'static,
) -> Entry {
    match way {
        Way::Append => Entry::append(Role::Ours, name, work, move |work, buffer| {
            event(work).encode(buffer);
        }),
        Way::Split => Entry::split(Role::Ours, name, work, move |work, buffer| {
            event(work).encode(buffer);
        }),
        Way::Bytes => Entry::bytes(Role::Ours, name, work, move |work| event(work).to_bytes()),
    }
}

#[expect(
    clippy::inline_always,
    reason = "built in place, as in a program that sends what it has at hand"
)]
#[inline(always)]
fn event(work: &Work) -> Event<'_> {
    let event_type = |text| EventType::new(text).expect("a valid event type");
    match work.event_type {
        Some(text) => with_id(Event::new(event_type(text), work.data), work),
        None => with_id(Event::message(work.data), work),
    }
}

#[expect(
    clippy::inline_always,
    reason = "built in place, as in a program that sends what it has at hand"
)]
#[inline(always)]
fn with_id<'a>(event: Event<'a>, work: &'a Work) -> Event<'a> {
    match work.id {
        Some(id) => event.with_id(EventId::new(id).expect("a valid id")),
        None => event,
    }
}
