//! Reads a life from bytes that a person can write.

use sse_proto::target::{CloseReason, Overflow};

use super::input::Input;
use super::life::{Adapter, Chunk, Origin, Step};
use super::life_target::{Command, NEVER, SLOTS};
use super::play::{Message, Rules};

/// Letters; a number is a byte, a digit being its own value.
///
/// First, for a target: `C` (shared) or `L` (local), a policy (`r`efuse, drop the `o`ldest, `n`ewest
/// of each type, disconnect `x`; a capital marks gaps), frames, bytes (32-fold, 15 being enough for
/// all). Without that, the stream is fed by the test.
///
/// Then the adapters, innermost first, up to `|`: `k` + interval, `p`, `u` or `f` (with a farewell),
/// `c` + bytes, `l` + bytes + duration; bytes count eightfold.
///
/// Then the steps: `d` + text + `|` (a message to a target), `e` (the end), `t` + seconds, `!`, `.`
/// (poll), `w` (another waker), `D` (drop the stream). And to a target, a message being a type and a
/// length (fourfold; a frame of 15 is large): `m` + message, `F` + message (a frame), `#` + length (a
/// comment), `r` + slot + bytes (eightfold; reserve), `y` + slot + message (send, and wait for room),
/// `q` + slot (poll it again), `s` or `S` + slot + message (send the event or the frame through a
/// permit), `x` + slot (give it up), `g` + 1 or 0 (mark gaps), `n` (a listener cancels), `E` + reason,
/// `h` or `H` (one handle less or more).
pub fn read(data: &[u8]) -> (Origin, Vec<Adapter>, Vec<Step>) {
    let mut input = Input(data);
    let origin = origin(&mut input);
    let mut adapters = Vec::new();
    while !input.is_empty() && adapters.len() < 6 {
        adapters.push(match input.byte() {
            b'|' => break,
            b'k' => Adapter::KeepAlive {
                interval: number(&mut input),
            },
            b'p' => Adapter::Preamble,
            b'u' => Adapter::Until { farewell: false },
            b'c' => Adapter::Coalesce {
                max: 8 * number(&mut input),
            },
            b'l' => Adapter::Linger {
                max: 8 * number(&mut input),
                duration: number(&mut input),
            },
            _ => Adapter::Until { farewell: true },
        });
    }
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < 200 {
        let letter = b'a' + u8::try_from(steps.len() % 26).expect("below 26");
        steps.push(step(&mut input, letter));
    }
    (origin, adapters, steps)
}

fn origin(input: &mut Input<'_>) -> Origin {
    let shared = match input.0.first() {
        Some(b'C') => true,
        Some(b'L') => false,
        _ => return Origin::Fed,
    };
    input.byte();
    let policy = input.byte();
    let rules = Rules {
        overflow: match policy.to_ascii_lowercase() {
            b'o' => Overflow::DropOldest,
            b'n' => Overflow::KeepNewest,
            b'x' => Overflow::Disconnect,
            _ => Overflow::Refuse,
        },
        marked: policy.is_ascii_uppercase(),
        frames: usize::from(number(input).max(1)),
        bytes: match number(input) {
            15 => 1 << 20,
            number => 32 * usize::from(number),
        },
    };
    if shared {
        Origin::Shared(rules)
    } else {
        Origin::Local(rules)
    }
}

fn step(input: &mut Input<'_>, letter: u8) -> Step {
    let ask = |command| Step::Ask(command);
    match input.byte() {
        b'd' => Step::Feed(Chunk(input.text().into_bytes())),
        b'e' => Step::End,
        b't' => Step::Advance(number(input)),
        b'!' => Step::Signal,
        b'w' => Step::Move,
        b'D' => Step::Drop,
        b'm' => ask(Command::Dispatch(message(input, letter))),
        b'F' => ask(Command::Queue(frame(input, letter))),
        b'#' => ask(Command::Comment(input.byte())),
        b'r' => ask(Command::Reserve(
            slot(input),
            8 * usize::from(number(input)),
        )),
        b'y' => ask(Command::Send(slot(input), message(input, letter))),
        b'q' => ask(Command::Again(slot(input))),
        b's' => ask(Command::Use(slot(input), message(input, letter))),
        b'S' => ask(Command::UseForFrame(slot(input), frame(input, letter))),
        b'x' => ask(Command::GiveUp(slot(input))),
        b'g' => ask(Command::Mark(number(input) % 2 == 1)),
        b'n' => ask(Command::Listen),
        b'E' => ask(Command::End(reason(number(input)))),
        b'h' => ask(Command::DropHandle),
        b'H' => ask(Command::Clone),
        _ => Step::Poll,
    }
}

fn message(input: &mut Input<'_>, letter: u8) -> Message {
    let types = [None, Some("message"), Some("tick"), Some(NEVER)];
    Message {
        event_type: types[usize::from(number(input) % 4)],
        letter: letter.into(),
        len: 4 * u16::from(number(input)),
        cancelable: true,
    }
}

fn frame(input: &mut Input<'_>, letter: u8) -> Message {
    let message = message(input, letter);
    let len = if message.len == 60 { 5000 } else { message.len };
    Message { len, ..message }
}

pub fn reason(number: u8) -> CloseReason {
    [
        CloseReason::Closed,
        CloseReason::Aborted,
        CloseReason::Failed,
    ][usize::from(number % 3)]
}

fn slot(input: &mut Input<'_>) -> usize {
    usize::from(number(input)) % SLOTS
}

fn number(input: &mut Input<'_>) -> u8 {
    input.byte() % 16
}
