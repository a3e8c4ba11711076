//! What the forms of a target on which a play is played have in common; `stage_channel.rs` has them.

use std::panic::resume_unwind;
use std::sync::Mutex;

use sse_proto::target::{CloseReason, DispatchError, Dispatched};
use sse_proto::{Event, Frame};

use super::life::Chunk;
use super::play::{Action, ENOUGH, Heard, MARKER, Message, Operation, Outcome, When};

/// A target of either form.
pub trait Stage {
    fn dispatch(&self, message: &Message) -> Result<Dispatched, DispatchError>;
    fn queue(&self, frame: &Frame) -> Result<(), DispatchError>;
    fn comment(&self, text: &str) -> Result<(), DispatchError>;
    fn counts(&self) -> (usize, usize, usize);
    fn listen(&self, when: When, once: bool, action: Action);
    fn remove(&self, number: usize) -> bool;
    fn take(&self) -> Option<Vec<u8>>;
    fn end(&self, reason: CloseReason);
    fn reason(&self) -> Option<CloseReason>;
    fn ends(&self) -> (bool, bool);
    fn log(&self) -> &Mutex<Vec<(usize, Heard)>>;

    /// Law 10: who was told to wait is woken, once, when there is something, and only then.
    fn check_wakes(&self) {}

    fn apply(&self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Dispatch(message) => Outcome::Dispatched(self.dispatch(message)),
            Operation::Queue(message) => {
                Outcome::Queued(self.queue(&message.with_event(Frame::new)))
            }
            Operation::Comment(len) => {
                Outcome::Queued(self.comment(&"x".repeat(usize::from(*len))))
            }
            Operation::Listen(when, once, action) => {
                self.listen(*when, *once, *action);
                Outcome::Nothing
            }
            Operation::Remove(number) => Outcome::Removed(self.remove(*number)),
            Operation::Take => Outcome::Taken(self.take().map(Chunk)),
            Operation::End(reason) => {
                self.end(*reason);
                Outcome::Nothing
            }
        }
    }

    fn hear(&self, number: usize, heard: Heard, action: Action) {
        let heard_so_far = {
            let mut log = self.log().lock().unwrap();
            log.push((number, heard));
            log.len()
        };
        if heard_so_far > ENOUGH {
            return;
        }
        match action {
            Action::Nothing | Action::Cancel | Action::Stop => {}
            Action::Dispatch(message) => {
                let answer = self.dispatch(&message);
                self.log()
                    .lock()
                    .unwrap()
                    .push((number, Heard::Answer(answer)));
            }
            Action::Listen(when) => self.listen(when, false, Action::Nothing),
            Action::Remove(other) => {
                self.remove(other);
            }
            Action::End(reason) => self.end(reason),
            // Not `panic!`: a fuzzer's hook would end the process.
            Action::Panic => resume_unwind(Box::new("a listener's panic")),
        }
    }
}

/// Makes the closures of a listener of the play, for either form of target.
macro_rules! add_listener {
    ($target:expr, $stage:expr, $number:expr, $when:expr, $once:expr, $action:expr) => {{
        let (stage, number, action) = ($stage, $number, $action);
        // When the play is over, its stage goes, and what is told then is told to nobody.
        let tell = move |heard| {
            if let Some(stage) = stage() {
                stage.hear(number, heard, action);
            }
        };
        let on = match $when {
            When::Type(event_type) => Some(On::event_type(&EventType::from_static(event_type))),
            When::Every => Some(On::every_event()),
            When::Close | When::Error => None,
        };
        match on {
            Some(on) => {
                let on = if $once { on.once() } else { on };
                $target.listen(on, move |dispatch| {
                    let event = dispatch.event();
                    let event_type = event.event_type().map(|t| match t.as_str() {
                        "message" => "message",
                        "tick" => "tick",
                        _ => "close",
                    });
                    match action {
                        Action::Cancel => dispatch.prevent_default(),
                        Action::Stop => dispatch.stop_immediate_propagation(),
                        _ => {}
                    }
                    let message = Message {
                        event_type,
                        letter: 'x',
                        len: event
                            .data()
                            .map_or(0, |data| u16::try_from(data.len()).unwrap()),
                        cancelable: event.is_cancelable(),
                    };
                    tell(Heard::Event(message));
                })
            }
            None if $when == When::Close => $target.on_close(move |reason| {
                tell(Heard::Close(reason));
            }),
            None => $target.on_error(move |error| {
                tell(Heard::Error(error.to_string()));
            }),
        }
    }};
}

pub(super) use add_listener;

/// The frame that marks gaps in a play.
pub(super) fn marker() -> Frame {
    let marker = Frame::new(&Event::message("gap"));
    assert_eq!(marker.as_bytes(), MARKER);
    marker
}

pub(super) fn take_all<B: AsRef<[u8]>>(mut next: impl FnMut() -> Option<B>) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = next() {
        assert!(!chunk.as_ref().is_empty(), "a chunk is never empty");
        assert!(all.len() < 1 << 20, "more than was ever queued");
        all.extend_from_slice(chunk.as_ref());
    }
    (!all.is_empty()).then_some(all)
}
