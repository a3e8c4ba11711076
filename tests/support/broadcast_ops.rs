//! What can happen to a broadcast in a play, and the kinds of subscribers in it.

use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventType, Frame};

use super::broadcast_model::Config;
use super::input::Input;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Publish(Piece),
    /// Frames and places under one lock, from the last one on.
    Batch {
        from: Piece,
        many: u8,
    },
    Subscribe {
        kind: u8,
        id: WhichId,
        /// If the client cannot be resumed, it begins with the oldest frame, not with the next.
        oldest: bool,
    },
    Poll(u8),
    /// From the next poll on, another task polls.
    Move(u8),
    Drop(u8),
    AddTopic(u8, u8),
    RemoveTopic(u8, u8),
    SendAway {
        reader: u8,
        farewell: bool,
    },
    /// Asks for the place, as a keep-alive does.
    Hold {
        kind: u8,
    },
    /// Holds a subscription that is there, or has lagged.
    HoldAgain(u8),
    Join(u8, WhichId),
    Reach(WhichId),
    Rewind(WhichId),
    Reset {
        origin: Option<u8>,
    },
    Advance(u8),
    Close {
        farewell: bool,
    },
}

/// A frame to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub event_type: u8,
    /// The way in which the id is made, if ids are the user's.
    pub id: u8,
    pub topic: u8,
    pub len: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichId {
    None,
    /// The last id that the client of this subscriber got.
    Last(u8),
    /// The id of a frame, counted back from the head.
    Back(u8),
    /// A text.
    Made(u8),
    /// A number above the last key.
    Above(u8),
}

/// Letters, so that a person can write a seed. First `a` (ids are assigned) or another, frames,
/// bytes in steps of 512, age, topics remembered (0 is the default); then operations: `p` type id
/// topic length; `b` the same and how many; `s` kind which and `o` (oldest) or another; `.`
/// subscriber, `m` subscriber, `d` subscriber; `+` and `-` subscriber topic; `x` and `y` (with a
/// farewell) subscriber; `h` kind, `g` subscriber, `j` subscriber which; `r` which; `w` which; `z` origin;
/// `t` seconds, `c`, `e` (with a farewell). Which is `n`, or `l` subscriber, `b` frames back, `m`
/// text, `a` number above.
pub fn read(data: &[u8]) -> (Config, Vec<Op>) {
    let mut input = Input(data);
    let config = Config {
        assigned: input.byte() == b'a',
        frames: usize::from(number(&mut input)) * 2 + 1,
        bytes: (usize::from(number(&mut input)) + 1) * 512,
        age: Some(number(&mut input)).filter(|age| *age > 0),
        remembered: Some(usize::from(number(&mut input)).wrapping_sub(1)).filter(|many| *many < 16),
    };
    let mut ops = Vec::new();
    while !input.is_empty() && ops.len() < 300 {
        ops.push(match input.byte() {
            b'p' => Op::Publish(piece(&mut input)),
            b'b' => Op::Batch {
                from: piece(&mut input),
                many: number(&mut input),
            },
            b's' => Op::Subscribe {
                kind: number(&mut input),
                id: which(&mut input),
                oldest: input.byte() == b'o',
            },
            b'm' => Op::Move(number(&mut input)),
            b'd' => Op::Drop(number(&mut input)),
            b'+' => Op::AddTopic(number(&mut input), number(&mut input)),
            b'-' => Op::RemoveTopic(number(&mut input), number(&mut input)),
            letter @ (b'x' | b'y') => Op::SendAway {
                reader: number(&mut input),
                farewell: letter == b'y',
            },
            b'h' => Op::Hold {
                kind: number(&mut input),
            },
            b'g' => Op::HoldAgain(number(&mut input)),
            b'j' => Op::Join(number(&mut input), which(&mut input)),
            b'r' => Op::Reach(which(&mut input)),
            b'w' => Op::Rewind(which(&mut input)),
            b'z' => Op::Reset {
                origin: Some(number(&mut input)).filter(|origin| *origin > 0),
            },
            b't' => Op::Advance(number(&mut input)),
            b'c' => Op::Close { farewell: false },
            b'e' => Op::Close { farewell: true },
            _ => Op::Poll(number(&mut input)),
        });
    }
    (config, ops)
}

fn piece(input: &mut Input<'_>) -> Piece {
    Piece {
        event_type: number(input),
        id: number(input),
        topic: number(input),
        len: len(input),
    }
}

fn which(input: &mut Input<'_>) -> WhichId {
    match input.byte() {
        b'l' => WhichId::Last(number(input)),
        b'b' => WhichId::Back(number(input)),
        b'm' => WhichId::Made(number(input)),
        b'a' => WhichId::Above(number(input)),
        _ => WhichId::None,
    }
}

pub(super) fn number(input: &mut Input<'_>) -> u8 {
    input.byte() % 16
}

/// Digits are small lengths, letters steps of 100.
pub(super) fn len(input: &mut Input<'_>) -> u16 {
    match input.byte() {
        byte @ b'a'.. => u16::from(byte - b'a') * 100,
        byte => u16::from(byte % 16),
    }
}

pub const TYPES: [Option<&str>; 3] = [None, Some("a"), Some("b")];

/// The topic of a number; `None` is all. Above 12, each has another one.
pub fn topic(number: u8, fresh: u64) -> Option<String> {
    match number % 16 {
        0..6 => None,
        6..8 => Some("ann".into()),
        8..10 => Some("bob".into()),
        10..12 => Some("carl".into()),
        _ => Some(format!("fresh-{fresh}")),
    }
}

/// The topics that come and go.
pub const NAMES: [&str; 4] = ["ann", "bob", "carl", "dora"];

/// The kinds of subscribers: 0 has the default options; 1 takes a type; 2 and 3 have topics; 4 has one
/// and takes a type; 5 skips ahead; 6 takes types and skips ahead; 7 has topics and is told its place.
pub const KINDS: u8 = 8;

pub fn topics(kind: u8) -> &'static [&'static str] {
    match kind {
        2 => &["ann"],
        3 => &["carl", "ann", "bob", "ann"],
        4 => &["bob"],
        6 => &["carl"],
        7 => &["ann", "carl"],
        _ => &[],
    }
}

/// Returns whether the subscribers of a kind take a frame that they see.
pub fn takes(kind: u8, event_type: Option<&str>) -> bool {
    match kind {
        1 => event_type == Some("a"),
        4 => event_type.is_none(),
        6 => event_type.is_none_or(|one| one == "b"),
        _ => true,
    }
}

/// Returns whether they skip ahead when they lag.
pub fn skips(kind: u8) -> bool {
    matches!(kind, 5 | 6)
}

pub fn options(kind: u8) -> SubscribeOptions {
    let mut options = SubscribeOptions::new().with_topics(topics(kind).iter().copied());
    options = match kind {
        1 => options.with_event_types([EventType::from_static("a")]),
        4 => options.with_event_types([EventType::from_static("message")]),
        6 => options.with_event_types([
            EventType::from_static("message"),
            EventType::from_static("b"),
        ]),
        7 => options.with_place(EventType::from_static("place"), ""),
        _ => options,
    };
    if skips(kind) {
        options = options.with_skip_ahead(lost());
    }
    options
}

pub fn lost() -> Frame {
    Frame::new(&Event::new(EventType::from_static("lost"), ""))
}

/// What tells a client that could not be resumed.
pub fn reset() -> Event<'static> {
    Event::new(EventType::from_static("reset"), "")
}
