//! Law 10: `Pending` is only ever returned with a waker registered, a wake is never lost, nobody is
//! woken for nothing, and an ended stream stays ended.
//!
//! Random interleavings of everything that handles, streams, waits and permits can do, against a
//! plain model that says after each step how often each task has been woken.

#![cfg(feature = "std")]

#[path = "../support/mod.rs"]
mod support;
mod task;
mod world;

use proptest::prelude::*;
use sse_proto::target::{Limits, Sharing, channel_with, local_channel_with};
use sse_proto::{EventStream, Target};
use world::{SCALE, World};

fn wakes_nobody_too_little_or_too_often<S: Sharing>(
    room: (usize, usize),
    open: fn(Limits) -> (Target<S>, EventStream<S>),
    steps: &[(u8, u8)],
) {
    let mut world = World::new(room, open);
    for &(choice, value) in steps {
        world.step(choice, value);
    }
    world.check_end();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn no_wake_is_lost_and_none_is_for_nothing(
        frames in 1_usize..8,
        bytes in 0..200 * SCALE,
        steps in proptest::collection::vec(any::<(u8, u8)>(), 0..300),
    ) {
        wakes_nobody_too_little_or_too_often((frames, bytes), channel_with, &steps);
        wakes_nobody_too_little_or_too_often((frames, bytes), local_channel_with, &steps);
    }
}
