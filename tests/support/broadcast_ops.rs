//! What can happen to a broadcast in a play, and the kinds of subscribers in it.

use sse_proto::broadcast::{Scope, SubscribeOptions};
use sse_proto::{Event, EventType};

use super::broadcast_model::Config;
use super::input::Input;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Publish {
        event_type: u8,
        /// 0 is none, 1 is empty; a few others, which recur.
        id: u8,
        scope: u8,
        len: u16,
        as_frame: bool,
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
    Advance(u8),
    Close {
        farewell: bool,
    },
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
}

/// Letters, so that a person can write a seed. First `a` (ids are assigned) or another, frames,
/// bytes in steps of 512, age, ids remembered; then operations: `p` type id scope length, `f` the same
/// as a frame; `s` kind `n` | `l` + subscriber | `b` + frames back | `m` + text, and `o` (oldest) or
/// another; `.` subscriber, `m` subscriber, `d` subscriber, `t` seconds, `c`, `e` (with a farewell).
pub fn read(data: &[u8]) -> (Config, Vec<Op>) {
    let mut input = Input(data);
    let config = Config {
        assigned: input.byte() == b'a',
        frames: usize::from(number(&mut input)) * 2 + 1,
        bytes: (usize::from(number(&mut input)) + 1) * 512,
        age: Some(number(&mut input)).filter(|age| *age > 0),
        remembered: usize::from(number(&mut input)),
    };
    let mut ops = Vec::new();
    while !input.is_empty() && ops.len() < 300 {
        ops.push(match input.byte() {
            letter @ (b'p' | b'f') => Op::Publish {
                event_type: number(&mut input),
                id: number(&mut input),
                scope: number(&mut input),
                len: len(&mut input),
                as_frame: letter == b'f',
            },
            b's' => Op::Subscribe {
                kind: number(&mut input),
                id: match input.byte() {
                    b'l' => WhichId::Last(number(&mut input)),
                    b'b' => WhichId::Back(number(&mut input)),
                    b'm' => WhichId::Made(number(&mut input)),
                    _ => WhichId::None,
                },
                oldest: input.byte() == b'o',
            },
            b'm' => Op::Move(number(&mut input)),
            b'd' => Op::Drop(number(&mut input)),
            b't' => Op::Advance(number(&mut input)),
            b'c' => Op::Close { farewell: false },
            b'e' => Op::Close { farewell: true },
            _ => Op::Poll(number(&mut input)),
        });
    }
    (config, ops)
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

pub const SCOPES: [Option<&str>; 3] = [None, Some("ann"), Some("bob")];
pub const TYPES: [Option<&str>; 3] = [None, Some("a"), Some("b")];

/// The kinds of subscribers: 0 has the default options; 1 takes a type; 2 and 7 see a scope of their
/// own, and 7 gets ids at the default distance; 3 sees all scopes; 4 sees a scope by a predicate and
/// filters; 5 skips ahead; 6 takes types and skips ahead.
pub const KINDS: u8 = 8;

/// Returns whether the subscribers of a kind see a scope.
pub fn sees(kind: u8, scope: &str) -> bool {
    match kind {
        2 | 7 => scope == "ann",
        3 => true,
        4 => scope == "bob",
        _ => false,
    }
}

/// Returns whether they take a frame that they see.
pub fn takes(kind: u8, event_type: Option<&str>) -> bool {
    match kind {
        1 => event_type == Some("a"),
        4 => event_type.is_none(),
        6 => event_type.is_none_or(|one| one == "b"),
        _ => true,
    }
}

/// Returns the number of frames that are not for them before they get an id.
pub fn id_after(kind: u8) -> u64 {
    own_id_after(kind).map_or(64, u64::from)
}

fn own_id_after(kind: u8) -> Option<u32> {
    match kind {
        1 => Some(2),
        2 => Some(3),
        6 => Some(1),
        _ => None,
    }
}

/// Returns whether they skip ahead when they lag.
pub fn skips(kind: u8) -> bool {
    matches!(kind, 5 | 6)
}

pub fn options(kind: u8) -> SubscribeOptions {
    let mut options = SubscribeOptions::new();
    options = match kind {
        1 => options.with_event_types([EventType::from_static("a")]),
        2 | 7 => options.with_scope(Scope::new("ann")),
        3 => options.with_scopes(|_| true),
        4 => options
            .with_scopes(|scope| scope.as_str() == "bob")
            .with_filter(|event_type, _| event_type == "message"),
        6 => options.with_event_types([
            EventType::from_static("message"),
            EventType::from_static("b"),
        ]),
        _ => options,
    };
    if skips(kind) {
        options = options.with_skip_ahead(lost);
    }
    match own_id_after(kind) {
        Some(frames) => options.with_id_after(frames),
        None => options,
    }
}

pub fn lost(frames: u64) -> Event<'static> {
    Event::new(EventType::from_static("lost"), frames.to_string())
}
