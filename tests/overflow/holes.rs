//! Queues that lose frames from their middle, against a plain one.

use std::collections::VecDeque;

use proptest::prelude::*;
use sse_proto::Frame;
use sse_proto::target::{Limits, Overflow, channel_with};

use crate::{SENT, event, next_chunk};

/// What a plain queue does with holes in buffers of any size, and chunks of their own among them.
fn keeps_the_newest(overflow: Overflow, bytes: usize, steps: &[(u8, u16)]) {
    let limits = Limits::new()
        .with_max_frames(200)
        .with_max_bytes(bytes)
        .with_overflow(overflow);
    let (target, mut stream) = channel_with(limits);
    let mut model: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
    let mut dropped = 0;
    let types = ["a", "b", "c", "d"];
    for &(choice, size) in steps {
        let which = usize::from(choice % 4);
        if choice % 64 == 0 {
            let chunk = next_chunk(&mut stream).map(|chunk| chunk.to_vec());
            let mut expected = Vec::new();
            while expected.len() < chunk.as_ref().map_or(0, Vec::len) {
                expected.extend(model.pop_front().expect("it is queued").1);
            }
            assert_eq!(chunk.unwrap_or_default(), expected);
            continue;
        }
        // Mostly small ones.
        let len = usize::from(size >> (choice / 4 % 8));
        let frame = Frame::new(&event(types[which], &"x".repeat(len)));
        if choice / 32 % 2 == 0 {
            assert_eq!(target.dispatch_frame(&frame), Ok(()));
        } else {
            assert_eq!(
                target.dispatch(&event(types[which], &"x".repeat(len))),
                SENT
            );
        }
        let queued = |model: &VecDeque<(usize, Vec<u8>)>| -> usize {
            model.iter().map(|(_, frame)| frame.len()).sum()
        };
        while model.len() == 200 || queued(&model) + frame.as_bytes().len() > bytes {
            let same = model.iter().position(|(other, _)| *other == which);
            let at = same.filter(|_| matches!(overflow, Overflow::KeepNewest));
            model.remove(at.unwrap_or(0));
            dropped += 1;
        }
        model.push_back((which, frame.as_bytes().to_vec()));
        let counts = (target.queued_frames(), target.queued_bytes());
        assert_eq!(counts, (model.len(), queued(&model)));
        assert_eq!(target.dropped_frames(), dropped);
    }
    let mut rest = Vec::new();
    while let Some(chunk) = next_chunk(&mut stream) {
        rest.extend_from_slice(&chunk);
    }
    assert!(
        rest == model
            .into_iter()
            .flat_map(|(_, frame)| frame)
            .collect::<Vec<_>>()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_queue_with_holes_gives_out_what_a_plain_one_does(
        oldest in any::<bool>(),
        bytes in 66_000_usize..600_000,
        steps in proptest::collection::vec(any::<(u8, u16)>(), 0..1_500),
    ) {
        let overflow = if oldest { Overflow::DropOldest } else { Overflow::KeepNewest };
        keeps_the_newest(overflow, bytes, &steps);
    }
}
