//! The memory that a target holds follows its limits, whatever the client does.
//!
//! `Limits::with_max_bytes` promises: below the limit and a sixteenth of it, plus 128 KiB, plus 96
//! bytes for each frame that may be queued; where the newest of each type are kept, an eighth and
//! 320 KiB. The last of the first three is what the list of frames takes for the moment in which it
//! grows; what is held is less, and is tested here against 64.

use std::fmt::Write;
use std::task::Poll;

use allocation_counter::{AllocationInfo, measure};
use sse_proto::deps::bytes::BytesMut;
use sse_proto::target::{
    DispatchError, Limits, LocalEventStream, LocalTarget, Overflow, local_channel_with,
};
use sse_proto::{Event, EventType, EventWriter, Frame, local_channel};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a queue may hold.
#[derive(Clone, Copy, Debug)]
struct Most {
    frames: usize,
    bytes: usize,
    overflow: Overflow,
}

impl Most {
    const fn new(frames: usize, bytes: usize) -> Self {
        Self {
            frames,
            bytes,
            overflow: Overflow::Refuse,
        }
    }

    fn open(self) -> (LocalTarget, LocalEventStream) {
        let limits = Limits::new().with_overflow(self.overflow);
        let limits = limits
            .with_max_frames(self.frames)
            .with_max_bytes(self.bytes);
        local_channel_with(limits)
    }

    fn held(self) -> u64 {
        let (part, constant, frame) = match self.overflow {
            Overflow::KeepNewest => (8, 320, 96),
            // Without a queue that is full and goes on, 64.
            Overflow::Refuse => (16, 128, 64),
            _ => (16, 128, 96),
        };
        let most = self.bytes + self.bytes / part + constant * KIB + frame * self.frames;
        most as u64
    }
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

/// The first one has the defaults.
const LIMITS: &[Most] = &[
    Most::new(1_024, MIB),
    Most::new(1_000_000, MIB),
    Most::new(50_000, 2 * MIB),
    Most::new(10_000, 300 * KIB),
    Most::new(1_025, 128 * KIB),
    Most::new(10, MIB),
];

/// Sends the next of what is to be sent; the text is a part of `text`.
fn send(target: &LocalTarget, sent: Sent, number: usize, text: &str) -> Result<(), DispatchError> {
    let data = |lens: &[usize]| &text[..lens[number % lens.len()]];
    match sent {
        Sent::Events(lens) => target.dispatch_message(data(lens)).map(|_| ()),
        Sent::Frames(lens) => target.dispatch_frame(&Frame::new(&Event::message(data(lens)))),
        Sent::Written(lens) => {
            let mut writer = EventWriter::new(BytesMut::new(), &Event::block());
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
fn fill(target: &LocalTarget, sent: Sent, text: &str) {
    for number in 0.. {
        match send(target, sent, number, text) {
            Ok(()) => {}
            Err(DispatchError::Full) => return,
            Err(error) => panic!("{sent:?}: {error}"),
        }
    }
}

fn drain(stream: &mut LocalEventStream) {
    while let Poll::Ready(Some(_)) = stream.try_next() {}
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
            let (target, _stream) = limits.open();
            let held = held(measure(|| fill(&target, sent, &text)));
            if held >= limits.held() {
                broken.push((limits, sent, held, limits.held()));
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
        let limits = Most { overflow, ..limits };
        for lens in all {
            for types in [TURNS, HOLES] {
                let (target, _stream) = limits.open();
                // Events, so that what is allocated for a moment is the target's.
                let made = measure(|| stall(&target, lens, types, &text));
                if made.bytes_max >= limits.held() {
                    broken.push((limits, lens, made.bytes_max, limits.held()));
                }
                assert!(target.dropped_frames() > 50 || matches!(overflow, Overflow::Disconnect));
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
fn stall(target: &LocalTarget, lens: &[usize], types: Types, text: &str) {
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
        let (target, mut stream) = Most {
            overflow,
            ..LIMITS[0]
        }
        .open();
        let left = held(measure(|| {
            stall(&target, MIXED, TURNS, &text);
            drain(&mut stream);
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
            let (target, _stream) = limits.open();
            let held = measure(|| fill(&target, Sent::Events(lens), &text)).bytes_max;
            if held >= limits.held() {
                broken.push((limits, lens, held, limits.held()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_client_that_reads_slower_than_events_come_holds_no_more_than_one_that_never_reads() {
    let text = text();
    for &limits in LIMITS {
        let (target, mut stream) = limits.open();
        let mut held = 0;
        for number in 0..1_500 {
            let step = measure(|| {
                let _ = send(&target, Sent::Events(MIXED), number, &text);
                if number % 3 == 0 {
                    drop(stream.try_next());
                }
            });
            held += step.bytes_current;
            assert!(held.unsigned_abs() < limits.held(), "{limits:?}: {held}");
        }
    }
}

#[test]
fn memory_shrinks_back_to_the_idle_capacity_after_a_drain() {
    // The lengths of 32 frames, and what counts the chunks of the buffer.
    const BESIDE: u64 = 32 * 32 + 128;
    const IDLE: u64 = 4096;
    let text = text();
    for limits in [LIMITS[0], Most::new(50_000, MIB)] {
        for &sent in ALL {
            let (target, mut stream) = limits.open();
            let left = held(measure(|| {
                fill(&target, sent, &text);
                drain(&mut stream);
            }));
            assert!(left <= IDLE + BESIDE, "{limits:?} {sent:?}: {left}");
        }
    }
}

#[test]
fn an_end_that_drops_the_queue_gives_all_memory_back() {
    let text = text();
    for &sent in ALL {
        let (target, _stream) = local_channel();
        let left = measure(|| {
            fill(&target, sent, &text);
            target.abort();
        });
        assert_eq!(left.bytes_current, 0, "{sent:?}");
    }
}

#[test]
fn a_closed_target_that_was_drained_holds_no_more_than_an_idle_one() {
    let text = text();
    let (target, mut stream) = local_channel();
    let left = held(measure(|| {
        fill(&target, Sent::Events(MIXED), &text);
        target.close();
        drain(&mut stream);
    }));
    assert!(target.is_drained());
    assert!(left < 6 * 1024, "{left}");
}
