//! The memory that a target holds follows its limits, whatever the client does.
//!
//! `Limits::with_bytes` promises: below the limit and a sixteenth of it, plus 128 KiB, plus 96
//! bytes for each frame that may be queued; where the newest of each type are kept, an eighth and
//! 320 KiB. The last of the first three is what the list of frames takes for the moment in which it
//! grows; what is held is less, and is tested here against 64.

use std::fmt::Write;

use allocation_counter::{AllocationInfo, measure};
use sse_proto::target::{DispatchError, Limits, Overflow};
use sse_proto::{Event, EventType, EventWriter, Frame, LocalListener, Target};

type Local = Target<LocalListener>;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn most(limits: Limits) -> u64 {
    let (part, constant, frame) = match limits.overflow() {
        Overflow::KeepNewest => (8, 320, 96),
        // Without a queue that is full and goes on, 64.
        Overflow::Refuse => (16, 128, 64),
        _ => (16, 128, 96),
    };
    let most = limits.bytes() + limits.bytes() / part + constant * KIB + frame * limits.frames();
    most as u64
}

/// What a client that never reads is sent.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Events(&'static [usize]),
    Frames(&'static [usize]),
    /// Frames whose data came in pieces.
    Written(&'static [usize]),
    Alternating(&'static [usize]),
}

const SMALL: &[usize] = &[1, 20, 150];
const MEDIUM: &[usize] = &[3 * KIB];
/// Around the length above which frames are not copied any more.
const EDGE: &[usize] = &[4_000, 4_088, 4_089, 4_100, 5_000];
const LARGE: &[usize] = &[100 * KIB];
const MIXED: &[usize] = &[1, 3 * KIB, 20, 100 * KIB, 150, 5_000, 4_089, 70 * KIB];

const ALL: &[Sent] = &[
    Sent::Events(SMALL),
    Sent::Events(MEDIUM),
    Sent::Events(EDGE),
    Sent::Events(LARGE),
    Sent::Events(MIXED),
    Sent::Frames(SMALL),
    Sent::Frames(MEDIUM),
    Sent::Frames(EDGE),
    Sent::Frames(LARGE),
    Sent::Frames(MIXED),
    Sent::Written(SMALL),
    Sent::Written(MEDIUM),
    Sent::Written(EDGE),
    Sent::Written(LARGE),
    Sent::Written(MIXED),
    Sent::Alternating(SMALL),
    Sent::Alternating(MEDIUM),
    Sent::Alternating(EDGE),
    Sent::Alternating(LARGE),
    Sent::Alternating(MIXED),
];

const LIMITS: &[Limits] = &[
    Limits::new(),
    Limits::new().with_frames(1_000_000),
    Limits::new().with_frames(50_000).with_bytes(2 * MIB),
    Limits::new().with_frames(10_000).with_bytes(300 * KIB),
    Limits::new().with_frames(1_025).with_bytes(128 * KIB),
    Limits::new().with_frames(10).with_bytes(MIB),
    Limits::new().with_idle_capacity(0),
    Limits::new().with_idle_capacity(64 * KIB).with_chunk(1),
];

/// Sends the next of what is to be sent; the text is a part of `text`.
fn send(target: &mut Local, sent: Sent, number: usize, text: &str) -> Result<(), DispatchError> {
    let data = |lens: &[usize]| &text[..lens[number % lens.len()]];
    match sent {
        Sent::Events(lens) => target.dispatch_message(data(lens)).map(|_| ()),
        Sent::Frames(lens) => target.dispatch_frame(&Frame::new(&Event::message(data(lens)))),
        Sent::Written(lens) => {
            let mut writer = EventWriter::for_frame(&Event::block());
            for piece in data(lens).as_bytes().chunks(100) {
                let piece = std::str::from_utf8(piece).unwrap_or_default();
                writer.write_str(piece).expect("there is no limit");
            }
            target.dispatch_frame(&writer.into_frame().expect("nothing failed"))
        }
        Sent::Alternating(lens) if number % 2 == 0 => {
            send(target, Sent::Events(lens), number / 2, text)
        }
        Sent::Alternating(lens) => send(target, Sent::Frames(lens), number / 2, text),
    }
}

/// Sends until the queue is full. What the making of a frame takes for a moment is not counted,
/// what the queue keeps of it is.
fn fill(target: &mut Local, sent: Sent, text: &str) {
    for number in 0.. {
        match send(target, sent, number, text) {
            Ok(()) => {}
            Err(DispatchError::Full) => return,
            Err(error) => panic!("{sent:?}: {error}"),
        }
    }
}

fn drain(target: &mut Local) {
    while target.next_chunk().is_some() {}
}

/// What was allocated and is still held.
fn held(made: AllocationInfo) -> u64 {
    u64::try_from(made.bytes_current).unwrap_or(0)
}

fn text() -> String {
    "x".repeat(100 * KIB)
}

#[test]
fn the_memory_behind_a_client_that_never_reads_stays_below_what_the_limits_promise() {
    let text = text();
    let mut broken = Vec::new();
    for &limits in LIMITS {
        for &sent in ALL {
            let mut target = Local::with_limits(limits);
            let held = held(measure(|| fill(&mut target, sent, &text)));
            if held >= most(limits) {
                broken.push((limits, sent, held, most(limits)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The policies under which a producer never has to stop.
const DROPPING: &[Overflow] = &[
    Overflow::DropOldest,
    Overflow::KeepNewest,
    Overflow::Disconnect,
];

#[test]
fn behind_a_stalled_client_a_producer_that_never_stops_holds_no_more_than_promised() {
    let text = text();
    let mut broken = Vec::new();
    let all = [SMALL, MEDIUM, EDGE, LARGE, MIXED];
    for (&limits, &overflow) in LIMITS
        .iter()
        .flat_map(|limits| DROPPING.iter().map(move |overflow| (limits, overflow)))
    {
        let limits = limits.with_overflow(overflow);
        for lens in all {
            for types in [TURNS, HOLES] {
                let mut target = Local::with_limits(limits);
                // Events, so that what is allocated for a moment is the target's.
                let made = measure(|| stall(&mut target, lens, types, &text));
                if made.bytes_max >= most(limits) {
                    broken.push((limits, lens, made.bytes_max, most(limits)));
                }
                assert!(target.dropped_frames() > 50 || overflow == Overflow::Disconnect);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The types of events: until the queue is full, and from then on.
type Types = [&'static [&'static str]; 2];

/// Types that come in turns.
const TURNS: Types = [&["a", "b", "c", "a", "d", "a", "message"]; 2];
/// Every other frame of the full queue is in the way of the newer ones, and the rest stays: where
/// the newest of each type are kept, this leaves as many holes as there can be.
const HOLES: Types = [&["stays", "a"], &["a"]];

/// Sends more than the queue may hold, until it has been full for a while.
fn stall(target: &mut Local, lens: &[usize], types: Types, text: &str) {
    let mut bytes = 0;
    let mut full = 0;
    for number in 0.. {
        let data = &text[..lens[number % lens.len()]];
        bytes += data.len() + 8;
        full += usize::from(target.dropped_frames() > 0);
        // Where many frames are queued, each of them is looked at for each event.
        let enough = if target.queued_frames() > 2_000 {
            60
        } else {
            900
        };
        if full > enough || bytes > 8 * MIB {
            return;
        }
        let types = types[usize::from(full > 0)];
        let event_type = types[number % types.len()];
        let event_type = EventType::new(event_type).expect("a valid type");
        match target.dispatch(&Event::new(event_type, data)) {
            Ok(_) | Err(DispatchError::TooLarge { .. }) => {}
            Err(DispatchError::Closed(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn dropping_policies_shrink_back_too() {
    let text = text();
    for &overflow in DROPPING {
        let mut target = Local::with_limits(Limits::new().with_overflow(overflow));
        let left = held(measure(|| {
            stall(&mut target, MIXED, TURNS, &text);
            drain(&mut target);
        }));
        assert!(left < 6 * 1024, "{overflow:?}: {left}");
    }
}

#[test]
fn not_even_for_a_moment_is_it_more() {
    let text = text();
    let mut broken = Vec::new();
    for &limits in LIMITS {
        // Events alone: the making of a frame is the caller's.
        for lens in [SMALL, MEDIUM, EDGE, LARGE, MIXED] {
            let mut target = Local::with_limits(limits);
            let held = measure(|| fill(&mut target, Sent::Events(lens), &text)).bytes_max;
            if held >= most(limits) {
                broken.push((limits, lens, held, most(limits)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_client_that_reads_slower_than_events_come_holds_no_more_than_one_that_never_reads() {
    let text = text();
    for &limits in LIMITS {
        let mut target = Local::with_limits(limits);
        let mut held = 0;
        for number in 0..1_500 {
            let step = measure(|| {
                let _ = send(&mut target, Sent::Events(MIXED), number, &text);
                if number % 3 == 0 {
                    drop(target.next_chunk());
                }
            });
            held += step.bytes_current;
            assert!(held.unsigned_abs() < most(limits), "{limits:?}: {held}");
        }
    }
}

#[test]
fn memory_shrinks_back_to_the_idle_capacity_after_a_drain() {
    // The lengths of 32 frames, and what counts the chunks of the buffer.
    const BESIDE: u64 = 32 * 32 + 128;
    let text = text();
    for (limits, idle) in [
        (Limits::new(), 4096),
        (Limits::new().with_frames(50_000), 4096),
        (Limits::new().with_idle_capacity(0), 0),
        (Limits::new().with_idle_capacity(1000), 1000),
        (Limits::new().with_idle_capacity(64 * KIB), 64 * 1024),
    ] {
        for &sent in ALL {
            let mut target = Local::with_limits(limits);
            let left = held(measure(|| {
                fill(&mut target, sent, &text);
                drain(&mut target);
            }));
            assert!(left <= idle + BESIDE, "{limits:?} {sent:?}: {left}");
        }
    }
}

#[test]
fn an_end_that_drops_the_queue_gives_all_memory_back() {
    let text = text();
    for &sent in ALL {
        let mut target = Local::new();
        let left = measure(|| {
            fill(&mut target, sent, &text);
            target.abort();
        });
        assert_eq!(left.bytes_current, 0, "{sent:?}");
    }
}

#[test]
fn a_closed_target_that_was_drained_holds_no_more_than_an_idle_one() {
    let text = text();
    let mut target = Local::new();
    let left = held(measure(|| {
        fill(&mut target, Sent::Events(MIXED), &text);
        target.close();
        drain(&mut target);
    }));
    assert!(target.is_drained());
    assert!(left < 6 * 1024, "{left}");
}
