//! A beat of each node: an event for all with a number, by which a page sees that it missed nothing.

use std::time::Duration;

use sse_proto::{Event, event_type};
use tokio::time::sleep;

use crate::hub::{Hub, random_word};
use crate::log::Unpublished;

/// Publishes the name of the node, a run, and the number of the beat within the run.
///
/// The numbers of a run are in the log without a gap: a run ends where it is not known whether a
/// number is there.
pub(crate) async fn publish(hub: &'static Hub, every: Duration) {
    let (mut run, mut number) = (random_word(), 1_u64);
    loop {
        sleep(every).await;
        let Some(log) = hub.log.get() else { continue };
        let event = Event::new(event_type!("beat"), format!("{} {run} {number}", hub.name));
        match log.publish(None, event, format!("{run}-{number}")).await {
            Ok(()) => number += 1,
            Err(Unpublished::Refused | Unpublished::TooLarge) => {}
            Err(Unpublished::Unconfirmed) => (run, number) = (random_word(), 1),
        }
    }
}
