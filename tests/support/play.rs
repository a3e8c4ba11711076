//! Plays a sequence of operations on a target and on its model, and compares all that can be seen.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sse_proto::target::{CloseReason, DispatchError, Dispatched, Limits, Overflow};
use sse_proto::{Event, EventType};

use super::input::Input;
use super::law::law;
use super::life::Chunk;
use super::model::Model;
use super::stage::Stage;
use super::stage_channel::{Channel, LocalChannel, PolledByHand};

/// What the target of a play is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub frames: usize,
    pub bytes: usize,
    pub overflow: Overflow,
    /// Whether gaps are marked, with [`MARKER`].
    pub marked: bool,
}

/// What goes out where frames were dropped.
pub const MARKER: &[u8] = b"data: gap\n\n";

impl Rules {
    pub fn limits(&self) -> Limits {
        Limits::new()
            .with_max_frames(self.frames)
            .with_max_bytes(self.bytes)
            .with_overflow(self.overflow)
    }
}

/// The bytes of a comment of the play.
pub fn comment(len: u8) -> Vec<u8> {
    [b": ", &vec![b'x'; usize::from(len)][..], b"\n"].concat()
}

/// An event of the play.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    pub event_type: Option<&'static str>,
    /// What its data is made of.
    pub letter: char,
    pub len: u16,
    pub cancelable: bool,
}

impl Message {
    pub fn with_event<T>(&self, work: impl FnOnce(&Event<'_>) -> T) -> T {
        let data = self.letter.to_string().repeat(self.len.into());
        let mut event = Event::message(data).with_cancelable(self.cancelable);
        if let Some(event_type) = self.event_type {
            event = event.with_event_type(EventType::from_static(event_type));
        }
        work(&event)
    }

    pub fn wire(&self) -> Vec<u8> {
        self.with_event(|event| event.to_bytes().to_vec())
    }
}

/// When a listener of the play is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    Type(&'static str),
    Every,
    Close,
    Error,
}

/// What a listener of the play does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Nothing,
    Cancel,
    Stop,
    Dispatch(Message),
    Listen(When),
    Remove(usize),
    End(CloseReason),
    Panic,
}

/// Once so much was heard in one operation, listeners only listen: each of a few that dispatch would
/// otherwise call all of them, sixteen deep.
pub const ENOUGH: usize = 100;

/// How many listeners are added in one play.
pub const MOST_LISTENERS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    Dispatch(Message),
    /// A frame, which no listener hears.
    Queue(Message),
    /// A comment of that many bytes.
    Comment(u8),
    Listen(When, bool, Action),
    Remove(usize),
    Take,
    End(CloseReason),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Nothing,
    Dispatched(Result<Dispatched, DispatchError>),
    Queued(Result<(), DispatchError>),
    Removed(bool),
    Taken(Option<Chunk>),
    Panicked,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Event(Message),
    Answer(Result<Dispatched, DispatchError>),
    Close(CloseReason),
    Error(String),
}

/// Law 1 (the part on panics), 8, 9 and 10, and the contract of the listeners: a target does what its
/// model does.
pub fn plays_like_its_model(rules: Rules, operations: &[Operation]) {
    let _law = law(
        "1, 8, 9, 10: a target does what its model does",
        format!("{rules:?} {operations:?}"),
    );
    play(&Channel::new(rules), rules, operations);
    play(&LocalChannel::new(rules), rules, operations);
    play(&PolledByHand::new(rules), rules, operations);
}

fn play(stage: &impl Stage, rules: Rules, operations: &[Operation]) {
    let mut model = Model::new(rules);
    for operation in operations {
        let expected = model.apply(operation);
        let seen = catch_unwind(AssertUnwindSafe(|| stage.apply(operation)));
        assert_eq!(seen.unwrap_or(Outcome::Panicked), expected, "{operation:?}");
        assert_eq!(*stage.log().lock().unwrap(), model.log, "{operation:?}");
        assert_eq!(stage.reason(), model.reason());
        assert_eq!(stage.counts(), model.counts(), "{operation:?}");
        assert_eq!(stage.ends(), (model.is_ended(), model.is_drained()));
        stage.check_wakes();
        model.log.clear();
        stage.log().lock().unwrap().clear();
    }
}

/// Reads rules and operations from a fuzzer's bytes: one byte for each choice.
pub fn read(data: &[u8]) -> (Rules, Vec<Operation>) {
    let mut input = Input(data);
    let byte = usize::from(input.byte());
    let overflow = [
        Overflow::Refuse,
        Overflow::DropOldest,
        Overflow::KeepNewest,
        Overflow::Disconnect,
    ];
    let rules = Rules {
        frames: (byte % 24).max(1),
        bytes: usize::from(input.byte()) * 4,
        overflow: overflow[byte / 24 % 4],
        marked: byte / 96 == 1,
    };
    let mut operations = Vec::new();
    while !input.is_empty() && operations.len() < 200 {
        operations.push(operation(&mut input));
    }
    (rules, operations)
}

fn operation(input: &mut Input<'_>) -> Operation {
    match input.byte() % 8 {
        0..=2 => Operation::Dispatch(message(input)),
        3 => Operation::Queue(message(input)),
        4 | 5 => {
            let once = input.byte() % 4 == 0;
            Operation::Listen(when(input), once, action(input))
        }
        6 => match input.byte() % 4 {
            0 | 2 => Operation::Remove(usize::from(input.byte() % 16)),
            1 => Operation::Take,
            _ => Operation::Comment(input.byte()),
        },
        // Ends are rare, or nothing would happen before them.
        _ => match input.byte() {
            byte @ 0..=31 => Operation::End(reason(byte)),
            _ => Operation::Take,
        },
    }
}

fn message(input: &mut Input<'_>) -> Message {
    let byte = input.byte();
    Message {
        event_type: [None, Some("message"), Some("tick"), Some("close")][usize::from(byte % 4)],
        cancelable: byte % 16 < 12,
        letter: 'x',
        len: input.byte().into(),
    }
}

fn when(input: &mut Input<'_>) -> When {
    [
        When::Type("message"),
        When::Type("tick"),
        When::Every,
        When::Close,
        When::Error,
    ][usize::from(input.byte() % 5)]
}

fn action(input: &mut Input<'_>) -> Action {
    match input.byte() % 12 {
        0 => Action::Cancel,
        1 => Action::Stop,
        2 | 3 => Action::Dispatch(message(input)),
        4 => Action::Listen(when(input)),
        5 | 6 => Action::Remove(usize::from(input.byte() % 16)),
        7 => Action::End(reason(input.byte())),
        8 => Action::Panic,
        _ => Action::Nothing,
    }
}

fn reason(byte: u8) -> CloseReason {
    [
        CloseReason::Closed,
        CloseReason::Aborted,
        CloseReason::ClientGone,
        CloseReason::Aborted,
        CloseReason::Failed,
        CloseReason::Closed,
    ][usize::from(byte % 6)]
}
